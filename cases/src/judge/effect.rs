//! An episode's change with everything that its alert and case need to know, taken from the facts as of its item.

use super::Deadline;
use model::envelope::Position;
use model::episode::{Episode, EpisodeChange};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{GridId, OfficeId};
use model::register::{Grid, shadowed};
use model::stream::Item;
use model::time::IngestTime;
use rules::definition::{Exceedance, Kind};
use rules::{CompiledRule, Engine};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Effect {
    pub(super) change: EpisodeChange,
    /// Journal time of the item.
    pub(super) at: IngestTime,
    pub(super) rule: Option<Arc<CompiledRule>>,
    pub(super) subject_name: String,
    pub(super) grid: Option<GridId>,
    pub(super) office: Option<OfficeId>,
    pub(super) details: Value,
    /// Set when a case may be opened.
    pub(super) review_due: Option<IngestTime>,
}

impl Effect {
    pub(super) fn new(
        change: EpisodeChange,
        at: IngestTime,
        engine: &Engine,
        facts: &Facts,
        deadline: &Deadline,
    ) -> Self {
        let episode = change.episode();
        // Case and wording are of the version that the episode pins, whatever is live now.
        let rule = engine.rule_version(&episode.rule, episode.rule_version);
        let subject = facts.subjects.get(&episode.subject);
        let grid = subject
            .and_then(|subject| subject.grid)
            .and_then(|grid| facts.grids.get(&grid))
            .or_else(|| grid_of(episode.place.or_else(|| subject.and_then(|subject| subject.place))?, facts));
        let case = rule
            .as_ref()
            .and_then(|rule| rule.case.as_ref())
            .filter(|_| matches!(change, EpisodeChange::Settled { .. }) && shadowed(&episode.rule).is_none());
        let review_due = case.map(|case| deadline(facts, at, case.review_minutes));
        Self {
            at,
            subject_name: subject.map_or_else(|| episode.subject.to_string(), |subject| subject.name.clone()),
            grid: grid.map(|grid| grid.id),
            office: grid.map(|grid| grid.office),
            details: rule.as_ref().map_or(Value::Null, |rule| in_shadow(details(rule, episode, facts), &episode.rule)),
            review_due,
            rule,
            change,
        }
    }

    /// Positions to pin, when it opens or joins a case.
    pub(super) fn evidence(&self) -> impl Iterator<Item = Position> + '_ {
        let pins = if self.review_due.is_some() { self.change.episode().evidence.as_slice() } else { &[] };
        pins.iter().copied()
    }
}

pub(crate) fn journal_time(item: &Item) -> IngestTime {
    match item {
        Item::Record(record) => record.received,
        Item::Contact { received, .. } => *received,
        Item::Tick { tick, .. } => tick.at,
        Item::Revision { revision, .. } => revision.at,
        Item::Outage { outage, .. } => outage.to,
    }
}

/// Alerts of a version that runs in shadow say so.
fn in_shadow(mut details: Value, rule: &str) -> Value {
    if let (Some(object), Some(_)) = (details.as_object_mut(), shadowed(rule)) {
        object.insert("shadow".into(), json!(true));
    }
    details
}

fn details(rule: &CompiledRule, episode: &Episode, facts: &Facts) -> Value {
    let mut value = json!({ "kind": rule.kind.code(), "basis": rule.basis });
    let Some(object) = value.as_object_mut() else { return value };
    match &rule.kind {
        Kind::Exceedance(p) => object.extend(exceedance(p, episode, facts)),
        Kind::Offline(p) => {
            object.insert("unit".into(), json!("s"));
            object.insert("judge".into(), json!(p.judge));
        }
        Kind::OffRoute(_) => {
            object.insert("unit".into(), json!("m"));
            let permit = episode.permit.and_then(|id| facts.permits.get(&id));
            object.insert("permit_code".into(), json!(permit.map(|permit| permit.code.as_str())));
        }
        Kind::Judged(judged) => {
            object.insert("unit".into(), json!(judged.unit()));
            object.insert("quantity".into(), json!(judged.quantity()));
            let limit = episode.limit.and_then(|id| facts.limits.get(&id));
            object.insert("limit_standard".into(), json!(limit.map(|limit| limit.standard.as_str())));
            object.insert("limit_source".into(), json!(limit.map(|limit| limit.source.as_str())));
            object.insert("limit_verified".into(), json!(limit.map(|limit| limit.verified)));
            let permit = episode.permit.and_then(|id| facts.permits.get(&id));
            object.insert("permit_code".into(), json!(permit.map(|permit| permit.code.as_str())));
        }
    }
    value
}

fn exceedance(rule: &Exceedance, episode: &Episode, facts: &Facts) -> Vec<(String, Value)> {
    let spec = rule.quantity.spec();
    let limit = episode.limit.and_then(|id| facts.limits.get(&id));
    [
        ("quantity", json!(spec.map(|spec| spec.code))),
        ("unit", json!(spec.map(|spec| spec.unit.code()))),
        ("statistic", json!(rule.statistic)),
        ("window_ms", json!(rule.window_ms)),
        ("not_converted", json!(rule.not_converted)),
        ("limit_standard", json!(limit.map(|limit| limit.standard.as_str()))),
        ("limit_source", json!(limit.map(|limit| limit.source.as_str()))),
        ("limit_verified", json!(limit.is_some_and(|limit| limit.verified))),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// The grid whose outline holds the place; the first by id.
fn grid_of(place: Wgs84, facts: &Facts) -> Option<&Arc<Grid>> {
    facts.grids.values().find(|grid| holds(&grid.outline, place))
}

/// Even-odd rule on the outer ring.
fn holds(ring: &[Wgs84], at: Wgs84) -> bool {
    let Some(mut before) = ring.last().filter(|_| ring.len() >= 3) else { return false };
    let mut inside = false;
    for corner in ring {
        if (corner.lat > at.lat) != (before.lat > at.lat)
            && at.lon < (before.lon - corner.lon) * (at.lat - corner.lat) / (before.lat - corner.lat) + corner.lon
        {
            inside = !inside;
        }
        before = corner;
    }
    inside
}
