//! A story through the engine, and what stands at its end compared with the truth.

use super::district::{self, Library};
use super::story::{Aside, MINUTE, Said, Story, Truth};
use lantian_rules::Engine;
use model::envelope::{Position, ProtocolKind};
use model::episode::{Episode, EpisodeChange, Standing};
use model::facts::Facts;
use model::id::{DeviceId, EpisodeId, SubjectId};
use model::record::{RecordKey, SettledRecord};
use model::stream::{Item, Outage, OutageKind, Tick};
use model::time::{EventTime, IngestTime};
use model::verdict::Verdict;
use std::collections::BTreeMap;

/// What one story gave for its rule.
#[derive(Debug, Default)]
pub struct Outcome {
    pub found: usize,
    pub missed: Vec<String>,
    pub wrong: Vec<String>,
    /// Episodes of other rules, by rule.
    pub beside: BTreeMap<String, usize>,
}

pub fn outcome(rule: &str, library: &Library, story: &Story) -> Outcome {
    let standing = standing(library, story);
    let mut outcome = Outcome::default();
    let mut free: Vec<&Episode> = Vec::new();
    for episode in &standing {
        if episode.rule == rule {
            free.push(episode);
        } else {
            *outcome.beside.entry(episode.rule.clone()).or_default() += 1;
        }
    }
    for truth in story.truths.iter().filter(|truth| truth.rule == rule) {
        if let Some(place) = free.iter().position(|episode| meets(episode, truth, story)) {
            free.remove(place);
            outcome.found += 1;
        } else {
            let span = |(low, high): (i64, i64)| format!("{}..{}", minute(low), minute(high));
            outcome.missed.push(format!(
                "{:?} from {} to {}",
                truth.subjects,
                span(truth.start_ms),
                span(truth.end_ms)
            ));
        }
    }
    let tolerated = |episode: &&Episode| {
        story.tolerated.iter().any(|(code, subject)| *code == rule && *subject == episode.subject.0)
    };
    for episode in free.into_iter().filter(|episode| !tolerated(episode)) {
        let (start, end) = (episode.start.0 - story.base, episode.end.map(|end| end.0 - story.base));
        let end = end.map_or("lasting".to_owned(), minute);
        outcome.wrong.push(format!(
            "[{}] from {} to {end}, extreme {:.2}",
            episode.subject,
            minute(start),
            episode.extreme
        ));
    }
    outcome
}

fn meets(episode: &Episode, truth: &Truth, story: &Story) -> bool {
    let within = |at: i64, (low, high): (i64, i64)| low <= at && at <= high;
    let end = episode.end.map_or(i64::MAX, |end| end.0 - story.base);
    truth.subjects.contains(&episode.subject.0)
        && within(episode.start.0 - story.base, truth.start_ms)
        && (within(end, truth.end_ms) || end == i64::MAX && truth.end_ms.1 > i64::MAX / 4)
}

/// `day+hh:mm` of a time of the story.
fn minute(ms: i64) -> String {
    if ms == i64::MAX {
        return "the end".to_owned();
    }
    let minutes = ms.div_euclid(MINUTE);
    format!("{}+{:02}:{:02}", minutes.div_euclid(1_440), minutes.rem_euclid(1_440) / 60, minutes.rem_euclid(60))
}

enum Step<'a> {
    Tick,
    Said(&'a Said),
    Aside(&'a Aside),
}

/// The episodes that stand at the end.
pub fn standing(library: &Library, story: &Story) -> Vec<Episode> {
    let mut facts = library.facts().clone();
    for edit in &story.given {
        district::put(&mut facts, edit, 0);
    }
    let mut engine = Engine::new(&facts);
    let mut changes: Vec<EpisodeChange> = Vec::new();
    let mut last: BTreeMap<EpisodeId, Episode> = BTreeMap::new();
    for (seq, (at, step)) in (1..).zip(steps(story)) {
        let item = item(story, &mut facts, Position { partition: 0, seq }, at, &step);
        engine.on_item(&item, &facts, &mut changes);
        for change in changes.drain(..) {
            last.insert(change.episode().id, change.episode().clone());
        }
    }
    last.into_values().filter(|episode| episode.standing == Standing::Stands).collect()
}

/// Everything in journal order, by milliseconds of the story.
fn steps(story: &Story) -> Vec<(i64, Step<'_>)> {
    let shift = |at: i64| story.down.iter().find(|(from, to)| (*from..*to).contains(&at)).map_or(at, |(_, to)| *to);
    let mut steps: Vec<(i64, Step<'_>)> =
        story.said.iter().map(|said| (shift(said.arrives_ms), Step::Said(said))).collect();
    steps.extend(story.asides.iter().map(|(at, aside)| (shift(*at), Step::Aside(aside))));
    let first = steps.iter().map(|(at, _)| *at).min().unwrap_or(0);
    let end = steps.iter().map(|(at, _)| *at).max().unwrap_or(0) + story.tail * MINUTE;
    let mut at = first.div_euclid(TICK_MS) * TICK_MS;
    while at <= end {
        if shift(at) == at {
            steps.push((at, Step::Tick));
        }
        at += TICK_MS;
    }
    // Outages and edits come before what devices say at the same moment; a tick last.
    steps.sort_by_key(|(at, step)| {
        (
            *at,
            match step {
                Step::Aside(Aside::Edit(_) | Aside::Outage { .. }) => 0,
                Step::Said(_) => 1,
                Step::Aside(_) => 2,
                Step::Tick => 3,
            },
        )
    });
    steps
}

fn item(story: &Story, facts: &mut Facts, position: Position, at: i64, step: &Step<'_>) -> Item {
    let received = IngestTime(story.base + at);
    match step {
        Step::Tick => {
            let listening = ProtocolKind::ALL.to_vec();
            Item::Tick { tick: Tick { at: received, clock_synchronised: true, listening }, position }
        }
        Step::Said(said) => Item::Record(Box::new(SettledRecord {
            key: RecordKey {
                device: DeviceId(said.device),
                kind: said.kind,
                slot: said.slot,
                at: EventTime(story.base + said.at_ms),
            },
            subject: Some(SubjectId(said.subject)),
            received,
            position,
            verdict: if said.revises { Verdict::Revised } else { Verdict::Stored },
            body: said.body.clone(),
            remarks: Vec::new(),
        })),
        Step::Aside(Aside::Edit(object)) => {
            Item::Revision { revision: Box::new(district::put(facts, object, received.0)), position }
        }
        Step::Aside(Aside::Outage { lasted_ms }) => {
            let from = IngestTime(received.0 - lasted_ms);
            Item::Outage { outage: Outage { from, to: received, what: OutageKind::Process }, position }
        }
        Step::Aside(Aside::Duplicate { device }) => {
            Item::Contact { device: DeviceId(*device), received, position, verdict: Some(Verdict::Duplicate) }
        }
        Step::Aside(Aside::Heartbeat { device }) => {
            Item::Contact { device: DeviceId(*device), received, position, verdict: None }
        }
    }
}

/// Ticks are written every ten seconds; a minute is the longest pause between two that is no outage of ours.
const TICK_MS: i64 = MINUTE;
