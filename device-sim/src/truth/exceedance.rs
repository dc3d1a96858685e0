//! When the mean over the window was above the limit: the planned levels, without noise, averaged over the readings that
//! count in the window that ends with each reading; at least three quarters of them must be there.

use crate::plan::{FumePlan, Plan};

/// `(start, end)`: from the first reading whose mean is above the limit to the first whose mean is clearly below again.
pub(super) fn stretches(own: &FumePlan, plan: &Plan) -> Vec<(i64, Option<i64>)> {
    let judging = plan.judging;
    let step = judging.reading_interval_s * 1000;
    let end = plan.timeline.start_ms + plan.timeline.length_s * 1000;
    let clear_below = judging.fume_limit * judging.clear_share;
    let mut found = Vec::new();
    let mut open: Option<i64> = None;
    let mut at = plan.timeline.start_ms;
    while at < end {
        if let Some(mean) = mean(own, plan, at) {
            match open {
                None if mean > judging.fume_limit => open = Some(at),
                Some(start) if mean <= clear_below => {
                    found.push((start, Some(at)));
                    open = None;
                }
                _ => {}
            }
        }
        at += step;
    }
    found.extend(open.map(|start| (start, None)));
    found
}

fn mean(own: &FumePlan, plan: &Plan, at: i64) -> Option<f64> {
    let step = plan.judging.reading_interval_s * 1000;
    let counts = |when: i64| {
        let within = when >= plan.timeline.start_ms;
        own.planned(when).filter(|(_, counts)| *counts && within).map(|(level, _)| level)
    };
    counts(at)?;
    let slots = plan.judging.mean_window_s * 1000 / step;
    let (mut sum, mut valid) = (0.0, 0_i64);
    for back in 0..slots {
        if let Some(level) = counts(at - back * step) {
            sum += level;
            valid += 1;
        }
    }
    if valid * 4 < slots * 3 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of readings")]
    let count = valid as f64;
    Some(sum / count)
}
