//! A test's series, ways, events, contacts and outages as items in the order of their arrival, with ticks between them.

use super::Problem;
use super::notation::{self, STEPS_MAX, Step};
use super::read::{Contact, Event, Places, Series, Span, Test, Way, span};
use super::registers::Registers;
use crate::definition::suggestion;
use model::envelope::{Position, ProtocolKind};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::DeviceId;
use model::quantity::{QUANTITIES, Quantity};
use model::record::{Body, Fix, Flag, Happening, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::register::{Object, Revision};
use model::stream::{Item, Outage, OutageKind, Tick};
use model::time::{EventTime, IngestTime};
use model::verdict::Verdict;
use toml::Spanned;

/// What happens in a test, by arrival.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) facts: Facts,
    pub(super) items: Vec<Item>,
    pub(super) start: i64,
}

pub(super) struct Planner<'a> {
    places: &'a Places<'a>,
    registers: &'a Registers,
    problems: &'a mut Vec<Problem>,
    start: i64,
    facts: Facts,
    /// Arrival, order of the file, item without its position.
    items: Vec<(i64, usize, Item)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        places: &'a Places<'a>,
        registers: &'a Registers,
        start: i64,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let mut planner = Self { places, registers, problems, start, facts: Facts::default(), items: Vec::new() };
        let later = registers.rows.iter().filter(|(known_at, _)| known_at.is_some());
        let begin = registers.rows.iter().filter(|(known_at, _)| known_at.is_none());
        for (number, (known_at, object)) in (1..).zip(begin.chain(later)) {
            let at = start.saturating_add(known_at.unwrap_or(0));
            let revision = revision(number, at, object);
            if known_at.is_none() {
                planner.facts.apply(&revision);
            } else {
                planner.push(at, Item::Revision { revision: Box::new(revision), position: NOWHERE });
            }
        }
        planner
    }

    /// `rule` is the revision that puts the rule itself among the facts.
    pub(super) fn plan(mut self, test: &Test, rule: &Object) -> Plan {
        let number = self.registers.rows.len() as u64 + 1;
        // Numbers must grow: revisions in the middle come after the rule.
        self.facts.apply(&revision(self.facts.revision + 1, self.start, rule));
        for (_, _, item) in &mut self.items {
            if let Item::Revision { revision, .. } = item {
                revision.number += number;
            }
        }
        test.series.iter().for_each(|series| self.series(series));
        test.way.iter().for_each(|way| self.way(way));
        test.event.iter().for_each(|event| self.event(event));
        test.contact.iter().for_each(|contact| self.contact(contact));
        test.outage.iter().for_each(|outage| self.outage(outage));
        self.items.sort_by_key(|(at, order, _)| (*at, *order));
        let last = self.items.last().map_or(self.start, |(at, ..)| *at);
        let until = match &test.until {
            None => last.saturating_add(AFTER_MS),
            Some(text) => self.time(text, 0, "until").max(last),
        };
        if until.saturating_sub(self.start) > LONGEST_MS {
            let told = "a test may go on for 70 days";
            self.problems.push(self.places.at(0, &format!("test \"{}\"", test.name), told, "make it shorter"));
        }
        let items = self.finish(until);
        Plan { facts: self.facts, items, start: self.start }
    }

    fn finish(&mut self, until: i64) -> Vec<Item> {
        let until = until.min(self.start.saturating_add(LONGEST_MS));
        let mut out = Vec::new();
        let mut now = self.start;
        let place = |mut item: Item, out: &mut Vec<Item>| {
            let position = Position { partition: 0, seq: out.len() as u64 + 1 };
            match &mut item {
                Item::Record(record) => record.position = position,
                Item::Contact { position: at, .. }
                | Item::Tick { position: at, .. }
                | Item::Revision { position: at, .. }
                | Item::Outage { position: at, .. } => *at = position,
            }
            out.push(item);
        };
        for (at, _, item) in std::mem::take(&mut self.items) {
            while now + TICK_MS <= at.min(until) {
                now += TICK_MS;
                place(tick(now), &mut out);
            }
            place(item, &mut out);
        }
        while now + TICK_MS <= until {
            now += TICK_MS;
            place(tick(now), &mut out);
        }
        out
    }

    fn push(&mut self, at: i64, item: Item) {
        let order = self.items.len();
        self.items.push((at, order, item));
    }

    fn problem(&mut self, byte: usize, what: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(self.places.at(byte, what, message, hint));
    }

    /// An offset from the start as a time.
    fn time(&mut self, text: &str, byte: usize, what: &str) -> i64 {
        let offset = span(text).or_else(|| super::registers::time_ms(text).map(|ms| ms - self.start));
        let Some(offset) = offset else {
            self.problem(
                byte,
                what,
                format!("\"{text}\" is no time"),
                "write an offset from the start, as \"1h 5min\"",
            );
            return self.start;
        };
        self.start.saturating_add(offset)
    }

    fn length(&mut self, text: Option<&String>, byte: usize, what: &str) -> i64 {
        let Some(text) = text else { return 0 };
        let length = span(text).filter(|ms| (0..=LONGEST_MS).contains(ms));
        if length.is_none() {
            let hint = "write \"90s\", \"10min\" or \"1h 5min\"";
            self.problem(byte, what, format!("\"{text}\" is no length of time"), hint);
        }
        length.unwrap_or(0)
    }

    fn step(&mut self, text: &str, byte: usize, what: &str) -> Option<i64> {
        let ms = self.length(Some(&text.to_owned()), byte, what);
        if ms < 1_000 {
            self.problem(
                byte,
                what,
                format!("\"{text}\" is no interval of a second or more"),
                "write every = \"1min\"",
            );
            return None;
        }
        Some(ms)
    }

    fn device(&mut self, code: &str, byte: usize, what: &str) -> Option<(DeviceId, ProtocolKind)> {
        let id = self.registers.id("device", code).map(DeviceId);
        let row = id.and_then(|id| self.facts.devices.get(&id).map(|device| (id, device.protocol)));
        if row.is_none() {
            let hint = suggestion(code, &self.registers.codes("device"));
            self.problem(byte, what, format!("there is no device \"{code}\" in this file"), hint);
        }
        row
    }

    fn quantity(&mut self, code: &str, byte: usize, what: &str) -> Option<Quantity> {
        let quantity = Quantity::from_code(code);
        if quantity.is_none() {
            let codes: Vec<&str> = QUANTITIES.iter().map(|spec| spec.code).collect();
            self.problem(byte, what, format!("\"{code}\" is not a known quantity"), suggestion(code, &codes));
        }
        quantity
    }

    fn columns<'t>(
        &mut self,
        values: impl Iterator<Item = (&'t String, &'t String)>,
        byte: usize,
        what: &str,
    ) -> Vec<(Quantity, Vec<Step>)> {
        let mut columns = Vec::new();
        for (code, text) in values {
            let quantity = self.quantity(code, byte, what);
            match notation::steps(text) {
                Ok(steps) => columns.extend(quantity.map(|quantity| (quantity, steps))),
                Err((message, hint)) => self.problem(byte, what, format!("{code} {message}"), hint),
            }
        }
        columns.sort_by_key(|(quantity, _)| *quantity);
        columns
    }

    fn series(&mut self, series: &Spanned<Series>) {
        let (byte, series, what) = (series.span().start, series.get_ref(), "test.series");
        let device = self.device(&series.device, byte, what);
        let at = series.at.as_ref().map_or(self.start, |at| self.time(at, byte, what));
        let every = self.step(&series.every, byte, what);
        let delay = self.length(series.delay.as_ref(), byte, what);
        let columns = self.columns(series.values.iter(), byte, what);
        let (Some((device, protocol)), Some(every)) = (device, every) else { return };
        let usual = if protocol == ProtocolKind::Hj212 { RecordKind::Minute } else { RecordKind::Instant };
        let kind = series.kind.unwrap_or(usual);
        let usual = match kind {
            RecordKind::Minute | RecordKind::Hour | RecordKind::Day => Statistic::Mean,
            _ => Statistic::Instant,
        };
        let statistic = series.statistic.unwrap_or(usual);
        let steps = columns.iter().map(|(_, steps)| steps.len()).max().unwrap_or(0);
        let mut time = at;
        for step in 0..steps {
            let cell = |(quantity, steps): &(Quantity, Vec<Step>)| {
                let (value, flag) = (*steps.get(step)?)?;
                Some(Value { quantity: *quantity, statistic, flag, value })
            };
            let values: Vec<Value> = columns.iter().filter_map(cell).collect();
            if !values.is_empty() {
                let key = RecordKey { device, kind, slot: series.slot, at: EventTime(time) };
                let verdict = if series.revises { Verdict::Revised } else { Verdict::Stored };
                self.record(key, Body { values, ..Body::default() }, delay, verdict);
            }
            time = time.saturating_add(every);
        }
    }

    fn record(&mut self, key: RecordKey, body: Body, delay: i64, verdict: Verdict) {
        let subject = self.facts.installation_at(key.device, key.at).map(|row| row.subject);
        let at = key.at.0.saturating_add(delay);
        let record = SettledRecord {
            key,
            subject,
            received: IngestTime(at),
            position: NOWHERE,
            verdict,
            body,
            remarks: Vec::new(),
        };
        self.push(at, Item::Record(Box::new(record)));
    }

    fn way(&mut self, way: &Spanned<Way>) {
        let (byte, way, what) = (way.span().start, way.get_ref(), "test.way");
        let device = self.device(&way.device, byte, what);
        let at = way.at.as_ref().map_or(self.start, |at| self.time(at, byte, what));
        let every = self.step(&way.every, byte, what);
        let (stay, delay) = (self.length(way.stay.as_ref(), byte, what), self.length(way.delay.as_ref(), byte, what));
        let columns = self.columns(way.values.iter(), byte, what);
        let points: Vec<Wgs84> = way.points.iter().filter_map(|(lon, lat)| Wgs84::new(*lon, *lat)).collect();
        if points.len() != way.points.len() || points.is_empty() {
            self.problem(
                byte,
                what,
                "points are no places",
                "write points = [[113.50, 34.80], [113.51, 34.80]]: longitude, latitude",
            );
            return;
        }
        let speed = way.speed_kmh.unwrap_or(0.0);
        if points.len() > 1 && !(speed > 0.0 && speed <= 500.0) {
            self.problem(byte, what, "several points need a speed", "write speed_kmh = 36");
            return;
        }
        let (Some((device, _)), Some(every)) = (device, every) else { return };
        let fixes = drive(&points, speed, every, stay);
        if fixes.len() > STEPS_MAX {
            self.problem(
                byte,
                what,
                format!("is longer than {STEPS_MAX} positions"),
                "drive faster, or make the interval longer",
            );
            return;
        }
        for (step, (place, heading_deg, speed_kmh)) in fixes.into_iter().enumerate() {
            let time = at.saturating_add(every.saturating_mul(i64::try_from(step).unwrap_or(i64::MAX)));
            let cell = |(quantity, steps): &(Quantity, Vec<Step>)| {
                let (value, flag) = (*steps.get(step).or(steps.last())?)?;
                Some(Value { quantity: *quantity, statistic: Statistic::Instant, flag, value })
            };
            let values = columns.iter().filter_map(cell).collect();
            let (fixed, status, alarm) = (way.fixed, way.status, way.alarm);
            let fix = Fix { place, speed_kmh, heading_deg, altitude_m: 0, fixed, status, alarm };
            let key = RecordKey { device, kind: RecordKind::Position, slot: 0, at: EventTime(time) };
            self.record(key, Body { values, fix: Some(fix), happening: None }, delay, Verdict::Stored);
        }
    }

    fn event(&mut self, event: &Spanned<Event>) {
        let (byte, event, what) = (event.span().start, event.get_ref(), "test.event");
        let device = self.device(&event.device, byte, what);
        let at = self.time(&event.at, byte, what);
        let end = event.end.as_ref().map(|end| EventTime(self.time(end, byte, what)));
        let delay = self.length(event.delay.as_ref(), byte, what);
        let mut values = Vec::new();
        for (code, value) in &event.values {
            let quantity = self.quantity(code, byte, what);
            values.extend(quantity.map(|quantity| Value {
                quantity,
                statistic: Statistic::Instant,
                flag: Flag::Normal,
                value: *value,
            }));
        }
        values.sort_by_key(|value| value.quantity);
        let Some((device, _)) = device else { return };
        let happening = Happening {
            what: event.what.clone(),
            end,
            plate: event.plate.clone(),
            attributes: event.attributes.clone().into_iter().collect(),
            pictures: event.pictures.clone(),
        };
        let key = RecordKey { device, kind: RecordKind::Event, slot: event.slot, at: EventTime(at) };
        self.record(key, Body { values, fix: None, happening: Some(Box::new(happening)) }, delay, Verdict::Stored);
    }

    fn contact(&mut self, contact: &Spanned<Contact>) {
        let (byte, contact, what) = (contact.span().start, contact.get_ref(), "test.contact");
        let device = self.device(&contact.device, byte, what);
        let (from, to) = (self.time(&contact.from, byte, what), self.time(&contact.to, byte, what));
        let (Some((device, _)), Some(every)) = (device, self.step(&contact.every, byte, what)) else { return };
        let mut at = from;
        for _ in 0..STEPS_MAX {
            if at > to {
                break;
            }
            self.push(at, Item::Contact { device, received: IngestTime(at), position: NOWHERE, verdict: None });
            at = at.saturating_add(every);
        }
    }

    fn outage(&mut self, outage: &Spanned<Span>) {
        let (byte, outage, what) = (outage.span().start, outage.get_ref(), "test.outage");
        let (from, to) = (self.time(&outage.from, byte, what), self.time(&outage.to, byte, what));
        let outage = Outage { from: IngestTime(from), to: IngestTime(to), what: OutageKind::Listener };
        self.push(to, Item::Outage { outage, position: NOWHERE });
    }
}

/// Places, headings and speeds at each step along the line, and then so long at its end.
fn drive(points: &[Wgs84], speed_kmh: f64, every_ms: i64, stay_ms: i64) -> Vec<(Wgs84, u16, f64)> {
    let Some(end) = points.last() else { return Vec::new() };
    #[expect(clippy::cast_precision_loss, reason = "an interval in ms")]
    let step_m = speed_kmh / 3.6 * every_ms as f64 / 1_000.0;
    let (mut out, mut ahead) = (Vec::new(), 0.0);
    for pair in points.windows(2) {
        let [from, to] = pair else { continue };
        let length = from.distance_m(*to);
        let (east, north) = to.offset_m(*from);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 360")]
        let heading = (east.atan2(north).to_degrees().rem_euclid(360.0) as u16).min(359);
        while ahead < length && out.len() <= STEPS_MAX {
            let part = ahead / length;
            let (lon, lat) = (from.lon + (to.lon - from.lon) * part, from.lat + (to.lat - from.lat) * part);
            out.push((Wgs84 { lon, lat }, heading, speed_kmh));
            ahead += step_m;
        }
        ahead -= length;
    }
    let stays = usize::try_from(stay_ms / every_ms).unwrap_or(0) + 1;
    out.extend(std::iter::repeat_n((*end, 0, 0.0), stays.min(STEPS_MAX + 1)));
    out
}

fn revision(number: u64, at: i64, object: &Object) -> Revision {
    Revision { number, at: IngestTime(at), author: "test".into(), object: object.clone() }
}

fn tick(at: i64) -> Item {
    let tick = Tick { at: IngestTime(at), clock_synchronised: true, listening: Vec::new() };
    Item::Tick { tick, position: NOWHERE }
}

const NOWHERE: Position = Position { partition: 0, seq: 0 };
const TICK_MS: i64 = 30_000;
/// Without `until`, time goes on so long after the last thing said.
const AFTER_MS: i64 = 15 * 60_000;
const LONGEST_MS: i64 = 70 * 86_400_000;
