//! When a truck was off its corridor: fixes farther from the line than half the width and the margin, for long enough.

use crate::plan::{Plan, TruckPlan};

/// `(start, end)`; no end: it lasts beyond the timeline.
pub(super) fn stretches(own: &TruckPlan, plan: &Plan) -> Vec<(i64, Option<i64>)> {
    let step = plan.judging.fix_interval_s * 1000;
    let begin = plan.timeline.start_ms + (step - plan.timeline.start_ms.rem_euclid(step)) % step;
    let end = plan.timeline.start_ms + plan.timeline.length_s * 1000;
    let mut found = Vec::new();
    let mut out: Option<(i64, i64)> = None;
    let mut at = begin;
    while at < end {
        let usable = own.has_fix(at) && !own.is_wild(at);
        if usable {
            let distance = own.distance_m(own.place(at));
            out = match (out, distance > plan.judging.off_route_m) {
                (None, true) => Some((at, at)),
                (Some((start, _)), true) => Some((start, at)),
                // Between the inner and the outer line nothing changes.
                (Some(open), false) if distance > crate::district::CORRIDOR_HALF_WIDTH_M => Some((open.0, at)),
                (Some((start, last)), false) => {
                    if last - start >= plan.judging.off_route_s * 1000 {
                        found.push((start, Some(at)));
                    }
                    None
                }
                (None, false) => None,
            };
        }
        at += step;
    }
    let lasting = out.filter(|(start, last)| last - start >= plan.judging.off_route_s * 1000);
    found.extend(lasting.map(|(start, _)| (start, None)));
    found
}
