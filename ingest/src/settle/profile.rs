//! Device profiles made ready for the hot path: one hash look-up per code. Rebuilt when a revision touches them.

use super::map::jt808::truck::ready;
use ahash::AHashMap;
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::id::DeviceId;
use model::quantity::{QUANTITIES, Quantity, QuantitySpec};
use model::record::Statistic;
use model::register::{DeviceProfile, Factor, Object};
use model::unit::Unit;
use protocol::jt808::TruckProfile;
use std::sync::Arc;

/// A profile's factor, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorRule {
    /// As the profile writes it.
    pub code: Box<str>,
    pub target: Target,
    pub statistic: Option<Statistic>,
    unit: Unit,
    canonical: Unit,
    scale: f64,
    offset: f64,
    pub min: f64,
    pub max: f64,
}

/// What a factor measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    BuiltIn(Quantity),
    /// A word of the profile that is no built-in quantity: kept under it as a foreign quantity, in the wire's unit.
    Word(Box<str>),
}

impl FactorRule {
    fn new(factor: &Factor) -> Self {
        let spec = QUANTITIES.iter().find(|spec| spec.code == factor.quantity);
        let (low, high) = spec.map_or((f64::MIN, f64::MAX), |spec| (spec.min, spec.max));
        Self {
            code: factor.code.as_str().into(),
            target: spec
                .map_or_else(|| Target::Word(factor.quantity.as_str().into()), |spec| Target::BuiltIn(spec.quantity)),
            statistic: factor.statistic,
            unit: factor.unit,
            canonical: spec.map_or(factor.unit, |spec| spec.unit),
            scale: factor.scale,
            offset: factor.offset,
            min: factor.min.map_or(low, |min| min.max(low)),
            max: factor.max.map_or(high, |max| max.min(high)),
        }
    }

    /// Wire number → canonical unit; `None` when the profile's unit cannot become the quantity's.
    pub fn apply(&self, wire: f64) -> Option<f64> {
        self.unit.convert(wire * self.scale + self.offset, self.canonical)
    }
}

/// A profile made ready.
#[derive(Debug)]
pub struct Profile {
    pub source: Arc<DeviceProfile>,
    factors: Vec<FactorRule>,
    /// Under the code as written and in lower case.
    by_code: AHashMap<Box<str>, usize>,
    /// For JT/T 808 trucks.
    pub truck: Option<TruckProfile>,
}

impl Profile {
    fn new(source: Arc<DeviceProfile>) -> Self {
        let factors: Vec<_> = source.factors.iter().map(FactorRule::new).collect();
        let mut by_code = AHashMap::new();
        for (index, factor) in factors.iter().enumerate() {
            by_code.entry(factor.code.clone()).or_insert(index);
            by_code.entry(factor.code.to_lowercase().into()).or_insert(index);
        }
        let truck = source.truck.as_ref().map(ready);
        Self { source, factors, by_code, truck }
    }

    pub fn protocol(&self) -> ProtocolKind {
        self.source.protocol
    }

    /// Factor of a code, compared without case.
    pub fn factor(&self, code: &str) -> Option<&FactorRule> {
        let index = match self.by_code.get(code) {
            Some(index) => *index,
            None if code.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                *self.by_code.get(code.to_lowercase().as_str())?
            }
            None => return None,
        };
        self.factors.get(index)
    }
}

/// Profiles in use, by device.
#[derive(Debug, Default)]
pub struct Profiles {
    ready: AHashMap<String, Arc<Profile>>,
    of_device: AHashMap<DeviceId, Option<Arc<Profile>>>,
}

impl Profiles {
    pub fn of(&mut self, facts: &Facts, device: DeviceId) -> Option<Arc<Profile>> {
        if let Some(known) = self.of_device.get(&device) {
            return known.clone();
        }
        let profile = facts.profile_of(device).map(|source| {
            let ready = self.ready.entry(source.code.clone());
            Arc::clone(ready.or_insert_with(|| Arc::new(Profile::new(Arc::clone(source)))))
        });
        self.of_device.insert(device, profile.clone());
        profile
    }

    /// A register was edited.
    pub fn revised(&mut self, object: &Object) {
        match object {
            Object::Profile(row) => {
                self.ready.remove(&row.code);
                self.of_device.clear();
            }
            Object::Device(row) => drop(self.of_device.remove(&row.id)),
            _ => {}
        }
    }
}

/// Row of the built-in table; the table is sorted by number and small.
pub fn spec_of(quantity: Quantity) -> Option<&'static QuantitySpec> {
    let index = QUANTITIES.binary_search_by_key(&quantity, |spec| spec.quantity).ok()?;
    QUANTITIES.get(index)
}
