//! The dictionary of foreign quantities: codes that no profile maps, kept under the device's own word and numbered in journal order from
//! [`Quantity::FIRST_FOREIGN`]. Saved with the chunks, so a number means the same for ever.

use crate::metrics::SETTLE_FOREIGN_FULL_TOTAL;
use ahash::AHashMap;
use model::id::DeviceId;
use model::quantity::Quantity;

/// A line of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignName {
    pub quantity: Quantity,
    /// In lower case, since codes are compared without case.
    pub code: String,
    /// Who sent it first.
    pub device: DeviceId,
}

/// The dictionary in memory.
#[derive(Debug)]
pub struct Foreign {
    max: usize,
    per_device_max: usize,
    by_code: AHashMap<String, Quantity>,
    names: Vec<ForeignName>,
    per_device: AHashMap<DeviceId, usize>,
    /// How many of `names` the store has.
    taken: usize,
}

impl Foreign {
    pub fn new(max: usize, per_device_max: usize, mut names: Vec<ForeignName>) -> Self {
        names.sort_by_key(|name| name.quantity);
        let mut foreign = Self {
            max: max.min(usize::from(u16::MAX - Quantity::FIRST_FOREIGN)),
            per_device_max,
            by_code: AHashMap::new(),
            names: Vec::new(),
            per_device: AHashMap::new(),
            taken: names.len(),
        };
        for name in names {
            foreign.put(name);
        }
        foreign
    }

    fn put(&mut self, name: ForeignName) {
        self.by_code.insert(name.code.clone(), name.quantity);
        *self.per_device.entry(name.device).or_default() += 1;
        self.names.push(name);
    }

    /// Number of a code, given now if it is new; `None` when the dictionary (or the device's share) is full, or the code is not fit to be
    /// a name (empty, longer than 64 bytes, control characters).
    pub fn number(&mut self, code: &str, device: DeviceId) -> Option<Quantity> {
        if code.is_empty() || code.len() > CODE_BYTES_MAX || code.chars().any(char::is_control) {
            return None;
        }
        if let Some(quantity) = self.by_code.get(code) {
            return Some(*quantity);
        }
        let lower = code.to_lowercase();
        if let Some(quantity) = self.by_code.get(&lower) {
            return Some(*quantity);
        }
        let used = self.per_device.get(&device).copied().unwrap_or(0);
        if self.names.len() >= self.max || used >= self.per_device_max {
            metrics::counter!(SETTLE_FOREIGN_FULL_TOTAL).increment(1);
            return None;
        }
        let number = u16::try_from(self.names.len()).ok()?.checked_add(Quantity::FIRST_FOREIGN)?;
        self.put(ForeignName { quantity: Quantity(number), code: lower, device });
        Some(Quantity(number))
    }

    /// Names given since the last call.
    pub fn take_new(&mut self) -> &[ForeignName] {
        let from = std::mem::replace(&mut self.taken, self.names.len());
        self.names.get(from..).unwrap_or_default()
    }

    /// Code of a quantity: built-in, or a device's own word.
    pub fn code(&self, quantity: Quantity) -> Option<String> {
        if let Some(spec) = quantity.spec() {
            return Some(spec.code.to_owned());
        }
        let index = usize::from(quantity.0.checked_sub(Quantity::FIRST_FOREIGN)?);
        self.names.get(index).map(|name| name.code.clone())
    }
}

const CODE_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_in_order_and_kept_over_a_restart() {
        let mut foreign = Foreign::new(10, 10, Vec::new());
        let device = DeviceId(1);
        assert_eq!(foreign.number("a99", device), Some(Quantity(1000)));
        assert_eq!(foreign.number("B1", device), Some(Quantity(1001)));
        assert_eq!(foreign.number("A99", device), Some(Quantity(1000)));
        let names = foreign.take_new().to_vec();
        let mut again = Foreign::new(10, 10, names);
        assert_eq!(again.number("b1", device), Some(Quantity(1001)));
        assert_eq!(again.number("c", device), Some(Quantity(1002)));
        assert_eq!(again.take_new().len(), 1);
    }

    #[test]
    fn one_device_cannot_use_up_the_dictionary() {
        let mut foreign = Foreign::new(10, 3, Vec::new());
        let given = (0..100).filter(|n| foreign.number(&format!("x{n}"), DeviceId(1)).is_some()).count();
        assert_eq!(given, 3);
        assert!(foreign.number("y", DeviceId(2)).is_some());
    }
}
