//! Stage 5: each wire number becomes one in its quantity's canonical unit, once. Foreign quantities stay as sent.

use super::draft::{Draft, Fault};
use model::quantity::Quantity;
use model::record::{Body, Value};
use model::verdict::QuarantineReason;

/// The body, its values sorted by (quantity, statistic). Of two values for one place the first counts and the other is remarked,
/// with what it was.
pub fn convert(draft: &mut Draft<'_>) -> Result<Body, Fault> {
    // The order of the draft's values is that of the body from here on: the next stage walks both.
    draft.values.sort_by_key(|value| (value.quantity, value.statistic));
    let mut mismatch: Option<String> = None;
    let mut values: Vec<Value> = Vec::with_capacity(draft.values.len());
    let mut remarks = Vec::new();
    draft.values.retain(|value| {
        let number = match value.rule {
            None => Some(value.wire),
            Some(rule) => rule.apply(value.wire),
        };
        let place = || value.rule.map_or_else(|| code_of(value.quantity), |rule| rule.code.to_string());
        let Some(number) = number else {
            remarks.push(("unit_mismatch", place()));
            mismatch.get_or_insert_with(place);
            return false;
        };
        if !number.is_finite() {
            remarks.push(("value_not_finite", place()));
            return false;
        }
        if values.last().is_some_and(|last| (last.quantity, last.statistic) == (value.quantity, value.statistic)) {
            remarks.push(("duplicate_factor", format!("{}={}", place(), value.wire)));
            return false;
        }
        // Adding zero turns −0 into 0, so that both are one content.
        values.push(Value {
            quantity: value.quantity,
            statistic: value.statistic,
            flag: value.flag,
            value: number + 0.0,
        });
        true
    });
    for (code, place) in remarks {
        draft.remark(code, &place);
    }
    let body = Body { values, fix: draft.fix.take(), happening: draft.happening.take() };
    if body.values.is_empty() && body.fix.is_none() && body.happening.is_none() {
        return Err(match mismatch {
            Some(place) => Fault::new(QuarantineReason::UnitMismatch, place),
            None => Fault::new(
                QuarantineReason::NoUsableValue,
                match draft.remarks.first() {
                    None => "no value in it".to_owned(),
                    Some(one) if one.place.is_empty() => format!("{}: a value without a name", one.code),
                    Some(one) => format!("{} {}", one.code, one.place),
                },
            ),
        });
    }
    Ok(body)
}

fn code_of(quantity: Quantity) -> String {
    quantity.spec().map_or_else(|| format!("foreign {}", quantity.0), |spec| spec.code.to_owned())
}
