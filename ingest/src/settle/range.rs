//! Stage 6: a value that cannot be (outside of the quantity's range, or of the narrower one in the device's profile) is kept, flagged
//! `impossible` and remarked. It never counts toward a limit.

use super::draft::DraftValue;
use super::profile::spec_of;
use super::{REMARKS_MAX, remark};
use model::record::{Body, Flag, Remark};

/// `drafts` and `body.values` are in the same order.
pub fn check(drafts: &[DraftValue<'_>], mut body: Body, remarks: &mut Vec<Remark>) -> Body {
    for (draft, value) in drafts.iter().zip(&mut body.values) {
        let (min, max) = match draft.rule {
            Some(rule) => (rule.min, rule.max),
            None => spec_of(value.quantity).map_or((f64::MIN, f64::MAX), |spec| (spec.min, spec.max)),
        };
        if value.value < min || value.value > max {
            value.flag = Flag::Impossible;
            if remarks.len() < REMARKS_MAX {
                let code = draft.rule.map(|rule| &*rule.code).or(spec_of(value.quantity).map(|spec| spec.code));
                remarks.push(remark("out_of_range", code.unwrap_or_default()));
            }
        }
    }
    body
}
