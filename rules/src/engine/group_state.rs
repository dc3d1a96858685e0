//! A group as bytes: its members, log, the judges at the log's front, and what was told. What follows from them is walked
//! again on load, so that restoring and saving gives the same bytes.

use super::codec::{Reader, Writer};
use super::group::{Around, Entry, Group, Mark};
use super::judge::{Fact, FactKind, GroupKey, Observation, Output, Scene, Source};
use super::machine::Stretch;
use super::seat::{Bench, Seat};
use super::track::Track;
use model::envelope::ProtocolKind;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Fix, Flag, Happening, Statistic, Value};
use std::sync::Arc;

impl Group {
    pub(super) fn write(&self, around: &Around<'_>, w: &mut Writer) {
        w.unsigned(self.members.len() as u64);
        for member in &self.members {
            w.signed(member.device.0);
            w.signed(member.subject.0);
        }
        w.signed(self.cut);
        w.optional(self.stale);
        w.unsigned(u64::from(self.stale_count));
        w.unsigned(self.seats.len() as u64);
        let benches = self.marks.front().map_or(&[][..], |mark| &mark.benches);
        for (seat, bench) in self.seats.iter().zip(benches) {
            w.text(around.timelines.get(seat.rule).map_or("", |timeline| &timeline.code));
            bench.write(w);
            w.flag(seat.is_absent);
            w.unsigned(seat.finals.len() as u64);
            seat.finals.iter().for_each(|stretch| stretch.write(w));
            seat.track.write(w);
            w.unsigned(seat.facts.len() as u64);
            seat.facts.iter().for_each(|fact| write_fact(fact, w));
        }
        let from = self.marks.front().map_or(i64::MIN, |mark| mark.from);
        w.signed(from);
        w.unsigned(self.log.len() as u64);
        let (mut at, mut seq, mut received) = (0i64, 0i64, 0i64);
        for entry in &self.log {
            let seen = &entry.seen;
            w.signed(seen.at.wrapping_sub(at));
            w.signed(seen.seq.cast_signed().wrapping_sub(seq));
            w.signed(seen.received.wrapping_sub(received));
            (at, seq, received) = (seen.at, seen.seq.cast_signed(), seen.received);
            write_seen(seen, w);
        }
    }

    /// Members come with their scope from the engine, which knows the rules; seats are found by their rule's code. `None`:
    /// damaged. A seat whose rule is gone is an error of the caller.
    pub(super) fn read(key: GroupKey, around: &Around<'_>, r: &mut Reader<'_>) -> Option<(Self, Members)> {
        let mut group = Self::new(key);
        let members: Members =
            (0..r.count()?).map(|_| Some((DeviceId(r.signed()?), SubjectId(r.signed()?)))).collect::<Option<_>>()?;
        group.cut = r.signed()?;
        group.stale = r.optional()?;
        group.stale_count = r.small()?;
        let mut benches = Vec::new();
        for _ in 0..r.count()? {
            let code = r.text()?;
            let rule = around.timelines.iter().position(|timeline| timeline.code == code)?;
            let scene = Scene {
                facts: around.facts,
                atlas: around.atlas,
                outages: around.outages,
                timeline: around.timelines.get(rule)?,
                group: &group.key,
                now: around.now,
                newest: i64::MIN,
            };
            benches.push(Bench::read(r, &scene)?);
            let mut seat = Seat::new(rule);
            seat.is_absent = r.flag()?;
            seat.finals = (0..r.count()?).map(|_| Stretch::read(r)).collect::<Option<_>>()?;
            seat.track = Track::read(r)?;
            seat.facts = (0..r.count()?).map(|_| read_fact(r).map(Arc::new)).collect::<Option<_>>()?;
            group.seats.push(seat);
        }
        group.marks.clear();
        group.marks.push_back(Mark { from: r.signed()?, benches });
        let (mut at, mut seq, mut received) = (0i64, 0i64, 0i64);
        for _ in 0..r.count()? {
            at = at.wrapping_add(r.signed()?);
            seq = seq.wrapping_add(r.signed()?);
            received = received.wrapping_add(r.signed()?);
            let seen = read_seen(at, seq.cast_unsigned(), received, r)?;
            group.log.push_back(Entry { seen, read_by: 0 });
        }
        Some((group, members))
    }

    /// After [`Self::read`], once the members are there: the judges walk over the log as far as they had.
    pub(super) fn restored(&mut self, around: &Around<'_>) {
        self.read_again(around);
        if self.stale.is_some() {
            // They had not seen all of it; the next tick walks and tells.
            let Some(front) = self.marks.front() else { return };
            for (seat, bench) in self.seats.iter_mut().zip(&front.benches) {
                seat.head = bench.clone();
            }
            return;
        }
        // The walk steps over what was heard before the absence, not after it.
        let absent: Vec<bool> = self.seats.iter().map(|seat| seat.is_absent).collect();
        self.walk(around, &mut Output::default());
        for (seat, is_absent) in self.seats.iter_mut().zip(absent) {
            seat.is_absent = is_absent;
            seat.soft = true;
        }
        self.due = 0;
    }
}

type Members = Vec<(DeviceId, SubjectId)>;

/// All but event time, journal place and journal time.
fn write_seen(seen: &Observation, w: &mut Writer) {
    w.0.push(seen.source.number());
    w.signed(seen.device.0);
    w.signed(seen.subject.0);
    w.0.push(seen.protocol as u8);
    w.unsigned(u64::from(seen.slot));
    w.unsigned(seen.values.len() as u64);
    for value in &seen.values {
        w.unsigned(u64::from(value.quantity.0));
        w.0.push(value.statistic as u8);
        w.0.push(value.flag as u8);
        w.float(value.value);
    }
    w.flag(seen.fix.is_some());
    if let Some(fix) = &seen.fix {
        write_fix(fix, w);
    }
    w.flag(seen.happening.is_some());
    if let Some(happening) = &seen.happening {
        write_happening(happening, w);
    }
    w.flag(seen.fact.is_some());
    if let Some(fact) = &seen.fact {
        write_fact(fact, w);
    }
}

fn read_seen(at: i64, seq: u64, received: i64, r: &mut Reader<'_>) -> Option<Observation> {
    let source = Source::from_number(r.byte()?)?;
    let (device, subject) = (DeviceId(r.signed()?), SubjectId(r.signed()?));
    let protocol = r.byte()?;
    let protocol = ProtocolKind::ALL.into_iter().find(|kind| *kind as u8 == protocol)?;
    let slot = r.small()?;
    let mut values = Vec::new();
    for _ in 0..r.count()? {
        let quantity = Quantity(u16::try_from(r.unsigned()?).ok()?);
        let (statistic, flag) = (Statistic::from_u8(r.byte()?)?, Flag::from_u8(r.byte()?)?);
        values.push(Value { quantity, statistic, flag, value: r.float()? });
    }
    let fix = if r.flag()? { Some(read_fix(r)?) } else { None };
    let happening = if r.flag()? { Some(Arc::new(read_happening(r)?)) } else { None };
    let fact = if r.flag()? { Some(Arc::new(read_fact(r)?)) } else { None };
    Some(Observation { at, device, source, slot, seq, received, subject, protocol, values, fix, happening, fact })
}

fn write_fix(fix: &Fix, w: &mut Writer) {
    w.float(fix.place.lon);
    w.float(fix.place.lat);
    w.float(fix.speed_kmh);
    w.unsigned(u64::from(fix.heading_deg));
    w.signed(i64::from(fix.altitude_m));
    w.flag(fix.fixed);
    w.unsigned(u64::from(fix.status));
    w.unsigned(u64::from(fix.alarm));
}

fn read_fix(r: &mut Reader<'_>) -> Option<Fix> {
    Some(Fix {
        place: Wgs84 { lon: r.float()?, lat: r.float()? },
        speed_kmh: r.float()?,
        heading_deg: u16::try_from(r.unsigned()?).ok()?,
        altitude_m: i16::try_from(r.signed()?).ok()?,
        fixed: r.flag()?,
        status: r.small()?,
        alarm: r.small()?,
    })
}

fn write_happening(happening: &Happening, w: &mut Writer) {
    w.text(&happening.what);
    w.optional(happening.end.map(|end| end.0));
    w.flag(happening.plate.is_some());
    if let Some(plate) = &happening.plate {
        w.text(plate);
    }
    w.unsigned(happening.attributes.len() as u64);
    for (name, value) in &happening.attributes {
        w.text(name);
        w.text(value);
    }
}

/// Without its pictures, which no rule reads.
fn read_happening(r: &mut Reader<'_>) -> Option<Happening> {
    let what = r.text()?.to_owned();
    let end = r.optional()?.map(model::time::EventTime);
    let plate = if r.flag()? { Some(r.text()?.to_owned()) } else { None };
    let attributes = (0..r.count()?)
        .map(|_| Some((r.text()?.to_owned(), r.text()?.to_owned())))
        .collect::<Option<Vec<(String, String)>>>()?;
    Some(Happening { what, end, plate, attributes, pictures: Vec::new() })
}

fn write_fact(fact: &Fact, w: &mut Writer) {
    w.0.push(fact.what as u8);
    let to = fact.to.name();
    w.text(&to.0);
    w.signed(to.1);
    for number in [fact.at, fact.until, fact.device.0, fact.subject.0, fact.other, fact.number] {
        w.signed(number);
    }
    w.flag(fact.plate.is_some());
    if let Some(plate) = &fact.plate {
        w.text(plate);
    }
    w.flag(fact.place.is_some());
    if let Some(place) = fact.place {
        w.float(place.lon);
        w.float(place.lat);
    }
    w.unsigned(fact.seq);
}

fn read_fact(r: &mut Reader<'_>) -> Option<Fact> {
    let what = FactKind::from_u8(r.byte()?)?;
    let name = r.text()?.to_owned();
    let to = GroupKey::from_name(&name, r.signed()?)?;
    let (at, until) = (r.signed()?, r.signed()?);
    let (device, subject) = (DeviceId(r.signed()?), SubjectId(r.signed()?));
    let (other, number) = (r.signed()?, r.signed()?);
    let plate = if r.flag()? { Some(r.text()?.into()) } else { None };
    let place = if r.flag()? { Some(Wgs84 { lon: r.float()?, lat: r.float()? }) } else { None };
    Some(Fact { what, to, at, until, device, subject, other, number, plate, place, seq: r.unsigned()? })
}
