//! The state machine behind the trip sheets; see [`super`].

mod saved;

use super::TripTerms;
use crate::engine::geo::permits::{self, Leave};
use crate::engine::geo::states::States;
use crate::engine::geo::stops::Stops;
use crate::engine::geo::walk::{Going, Step, Walk};
use crate::engine::geo::zones::{ZoneId, ZoneKind};
use crate::engine::judge::{FactKind, Observation, Output, Scene};
use model::geo::Wgs84;
use model::id::{AreaId, DeviceId, PermitId, SubjectId};
use model::register::Permit;
use model::time::EventTime;
use model::trip::{
    DEVIATIONS_MAX, TripCover, TripDeviation, TripPart, TripPlace, TripRemark, TripSegment, TripSheet, TripUnloading,
    TripVerdict, TripWash,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// The trips of one truck.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trips {
    walk: Walk,
    states: States,
    stops: Stops,
    phase: Phase,
    /// The last exit that a gate told of.
    passed: Option<TripWash>,
    done: VecDeque<Arc<TripSheet>>,
    permits: Arc<[Arc<Permit>]>,
    lines: Arc<[i64]>,
    known: (u64, u64),
}

#[derive(Debug, Clone, Default)]
enum Phase {
    #[default]
    Idle,
    AtSite(AtSite),
    Trip(Box<Trip>),
}

#[derive(Debug, Clone, PartialEq)]
struct AtSite {
    site: i64,
    since: i64,
    place: Wgs84,
    /// What it carried when it came; `None`: not known.
    came_loaded: Option<bool>,
    /// The first fix outside, and how many outside said loaded and not loaded.
    out: Option<(i64, Wgs84)>,
    loaded: u32,
    empty: u32,
}

#[derive(Debug, Clone, PartialEq)]
struct Trip {
    sheet: TripSheet,
    /// A load sensor says so.
    is_sure: bool,
    part: TripPart,
    since: i64,
    start: Wgs84,
    metres: f64,
    in_corridor: Option<f64>,
    cover_ms: [i64; 3],
    deviation: Option<TripDeviation>,
    /// Fixes in a row without a load, and the first of them.
    empty: u32,
    emptied: Option<(i64, Wgs84)>,
    /// At rest at a dump since.
    rests: Option<i64>,
}

/// What is around a fix: the nearest of each kind, metres, negative inside.
#[derive(Debug, Clone, Copy)]
struct Around {
    site: Option<(i64, f64)>,
    dump: Option<(ZoneId, f64)>,
    parking_m: f64,
}

impl Trips {
    pub(crate) fn plan(&mut self, scene: &Scene<'_>) -> bool {
        let permits = permits::of(scene);
        let known = (scene.atlas.places, scene.atlas.others);
        let is_same = self.permits == permits && self.known == known;
        self.lines = permits.iter().map(|permit| permit.id.0).collect();
        (self.permits, self.known) = (permits, known);
        !is_same
    }

    pub(crate) fn sheets(&self) -> Vec<Arc<TripSheet>> {
        let mut all: Vec<Arc<TripSheet>> = self.done.iter().cloned().collect();
        if let Phase::Trip(trip) = &self.phase
            && trip.part == TripPart::Returning
        {
            all.push(Arc::new(trip.finished(&self.states)));
        }
        all
    }

    /// Trips that were finished for good; the one that returns still may gain its return.
    pub(crate) const fn done(&self) -> &VecDeque<Arc<TripSheet>> {
        &self.done
    }

    pub(crate) const fn phase(&self) -> &'static str {
        match &self.phase {
            Phase::Idle => "none",
            Phase::AtSite(_) => "at a site",
            Phase::Trip(trip) => match trip.part {
                TripPart::Loading | TripPart::Hauling => "hauling",
                TripPart::Unloading => "unloading",
                TripPart::Returning => "returning",
            },
        }
    }

    pub(crate) fn forget_phase(&mut self) {
        self.phase = Phase::Idle;
    }

    pub(crate) fn step(&mut self, terms: &TripTerms, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        if let Some(fact) = seen.fact.as_deref().filter(|fact| fact.what == FactKind::PassedGate) {
            let seconds = u32::try_from(fact.number).ok();
            self.passed = Some(TripWash { gate: SubjectId(fact.other), at: EventTime(fact.at), seconds });
            if let Phase::Trip(trip) = &mut self.phase {
                trip.take_wash(self.passed);
            }
            return;
        }
        let speed = seen.fix.filter(|fix| fix.fixed).map(|fix| fix.speed_kmh);
        self.states.take(seen, speed);
        let Some(fix) = &seen.fix else { return };
        let Step::Good(going) = self.walk.step(seen.at, fix, terms.speed_max_kmh) else { return };
        let around = Around::of(&going, scene);
        self.stops.step(terms, &going, seen, around.is_known(terms), &self.states, out);
        let phase = std::mem::take(&mut self.phase);
        self.phase = match phase {
            Phase::Idle => self.arrive(&going, &around),
            Phase::AtSite(at) => self.at_site(terms, at, &going, seen, &around, scene),
            Phase::Trip(trip) => self.on_trip(terms, trip, &going, &around, scene),
        };
    }

    fn arrive(&self, going: &Going, around: &Around) -> Phase {
        let Some((site, _)) = around.site.filter(|(_, metres)| *metres <= 0.0) else { return Phase::Idle };
        // Of the first fix nobody knows where the load came from.
        let came_loaded = self.states.loaded_ever().filter(|_| going.metres.is_some());
        let (since, place) = (going.at, going.place);
        Phase::AtSite(AtSite { site, since, place, came_loaded, out: None, loaded: 0, empty: 0 })
    }

    fn at_site(
        &self,
        terms: &TripTerms,
        mut at: AtSite,
        going: &Going,
        seen: &Observation,
        around: &Around,
        scene: &Scene<'_>,
    ) -> Phase {
        if going.since_ms > PAUSE_MS {
            return self.arrive(going, around);
        }
        let metres = around.site.filter(|(site, _)| *site == at.site).map_or(f64::INFINITY, |(_, metres)| metres);
        if metres <= 0.0 {
            (at.out, at.loaded, at.empty) = (None, 0, 0);
            return Phase::AtSite(at);
        }
        if metres <= terms.accuracy_m {
            return Phase::AtSite(at);
        }
        let (left, place) = *at.out.get_or_insert((going.at, going.place));
        let is_sure = self.states.knows_load();
        if !is_sure || self.states.loaded_ever() == Some(true) {
            at.loaded += 1;
        } else {
            at.empty += 1;
        }
        let filled = self.states.filled().filter(|filled| *filled >= at.since);
        let was_loaded = if is_sure {
            filled.is_some() || at.came_loaded != Some(true)
        } else {
            left.saturating_sub(at.since) >= STAY_MS
        };
        match (at.loaded >= 2, at.empty >= 2) {
            (true, _) if was_loaded => {
                let mut trip = Trip::new(&at, filled.unwrap_or(left), left, place, seen, is_sure);
                trip.take_permit(&self.permits, scene);
                trip.take_wash(self.passed);
                trip.haul(terms, going, &self.states, &self.lines, scene);
                Phase::Trip(Box::new(trip))
            }
            (true, _) | (_, true) => self.arrive(going, around),
            _ => Phase::AtSite(at),
        }
    }

    fn on_trip(
        &mut self,
        terms: &TripTerms,
        mut trip: Box<Trip>,
        going: &Going,
        around: &Around,
        scene: &Scene<'_>,
    ) -> Phase {
        match trip.part {
            TripPart::Loading | TripPart::Hauling => {
                let is_over = going.at.saturating_sub(trip.sheet.left.0) > HAUL_MS || going.since_ms > PAUSE_MS;
                let is_back = around.site.is_some_and(|(_, metres)| metres <= 0.0);
                if is_over {
                    if trip.is_sure {
                        self.finish(&trip);
                    }
                    return self.arrive(going, around);
                }
                if let Some((from, place)) = trip.unloads(terms, going, &self.states, around) {
                    trip.unload(from, place, going, around, &self.permits);
                } else if is_back && (!trip.is_sure || self.states.loaded_ever() == Some(true)) {
                    // Turned back with its load: no trip.
                    return self.arrive(going, around);
                } else {
                    trip.haul(terms, going, &self.states, &self.lines, scene);
                }
                Phase::Trip(trip)
            }
            TripPart::Unloading => {
                let is_up = self.states.bed(going.at, terms.state_ms) == Ok(true);
                trip.metres += going.metres.unwrap_or(0.0);
                if going.speed_kmh > terms.rest_kmh && !is_up {
                    trip.end_unloading(going);
                }
                Phase::Trip(trip)
            }
            TripPart::Returning => {
                trip.metres += going.metres.unwrap_or(0.0);
                let is_home = around.site.is_some_and(|(_, metres)| metres <= 0.0) || around.parking_m <= 0.0;
                if is_home {
                    trip.sheet.returned = Some(EventTime(going.at));
                    trip.close(TripPart::Returning, going.at, going.place);
                }
                if is_home || going.at.saturating_sub(trip.since) > RETURN_MS {
                    self.finish(&trip);
                    return self.arrive(going, around);
                }
                Phase::Trip(trip)
            }
        }
    }

    fn finish(&mut self, trip: &Trip) {
        self.done.push_back(Arc::new(trip.finished(&self.states)));
        if self.done.len() > SHEETS_KEPT {
            self.done.pop_front();
        }
    }
}

impl Trip {
    fn new(at: &AtSite, loaded: i64, left: i64, place: Wgs84, seen: &Observation, is_sure: bool) -> Self {
        let loading = TripSegment {
            what: TripPart::Loading,
            from: EventTime(at.since),
            to: EventTime(left),
            start: at.place,
            end: place,
            metres: 0,
        };
        let sheet = TripSheet {
            truck: seen.subject,
            device: DeviceId(seen.device.0),
            site: SubjectId(at.site),
            loaded: EventTime(loaded),
            left: EventTime(left),
            permit: None,
            wash: None,
            cover: TripCover::default(),
            metres: 0,
            metres_in_corridor: None,
            deviations: Vec::new(),
            unloading: None,
            returned: None,
            segments: vec![loading],
            verdict: TripVerdict::Lawful,
            remarks: Vec::new(),
        };
        Self {
            sheet,
            is_sure,
            part: TripPart::Hauling,
            since: left,
            start: place,
            metres: 0.0,
            in_corridor: None,
            cover_ms: [0; 3],
            deviation: None,
            empty: 0,
            emptied: None,
            rests: None,
        }
    }

    /// The permit under which it leaves.
    fn take_permit(&mut self, permits: &[Arc<Permit>], scene: &Scene<'_>) {
        match permits::leave(permits, self.sheet.left.0, scene.facts) {
            Leave::None => self.sheet.remarks.push(TripRemark::NoPermit),
            Leave::Holds(permit) => self.sheet.permit = Some(PermitId(permit)),
            Leave::Closed(permit) => {
                self.sheet.permit = Some(PermitId(permit));
                self.sheet.remarks.push(TripRemark::OutsideHours);
            }
        }
    }

    /// An exit that a gate told of, if it is this one.
    fn take_wash(&mut self, passed: Option<TripWash>) {
        let is_this = |passed: &TripWash| (passed.at.0 - self.sheet.left.0).abs() <= EXIT_MS;
        if let Some(passed) = passed.filter(is_this) {
            self.sheet.wash = Some(passed);
        }
    }

    fn haul(&mut self, terms: &TripTerms, going: &Going, states: &States, lines: &[i64], scene: &Scene<'_>) {
        let metres = going.metres.unwrap_or(0.0);
        self.metres += metres;
        let cover = match states.cover(going.at, terms.state_ms) {
            Ok(false) => 0,
            Ok(true) => 1,
            Err(_) => 2,
        };
        if let Some(ms) = self.cover_ms.get_mut(cover) {
            *ms += going.since_ms.min(STRIDE_MS);
        }
        let way =
            scene.atlas.corridors.least_astray(going.place, lines, |line| line.from <= going.at && going.at < line.to);
        let Some((line, nearest)) = way else { return };
        let beyond = nearest.m - line.half_width_m;
        let inside = self.in_corridor.get_or_insert(0.0);
        if beyond <= terms.margin_m {
            *inside += metres;
            self.keep_deviation();
            return;
        }
        let far = whole(nearest.m);
        let (at, place) = (EventTime(going.at), going.place);
        let one = self.deviation.get_or_insert(TripDeviation { from: at, to: at, metres: far, place });
        one.to = at;
        if far > one.metres {
            (one.metres, one.place) = (far, place);
        }
    }

    fn keep_deviation(&mut self) {
        if let Some(one) = self.deviation.take().filter(|_| self.sheet.deviations.len() < DEVIATIONS_MAX) {
            self.sheet.deviations.push(one);
        }
    }

    /// When and where unloading began.
    fn unloads(&mut self, terms: &TripTerms, going: &Going, states: &States, around: &Around) -> Option<(i64, Wgs84)> {
        let rests = going.speed_kmh <= terms.rest_kmh;
        if rests && states.bed(going.at, terms.state_ms) == Ok(true) {
            return Some((going.at, going.place));
        }
        if self.is_sure {
            if states.loaded_ever() != Some(false) {
                (self.empty, self.emptied) = (0, None);
                return None;
            }
            self.empty += 1;
            let first = *self.emptied.get_or_insert((going.at, going.place));
            return (self.empty >= 2).then_some(first);
        }
        let is_at_dump = rests && around.dump.is_some_and(|(_, metres)| metres <= 0.0);
        self.rests = if is_at_dump { self.rests.or(Some(going.at)) } else { None };
        let since = self.rests.filter(|since| going.at.saturating_sub(*since) >= STAY_MS)?;
        Some((since, going.place))
    }

    fn unload(&mut self, from: i64, place: Wgs84, going: &Going, around: &Around, permits: &[Arc<Permit>]) {
        self.keep_deviation();
        self.sheet.metres = whole(self.metres);
        self.sheet.metres_in_corridor = self.in_corridor.map(whole);
        self.close(TripPart::Hauling, from, place);
        self.part = TripPart::Unloading;
        let at = match (around.dump, around.site) {
            (Some((ZoneId::Subject(id), metres)), _) if metres <= EDGE_M => TripPlace::DisposalSite(SubjectId(id)),
            (Some((ZoneId::Area(id), metres)), _) if metres <= EDGE_M => TripPlace::Area(AreaId(id)),
            (_, Some((id, metres))) if metres <= EDGE_M => TripPlace::Site(SubjectId(id)),
            _ => TripPlace::Unknown,
        };
        let (dumps, _) = permits::dumps(permits, from);
        let is_permitted = match at {
            TripPlace::DisposalSite(id) => dumps.is_empty() || dumps.contains(&id.0),
            TripPlace::Area(_) | TripPlace::Site(_) => true,
            TripPlace::Unknown => false,
        };
        let (from, to) = (EventTime(from), EventTime(going.at));
        self.sheet.unloading = Some(TripUnloading { from, to, place, at, is_permitted });
    }

    fn end_unloading(&mut self, going: &Going) {
        if let Some(unloading) = &mut self.sheet.unloading {
            unloading.to = EventTime(going.at);
        }
        self.close(TripPart::Unloading, going.at, going.place);
        self.part = TripPart::Returning;
    }

    /// The part that lasted becomes a segment.
    fn close(&mut self, what: TripPart, at: i64, place: Wgs84) {
        self.sheet.segments.push(TripSegment {
            what,
            from: EventTime(self.since),
            to: EventTime(at),
            start: self.start,
            end: place,
            metres: whole(self.metres),
        });
        (self.since, self.start, self.metres) = (at, place, 0.0);
    }

    fn finished(&self, states: &States) -> TripSheet {
        let mut sheet = self.sheet.clone();
        if sheet.unloading.is_none() {
            sheet.metres = whole(self.metres);
            sheet.metres_in_corridor = self.in_corridor.map(whole);
        }
        let [closed_s, open_s, unknown_s] = self.cover_ms.map(|ms| u32::try_from(ms / 1_000).unwrap_or(u32::MAX));
        sheet.cover = TripCover { closed_s, open_s, unknown_s };
        let mut found = |holds: bool, remark| {
            if holds {
                sheet.remarks.push(remark);
            }
        };
        found(self.sheet.wash.is_some_and(|wash| wash.seconds == Some(0)), TripRemark::NotWashed);
        found(self.sheet.wash.is_none(), TripRemark::ExitNotSeen);
        found(open_s > 60 && states.knows_load(), TripRemark::Uncovered);
        found(open_s <= 60 && unknown_s > closed_s, TripRemark::CoverUnknown);
        let driven = sheet.metres;
        let outside = sheet.metres_in_corridor.map(|inside| driven.saturating_sub(inside));
        found_off(outside.is_some_and(|outside| outside > driven / 10), &mut sheet);
        match &sheet.unloading {
            Some(unloading) if !unloading.is_permitted => sheet.remarks.push(TripRemark::WrongDump),
            Some(_) => {}
            None => sheet.remarks.push(TripRemark::NotUnloaded),
        }
        sheet.remarks.sort_unstable();
        sheet.verdict = sheet.judged();
        sheet
    }
}

fn found_off(is_off: bool, sheet: &mut TripSheet) {
    if is_off {
        sheet.remarks.push(TripRemark::OffCorridor);
    }
}

impl Around {
    fn of(going: &Going, scene: &Scene<'_>) -> Self {
        let mut around = Self { site: None, dump: None, parking_m: f64::INFINITY };
        scene.atlas.zones.near(going.place, |zone, metres| {
            if !zone.holds_at(going.at) {
                return;
            }
            match (zone.kind, zone.id) {
                (ZoneKind::Site, ZoneId::Subject(id))
                    if around.site.is_none_or(|(known, least)| metres < least || (metres <= least && id < known)) =>
                {
                    around.site = Some((id, metres));
                }
                (ZoneKind::Dump | ZoneKind::OpenDump, id)
                    if around.dump.is_none_or(|(known, least)| metres < least || (metres <= least && id < known)) =>
                {
                    around.dump = Some((id, metres));
                }
                (ZoneKind::Parking, _) => around.parking_m = around.parking_m.min(metres),
                _ => {}
            }
        });
        around
    }

    fn is_known(&self, terms: &TripTerms) -> bool {
        let site = self.site.map_or(f64::INFINITY, |(_, metres)| metres);
        let dump = self.dump.map_or(f64::INFINITY, |(_, metres)| metres);
        site.min(dump).min(self.parking_m) <= terms.accuracy_m
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded below")]
fn whole(metres: f64) -> u32 {
    metres.round().clamp(0.0, 4e9) as u32
}

/// A trip that takes longer ends without an unloading.
pub(crate) const HAUL_MS: i64 = 12 * 3_600_000;
/// Fixes farther apart are not of one trip.
const PAUSE_MS: i64 = 4 * 3_600_000;
const RETURN_MS: i64 = 3_600_000;
/// Without a load sensor: so long at a site it may have been loaded, at a dump unloaded.
const STAY_MS: i64 = 120_000;
/// An exit that the gate told of is of the trip that left within this.
const EXIT_MS: i64 = 15 * 60_000;
/// Longer pauses say nothing of the cover.
const STRIDE_MS: i64 = 120_000;
/// At a place's edge.
const EDGE_M: f64 = 30.0;
const SHEETS_KEPT: usize = 64;
