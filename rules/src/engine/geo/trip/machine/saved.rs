//! A trip that is under way, on disk.

use super::super::sheet;
use super::{AtSite, Phase, Trip, Trips};
use crate::engine::codec::{Reader, Writer};
use crate::engine::geo::states::States;
use crate::engine::geo::stops::Stops;
use crate::engine::geo::walk::{Walk, read_place, write_place};
use model::id::SubjectId;
use model::time::EventTime;
use model::trip::{TripPart, TripWash};
use std::sync::Arc;

impl Trips {
    pub(crate) fn write(&self, w: &mut Writer) {
        self.walk.write(w);
        self.states.write(w);
        self.stops.write(w);
        w.flag(self.passed.is_some());
        if let Some(passed) = self.passed {
            w.signed(passed.gate.0);
            w.signed(passed.at.0);
            w.optional(passed.seconds.map(i64::from));
        }
        match &self.phase {
            Phase::Idle => w.0.push(0),
            Phase::AtSite(at) => {
                w.0.push(1);
                at.write(w);
            }
            Phase::Trip(trip) => {
                w.0.push(2);
                trip.write(w);
            }
        }
        w.unsigned(self.done.len() as u64);
        for done in &self.done {
            sheet::write(done, w);
        }
    }

    /// Into one that was planned.
    pub(crate) fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.walk = Walk::read(r)?;
        self.states = States::read(r)?;
        self.stops = Stops::read(r)?;
        self.passed = None;
        if r.flag()? {
            let (gate, at) = (SubjectId(r.signed()?), EventTime(r.signed()?));
            let seconds = r.optional()?.map(u32::try_from).transpose().ok()?;
            self.passed = Some(TripWash { gate, at, seconds });
        }
        self.phase = match r.byte()? {
            0 => Phase::Idle,
            1 => Phase::AtSite(AtSite::read(r)?),
            2 => Phase::Trip(Box::new(Trip::read(r)?)),
            _ => return None,
        };
        self.done = (0..r.count()?).map(|_| sheet::read(r).map(Arc::new)).collect::<Option<_>>()?;
        Some(())
    }
}

impl Trip {
    pub(super) fn write(&self, w: &mut Writer) {
        sheet::write(&self.sheet, w);
        w.flag(self.is_sure);
        w.unsigned(self.part as u64);
        w.signed(self.since);
        write_place(self.start, w);
        w.float(self.metres);
        w.flag(self.in_corridor.is_some());
        w.float(self.in_corridor.unwrap_or(0.0));
        for ms in self.cover_ms {
            w.signed(ms);
        }
        w.flag(self.deviation.is_some());
        if let Some(one) = &self.deviation {
            sheet::deviation(one, w);
        }
        w.unsigned(self.empty.into());
        w.flag(self.emptied.is_some());
        if let Some((at, place)) = self.emptied {
            w.signed(at);
            write_place(place, w);
        }
        w.optional(self.rests);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let sheet = sheet::read(r)?;
        let is_sure = r.flag()?;
        let part = match r.unsigned()? {
            0 => TripPart::Loading,
            1 => TripPart::Hauling,
            2 => TripPart::Unloading,
            3 => TripPart::Returning,
            _ => return None,
        };
        let (since, start, metres) = (r.signed()?, read_place(r)?, r.float()?);
        let (has_line, inside) = (r.flag()?, r.float()?);
        let cover_ms = [r.signed()?, r.signed()?, r.signed()?];
        let deviation = if r.flag()? { Some(sheet::read_deviation(r)?) } else { None };
        let empty = r.small()?;
        let emptied = if r.flag()? { Some((r.signed()?, read_place(r)?)) } else { None };
        let (in_corridor, rests) = (has_line.then_some(inside), r.optional()?);
        Some(Self {
            sheet,
            is_sure,
            part,
            since,
            start,
            metres,
            in_corridor,
            cover_ms,
            deviation,
            empty,
            emptied,
            rests,
        })
    }
}

impl AtSite {
    pub(super) fn write(&self, w: &mut Writer) {
        w.signed(self.site);
        w.signed(self.since);
        write_place(self.place, w);
        w.optional(self.came_loaded.map(i64::from));
        w.flag(self.out.is_some());
        if let Some((at, place)) = self.out {
            w.signed(at);
            write_place(place, w);
        }
        w.unsigned(self.loaded.into());
        w.unsigned(self.empty.into());
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (site, since, place) = (r.signed()?, r.signed()?, read_place(r)?);
        let came_loaded = r.optional()?.map(|loaded| loaded == 1);
        let out = if r.flag()? { Some((r.signed()?, read_place(r)?)) } else { None };
        Some(Self { site, since, place, came_loaded, out, loaded: r.small()?, empty: r.small()? })
    }
}
