//! Off-route: distance to the permitted corridor, in metres and seconds.
//!
//! Fixes are walked in event-time order. Out: farther from the line than half the corridor's width plus `margin_m`. Back:
//! within half the width. In between nothing ends and nothing begins. Raised when out for `for` with at least `fixes_min`
//! fixes and no pause longer than `gap`; it starts at the first fix out and ends at the first fix back that is followed by
//! `clear_for` of staying back, or at its last fix before a pause or before the permit's time ends.
//!
//! Not fresh fixes are skipped. A fix that needs a higher speed than `speed_max_kmh` from the last good one is a jump and is
//! skipped; three jumps in a row that agree with each other become the new good place. Outside any permit's validity or
//! windows nothing is judged here.

use super::Where;
use super::codec::{Reader, Writer};
use super::corridor::{Corridor, Measured, apart_m, measure};
use super::machine::{Machine, Reading, Signal, Stretch, Terms};
use super::timeline::Timeline;
use crate::definition::{Kind, OffRoute};
use crate::explain::{JudgedState, NotJudged};
use model::geo::Wgs84;
use model::id::PermitId;
use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at: i64,
    pub(super) record_slot: u32,
    pub(super) seq: u64,
    pub(super) fixed: bool,
    pub(super) lon: i32,
    pub(super) lat: i32,
    /// Follows from the place and the permits.
    measured: Measured,
}

impl Point {
    pub(super) fn new(at: i64, record_slot: u32, seq: u64, fixed: bool, place: Wgs84) -> Self {
        Self {
            at,
            record_slot,
            seq,
            fixed,
            lon: scaled(place.lon),
            lat: scaled(place.lat),
            measured: Measured::NoPermit,
        }
    }

    fn place(&self) -> Wgs84 {
        Wgs84 { lon: f64::from(self.lon) / SCALE, lat: f64::from(self.lat) / SCALE }
    }
}

/// The hysteresis and the good place before it.
#[derive(Debug, Clone, PartialEq, Default)]
struct Walker {
    machine: Machine,
    good: Option<(i64, i32, i32)>,
    /// Newest of the jumps in a row that agree, and how many.
    jump: Option<(i64, i32, i32, u32)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    points: VecDeque<Point>,
    cut: i64,
    frozen: Walker,
    pub(super) finals: Vec<Stretch>,
    // The rest follows from what is above.
    head: Walker,
    done: Vec<Stretch>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            points: VecDeque::new(),
            cut: i64::MIN,
            frozen: Walker::default(),
            finals: Vec::new(),
            head: Walker::default(),
            done: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, mut point: Point, corridors: &[Corridor]) -> Where {
        if point.at < self.cut {
            return Where::BeyondHorizon;
        }
        point.measured = measure(corridors, point.at, point.place());
        let key = (point.at, point.record_slot);
        if self.points.back().is_none_or(|last| (last.at, last.record_slot) < key) {
            self.points.push_back(point);
            return Where::Next;
        }
        let place = self.points.partition_point(|known| (known.at, known.record_slot) < key);
        match self.points.get_mut(place).filter(|known| (known.at, known.record_slot) == key) {
            Some(known) => *known = point,
            None => self.points.insert(place, point),
        }
        Where::Late
    }

    pub(super) fn next(&mut self, timeline: &Timeline) {
        if let Some(point) = self.points.back() {
            self.done.extend(self.head.step(point, timeline));
        }
    }

    pub(super) fn replay(&mut self, timeline: &Timeline) {
        let mut walker = self.frozen.clone();
        self.done.clear();
        for point in &self.points {
            self.done.extend(walker.step(point, timeline));
        }
        self.head = walker;
    }

    /// The permits changed.
    pub(super) fn measure_again(&mut self, corridors: &[Corridor]) {
        for point in &mut self.points {
            point.measured = measure(corridors, point.at, point.place());
        }
    }

    pub(super) fn freeze(&mut self, timeline: &Timeline) -> u64 {
        let rule = &timeline.newest().rule;
        let Some(newest) = self.points.back().map(|point| point.at) else { return 0 };
        let mut cut = newest.saturating_sub(rule.horizon_ms);
        let mut bounded = 0;
        if let Some(excess) = self.points.len().checked_sub(rule.observations_max).filter(|excess| *excess > 0)
            && let Some(point) = self.points.get(excess)
            && point.at > cut
        {
            cut = point.at;
            bounded = excess as u64;
        }
        self.cut = self.cut.max(cut);
        while let Some(point) = self.points.front().filter(|point| point.at < self.cut) {
            if let Some(closed) = self.frozen.step(point, timeline) {
                self.finals.push(closed);
                if !self.done.is_empty() {
                    self.done.remove(0);
                }
            }
            self.points.pop_front();
        }
        bounded
    }

    pub(super) fn derive(&self, absent: bool, into: &mut Vec<Stretch>) {
        into.extend(self.finals.iter().cloned());
        into.extend(self.done.iter().cloned());
        into.extend(self.head.machine.open(absent));
    }

    pub(super) const fn is_active(&self) -> bool {
        self.head.machine.is_active()
    }

    pub(super) const fn frontier(&self) -> i64 {
        self.head.machine.last()
    }

    pub(super) fn shape(&self) -> (usize, bool) {
        (self.finals.len() + self.done.len(), self.head.machine.is_active())
    }

    pub(super) fn explain(&self, timeline: &Timeline) -> (Option<i64>, JudgedState) {
        let not = |reason| JudgedState::NotJudged { reason };
        let Some(point) = self.points.back() else { return (None, not(NotJudged::NoData)) };
        let Kind::OffRoute(rule) = &timeline.at(point.at).rule.kind else { return (None, not(NotJudged::NoData)) };
        let state = match point.measured {
            _ if !point.fixed => not(NotJudged::NoFix),
            _ if self.head.jump.is_some() => not(NotJudged::GpsJump),
            Measured::NoPermit => not(NotJudged::NoPermit),
            Measured::OutsideHours => not(NotJudged::OutsideHours),
            Measured::Distance { m, permit, half_width_m } => JudgedState::Judged {
                value: m,
                threshold: half_width_m + rule.margin_m,
                limit: None,
                permit: Some(PermitId(permit)),
                over: m > half_width_m + rule.margin_m,
                in_episode: self.is_active(),
            },
        };
        (Some(point.at), state)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.signed(self.cut);
        self.frozen.write(w);
        w.unsigned(self.finals.len() as u64);
        self.finals.iter().for_each(|stretch| stretch.write(w));
        w.unsigned(self.points.len() as u64);
        let (mut at, mut seq, mut lon, mut lat) = (0i64, 0i64, 0i32, 0i32);
        for point in &self.points {
            w.signed(point.at.wrapping_sub(at));
            w.unsigned(u64::from(point.record_slot));
            w.signed(point.seq.cast_signed().wrapping_sub(seq));
            w.flag(point.fixed);
            w.signed(i64::from(point.lon) - i64::from(lon));
            w.signed(i64::from(point.lat) - i64::from(lat));
            (at, seq, lon, lat) = (point.at, point.seq.cast_signed(), point.lon, point.lat);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut state = Self::new();
        state.cut = r.signed()?;
        state.frozen = Walker::read(r)?;
        state.finals = (0..r.count()?).map(|_| Stretch::read(r)).collect::<Option<_>>()?;
        let (mut at, mut seq, mut lon, mut lat) = (0i64, 0i64, 0i32, 0i32);
        for _ in 0..r.count()? {
            at = at.wrapping_add(r.signed()?);
            let record_slot = r.small()?;
            seq = seq.wrapping_add(r.signed()?);
            let fixed = r.flag()?;
            lon = i32::try_from(i64::from(lon).checked_add(r.signed()?)?).ok()?;
            lat = i32::try_from(i64::from(lat).checked_add(r.signed()?)?).ok()?;
            let seq = seq.cast_unsigned();
            state.points.push_back(Point { at, record_slot, seq, fixed, lon, lat, measured: Measured::NoPermit });
        }
        Some(state)
    }
}

impl Walker {
    fn step(&mut self, point: &Point, timeline: &Timeline) -> Option<Stretch> {
        let version = timeline.at(point.at);
        let Kind::OffRoute(rule) = &version.rule.kind else { return None };
        if !point.fixed || !self.is_plausible(point, rule) {
            return None;
        }
        let terms =
            Terms { for_ms: rule.for_ms, count_min: rule.fixes_min, clear_ms: rule.clear_ms, gap_ms: rule.gap_ms };
        let mut reading = Reading {
            at: point.at,
            signal: Signal::Stop,
            place: Some(point.place()),
            version: version.number,
            seq: point.seq,
            ..Reading::default()
        };
        if let Measured::Distance { m, permit, half_width_m } = point.measured
            && version.active
        {
            reading.value = m;
            reading.permit = permit;
            reading.threshold = half_width_m + rule.margin_m;
            reading.signal = if m > reading.threshold {
                Signal::Over
            } else if m <= half_width_m {
                Signal::Clear
            } else {
                Signal::Between
            };
        }
        self.machine.step(&reading, &terms)
    }

    fn is_plausible(&mut self, point: &Point, rule: &OffRoute) -> bool {
        let here = (point.at, point.lon, point.lat);
        if self.good.is_none_or(|good| can_drive(good, point, rule)) {
            self.good = Some(here);
            self.jump = None;
            return true;
        }
        let agreeing = match self.jump {
            Some((at, lon, lat, count)) if can_drive((at, lon, lat), point, rule) => count + 1,
            _ => 1,
        };
        if agreeing >= JUMPS_TO_BELIEVE {
            self.good = Some(here);
            self.jump = None;
            return true;
        }
        self.jump = Some((here.0, here.1, here.2, agreeing));
        false
    }

    fn write(&self, w: &mut Writer) {
        self.machine.write(w);
        w.flag(self.good.is_some());
        if let Some((at, lon, lat)) = self.good {
            w.signed(at);
            w.signed(lon.into());
            w.signed(lat.into());
        }
        w.flag(self.jump.is_some());
        if let Some((at, lon, lat, count)) = self.jump {
            w.signed(at);
            w.signed(lon.into());
            w.signed(lat.into());
            w.signed(count.into());
        }
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut walker = Self { machine: Machine::read(r)?, good: None, jump: None };
        let degree = |r: &mut Reader<'_>| i32::try_from(r.signed()?).ok();
        if r.flag()? {
            walker.good = Some((r.signed()?, degree(r)?, degree(r)?));
        }
        if r.flag()? {
            walker.jump = Some((r.signed()?, degree(r)?, degree(r)?, u32::try_from(r.signed()?).ok()?));
        }
        Some(walker)
    }
}

fn can_drive((at, lon, lat): (i64, i32, i32), to: &Point, rule: &OffRoute) -> bool {
    let from = Wgs84 { lon: f64::from(lon) / SCALE, lat: f64::from(lat) / SCALE };
    #[expect(clippy::cast_precision_loss, reason = "a span of milliseconds")]
    let seconds = (to.at.saturating_sub(at).max(1_000)) as f64 / 1_000.0;
    apart_m(from, to.place()) <= rule.speed_max_kmh / 3.6 * seconds + JITTER_M
}

#[expect(clippy::cast_possible_truncation, reason = "a longitude times 10^7 fits 32 bits")]
fn scaled(degrees: f64) -> i32 {
    (degrees * SCALE).round() as i32
}

/// Places are kept in 10⁻⁷ degrees, about a centimetre.
const SCALE: f64 = 1e7;
/// Two fixes at rest may be so far apart.
const JITTER_M: f64 = 50.0;
const JUMPS_TO_BELIEVE: u32 = 3;
