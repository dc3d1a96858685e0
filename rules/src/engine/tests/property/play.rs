//! A life as a journal: who arrives when, what comes twice, what is corrected, where the program starts again.

use super::super::world::{MINUTE, Run, World, tick};
use super::rules;
use super::stream::{Event, Life, Reading, absolute};
use model::envelope::Position;
use model::episode::{Episode, EpisodeChange, EpisodeClass, Standing};
use model::id::EpisodeId;
use model::record::{RecordKey, SettledRecord};
use model::register::{Object, Revision, RuleVersion};
use model::stream::{Item, Outage, OutageKind};
use model::time::{EventTime, IngestTime};
use model::verdict::Verdict;
use std::collections::BTreeMap;

/// How a life comes to the journal.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    /// How late each reading comes, and each correction after it; used round and round. Empty: at once, and right.
    pub(super) delays: Vec<i64>,
    /// Before which entries the program starts again.
    pub(super) restarts: Vec<usize>,
    /// Every so many records come twice; 0: none.
    pub(super) twice_every: usize,
}

/// How often a thing that the property is about happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) episodes: u64,
    pub(super) merged: u64,
    pub(super) split: u64,
    pub(super) withdrawn: u64,
    pub(super) over_a_version: u64,
    pub(super) corrected: u64,
    pub(super) doubled: u64,
    pub(super) restarted: u64,
    pub(super) disordered: u64,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.episodes += other.episodes;
        self.merged += other.merged;
        self.split += other.split;
        self.withdrawn += other.withdrawn;
        self.over_a_version += other.over_a_version;
        self.corrected += other.corrected;
        self.doubled += other.doubled;
        self.restarted += other.restarted;
        self.disordered += other.disordered;
    }
}

/// What a run ended with.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) run: Run,
    pub(super) seen: Seen,
}

enum Entry<'a> {
    Event(&'a Event),
    Reading(&'a Reading, Verdict),
    Again(&'a Reading),
    Tick,
}

pub(super) fn play(world: &World, life: &Life, way: &Way) -> Played {
    let mut seen = Seen::default();
    let entries = entries(life, way, &mut seen);
    let mut run = Run::new(world.clone());
    let mut versions: Vec<(&'static str, i64)> = Vec::new();
    let mut told: BTreeMap<EpisodeId, Episode> = BTreeMap::new();
    for (index, (at, entry)) in entries.iter().enumerate() {
        if way.restarts.contains(&index) {
            run.restart();
            seen.restarted += 1;
        }
        let position = Position { partition: 0, seq: run.next_seq() };
        let before = run.changes.len();
        let item = match entry {
            Entry::Tick => tick(*at, position.seq),
            Entry::Reading(reading, verdict) => record(reading, *verdict, *at, position),
            Entry::Again(reading) => {
                let (device, received) = (reading.device, IngestTime(absolute(*at)));
                Item::Contact { device, received, position, verdict: Some(Verdict::Duplicate) }
            }
            Entry::Event(Event::Outage { length }) => {
                let (from, to) = (IngestTime(absolute(*at - length)), IngestTime(absolute(*at)));
                Item::Outage { outage: Outage { from, to, what: OutageKind::Listener }, position }
            }
            Entry::Event(Event::Version { rule, edit }) => {
                let (code, text) = rules::edited(*rule, *edit);
                versions.push((code, absolute(*at)));
                let version = 1 + u32::try_from(versions.iter().filter(|(known, _)| *known == code).count()).unwrap();
                let object = Object::Rule(RuleVersion { code: code.into(), version, text, active: true });
                let number = run.world.facts.revision + 1;
                let revision =
                    Box::new(Revision { number, at: IngestTime(absolute(*at)), author: "test".into(), object });
                run.world.facts.apply(&revision);
                Item::Revision { revision, position }
            }
        };
        run.item(&item);
        count(&run.changes[before..], &mut told, &mut seen);
    }
    let stand = run.standing();
    seen.episodes += stand.len() as u64;
    let over = stand.iter().filter(|e| {
        versions.iter().any(|(code, at)| *code == e.rule && e.start.0 < *at && e.end.is_none_or(|end| end.0 > *at))
    });
    seen.over_a_version += over.count() as u64;
    Played { run, seen }
}

fn count(changes: &[EpisodeChange], told: &mut BTreeMap<EpisodeId, Episode>, seen: &mut Seen) {
    // Where episodes reached to before this item.
    let before: Vec<Episode> = told.values().cloned().collect();
    for change in changes {
        let episode = change.episode();
        match (change, episode.standing) {
            (EpisodeChange::Fell { .. }, Standing::MergedInto(_)) => seen.merged += 1,
            (EpisodeChange::Fell { .. }, _) => seen.withdrawn += 1,
            (EpisodeChange::Raised { .. }, _) => {
                let within = |old: &&Episode| {
                    (&old.rule, old.subject, old.device) == (&episode.rule, episode.subject, episode.device)
                        && old.start < episode.start
                        && old.end.is_none_or(|end| episode.start < end)
                };
                seen.split += u64::from(before.iter().any(|old| within(&old)));
            }
            _ => {}
        }
        if episode.standing == Standing::Stands {
            told.insert(episode.id, episode.clone());
        } else {
            told.remove(&episode.id);
        }
    }
}

/// In journal order.
fn entries<'a>(life: &'a Life, way: &Way, seen: &mut Seen) -> Vec<(i64, Entry<'a>)> {
    let mut entries: Vec<(i64, Entry<'a>)> = life.events.iter().map(|(at, event)| (*at, Entry::Event(event))).collect();
    let mut delays = way.delays.iter().copied().cycle();
    let mut latest = i64::MIN;
    for (index, reading) in life.readings.iter().enumerate() {
        let mut at = reading.at + delays.next().unwrap_or(0);
        seen.disordered += u64::from(at < latest);
        latest = latest.max(at);
        // Who is told at once is told right.
        if let Some(late) = delays.next().filter(|_| reading.wrong.is_some()) {
            entries.push((at, Entry::Reading(reading, Verdict::Quarantined)));
            at = (at + 1).max(reading.at + late);
            seen.corrected += 1;
            entries.push((at, Entry::Reading(reading, Verdict::Revised)));
        } else {
            entries.push((at, Entry::Reading(reading, Verdict::Stored)));
        }
        if way.twice_every > 0 && index % way.twice_every == 0 {
            seen.doubled += 1;
            entries.push((at + 7, Entry::Again(reading)));
        }
    }
    // Long enough that every delay, window and silence is over.
    let end = life.end() + 45 * MINUTE;
    entries.extend((1..=end / TICK_MS).map(|step| (step * TICK_MS, Entry::Tick)));
    entries.sort_by_key(|(at, _)| *at);
    entries
}

/// [`Verdict::Quarantined`] stands for the wrong body, which was stored first.
fn record(reading: &Reading, verdict: Verdict, at: i64, position: Position) -> Item {
    let is_wrong = verdict == Verdict::Quarantined;
    let body = reading.wrong.as_ref().filter(|_| is_wrong).unwrap_or(&reading.body).clone();
    Item::Record(Box::new(SettledRecord {
        key: RecordKey { device: reading.device, kind: reading.kind, slot: 0, at: EventTime(absolute(reading.at)) },
        subject: Some(reading.subject),
        received: IngestTime(absolute(at)),
        position,
        verdict: if is_wrong { Verdict::Stored } else { verdict },
        body,
        remarks: vec![],
    }))
}

/// All of the verdict set but ids and history.
pub(super) type Verdicts = Vec<(String, i64, i64, Option<i64>, u64, EpisodeClass, Option<i64>, Option<i64>, u32)>;

pub(super) fn verdicts(run: &Run) -> Verdicts {
    let set = run.standing().into_iter().map(|e| {
        let (limit, permit) = (e.limit.map(|id| id.0), e.permit.map(|id| id.0));
        let end = e.end.map(|end| end.0);
        (e.rule, e.subject.0, e.start.0, end, e.extreme.to_bits(), e.class, limit, permit, e.rule_version)
    });
    let mut set: Verdicts = set.collect();
    set.sort();
    set
}

const TICK_MS: i64 = 30_000;
