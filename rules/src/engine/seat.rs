//! One rule in one group: its judges (one for each version that may still judge), what they found, and what was told of it.
//! The group decides which observations come and in what order; see [`super::judge`].

use super::judge::{Fact, Judge, Observation, Output, Reads, Scene};
use super::machine::Stretch;
use super::timeline::Timeline;
use super::track::Track;
use crate::definition::Kind;
use std::sync::Arc;

/// The judge of one version.
#[derive(Debug, Clone)]
struct Voice {
    version: u32,
    /// Judges event times from here on.
    from: i64,
    judge: Box<dyn Judge>,
}

/// The judges of a rule at one place of the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Bench {
    voices: Vec<Voice>,
    /// Place of the one that judges.
    live: usize,
    /// How many stretches and facts had been found by then, since the log's front.
    pub(super) done: usize,
    pub(super) facts: usize,
}

#[derive(Debug)]
pub(super) struct Seat {
    /// Place of its rule in the engine's list.
    pub(super) rule: usize,
    pub(super) reads: Reads,
    /// After the whole log.
    pub(super) head: Bench,
    /// Stretches that ended, and facts, found since the log's front.
    pub(super) done: Vec<Stretch>,
    pub(super) facts: Vec<Arc<Fact>>,
    /// Stretches that nothing can change any more and that are not forgotten yet.
    pub(super) finals: Vec<Stretch>,
    pub(super) track: Track,
    /// How many lasted after the last step.
    lasted: usize,
    /// What lasts was told to have ended because nothing came: whatever comes asks again.
    pub(super) is_absent: bool,
    /// An extreme may have grown.
    pub(super) soft: bool,
    /// No tick before this needs to look.
    pub(super) due: i64,
}

impl Seat {
    pub(super) fn new(rule: usize) -> Self {
        Self {
            rule,
            reads: Reads::default(),
            head: Bench::default(),
            done: Vec::new(),
            facts: Vec::new(),
            finals: Vec::new(),
            track: Track::default(),
            lasted: 0,
            is_absent: false,
            soft: false,
            due: 0,
        }
    }

    /// What all its versions read together.
    pub(super) fn read_again(&mut self, timeline: &Timeline) {
        self.reads = Reads::default();
        for version in timeline.versions() {
            if let Kind::Judged(judged) = &version.rule.kind {
                self.reads = self.reads.and(&judged.design.reads());
            }
        }
    }

    /// The next observation. True: what stands may have changed.
    pub(super) fn step(&mut self, seen: &Observation, scene: &Scene<'_>, found: &mut Output) -> bool {
        self.head.step(seen, scene, found);
        let lasts = self.head.lasts(scene);
        self.soft |= lasts > 0;
        let changed = lasts != self.lasted || !found.stretches.is_empty() || self.is_absent;
        self.lasted = lasts;
        self.is_absent = false;
        self.done.append(&mut found.stretches);
        changed
    }

    /// Everything that stands. True: something that lasts is taken to have ended because nothing came.
    pub(super) fn derive(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>) -> bool {
        into.clear();
        self.head.standing(scene, into);
        let is_absent = into.iter().any(|stretch| stretch.end.is_some());
        into.extend(self.finals.iter().cloned());
        into.extend(self.done.iter().cloned());
        into.sort_by_key(|stretch| (stretch.start, stretch.lane));
        is_absent
    }

    /// After a walk that the group made by itself.
    pub(super) fn walked(&mut self, scene: &Scene<'_>) {
        self.lasted = self.head.lasts(scene);
        self.soft = true;
        self.due = 0;
    }

    /// The first `done` stretches and `facts` facts are final.
    pub(super) fn finish(&mut self, done: usize, facts: usize) {
        let done = done.min(self.done.len());
        self.finals.extend(self.done.drain(..done));
        self.facts.drain(..facts.min(self.facts.len()));
    }

    /// Lets go of stretches that are final and told; returns when to try the others again.
    pub(super) fn forget_finals(&mut self, timeline: &Timeline, now: i64) -> i64 {
        let track = &mut self.track;
        self.finals.retain(|stretch| !track.forget(stretch, timeline, now));
        if self.finals.is_empty() { i64::MAX } else { now }
    }
}

impl Bench {
    /// Judges without history for the versions that may judge event times from `since` on.
    pub(super) fn new(scene: &Scene<'_>, since: i64) -> Self {
        let mut bench = Self::default();
        bench.add_versions(scene, since);
        bench
    }

    /// A copy for a mark, with what had been found by then.
    pub(super) fn marked(&self, done: usize, facts: usize) -> Self {
        Self { done, facts, ..self.clone() }
    }

    /// Adds judges for versions it has none of. They are in the order of the versions.
    fn add_versions(&mut self, scene: &Scene<'_>, since: i64) {
        let versions = scene.timeline.versions();
        for (place, version) in versions.iter().enumerate() {
            let is_over = versions.get(place + 1).is_some_and(|next| next.from <= since);
            let is_known = self.voices.iter().any(|voice| voice.version == version.number);
            let Kind::Judged(judged) = &version.rule.kind else { continue };
            if is_over || is_known || self.voices.last().is_some_and(|last| last.from > version.from) {
                continue;
            }
            let mut judge = Arc::clone(&judged.design).judge(version.number);
            judge.plan(scene);
            self.voices.push(Voice { version: version.number, from: version.from, judge });
        }
    }

    /// The registers or the versions changed. True: it would judge otherwise.
    pub(super) fn plan(&mut self, scene: &Scene<'_>, since: i64) -> bool {
        let before = self.voices.len();
        let mut changed = false;
        for voice in &mut self.voices {
            changed |= voice.judge.plan(scene);
        }
        self.add_versions(scene, since);
        changed || self.voices.len() != before
    }

    /// Lets go of versions that judge nothing from event time `cut` on.
    pub(super) fn prune(&mut self, cut: i64) {
        while self.voices.get(1).is_some_and(|next| next.from <= cut) {
            let mut first = self.voices.remove(0);
            if self.live > 0 {
                self.live -= 1;
            } else if let Some(next) = self.voices.first_mut() {
                next.judge.adopt(first.judge.carry());
            }
        }
    }

    pub(super) fn step(&mut self, seen: &Observation, scene: &Scene<'_>, found: &mut Output) {
        if let [only] = self.voices.as_mut_slice() {
            if scene.timeline.newest().active {
                only.judge.step(seen, scene, found);
            } else {
                only.judge.halt(found);
            }
            return;
        }
        let version = scene.timeline.at(seen.at);
        let now = self.voices.iter().position(|voice| voice.version == version.number).unwrap_or(0);
        if now > self.live {
            let carried = self.voices.get_mut(self.live).map(|voice| voice.judge.carry()).unwrap_or_default();
            self.live = now;
            if let Some(voice) = self.voices.get_mut(now) {
                voice.judge.adopt(carried);
            }
        }
        // Later versions look on, so that their windows are full when they judge.
        let mut unheard = Output::default();
        for (place, voice) in self.voices.iter_mut().enumerate().skip(self.live) {
            if place > self.live {
                voice.judge.step(seen, scene, &mut unheard);
            } else if version.active {
                voice.judge.step(seen, scene, found);
            } else {
                voice.judge.halt(found);
            }
        }
    }

    fn judge(&self) -> Option<&dyn Judge> {
        self.voices.get(self.live).map(|voice| voice.judge.as_ref())
    }

    pub(super) fn lasts(&self, scene: &Scene<'_>) -> usize {
        self.judge().map_or(0, |judge| judge.lasts(scene))
    }

    fn standing(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>) {
        if let Some(judge) = self.judge() {
            judge.standing(scene, into);
        }
    }

    pub(super) fn due(&self, scene: &Scene<'_>) -> i64 {
        self.judge().map_or(i64::MAX, |judge| judge.due(scene))
    }

    pub(super) fn frontier(&self, scene: &Scene<'_>) -> i64 {
        self.judge().map_or(scene.newest, |judge| judge.frontier(scene))
    }

    /// The version that judges now, with its judge.
    pub(super) fn live(&self) -> Option<(u32, &dyn Judge)> {
        self.voices.get(self.live).map(|voice| (voice.version, voice.judge.as_ref()))
    }

    pub(super) fn write(&self, w: &mut super::codec::Writer) {
        w.unsigned(self.live as u64);
        w.unsigned(self.voices.len() as u64);
        for voice in &self.voices {
            w.unsigned(u64::from(voice.version));
            voice.judge.write(w);
        }
    }

    pub(super) fn read(r: &mut super::codec::Reader<'_>, scene: &Scene<'_>) -> Option<Self> {
        let live = usize::try_from(r.unsigned()?).ok()?;
        let mut bench = Self { live, ..Self::default() };
        for _ in 0..r.count()? {
            let number = r.small()?;
            let version = scene.timeline.versions().iter().find(|version| version.number == number)?;
            let Kind::Judged(judged) = &version.rule.kind else { return None };
            let mut judge = Arc::clone(&judged.design).judge(number);
            judge.plan(scene);
            judge.read(r)?;
            bench.voices.push(Voice { version: number, from: version.from, judge });
        }
        (bench.live < bench.voices.len()).then_some(bench)
    }
}
