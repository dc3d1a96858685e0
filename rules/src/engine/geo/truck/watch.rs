//! What a rule sees in one observation of a truck: a signal, its value and what that is compared with.

use super::{TruckDesign, Watch};
use crate::engine::codec::{Reader, Writer};
use crate::engine::geo::permits::{self, Leave};
use crate::engine::geo::plane::apart_m;
use crate::engine::geo::states::States;
use crate::engine::geo::walk::{Going, Step, Walk, read_place, seconds, write_place};
use crate::engine::geo::zones::{REACH_M, ZoneId, ZoneKind};
use crate::engine::judge::{Observation, Scene};
use crate::engine::machine::Signal;
use model::geo::Wgs84;
use model::record::Flag;
use model::register::Permit;
use model::time::EventTime;
use std::collections::VecDeque;
use std::sync::Arc;

/// Why there is a signal or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Because {
    Judged,
    /// A state that the rule needs was not told.
    Unknown,
    Flagged(Flag),
    NoFix,
    Jump,
    NoPermit,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) signal: Signal,
    pub(crate) value: f64,
    pub(crate) threshold: f64,
    pub(crate) permit: i64,
    pub(crate) because: Because,
}

/// What is remembered of a truck from fix to fix.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    walk: Walk,
    states: States,
    /// Where and when it came to rest.
    rest: Option<(i64, Wgs84)>,
    /// The last fix that agrees with the speeds told: when, where, how fast.
    trusted: Option<(i64, Wgs84, f64)>,
    /// When the last fix was, and whether it was at rest in a known place.
    fixed: Option<(i64, bool)>,
    /// Times of the last jumps, and the fastest of them.
    jumps: VecDeque<(i64, f64)>,
    planned: Planned,
}

/// What is taken from the registers.
#[derive(Debug, Clone, Default, PartialEq)]
struct Planned {
    /// Permits that name the truck.
    permits: Arc<[Arc<Permit>]>,
    /// Of the atlas, the notices and the calendars: they are asked as they are, and have to be asked again.
    places: u64,
    others: u64,
}

impl Verdict {
    const fn judged(signal: Signal, value: f64, threshold: f64) -> Self {
        Self { signal, value, threshold, permit: 0, because: Because::Judged }
    }

    const fn not(because: Because) -> Self {
        Self { signal: Signal::Skip, value: 0.0, threshold: 0.0, permit: 0, because }
    }

    const fn on(self, permit: i64) -> Self {
        Self { permit, ..self }
    }
}

impl Planned {
    fn of(scene: &Scene<'_>) -> Self {
        Self { permits: permits::of(scene), places: scene.atlas.places, others: scene.atlas.others }
    }
}

impl Memory {
    /// False: nothing that it judges by changed.
    pub(crate) fn plan(&mut self, scene: &Scene<'_>) -> bool {
        let before = std::mem::replace(&mut self.planned, Planned::of(scene));
        before != self.planned
    }

    /// `None`: the observation says nothing that the rule compares.
    pub(crate) fn look(&mut self, design: &TruckDesign, seen: &Observation, scene: &Scene<'_>) -> Option<Verdict> {
        let speed = seen.fix.filter(|fix| fix.fixed).map(|fix| fix.speed_kmh);
        self.states.take(seen, speed);
        let going = match self.walk.step(seen.at, seen.fix.as_ref()?, design.speed_max_kmh) {
            Step::Unfixed if design.watch == Watch::GpsJamming => return Some(self.jammed(design, seen.at)),
            Step::Unfixed => return Some(Verdict::not(Because::NoFix)),
            Step::Jump { kmh } => {
                if let Watch::GpsJump { jumps_min, within_ms } = design.watch {
                    return Some(self.jumped(seen.at, Some(kmh), jumps_min, within_ms, design.speed_max_kmh));
                }
                return Some(Verdict::not(Because::Jump));
            }
            Step::Good(going) => going,
        };
        if matches!(design.watch, Watch::BedLifted | Watch::WrongDump) && self.is_belied(design, &going) {
            return Some(Verdict::not(Because::Jump));
        }
        let has_rolled = self.come_to_rest(design, &going);
        Some(match design.watch {
            Watch::Overspeed { limit_kmh, tolerance } => overspeed(design, &going, scene, limit_kmh, tolerance),
            Watch::LongStop { .. } if has_rolled => {
                Verdict::judged(Signal::Clear, 0.0, seconds(design.terms.for_ms) / 60.0)
            }
            Watch::LongStop { only_loaded, .. } => self.long_stop(design, &going, scene, only_loaded),
            Watch::BedLifted => self.bed_lifted(design, &going, scene),
            Watch::Uncovered { speed_min_kmh } => self.uncovered(design, &going, scene, speed_min_kmh),
            Watch::OutsideWindow { speed_min_kmh, only_loaded } => {
                self.outside_window(design, &going, scene, speed_min_kmh, only_loaded)
            }
            Watch::WrongDump => self.wrong_dump(design, &going, scene),
            Watch::NoGo { only_loaded } => self.no_go(design, &going, scene, only_loaded),
            Watch::GpsJamming => {
                // In a hall where it stood before it lost its fix nobody jams it.
                let is_home = going.speed_kmh <= design.rest_kmh && known_place(scene, &going) <= design.accuracy_m;
                self.fixed = Some((seen.at, is_home));
                Verdict::judged(Signal::Clear, 0.0, seconds(design.terms.for_ms) / 60.0)
            }
            Watch::GpsJump { jumps_min, within_ms } => {
                self.jumped(seen.at, None, jumps_min, within_ms, design.speed_max_kmh)
            }
        })
    }

    /// The truck says that it hardly moves, and is elsewhere: the receiver errs. Believed again after ten minutes.
    fn is_belied(&mut self, design: &TruckDesign, going: &Going) -> bool {
        let is_belied = self.trusted.is_some_and(|(at, place, kmh)| {
            let ms = going.at.saturating_sub(at);
            let way_m = kmh.max(going.speed_kmh).max(design.rest_kmh) * 1.5 / 3.6 * seconds(ms);
            ms < TRUST_MS && apart_m(place, going.place) > way_m + REST_RADIUS_M
        });
        if !is_belied {
            self.trusted = Some((going.at, going.place, going.speed_kmh));
        }
        is_belied
    }

    /// True: it stood, and stands elsewhere now.
    fn come_to_rest(&mut self, design: &TruckDesign, going: &Going) -> bool {
        let radius_m = if let Watch::LongStop { radius_m, .. } = design.watch { radius_m } else { REST_RADIUS_M };
        let stood = self.rest;
        let is_here = stood.is_some_and(|(_, place)| apart_m(place, going.place) <= radius_m);
        if going.speed_kmh > design.rest_kmh {
            self.rest = None;
        } else if !is_here {
            self.rest = Some((going.at, going.place));
        }
        stood.is_some() && self.rest.is_some() && !is_here
    }

    fn jammed(&self, design: &TruckDesign, at: i64) -> Verdict {
        match (self.states.ignition(at, design.state_ms), self.fixed) {
            (Err(because), _) => Verdict::not(because),
            (Ok(false), _) | (Ok(true), Some((_, true))) => {
                Verdict { signal: Signal::Stop, ..Verdict::not(Because::NoFix) }
            }
            (Ok(true), fixed) => {
                let minutes = fixed.map_or(0.0, |(since, _)| seconds(at.saturating_sub(since)) / 60.0);
                Verdict::judged(Signal::Over, minutes, seconds(design.terms.for_ms) / 60.0)
            }
        }
    }

    fn long_stop(&self, design: &TruckDesign, going: &Going, scene: &Scene<'_>, only_loaded: bool) -> Verdict {
        let threshold = seconds(design.terms.for_ms) / 60.0;
        let Some((since, _)) = self.rest else { return Verdict::judged(Signal::Clear, 0.0, threshold) };
        if only_loaded && let Some(not) = self.not_loaded(design, going.at, threshold) {
            return not;
        }
        let minutes = seconds(going.at.saturating_sub(since)) / 60.0;
        let beside = known_place(scene, going);
        Verdict::judged(beyond(beside, design.accuracy_m), minutes, threshold)
    }

    fn bed_lifted(&self, design: &TruckDesign, going: &Going, scene: &Scene<'_>) -> Verdict {
        let bed = match self.states.bed(going.at, design.state_ms) {
            Ok(bed) => bed,
            Err(because) => return Verdict::not(because),
        };
        if !bed || going.speed_kmh > design.rest_kmh {
            return Verdict::judged(Signal::Clear, 0.0, design.accuracy_m);
        }
        let beside = known_place(scene, going);
        Verdict::judged(beyond(beside, design.accuracy_m), beside.min(REACH_M), design.accuracy_m)
    }

    fn uncovered(&self, design: &TruckDesign, going: &Going, scene: &Scene<'_>, speed_min_kmh: f64) -> Verdict {
        if let Some(not) = self.not_loaded(design, going.at, speed_min_kmh) {
            return not;
        }
        let is_open = match self.states.cover(going.at, design.state_ms) {
            Ok(is_open) => is_open,
            Err(because) => return Verdict::not(because),
        };
        let signal = if !is_open {
            Signal::Clear
        } else if going.speed_kmh < speed_min_kmh {
            // Waiting at a light changes nothing.
            Signal::Skip
        } else {
            beyond(known_place(scene, going), design.accuracy_m)
        };
        Verdict::judged(signal, going.speed_kmh, speed_min_kmh)
    }

    fn outside_window(
        &self,
        design: &TruckDesign,
        going: &Going,
        scene: &Scene<'_>,
        speed_min_kmh: f64,
        only_loaded: bool,
    ) -> Verdict {
        let leave = permits::leave(&self.planned.permits, going.at, scene.facts);
        let permit = match leave {
            Leave::None => return Verdict { signal: Signal::Stop, ..Verdict::not(Because::NoPermit) },
            Leave::Holds(permit) => {
                return Verdict::judged(Signal::Clear, going.speed_kmh, speed_min_kmh).on(permit);
            }
            Leave::Closed(permit) => permit,
        };
        if only_loaded && let Some(not) = self.not_loaded(design, going.at, speed_min_kmh) {
            return not.on(permit);
        }
        let signal = if going.speed_kmh < speed_min_kmh {
            Signal::Skip
        } else {
            beyond(known_place(scene, going), design.accuracy_m)
        };
        Verdict::judged(signal, going.speed_kmh, speed_min_kmh).on(permit)
    }

    fn wrong_dump(&self, design: &TruckDesign, going: &Going, scene: &Scene<'_>) -> Verdict {
        let is_unloading = going.speed_kmh <= design.rest_kmh
            && (self.states.bed(going.at, design.state_ms) == Ok(true)
                || self.states.emptied().is_some_and(|at| {
                    self.states.loaded_ever() == Some(false) && going.at.saturating_sub(at) <= EMPTIED_MS
                }));
        if !is_unloading {
            return Verdict::judged(Signal::Clear, 0.0, design.accuracy_m);
        }
        let (allowed, permit) = permits::dumps(&self.planned.permits, going.at);
        if allowed.is_empty() {
            return Verdict { signal: Signal::Stop, ..Verdict::not(Because::NoPermit) };
        }
        let mut metres = f64::INFINITY;
        scene.atlas.zones.near(going.place, |zone, found| {
            let is_foreign =
                matches!(zone.id, ZoneId::Subject(id) if zone.kind == ZoneKind::Dump && !allowed.contains(&id));
            if zone.kind.is_known_stop() && !is_foreign && zone.holds_at(going.at) {
                metres = metres.min(found);
            }
        });
        let signal = beyond(metres, design.accuracy_m);
        Verdict::judged(signal, metres.clamp(0.0, REACH_M), design.accuracy_m).on(permit)
    }

    fn no_go(&self, design: &TruckDesign, going: &Going, scene: &Scene<'_>, only_loaded: bool) -> Verdict {
        let mut metres = f64::INFINITY;
        scene.atlas.zones.near(going.place, |zone, found| {
            if zone.kind == ZoneKind::NoGo
                && zone.holds_at(going.at)
                && scene.facts.is_open(&zone.windows, EventTime(going.at))
            {
                metres = metres.min(found);
            }
        });
        let depth = (-metres).clamp(0.0, REACH_M);
        if metres > 0.0 {
            return Verdict::judged(Signal::Clear, depth, design.accuracy_m);
        }
        if only_loaded && let Some(not) = self.not_loaded(design, going.at, design.accuracy_m) {
            return not;
        }
        Verdict::judged(beyond(depth, design.accuracy_m), depth, design.accuracy_m)
    }

    fn jumped(&mut self, at: i64, kmh: Option<f64>, jumps_min: u32, within_ms: i64, threshold: f64) -> Verdict {
        if let Some(kmh) = kmh {
            self.jumps.push_back((at, kmh));
            if self.jumps.len() > JUMPS_KEPT {
                self.jumps.pop_front();
            }
        }
        while self.jumps.front().is_some_and(|(before, _)| at.saturating_sub(*before) > within_ms) {
            self.jumps.pop_front();
        }
        let fastest = self.jumps.iter().map(|(_, kmh)| *kmh).fold(0.0, f64::max);
        let signal = if self.jumps.len() >= jumps_min as usize { Signal::Over } else { Signal::Clear };
        Verdict::judged(signal, fastest, threshold)
    }

    /// What to say when the truck is not known to be loaded.
    fn not_loaded(&self, design: &TruckDesign, at: i64, threshold: f64) -> Option<Verdict> {
        match self.states.loaded(at, design.state_ms) {
            Ok(true) => None,
            Ok(false) => Some(Verdict::judged(Signal::Clear, 0.0, threshold)),
            Err(because) => Some(Verdict::not(because)),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.walk.write(w);
        self.states.write(w);
        w.flag(self.rest.is_some());
        if let Some((at, place)) = self.rest {
            w.signed(at);
            write_place(place, w);
        }
        w.flag(self.trusted.is_some());
        if let Some((at, place, kmh)) = self.trusted {
            w.signed(at);
            write_place(place, w);
            w.float(kmh);
        }
        w.flag(self.fixed.is_some());
        if let Some((at, is_home)) = self.fixed {
            w.signed(at);
            w.flag(is_home);
        }
        w.unsigned(self.jumps.len() as u64);
        for (at, kmh) in &self.jumps {
            w.signed(*at);
            w.float(*kmh);
        }
    }

    /// Into one that was planned.
    pub(crate) fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        let planned = std::mem::take(&mut self.planned);
        let mut memory = Self { walk: Walk::read(r)?, states: States::read(r)?, planned, ..Self::default() };
        if r.flag()? {
            memory.rest = Some((r.signed()?, read_place(r)?));
        }
        if r.flag()? {
            memory.trusted = Some((r.signed()?, read_place(r)?, r.float()?));
        }
        if r.flag()? {
            memory.fixed = Some((r.signed()?, r.flag()?));
        }
        for _ in 0..r.count()? {
            memory.jumps.push_back((r.signed()?, r.float()?));
        }
        *self = memory;
        Some(())
    }
}

/// The limit is that of the lowest speed zone it is well inside of; at a zone's edge the rule's own.
fn overspeed(design: &TruckDesign, going: &Going, scene: &Scene<'_>, limit_kmh: f64, tolerance: f64) -> Verdict {
    let mut limit = limit_kmh;
    scene.atlas.zones.near(going.place, |zone, metres| {
        if let Some(own) = zone.speed_max_kmh
            && metres <= -design.accuracy_m
            && zone.holds_at(going.at)
            && scene.facts.is_open(&zone.windows, EventTime(going.at))
        {
            limit = limit.min(own);
        }
    });
    // A receiver that tells a speed which its own places belie is broken, and says nothing.
    let is_belied = going.mean_kmh().is_some_and(|mean| mean < going.speed_kmh / 2.0);
    let signal = if is_belied {
        Signal::Skip
    } else if going.speed_kmh > limit * (1.0 + tolerance) {
        Signal::Over
    } else if going.speed_kmh <= limit {
        Signal::Clear
    } else {
        Signal::Between
    };
    Verdict::judged(signal, going.speed_kmh, limit)
}

/// Metres to the nearest known place, negative inside; infinite when none is near.
fn known_place(scene: &Scene<'_>, going: &Going) -> f64 {
    let mut least = f64::INFINITY;
    scene.atlas.zones.near(going.place, |zone, metres| {
        if zone.kind.is_known_stop() && zone.holds_at(going.at) {
            least = least.min(metres);
        }
    });
    least
}

/// Beyond is over, on the other side clear, and as near as the receiver errs neither.
fn beyond(metres: f64, accuracy_m: f64) -> Signal {
    if metres > accuracy_m {
        Signal::Over
    } else if metres <= 0.0 {
        Signal::Clear
    } else {
        Signal::Between
    }
}

/// A stop of rules that do not say how far one may roll.
const REST_RADIUS_M: f64 = 60.0;
/// A load that went so long ago was unloaded here.
const EMPTIED_MS: i64 = 120_000;
const TRUST_MS: i64 = 600_000;
const JUMPS_KEPT: usize = 32;
