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
