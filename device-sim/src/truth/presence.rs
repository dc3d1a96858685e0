//! When a device gave no data for too long: from the last reading before to the first one after.

use crate::plan::{FumePlan, Plan};

pub(super) fn gaps(own: &FumePlan, plan: &Plan) -> Vec<(i64, Option<i64>)> {
    let step = plan.judging.reading_interval_s * 1000;
    let end = plan.timeline.start_ms + plan.timeline.length_s * 1000;
    let mut found = Vec::new();
    let mut last = None;
    let mut at = plan.timeline.start_ms;
    while at < end {
        if own.planned(at).is_some() {
            if let Some(before) = last.filter(|before| at - before > plan.judging.gap_s * 1000) {
                found.push((before, Some(at)));
            }
            last = Some(at);
        }
        at += step;
    }
    if let Some(before) = last.filter(|before| end - before > plan.judging.gap_s * 1000) {
        found.push((before, None));
    }
    found
}
