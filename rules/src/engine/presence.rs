//! Offline: silence (no sign of life) and gap (no data), one mechanism with different signs of life.
//!
//! Signs of life are moments: for both, the event times of the device's records; for silence also the receipt of anything
//! that held no new record (a heartbeat, a quarantined frame). A duplicate shows contact but is no new moment. Two
//! neighbouring moments farther apart than `longer_than`, outages of ours not counted, make a closed stretch from the first
//! to the second: a pure function of the set of moments. Moments nearer than that are kept as one run, which loses nothing.
//!
//! An open stretch from the last moment on is raised eagerly: when, by journal time, nothing came for `longer_than` (our
//! outages not counted) and the device is installed and enabled. What comes then decides: a record from after the pause
//! closes it, records from within it (the device was only delayed) shrink, split or withdraw it.

use super::Where;
use super::codec::{Reader, Writer};
use super::machine::Stretch;
use super::outages::Outages;
use super::timeline::Timeline;
use crate::definition::{Kind, Offline};
use crate::explain::{JudgedState, NotJudged};
use model::envelope::ProtocolKind;
use std::collections::VecDeque;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    from: i64,
    to: i64,
    first_seq: u64,
    last_seq: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    runs: VecDeque<Run>,
    cut: i64,
    pub(super) finals: Vec<Stretch>,
    /// Journal time of the last sign of life.
    pub(super) contact: i64,
    /// An open stretch is judged to last; set by ticks only.
    open: bool,
}

/// What the state needs to know besides itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) outages: &'a Outages,
    pub(super) protocol: ProtocolKind,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { runs: VecDeque::new(), cut: i64::MIN, finals: Vec::new(), contact: i64::MIN, open: false }
    }

    /// The device was heard of at journal time `received`. True: a stretch that lasted is now in question.
    pub(super) fn heard(&mut self, received: i64) -> bool {
        self.contact = self.contact.max(received);
        std::mem::take(&mut self.open)
    }

    /// Takes a moment in.
    pub(super) fn insert(&mut self, at: i64, seq: u64, timeline: &Timeline) -> Where {
        if at < self.cut {
            return Where::BeyondHorizon;
        }
        let apart = apart_ms(timeline);
        if let Some(last) = self.runs.back_mut()
            && at >= last.from
            && at.saturating_sub(last.to) < apart
        {
            if at > last.to {
                (last.to, last.last_seq) = (at, seq);
            }
            return Where::Nothing;
        }
        let place = self.runs.partition_point(|run| run.from <= at);
        let joins_before =
            place.checked_sub(1).and_then(|before| self.runs.get(before)).is_some_and(|run| at - run.to < apart);
        let joins_after = self.runs.get(place).is_some_and(|run| run.from - at < apart);
        match (joins_before, joins_after) {
            (true, true) => {
                if let Some(after) = self.runs.remove(place)
                    && let Some(run) = self.runs.get_mut(place - 1)
                    && run.to < after.to
                {
                    (run.to, run.last_seq) = (after.to, after.last_seq);
                }
            }
            (true, false) => {
                let Some(run) = self.runs.get_mut(place - 1) else { return Where::Nothing };
                if run.to >= at {
                    return Where::Nothing;
                }
                (run.to, run.last_seq) = (at, seq);
            }
            (false, true) => {
                if let Some(run) = self.runs.get_mut(place) {
                    (run.from, run.first_seq) = (at, seq);
                }
            }
            (false, false) => self.runs.insert(place, Run { from: at, to: at, first_seq: seq, last_seq: seq }),
        }
        Where::Late
    }

    /// Time passed. `installed_until`: `Some` when the device is no longer installed (or enabled) since then.
    pub(super) fn tick(&mut self, now: i64, installed_until: Option<i64>, around: &Around<'_>) -> bool {
        let Some(last) = self.runs.back().map(|run| run.to) else { return false };
        if let Some(until) = installed_until {
            // The pause ends where the installation does.
            let was_open = std::mem::take(&mut self.open);
            if was_open {
                self.insert(until.max(last).min(now), 0, around.timeline);
            }
            return was_open;
        }
        let Some(rule) = offline(around.timeline, last) else { return false };
        let silent = now - self.contact - around.outages.within(around.protocol, self.contact, now);
        let open = silent >= rule.longer_than_ms && effective(last, now, around) >= rule.longer_than_ms;
        std::mem::replace(&mut self.open, open) != open
    }

    /// The journal time at which a tick may find it silent.
    pub(super) fn due(&self, timeline: &Timeline) -> i64 {
        if self.open {
            return i64::MAX;
        }
        // A pause is judged by the version that was live when it began.
        let Some(last) = self.runs.back().map(|run| run.to) else { return i64::MAX };
        let wait = offline(timeline, last).map_or(i64::MAX, |rule| rule.longer_than_ms);
        self.contact.max(last).saturating_add(wait)
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn freeze(&mut self, around: &Around<'_>) -> u64 {
        let Some(newest) = self.runs.back().map(|run| run.to) else { return 0 };
        let rule = &around.timeline.newest().rule;
        let cut = newest.saturating_sub(rule.horizon_ms.max(apart_ms(around.timeline)));
        self.cut = self.cut.max(cut);
        let mut bounded = 0;
        while let Some((first, second)) = self.runs.front().zip(self.runs.get(1)) {
            let over = self.runs.len() > rule.observations_max;
            if second.from >= self.cut && !over {
                break;
            }
            if over && second.from >= self.cut {
                self.cut = second.from.saturating_add(1);
                bounded += 1;
            }
            self.finals.extend(between(first, second, around));
            self.runs.pop_front();
        }
        bounded
    }

    pub(super) fn derive(&self, around: &Around<'_>, into: &mut Vec<Stretch>) {
        into.extend(self.finals.iter().cloned());
        into.extend(self.runs.iter().zip(self.runs.iter().skip(1)).filter_map(|(a, b)| between(a, b, around)));
        if let Some(last) = self.runs.back().filter(|_| self.open)
            && let Some(rule) = offline(around.timeline, last.to)
        {
            into.push(stretch(last, None, rule.longer_than_ms, rule, around));
        }
    }

    pub(super) fn explain(&self, now: i64, around: &Around<'_>) -> (Option<i64>, JudgedState) {
        let Some((last, rule)) = self.runs.back().and_then(|run| Some((run.to, offline(around.timeline, run.to)?)))
        else {
            return (None, JudgedState::NotJudged { reason: NotJudged::NoData });
        };
        let pause = (now - self.contact).max(0);
        let silent = pause - around.outages.within(around.protocol, self.contact, now);
        if pause >= rule.longer_than_ms && silent < rule.longer_than_ms {
            return (Some(last), JudgedState::NotJudged { reason: NotJudged::OurOutage });
        }
        let state = JudgedState::Judged {
            value: seconds(silent),
            threshold: seconds(rule.longer_than_ms),
            limit: None,
            permit: None,
            over: silent >= rule.longer_than_ms,
            in_episode: self.open,
        };
        (Some(last), state)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.signed(self.cut);
        w.signed(self.contact);
        w.flag(self.open);
        w.unsigned(self.finals.len() as u64);
        self.finals.iter().for_each(|stretch| stretch.write(w));
        w.unsigned(self.runs.len() as u64);
        for run in &self.runs {
            w.signed(run.from);
            w.signed(run.to - run.from);
            w.unsigned(run.first_seq);
            w.unsigned(run.last_seq);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (cut, contact, open) = (r.signed()?, r.signed()?, r.flag()?);
        let finals = (0..r.count()?).map(|_| Stretch::read(r)).collect::<Option<_>>()?;
        let mut runs = VecDeque::new();
        for _ in 0..r.count()? {
            let from = r.signed()?;
            let to = from.checked_add(r.signed()?)?;
            runs.push_back(Run { from, to, first_seq: r.unsigned()?, last_seq: r.unsigned()? });
        }
        Some(Self { runs, cut, finals, contact, open })
    }
}

fn offline(timeline: &Timeline, at: i64) -> Option<&Offline> {
    let version = timeline.at(at);
    match &version.rule.kind {
        Kind::Offline(rule) if version.active => Some(rule),
        _ => None,
    }
}

/// Moments nearer than this are one run: no version that is kept finds a pause between them.
fn apart_ms(timeline: &Timeline) -> i64 {
    let versions = timeline.versions().iter();
    let least = versions.filter_map(|version| match &version.rule.kind {
        Kind::Offline(rule) => Some(rule.longer_than_ms),
        _ => None,
    });
    least.min().unwrap_or(i64::MAX)
}

fn effective(from: i64, to: i64, around: &Around<'_>) -> i64 {
    to.saturating_sub(from).saturating_sub(around.outages.within(around.protocol, from, to))
}

fn between(before: &Run, after: &Run, around: &Around<'_>) -> Option<Stretch> {
    let rule = offline(around.timeline, before.to)?;
    let length = effective(before.to, after.from, around);
    (length >= rule.longer_than_ms).then(|| stretch(before, Some(after), length, rule, around))
}

fn stretch(before: &Run, after: Option<&Run>, length: i64, rule: &Offline, around: &Around<'_>) -> Stretch {
    let start = before.to;
    let trigger = start.saturating_add(rule.longer_than_ms);
    Stretch {
        start,
        end: after.map(|run| run.from),
        trigger,
        extreme: seconds(length),
        extreme_at: after.map_or(trigger, |run| run.from),
        threshold: seconds(rule.longer_than_ms),
        limit: 0,
        permit: 0,
        place: None,
        version: around.timeline.at(start).number,
        evidence: [before.last_seq, 0, after.map_or(0, |run| run.first_seq)],
        subject: 0,
        device: 0,
        lane: 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a span of milliseconds is far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
