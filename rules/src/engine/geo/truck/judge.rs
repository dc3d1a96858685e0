//! One truck's judge: what it remembers of the truck, and the hysteresis over its rule's signals.

use super::watch::{Because, Memory, Verdict};
use super::{TruckDesign, Watch};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{Judge, Observation, Output, Scene};
use crate::engine::machine::{Machine, Reading, Signal, Stretch};
use crate::explain::{JudgedState, NotJudged, Operand};
use model::id::PermitId;
use model::time::EventTime;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(crate) struct TruckJudge {
    design: Arc<TruckDesign>,
    version: u32,
    memory: Memory,
    machine: Machine,
    /// Journal time of the newest arrival.
    received: i64,
    /// What the last step found and when; for explanations.
    last: Option<(i64, Verdict)>,
}

impl TruckJudge {
    pub(crate) fn new(design: Arc<TruckDesign>, version: u32) -> Self {
        Self { design, version, memory: Memory::default(), machine: Machine::default(), received: i64::MIN, last: None }
    }

    /// Nothing came for longer than what lasts may pause.
    fn is_absent(&self, scene: &Scene<'_>) -> bool {
        scene.now > self.received.saturating_add(self.design.terms.gap_ms)
    }
}

impl Judge for TruckJudge {
    fn plan(&mut self, scene: &Scene<'_>) -> bool {
        self.memory.plan(scene)
    }

    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        self.received = self.received.max(seen.received);
        let Some(verdict) = self.memory.look(&self.design, seen, scene) else { return };
        self.last = Some((seen.at, verdict));
        let reading = Reading {
            at: seen.at,
            signal: verdict.signal,
            value: verdict.value,
            threshold: verdict.threshold,
            permit: verdict.permit,
            place: seen.fix.map(|fix| fix.place),
            version: self.version,
            seq: seen.seq,
            ..Reading::default()
        };
        out.stretches.extend(self.machine.step(&reading, &self.design.terms));
    }

    fn standing(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>) {
        into.extend(self.machine.open(self.is_absent(scene)));
    }

    fn lasts(&self, _scene: &Scene<'_>) -> usize {
        usize::from(self.machine.is_active())
    }

    fn due(&self, scene: &Scene<'_>) -> i64 {
        if !self.machine.is_active() || self.is_absent(scene) {
            return i64::MAX;
        }
        self.received.saturating_add(self.design.terms.gap_ms).saturating_add(1)
    }

    fn frontier(&self, _scene: &Scene<'_>) -> i64 {
        self.machine.last()
    }

    fn halt(&mut self, out: &mut Output) {
        out.stretches.extend(self.machine.open(true));
        self.machine = Machine::default();
    }

    fn carry(&mut self) -> Vec<(u64, Machine)> {
        vec![(0, std::mem::take(&mut self.machine))]
    }

    fn adopt(&mut self, carried: Vec<(u64, Machine)>) {
        if let Some((_, machine)) = carried.into_iter().next() {
            self.machine = machine;
        }
    }

    fn why(&self, _scene: &Scene<'_>, into: &mut Vec<Operand>) {
        let Some((at, verdict)) = self.last else { return };
        let reason = reason(verdict);
        let is_judged = reason.is_none();
        into.push(Operand {
            name: match self.design.watch {
                Watch::Overspeed { .. } => "speed",
                Watch::LongStop { .. } => "stopped",
                Watch::BedLifted => "bed_lifted, metres to the nearest known place",
                Watch::Uncovered { .. } => "cover_open, speed",
                Watch::OutsideWindow { .. } => "outside every permit's window, speed",
                Watch::WrongDump => "unloading, metres to the nearest place where it may",
                Watch::NoGo { .. } => "metres inside a no-go area",
                Watch::GpsJump { .. } => "jumps, fastest",
                Watch::GpsJamming => "without a fix",
            }
            .to_owned(),
            value: is_judged.then_some(verdict.value),
            unit: match self.design.watch {
                Watch::Overspeed { .. }
                | Watch::OutsideWindow { .. }
                | Watch::Uncovered { .. }
                | Watch::GpsJump { .. } => "km/h",
                Watch::LongStop { .. } | Watch::GpsJamming => "min",
                Watch::BedLifted | Watch::WrongDump | Watch::NoGo { .. } => "m",
            }
            .to_owned(),
            threshold: is_judged.then_some(verdict.threshold),
            holds: is_judged.then_some(verdict.signal == Signal::Over),
            as_of: Some(EventTime(at)),
            reason,
        });
    }

    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        let Some((at, verdict)) = self.last else {
            return (None, JudgedState::NotJudged { reason: NotJudged::NoData });
        };
        let state = match reason(verdict) {
            Some(reason) => JudgedState::NotJudged { reason },
            None => JudgedState::Judged {
                value: verdict.value,
                threshold: verdict.threshold,
                limit: None,
                permit: (verdict.permit != 0).then_some(PermitId(verdict.permit)),
                over: verdict.signal == Signal::Over,
                in_episode: self.machine.is_active(),
            },
        };
        (Some(at), state)
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        w.signed(self.received);
        self.memory.write(w);
        self.machine.write(w);
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.received = r.signed()?;
        self.memory.read(r)?;
        self.machine = Machine::read(r)?;
        Some(())
    }
}

fn reason(verdict: Verdict) -> Option<NotJudged> {
    match verdict.because {
        Because::Judged => None,
        Because::Unknown => Some(NotJudged::NoData),
        Because::Flagged(flag) => Some(NotJudged::Flagged { flag }),
        Because::NoFix => Some(NotJudged::NoFix),
        Because::Jump => Some(NotJudged::GpsJump),
        Because::NoPermit => Some(NotJudged::NoPermit),
    }
}
