//! What was said, when it came, and what must stand. Times are minutes (or milliseconds, where a name ends in `_ms`)
//! after local midnight of the story's first day.

use super::dice::Dice;
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, Happening, RecordKind, Statistic, Value};

pub const MINUTE: i64 = 60_000;
/// 2026-11-20 00:00 in Beijing, a Friday.
const FIRST_DAY: i64 = 1_795_104_000_000;

/// One record and the journal time at which it arrives.
#[derive(Debug, Clone)]
pub struct Said {
    pub device: i64,
    pub subject: i64,
    pub kind: RecordKind,
    pub slot: u32,
    pub at_ms: i64,
    pub arrives_ms: i64,
    pub revises: bool,
    pub body: Body,
}

/// An episode that must stand, with the bounds its start and end must lie in.
#[derive(Debug, Clone)]
pub struct Truth {
    pub rule: &'static str,
    pub subjects: Vec<i64>,
    pub start_ms: (i64, i64),
    pub end_ms: (i64, i64),
}

/// What happens besides records, at a journal time.
#[derive(Debug, Clone)]
pub enum Aside {
    /// A register edit, JSON of `model::register::Object`.
    Edit(serde_json::Value),
    /// An outage of ours that began so long before.
    Outage { lasted_ms: i64 },
    /// A duplicate frame: contact and nothing new.
    Duplicate { device: i64 },
    /// A heartbeat.
    Heartbeat { device: i64 },
}

#[derive(Debug)]
pub struct Story {
    pub dice: Dice,
    /// Milliseconds since 1970 of the first day's local midnight.
    pub base: i64,
    pub said: Vec<Said>,
    pub asides: Vec<(i64, Aside)>,
    pub truths: Vec<Truth>,
    /// Episodes of the rule under test that are neither demanded nor forbidden.
    pub tolerated: Vec<(&'static str, i64)>,
    /// Edits of registers made before the story begins.
    pub given: Vec<serde_json::Value>,
    /// Whether ticks come until the journal time so long after the last arrival.
    pub tail: i64,
    /// Times in which no tick is written: the program was down.
    pub down: Vec<(i64, i64)>,
}

impl Story {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let base = FIRST_DAY + dice.whole(0, 10) * 24 * 60 * MINUTE;
        Self {
            dice,
            base,
            said: Vec::new(),
            asides: Vec::new(),
            truths: Vec::new(),
            tolerated: Vec::new(),
            given: Vec::new(),
            tail: 5,
            down: Vec::new(),
        }
    }

    /// One episode of the rule must stand on one of the subjects, its bounds within `slack` minutes of `from` and `to`.
    pub fn expect(&mut self, rule: &'static str, subjects: &[i64], from: i64, to: i64, slack: i64) {
        self.expect_within(rule, subjects, (from - slack, from + slack), (to - slack, to.saturating_add(slack)));
    }

    /// The same with bounds of its start and of its end, in minutes.
    pub fn expect_within(&mut self, rule: &'static str, subjects: &[i64], start: (i64, i64), end: (i64, i64)) {
        let ms = |(low, high): (i64, i64)| (low.saturating_mul(MINUTE), high.saturating_mul(MINUTE));
        self.truths.push(Truth { rule, subjects: subjects.to_vec(), start_ms: ms(start), end_ms: ms(end) });
    }

    /// A day of the story that is on this weekday (1 = Monday … 7 = Sunday): its number.
    pub fn move_to_weekday(&mut self, weekday: i64) {
        let day = (self.base + 480 * MINUTE).div_euclid(24 * 60 * MINUTE);
        let today = (day + 3).rem_euclid(7) + 1;
        self.base += (weekday - today).rem_euclid(7) * 24 * 60 * MINUTE;
    }

    pub fn say(&mut self, said: Said) {
        self.said.push(said);
    }

    pub fn edit(&mut self, at: i64, object: serde_json::Value) {
        self.asides.push((at * MINUTE, Aside::Edit(object)));
    }

    /// The program is down: what devices send meanwhile comes afterwards, at `to`, or not at all.
    pub fn our_outage(&mut self, from: i64, to: i64) {
        self.down.push((from * MINUTE, to * MINUTE));
        self.asides.push((to * MINUTE, Aside::Outage { lasted_ms: (to - from) * MINUTE }));
    }

    /// Everything of a device from the minutes `from..to` is lost.
    pub fn lose(&mut self, device: i64, from: i64, to: i64) {
        self.said.retain(|said| said.device != device || !(from * MINUTE..to * MINUTE).contains(&said.at_ms));
    }

    /// Everything of a device from the minutes `from..to` arrives at the minute `at` or a little later, newest first
    /// when the seed says so.
    pub fn delay(&mut self, device: i64, from: i64, to: i64, at: i64) {
        let backwards = self.dice.chance(0.5);
        let held = (from * MINUTE..to * MINUTE, at * MINUTE);
        let mut late: Vec<&mut Said> =
            self.said.iter_mut().filter(|said| said.device == device && held.0.contains(&said.at_ms)).collect();
        late.sort_by_key(|said| if backwards { -said.at_ms } else { said.at_ms });
        for (step, said) in (0..).zip(late) {
            said.arrives_ms = said.arrives_ms.max(held.1 + step * 50);
        }
    }

    /// Every record of a device comes twice: settle tells of the second as contact alone.
    pub fn repeat(&mut self, device: i64) {
        let again: Vec<i64> =
            self.said.iter().filter(|said| said.device == device).map(|said| said.arrives_ms).collect();
        let wait = self.dice.whole(1, 20) * 1_000;
        self.asides.extend(again.into_iter().map(|at| (at + wait, Aside::Duplicate { device })));
    }

    /// The device's clock is `ms` ahead for its whole life; settle does not know.
    pub fn skew(&mut self, device: i64, ms: i64) {
        self.said.iter_mut().filter(|said| said.device == device).for_each(|said| said.at_ms += ms);
    }
}

/// A value of a minute.
pub const fn mean(quantity: Quantity, value: f64, flag: Flag) -> Value {
    Value { quantity, statistic: Statistic::Mean, flag, value }
}

/// A reading of an instant.
pub const fn instant(quantity: Quantity, value: f64) -> Value {
    Value { quantity, statistic: Statistic::Instant, flag: Flag::Normal, value }
}

pub fn values(mut values: Vec<Value>) -> Body {
    values.sort_by_key(|value| (value.quantity, value.statistic));
    Body { values, ..Body::default() }
}

pub fn event(what: &str, end: Option<i64>, plate: Option<&str>, attributes: &[(&str, &str)]) -> Body {
    let mut attributes: Vec<(String, String)> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    attributes.sort();
    let happening = Happening {
        what: what.to_owned(),
        end: end.map(model::time::EventTime),
        plate: plate.map(str::to_owned),
        attributes,
        pictures: Vec::new(),
    };
    Body { happening: Some(Box::new(happening)), ..Body::default() }
}

pub fn fix(place: model::geo::Wgs84, speed_kmh: f64, fixed: bool, values: Vec<Value>) -> Body {
    let fix = Fix { place, speed_kmh, heading_deg: 90, altitude_m: 100, fixed, status: 0, alarm: 0 };
    Body { fix: Some(fix), ..self::values(values) }
}
