//! Charts: a line of at most a few thousand points that still shows every extreme.

use model::record::Flag;
use model::time::EventTime;
use serde::Serialize;

/// A point of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SeriesPoint {
    pub at: EventTime,
    pub value: f64,
    pub flag: Flag,
}

/// A line, by time.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Series {
    pub points: Vec<SeriesPoint>,
    /// Points before the line was thinned.
    pub of: usize,
}

/// Thins a line that is sorted by time to at most `points_max` points (at least 4): first, last and, of each equal stretch of time, the
/// lowest and the highest. So the extremes of the whole line, and of each stretch, are always in it.
pub fn downsample(points: &[SeriesPoint], points_max: usize) -> Vec<SeriesPoint> {
    if points.len() <= points_max.max(4) {
        return points.to_vec();
    }
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let stretches = (points_max.max(4) - 2) / 2;
    let span = i128::from(last.at.0) - i128::from(first.at.0) + 1;
    let stretch_of = |at: EventTime| (i128::from(at.0) - i128::from(first.at.0)) * stretches as i128 / span;
    let mut kept = Vec::with_capacity(points_max);
    kept.push(0);
    let mut start = 0;
    while start < points.len() {
        let stretch = stretch_of(points[start].at);
        let end = start + points[start..].partition_point(|point| stretch_of(point.at) == stretch);
        let by_value = |a: &usize, b: &usize| points[*a].value.total_cmp(&points[*b].value);
        let lowest = (start..end).min_by(by_value).unwrap_or(start);
        let highest = (start..end).max_by(by_value).unwrap_or(start);
        kept.extend([lowest.min(highest), lowest.max(highest)]);
        start = end;
    }
    kept.push(points.len() - 1);
    kept.dedup();
    kept.into_iter().map(|index| points[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Extremes of the whole, the ends, the order and the bound.
        #[test]
        fn a_thinned_line_keeps_every_extreme(
            steps in prop::collection::vec((0i64..10_000, -1e6f64..1e6), 1..400),
            points_max in 4usize..100,
        ) {
            let mut at = 0;
            let points: Vec<_> = steps
                .into_iter()
                .map(|(step, value)| {
                    at += step;
                    SeriesPoint { at: EventTime(at), value, flag: Flag::Normal }
                })
                .collect();
            let thin = downsample(&points, points_max);
            prop_assert!(thin.len() <= points_max.max(4));
            prop_assert!(thin.is_sorted_by_key(|point| point.at));
            let extremes = |line: &[SeriesPoint]| {
                let values = || line.iter().map(|point| point.value);
                (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
            };
            prop_assert_eq!(extremes(&thin), extremes(&points));
            prop_assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
        }
    }
}
