//! Protocol messages → drafts of records, one file per protocol. Here is what they share.

pub mod datum;
pub mod hj212;
pub mod jt808;
pub mod modbus;
pub mod mqtt;
pub mod onvif;
pub mod sparkplug;

use super::draft::{Draft, DraftValue};
use super::foreign::Foreign;
use super::profile::{Profile, Target};
use model::geo::Wgs84;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{Flag, RecordKey, RecordKind, Statistic};
use model::time::EventTime;

/// A draft without a slot.
fn draft<'p>(device: DeviceId, kind: RecordKind, at: EventTime) -> Draft<'p> {
    Draft::new(RecordKey { device, kind, slot: 0, at })
}

/// What a code is when the profile does not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmapped {
    /// The built-in quantity of that code, in its canonical unit, if there is one.
    BuiltInOrForeign,
    Foreign,
}

/// A number with how it was named, to be put into a draft.
#[derive(Debug, Clone, Copy)]
struct Named<'a> {
    code: &'a str,
    /// `None`: the profile's, or `default`.
    statistic: Option<Statistic>,
    default: Statistic,
    flag: Flag,
    wire: f64,
}

/// Where terminals say they are that do not know: the Gulf of Guinea. Never a fresh location.
fn is_nowhere(place: Wgs84) -> bool {
    place.lon.abs() < 0.01 && place.lat.abs() < 0.01
}

/// Adds a number under what the profile says its code is.
fn put<'p>(draft: &mut Draft<'p>, profile: &'p Profile, foreign: &mut Foreign, unmapped: Unmapped, named: Named<'_>) {
    let Named { code, statistic, default, flag, wire } = named;
    let device = draft.key.device;
    let (quantity, rule) = match profile.factor(code) {
        Some(rule) => match &rule.target {
            Target::BuiltIn(quantity) => (Some(*quantity), Some(rule)),
            Target::Word(word) => (foreign.number(word, device), Some(rule)),
        },
        None if unmapped == Unmapped::BuiltInOrForeign
            && let Some(quantity) = Quantity::from_code(code) =>
        {
            (Some(quantity), None)
        }
        None => {
            draft.remark("unknown_factor", code);
            (foreign.number(code, device), None)
        }
    };
    let Some(quantity) = quantity else {
        draft.remark("unknown_factor_dropped", code);
        return;
    };
    let statistic = statistic.or(rule.and_then(|rule| rule.statistic)).unwrap_or(default);
    draft.values.push(DraftValue { quantity, statistic, flag, wire, rule });
}

/// A finite number from text; the remark for what is none.
fn number(text: &str) -> Result<f64, &'static str> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err("value_not_finite"),
        Err(_) => Err("value_not_a_number"),
    }
}
