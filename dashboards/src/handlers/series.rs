//! A chart's line: points, gaps, flags, limit lines, and what was not judged and why.

use crate::dto::common::Time;
use crate::dto::series::{FlagSpan, Gap, LimitLine, NotJudged, Series, SeriesQuery};
use crate::dto::words::{RecordKind, Statistic};
use crate::extract::{Caller, Id, Json, Search};
use crate::handlers::devices::seen;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::{device, limit, refs, registers};
use axum::extract::State;
use ingest::chunks::{SERIES_POINTS_MAX, SeriesPoint};
use model::facts::Facts;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::Flag;
use model::stream::Outage;
use model::time::EventTime;

pub(crate) async fn series(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Search(query): Search<SeriesQuery>,
) -> ApiResult<Json<Series>> {
    let facts = state.facts();
    let row = seen(&facts, &caller, id)?;
    let quantity = quantity(&state, row.id, &query.quantity)?;
    let kind = query.kind.unwrap_or(RecordKind::Instant);
    let natural = if kind == RecordKind::Instant { Statistic::Instant } else { Statistic::Mean };
    let statistic = query.statistic.unwrap_or(natural);
    // The end is exclusive; a chart that reaches to now shows what came this very moment.
    let to = query.to.map_or_else(|| state.event_now().plus_ms(1), EventTime::from);
    let asked = EventTime::from(query.from);
    if asked >= to {
        return Err(ApiError::field("from", "must be before to"));
    }
    let from = asked.max(to.plus_ms(-SPAN_MS_MAX));
    let points_max = usize::try_from(query.points.unwrap_or(2_000)).unwrap_or(2_000).clamp(10, SERIES_POINTS_MAX);
    let wanted = ingest::chunks::SeriesQuery {
        device: row.id,
        kind: kind.into(),
        quantity,
        statistic: statistic.into(),
        from,
        to,
        points_max,
    };
    let found = state.chunks.series(wanted).await?;
    let as_of = state.hub.as_of().1;
    let interval_ms = interval_ms(&facts, row.id, kind);
    let width_ms = if found.of > found.points.len() {
        to.since_ms(from) / i64::try_from(points_max / 2).unwrap_or(1).max(1)
    } else {
        0
    };
    let outages = state.pulse.outages();
    let gaps = gaps(&found.points, (3 * interval_ms).max(2 * width_ms), &outages);
    let (t, v) = columns(&found.points, &gaps);
    let (limits, mut not_judged) = limits(&facts, row.id, quantity, from, to);
    not_judged.extend(now_not_judged(&state, row.id, quantity, to));
    Ok(Json(Series {
        device: refs::device_of(&row),
        quantity: query.quantity,
        kind,
        statistic,
        unit: device::unit(quantity),
        from: from.into(),
        to: to.into(),
        t,
        v,
        flags: flags(&found.points),
        gaps,
        limits,
        not_judged,
        data_as_of: as_of.map(Time::from),
        total: found.of as u64,
        downsampled: found.of > found.points.len(),
        truncated: from > asked,
    }))
}

/// Built-in by code; a foreign one only when the device has sent it lately.
fn quantity(state: &AppState, device: DeviceId, code: &str) -> ApiResult<Quantity> {
    if let Some(quantity) = Quantity::from_code(code) {
        return Ok(quantity);
    }
    let known = state.hub.device(device);
    let foreign = known.iter().flat_map(|known| &known.values).map(|value| value.quantity);
    let mut foreign = foreign.filter(|quantity| quantity.is_foreign());
    foreign
        .find(|quantity| state.chunks.quantity_code(*quantity).as_deref() == Some(code))
        .ok_or_else(|| ApiError::field("quantity", "there is no such quantity"))
}

fn interval_ms(facts: &Facts, device: DeviceId, kind: RecordKind) -> i64 {
    match kind {
        RecordKind::Minute => 60_000,
        RecordKind::Hour => 3_600_000,
        RecordKind::Day => 86_400_000,
        _ => {
            facts.profile_of(device).map_or(60_000, |profile| i64::from(profile.expected_interval_s) * 1_000).max(1_000)
        }
    }
}

fn gaps(points: &[SeriesPoint], longest_ms: i64, outages: &[Outage]) -> Vec<Gap> {
    points
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if b.at.since_ms(a.at) > longest_ms => {
                let ours = outages.iter().find(|outage| outage.from.0 < b.at.0 && a.at.0 < outage.to.0);
                Some(Gap { from: a.at.into(), to: b.at.into(), ours: ours.map(|outage| outage.what.into()) })
            }
            _ => None,
        })
        .collect()
}

/// Times and values; a null breaks the line in each gap.
fn columns(points: &[SeriesPoint], gaps: &[Gap]) -> (Vec<i64>, Vec<Option<f64>>) {
    let mut t = Vec::with_capacity(points.len() + gaps.len());
    let mut v = Vec::with_capacity(points.len() + gaps.len());
    let mut gaps = gaps.iter().peekable();
    for point in points {
        t.push(point.at.0);
        v.push(Some(point.value));
        if gaps.next_if(|gap| gap.from.0 == point.at.0).is_some() {
            t.push(point.at.0 + 1);
            v.push(None);
        }
    }
    (t, v)
}

fn flags(points: &[SeriesPoint]) -> Vec<FlagSpan> {
    points
        .chunk_by(|a, b| a.flag == b.flag)
        .filter_map(|run| match (run.first(), run.last()) {
            (Some(first), Some(last)) if first.flag != Flag::Normal => {
                Some(FlagSpan { from: first.at.into(), to: last.at.into(), flag: first.flag.into() })
            }
            _ => None,
        })
        .collect()
}

/// The limit rows over the span, cut where the device moved or the row changed; and the stretches without one.
fn limits(
    facts: &Facts,
    device: DeviceId,
    quantity: Quantity,
    from: EventTime,
    to: EventTime,
) -> (Vec<LimitLine>, Vec<NotJudged>) {
    let mut cuts = vec![from, to];
    let inside = |at: &EventTime| *at > from && *at < to;
    for row in facts.installations_of(device) {
        cuts.extend([Some(row.valid_from), row.valid_to].into_iter().flatten().filter(inside));
    }
    for row in facts.limits.values() {
        cuts.extend([Some(row.valid_from), row.valid_to].into_iter().flatten().filter(inside));
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut lines: Vec<LimitLine> = Vec::new();
    let mut not_judged: Vec<NotJudged> = Vec::new();
    for pair in cuts.windows(2) {
        let [start, end] = *pair else { continue };
        let subject = facts.installation_at(device, start).and_then(|row| facts.subjects.get(&row.subject));
        let because = match subject {
            None => "not_installed",
            Some(subject) => {
                let rows = limit::fitting(facts, subject, quantity);
                if let Some(row) = limit::at(&rows, start)
                    && let Some(value) = limit::canonical(row, quantity)
                {
                    match lines.last_mut() {
                        Some(line) if line.limit.id == row.id.0 && line.to == start.into() => line.to = end.into(),
                        _ => lines.push(LimitLine {
                            from: start.into(),
                            to: end.into(),
                            value,
                            limit: registers::limit(row),
                        }),
                    }
                    continue;
                }
                "no_limit"
            }
        };
        match not_judged.last_mut() {
            Some(last) if last.because == because && last.to == start.into() => last.to = end.into(),
            _ => not_judged.push(NotJudged {
                from: start.into(),
                to: end.into(),
                because: because.to_owned(),
                detail: None,
            }),
        }
    }
    (lines, not_judged)
}

/// What the rules say of this very moment, when the chart reaches it.
fn now_not_judged(state: &AppState, device: DeviceId, quantity: Quantity, to: EventTime) -> Vec<NotJudged> {
    let now = state.event_now();
    if to.plus_ms(NOW_MS) < now {
        return Vec::new();
    }
    let facts = state.facts();
    let Some(installed) = facts.installation_at(device, now) else { return Vec::new() };
    let said = state.judge.explain(installed.subject, Some(quantity)).into_iter();
    let mut out: Vec<NotJudged> = Vec::new();
    for one in said.filter(|one| one.device == device) {
        let rules::JudgedState::NotJudged { reason } = one.state else { continue };
        let told = serde_json::to_value(&reason).unwrap_or_default();
        let because = told.get("reason").and_then(|word| word.as_str()).unwrap_or("no_data").to_owned();
        let detail = match &reason {
            rules::NotJudged::TooFewValid { valid, expected, needed } => Some(format!("{valid}/{expected} < {needed}")),
            rules::NotJudged::Flagged { flag } => {
                serde_json::to_value(flag).ok().and_then(|word| word.as_str().map(str::to_owned))
            }
            _ => Some(one.rule.clone()),
        };
        if !out.iter().any(|known| known.because == because) {
            out.push(NotJudged { from: one.as_of.unwrap_or(now).into(), to: now.into(), because, detail });
        }
    }
    out
}

/// Longest span of a chart: 400 days.
const SPAN_MS_MAX: i64 = 400 * 86_400_000;
/// A chart that ends so near to now shows what the rules say of now.
const NOW_MS: i64 = 120_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64, value: f64, flag: Flag) -> SeriesPoint {
        SeriesPoint { at: EventTime(at), value, flag }
    }

    #[test]
    fn a_gap_breaks_the_line_and_is_ours_when_we_were_away() {
        let points = [point(0, 1.0, Flag::Normal), point(1_000, 2.0, Flag::Normal), point(60_000, 3.0, Flag::Normal)];
        let outage = Outage {
            from: model::time::IngestTime(2_000),
            to: model::time::IngestTime(50_000),
            what: model::stream::OutageKind::Process,
        };
        let found = gaps(&points, 5_000, &[outage]);
        assert_eq!(found.len(), 1);
        assert!(found[0].ours.is_some());
        let (t, v) = columns(&points, &found);
        assert_eq!(t, [0, 1_000, 1_001, 60_000]);
        assert_eq!(v, [Some(1.0), Some(2.0), None, Some(3.0)]);
    }

    #[test]
    fn flags_are_told_as_spans_and_normal_is_not_told() {
        let points = [
            point(0, 1.0, Flag::Normal),
            point(1, 1.0, Flag::Calibration),
            point(2, 1.0, Flag::Calibration),
            point(3, 1.0, Flag::Fault),
        ];
        let found = flags(&points);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].from.0, found[0].to.0), (1, 2));
    }
}
