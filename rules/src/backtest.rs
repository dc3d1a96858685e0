//! A draft over stored records, beside the live version: which alerts would be new, gone or changed, and how many cases that is for
//! each grid and day. Pure: records, registers and their edits come as arguments; who reads them is elsewhere.
//!
//! Both versions run in one engine, the draft under the code of a shadow, so that records are walked once. Time passes once, at the end:
//! what stands is a function of the observations, the registers and the last tick.

use crate::definition::{CompiledRule, Kind, Problem, check};
use crate::engine::{Engine, GroupBy as Key};
use model::envelope::Position;
use model::episode::{Episode, EpisodeChange, Standing};
use model::facts::Facts;
use model::id::{DeviceId, EpisodeId, SubjectId};
use model::quantity::{QUANTITIES, Quantity};
use model::record::{RecordKind, SettledRecord};
use model::register::{Object, Revision, RuleVersion, SubjectDetails, shadow_code};
use model::stream::{Item, Outage, OutageKind, Tick};
use model::time::{EventTime, IngestTime};
use std::collections::BTreeMap;
use std::sync::Arc;

mod compare;

pub use compare::{Change, GridDay, Report, compare};

/// What of a record a rule looks at; the rest need not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    pub kinds: Vec<RecordKind>,
    pub quantities: Vec<Quantity>,
    pub fixes: bool,
    pub happenings: bool,
}

impl Reads {
    fn of(rule: &CompiledRule) -> Self {
        let all = RecordKind::ALL.to_vec();
        match &rule.kind {
            Kind::Exceedance(p) => {
                let kinds = vec![RecordKind::Instant, RecordKind::Minute];
                let quantities =
                    std::iter::once(p.quantity).chain(p.only_while.map(|(quantity, _)| quantity)).collect();
                Self { kinds, quantities, fixes: false, happenings: false }
            }
            Kind::Offline(_) => Self { kinds: all, quantities: Vec::new(), fixes: false, happenings: false },
            Kind::OffRoute(_) => {
                Self { kinds: vec![RecordKind::Position], quantities: Vec::new(), fixes: true, happenings: false }
            }
            Kind::Judged(judged) => {
                let reads = judged.reads();
                let of = |kind: &RecordKind| reads.kinds.iter().any(|kinds| kinds >> (*kind as u8) & 1 == 1);
                let kinds = all.into_iter().filter(of).collect();
                let wanted = |quantity: &Quantity| quantity.0 < 128 && reads.quantities >> quantity.0 & 1 == 1;
                let quantities = QUANTITIES.iter().map(|spec| spec.quantity).filter(wanted).collect();
                Self { kinds, quantities, fixes: reads.fixes, happenings: reads.happenings }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        self.kinds.sort_unstable();
        self.kinds.dedup();
        self.quantities.extend(other.quantities);
        self.quantities.sort_unstable();
        self.quantities.dedup();
        self.fixes |= other.fixes;
        self.happenings |= other.happenings;
    }
}

/// A draft and the live version it is measured against, compiled.
#[derive(Debug, Clone)]
pub struct Pair {
    pub draft: Arc<CompiledRule>,
    pub live: Option<Arc<CompiledRule>>,
    texts: (String, Option<String>),
}

impl Pair {
    /// # Errors
    /// Every problem of the draft. A live version that no longer passes the check counts as none.
    pub fn new(draft: &str, live: Option<&str>) -> Result<Self, Vec<Problem>> {
        let compiled = check(draft)?;
        let live = live.and_then(|text| Some((Arc::new(check(text).ok()?), text.to_owned())));
        let (live, text) = live.map_or((None, None), |(rule, text)| (Some(rule), Some(text)));
        Ok(Self { draft: Arc::new(compiled), live, texts: (draft.to_owned(), text) })
    }

    /// What has to be read for the two.
    pub fn reads(&self) -> Reads {
        let mut reads = Reads::of(&self.draft);
        if let Some(live) = &self.live {
            reads.merge(Reads::of(live));
        }
        reads
    }

    /// How far back from the first day something may matter.
    pub fn before_ms(&self) -> i64 {
        self.rules().map(|rule| rule.horizon_ms).max().unwrap_or(0)
    }

    /// Beyond it, late data was not judged.
    pub fn horizon_ms(&self) -> i64 {
        self.before_ms()
    }

    fn rules(&self) -> impl Iterator<Item = &Arc<CompiledRule>> {
        std::iter::once(&self.draft).chain(&self.live)
    }

    /// Whether a device is in the scope of either version while installed at the subject.
    pub fn concerns(&self, device: DeviceId, subject: SubjectId, facts: &Facts) -> bool {
        self.rules().any(|rule| crate::engine::in_scope(&rule.scope, device, subject, facts).is_some())
            || self.is_wide()
    }

    /// Rules over several subjects read devices outside their scope, too.
    fn is_wide(&self) -> bool {
        self.rules().any(
            |rule| matches!(&rule.kind, Kind::Judged(judged) if !matches!(judged.key(), Key::Device | Key::Subject)),
        )
    }

    /// Subjects with one unit are judged together; units are judged side by side.
    pub fn unit(&self, subject: SubjectId, facts: &Facts) -> i64 {
        let site_of = |subject: SubjectId| match facts.subjects.get(&subject).map(|row| &row.details) {
            Some(SubjectDetails::Gate { site }) => site.0,
            _ => subject.0,
        };
        let key = |rule: &Arc<CompiledRule>| match &rule.kind {
            Kind::Judged(judged) => judged.key(),
            _ => Key::Device,
        };
        match self.rules().map(key).max() {
            None | Some(Key::Device | Key::Subject | Key::Gate) => subject.0,
            Some(Key::Site) => site_of(subject),
            Some(Key::Plate | Key::District) => 0,
        }
    }
}

/// One engine with both versions.
#[derive(Debug)]
pub struct Run {
    engine: Engine,
    facts: Facts,
    code: String,
    shadow: String,
    changes: Vec<EpisodeChange>,
    known: BTreeMap<EpisodeId, Episode>,
    seq: u64,
}

/// What stands of each version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stands {
    pub live: Vec<Episode>,
    pub draft: Vec<Episode>,
}

impl Run {
    /// `facts`: the registers at the beginning; their rules are left out.
    pub fn new(pair: &Pair, mut facts: Facts) -> Self {
        facts.rules.clear();
        let code = pair.draft.code.clone();
        let shadow = shadow_code(&code);
        let versions = [(&shadow, Some(&pair.texts.0)), (&code, pair.texts.1.as_ref())];
        for (code, text) in versions {
            let Some(text) = text.cloned() else { continue };
            let version = RuleVersion { code: code.clone(), version: 1, text, active: true };
            facts.rules.insert(code.clone(), Arc::new(version));
        }
        let engine = Engine::new(&facts);
        Self { engine, facts, code, shadow, changes: Vec::new(), known: BTreeMap::new(), seq: 0 }
    }

    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    pub fn record(&mut self, record: Box<SettledRecord>) {
        self.seq = self.seq.max(record.position.seq);
        self.item(&Item::Record(record));
    }

    /// A time in which we were the reason for missing data; Tell them before the records around them.
    pub fn outage(&mut self, from: IngestTime, to: IngestTime) {
        let position = self.place();
        let outage = Outage { from, to, what: OutageKind::Process };
        self.item(&Item::Outage { outage, position });
    }

    /// An edit of the registers; those of rules change nothing here.
    pub fn revise(&mut self, revision: &Revision) {
        if matches!(revision.object, Object::Rule(_)) {
            return;
        }
        self.facts.apply(revision);
        let position = self.place();
        self.item(&Item::Revision { revision: Box::new(revision.clone()), position });
    }

    /// Time passes to `at`; what stands then and did not end before `from`.
    pub fn finish(mut self, from: EventTime, at: IngestTime) -> Stands {
        let position = self.place();
        let tick = Tick { at, clock_synchronised: true, listening: Vec::new() };
        self.item(&Item::Tick { tick, position });
        let mut stands = Stands::default();
        for episode in self.known.into_values() {
            if episode.standing != Standing::Stands || episode.end.is_some_and(|end| end < from) {
                continue;
            }
            if episode.rule == self.shadow {
                // Numbers of a backtest name nothing outside of it.
                stands.draft.push(Episode { id: EpisodeId(0), rule: self.code.clone(), ..episode });
            } else if episode.rule == self.code {
                stands.live.push(Episode { id: EpisodeId(0), ..episode });
            }
        }
        stands
    }

    const fn place(&mut self) -> Position {
        self.seq += 1;
        Position { partition: 0, seq: self.seq }
    }

    fn item(&mut self, item: &Item) {
        self.engine.on_item(item, &self.facts, &mut self.changes);
        for change in self.changes.drain(..) {
            let episode = change.episode();
            self.known.insert(episode.id, episode.clone());
        }
    }
}

#[cfg(test)]
mod tests;
