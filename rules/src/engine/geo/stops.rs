//! Stops outside every known place, and what a truck's track was in five minutes: told to the rules over several trucks when
//! they are over.

use super::plane::apart_m;
use super::states::States;
use super::trip::TripTerms;
use super::walk::{Going, read_place, write_place};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{Fact, FactKind, GroupKey, Observation, Output};
use model::geo::Wgs84;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Stops {
    stop: Option<Stop>,
    track: Option<Track>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Stop {
    since: i64,
    place: Wgs84,
    last: i64,
    seq: u64,
    /// What it carried when it came to rest.
    came_loaded: Option<bool>,
}

/// What was said of places in a span.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Track {
    span: i64,
    hash: u64,
    count: u32,
    first: Wgs84,
    /// How far it came from the first place.
    reach_m: f64,
    seq: u64,
}

impl Stops {
    pub(super) fn step(
        &mut self,
        terms: &TripTerms,
        going: &Going,
        seen: &Observation,
        is_known_place: bool,
        states: &States,
        out: &mut Output,
    ) {
        self.follow(going, seen, out);
        let is_here = |stop: &Stop| apart_m(stop.place, going.place) <= RADIUS_M;
        if going.speed_kmh <= terms.rest_kmh && !is_known_place {
            if let Some(stop) = self.stop.as_mut().filter(|stop| is_here(stop)) {
                stop.last = going.at;
                return;
            }
            self.leave(terms, going, seen, states, out);
            let came_loaded = states.loaded_ever().filter(|_| states.knows_load());
            let (since, place) = (going.at, going.place);
            self.stop = Some(Stop { since, place, last: since, seq: seen.seq, came_loaded });
        } else {
            self.leave(terms, going, seen, states, out);
        }
    }

    fn leave(&mut self, terms: &TripTerms, going: &Going, seen: &Observation, states: &States, out: &mut Output) {
        let Some(stop) = self.stop.take() else { return };
        // It stood until it was seen elsewhere, unless that was long after.
        let until = if going.since_ms > PAUSE_MS { stop.last } else { going.at };
        if until.saturating_sub(stop.since) < terms.stop_ms {
            return;
        }
        // 1: its load stayed there; 0: nobody knows; -1: it went on as it came.
        let number = match (stop.came_loaded, states.loaded_ever()) {
            (Some(true), Some(false)) => 1,
            (None, _) | (_, None) => 0,
            _ => -1,
        };
        out.facts.push(Arc::new(Fact {
            what: FactKind::Stopped,
            to: GroupKey::District,
            at: stop.since,
            until,
            device: seen.device,
            subject: seen.subject,
            other: 0,
            number,
            plate: None,
            place: Some(stop.place),
            seq: stop.seq,
        }));
    }

    /// A number for what was said of places in each span; two trucks that move never have the same.
    fn follow(&mut self, going: &Going, seen: &Observation, out: &mut Output) {
        let span = going.at.div_euclid(SPAN_MS);
        if let Some(track) = self.track.take_if(|track| track.span != span)
            && track.count >= FIXES_MIN
            && track.reach_m >= REACH_MIN_M
        {
            out.facts.push(Arc::new(Fact {
                what: FactKind::Digest,
                to: GroupKey::District,
                at: track.span * SPAN_MS,
                until: (track.span + 1) * SPAN_MS,
                device: seen.device,
                subject: seen.subject,
                other: 0,
                number: track.hash.cast_signed(),
                plate: None,
                place: Some(track.first),
                seq: track.seq,
            }));
        }
        let first = going.place;
        let track = self.track.get_or_insert(Track { span, hash: SEED, count: 0, first, reach_m: 0.0, seq: seen.seq });
        for word in [going.at.cast_unsigned(), going.place.lon.to_bits(), going.place.lat.to_bits()] {
            track.hash = (track.hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
        track.count += 1;
        track.reach_m = track.reach_m.max(apart_m(track.first, going.place));
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.flag(self.stop.is_some());
        if let Some(stop) = self.stop {
            w.signed(stop.since);
            write_place(stop.place, w);
            w.signed(stop.last);
            w.unsigned(stop.seq);
            w.optional(stop.came_loaded.map(i64::from));
        }
        w.flag(self.track.is_some());
        if let Some(track) = self.track {
            w.signed(track.span);
            w.unsigned(track.hash);
            w.unsigned(track.count.into());
            write_place(track.first, w);
            w.float(track.reach_m);
            w.unsigned(track.seq);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut stops = Self::default();
        if r.flag()? {
            let (since, place, last, seq) = (r.signed()?, read_place(r)?, r.signed()?, r.unsigned()?);
            let came_loaded = r.optional()?.map(|loaded| loaded == 1);
            stops.stop = Some(Stop { since, place, last, seq, came_loaded });
        }
        if r.flag()? {
            stops.track = Some(Track {
                span: r.signed()?,
                hash: r.unsigned()?,
                count: r.small()?,
                first: read_place(r)?,
                reach_m: r.float()?,
                seq: r.unsigned()?,
            });
        }
        Some(stops)
    }
}

/// Rolling farther begins another stop.
const RADIUS_M: f64 = 60.0;
const PAUSE_MS: i64 = 30 * 60_000;
const SPAN_MS: i64 = 5 * 60_000;
const FIXES_MIN: u32 = 4;
/// A truck that stands says what others say that stand.
const REACH_MIN_M: f64 = 200.0;
const SEED: u64 = 0xcbf2_9ce4_8422_2325;
