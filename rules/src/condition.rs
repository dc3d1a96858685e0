//! Rules of `kind = "condition"`: a sentence of typed fields and operators, judged at every reading.
//!
//! ```toml
//! kind = "condition"
//! key = "device"                  # or subject, gate, site: whose readings are put together
//! [signals]
//! fume10 = "mean(fume, 10min, valid 75%)"
//! [condition]
//! when = "fan_on && fume10 > limit(fume)"
//! clear = "fume10 <= 0.9 * limit(fume)"   # left out: as soon as `when` does not hold
//! unless = "stopped(earthwork)"           # judges nothing while it holds
//! for = "10min"                           # it must hold so long
//! count = "3 of 5"                        # … in so many of the last readings
//! clear_for = "5min"
//! gap = "30min"                           # a longer pause of the readings ends it
//! schedule = ["mon-fri 11:00-13:30", "22:00-06:00", "holiday 10:00-22:00"]
//! says = "…"                              # the sentence on pages, Chinese
//! [reads]
//! statistic = "mean"                      # of minute records; `instant` of readings
//! hold = "5min"                           # how long a reading stands for now
//! [reads.statistic_of]
//! mqtt = "instant"
//! [limits]
//! standard = "GB 18483-2001"
//! region = ""
//! ```
//!
//! | module | what |
//! |---|---|
//! | `token`, `parse` | words and tree of an expression |
//! | `compile` | fields, units and operators looked up; problems with place and suggestion |
//! | `program` | the compiled form, three-valued |
//! | `window` | the operators that remember |
//! | `judge`, `ask` | one rule over a group's log; what it asks of the registers |

mod ask;
mod compile;
mod judge;
mod parse;
mod program;
mod schedule;
#[cfg(test)]
mod tests;
mod token;
mod window;

use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader};
use crate::engine::judge::{Judge, Key, Reads};
use compile::{Compiler, Parts, Signals};
use model::envelope::ProtocolKind;
use model::record::{RecordKind, Statistic};
use model::register::WeekWindow;
use model::unit::Unit;
use program::{Code, Program};
use std::sync::Arc;
use token::Wrong;
use window::Shape;

/// A rule of this kind, compiled.
#[derive(Debug)]
pub(crate) struct Condition {
    key: Key,
    parts: Parts,
    when: Program,
    clear: Option<Program>,
    unless: Option<Program>,
    for_ms: i64,
    /// So many of the last so many readings.
    count: (u32, u32),
    clear_ms: i64,
    gap_ms: i64,
    schedule: Vec<WeekWindow>,
    says: String,
    when_text: String,
    /// By protocol number − 1.
    statistics: [Statistic; 4],
    interval_ms: Option<i64>,
    hold_ms: i64,
    standard: String,
    region: String,
    /// Place of the comparison that episodes measure.
    main: Option<u8>,
}

/// The kind's line in the table.
pub(crate) const ROW: KindRow = KindRow { code: "condition", read };

fn read(root: &mut Reader<'_>, found: &mut Findings<'_>) -> Option<Arc<dyn Design>> {
    let key = root.word("key", KEYS, found).unwrap_or(Key::Device);
    let signals = read_signals(root, found);
    let mut compiler = Compiler::new(&signals);
    for name in signals.keys() {
        if let Err(wrong) = compiler.signal(name) {
            tell("signals", name, &wrong, found);
        }
    }
    // Signals that nobody uses cost nothing.
    compiler.parts = Parts::default();
    let mut at = root.table("condition", found);
    let when_text = at.required("when", "\"fume > 2.0 mg/m3\"", found).to_owned();
    let mut expression = |key: &'static str, text: Option<&str>, found: &mut Findings<'_>| {
        let text = text.filter(|text| !text.trim().is_empty())?;
        compiler.truth(text).map_err(|wrong| tell("condition", key, &wrong, found)).ok()
    };
    let when = expression("when", Some(&when_text), found);
    let (clear_text, unless_text) = (at.text("clear", found), at.text("unless", found));
    let clear = expression("clear", clear_text, found);
    let unless = expression("unless", unless_text, found);
    let parts = compiler.parts;
    if when.as_ref().is_some_and(|when| when.reads == 0) {
        found.add(
            "condition",
            "when",
            "rests on no reading: it would never be judged",
            "name a field, for example fume",
        );
    }
    let for_ms = at.duration("for", 0, 0..=2 * DAY, found);
    let clear_ms = at.duration("clear_for", 0, 0..=DAY, found);
    let count = read_count(at.text("count", found), found);
    let longest = parts.operators.iter().map(|one| one.spec.window_ms).filter(|ms| *ms <= HOUR).max().unwrap_or(0);
    let gap_ms = at.duration("gap", longest.max(10 * MINUTE), MINUTE..=2 * DAY, found);
    let schedule = schedule::read(&at.texts("schedule", found), found);
    let says = at.text("says", found).unwrap_or_default().to_owned();
    at.finish(found);
    let mut reads = root.table("reads", found);
    let default = reads.word("statistic", STATISTICS, found);
    let hold_ms = reads.duration("hold", 5 * MINUTE, SECOND..=DAY, found);
    let interval_ms = Some(reads.duration("interval", 0, 0..=HOUR, found)).filter(|ms| *ms > 0);
    let statistics = read_statistics(&mut reads, default, found);
    reads.finish(found);
    let mut limits = root.table("limits", found);
    let standard = limits.text("standard", found).unwrap_or_default().to_owned();
    let region = limits.text("region", found).unwrap_or_default().to_owned();
    limits.finish(found);
    let when = when?;
    let main = main_of(&when, &parts);
    Some(Arc::new(Condition {
        key,
        parts,
        when,
        clear,
        unless,
        for_ms,
        count,
        clear_ms,
        gap_ms,
        schedule,
        says,
        when_text,
        statistics,
        interval_ms,
        hold_ms,
        standard,
        region,
        main,
    }))
}

fn read_signals(root: &mut Reader<'_>, found: &mut Findings<'_>) -> Signals {
    let mut signals = Signals::new();
    for (name, text) in root.entries("signals", found) {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
            found.add("signals", &name, "is no name for a signal", "use a-z, 0-9 and _, a letter first");
        } else if model::quantity::Quantity::from_code(&name).is_some() {
            found.add("signals", &name, "is a field already", "give the signal another name");
        } else if signals.len() >= SIGNALS_MAX {
            found.add("signals", &name, "is one signal too many", format!("write at most {SIGNALS_MAX}"));
        } else {
            match parse::parse(&text) {
                Ok(node) => drop(signals.insert(name, (text, node))),
                Err(wrong) => tell("signals", &name, &wrong, found),
            }
        }
    }
    signals
}

/// A problem inside an expression: the words and where they begin.
fn tell(section: &str, key: &str, wrong: &Wrong, found: &mut Findings<'_>) {
    found.add(section, key, format!("{} (at character {})", wrong.message, wrong.from + 1), wrong.suggestion.clone());
}

fn read_count(text: Option<&str>, found: &mut Findings<'_>) -> (u32, u32) {
    let Some(text) = text else { return (1, 1) };
    let parts: Option<(u32, u32)> =
        text.split_once(" of ").and_then(|(n, of)| Some((n.trim().parse().ok()?, of.trim().parse().ok()?)));
    parts.filter(|(n, of)| *n >= 1 && n <= of && *of <= 64).unwrap_or_else(|| {
        let message = format!("\"{text}\" is no count");
        found.add("condition", "count", message, "write for example \"3 of 5\", at most of 64");
        (1, 1)
    })
}

fn read_statistics(at: &mut Reader<'_>, default: Option<Statistic>, found: &mut Findings<'_>) -> [Statistic; 4] {
    // HJ 212 loggers send statistics of minutes, others readings of an instant.
    let usual = |kind: ProtocolKind| if kind == ProtocolKind::Hj212 { Statistic::Mean } else { Statistic::Instant };
    let mut all = ProtocolKind::ALL.map(|kind| default.unwrap_or_else(|| usual(kind)));
    let mut of = at.table("statistic_of", found);
    let keys = [
        ("mqtt", ProtocolKind::Mqtt),
        ("hj212", ProtocolKind::Hj212),
        ("jt808", ProtocolKind::Jt808),
        ("modbus", ProtocolKind::Modbus),
    ];
    for (key, kind) in keys {
        if let Some(statistic) = of.word(key, STATISTICS, found)
            && let Some(slot) = all.get_mut(kind as usize - 1)
        {
            *slot = statistic;
        }
    }
    of.finish(found);
    all
}

/// The comparison that says most: one with a limit before one with a measured value before one of a state.
fn main_of(when: &Program, parts: &Parts) -> Option<u8> {
    let places = when.codes.iter().filter_map(|code| match code {
        Code::Compare(_, place) => Some(*place),
        _ => None,
    });
    let weight = |place: &u8| parts.comparisons.get(usize::from(*place)).map_or(0, |one| one.weight);
    places.rev().max_by_key(weight)
}

impl Condition {
    fn main(&self) -> Option<&compile::Comparison> {
        self.parts.comparisons.get(usize::from(self.main?))
    }

    fn has_background(&self) -> bool {
        self.parts.readings.iter().any(|reading| reading.background)
    }
}

impl Design for Condition {
    fn key(&self) -> Key {
        self.key
    }

    fn reads(&self) -> Reads {
        let mut reads = Reads::default().statistic(Statistic::Instant).kind(RecordKind::State);
        for reading in &self.parts.readings {
            reads = reads.quantity(reading.quantity);
        }
        for (protocol, statistic) in ProtocolKind::ALL.into_iter().zip(self.statistics) {
            let kind = if statistic == Statistic::Instant { RecordKind::Instant } else { RecordKind::Minute };
            reads = reads.kind_of(protocol, kind).statistic(statistic);
        }
        reads.background = self.has_background();
        if reads.background {
            reads = reads.kind(RecordKind::Hour).statistic(Statistic::Mean);
        }
        reads.outages = self.parts.operators.iter().any(|one| one.spec.shape == Shape::Pause);
        reads
    }

    fn lookback_ms(&self) -> i64 {
        let windows =
            self.parts.operators.iter().filter(|one| !matches!(one.spec.shape, Shape::Baseline | Shape::Repeats));
        let longest = windows.map(|one| one.spec.window_ms).max().unwrap_or(0);
        longest.saturating_add(self.for_ms)
    }

    fn unit(&self) -> &str {
        self.main().and_then(|main| main.unit).filter(|unit| *unit != Unit::One).map_or("", Unit::code)
    }

    fn sentence(&self) -> String {
        if !self.says.is_empty() {
            return self.says.clone();
        }
        let held = if self.for_ms > 0 {
            format!("并持续 {}", crate::definition::reader::words(self.for_ms))
        } else {
            String::new()
        };
        format!("条件「{}」成立{held}时报警", self.when_text)
    }

    fn quantity(&self) -> Option<&'static str> {
        let reading = self.main().and_then(|main| main.quantity);
        let first = || self.parts.readings.first().map(|reading| reading.quantity);
        reading.or_else(first)?.spec().map(|spec| spec.code)
    }

    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge> {
        Box::new(judge::Watch::new(self, version))
    }
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const SIGNALS_MAX: usize = 32;
const KEYS: &[(&str, Key)] =
    &[("device", Key::Device), ("subject", Key::Subject), ("gate", Key::Gate), ("site", Key::Site)];
const STATISTICS: &[(&str, Statistic)] = &[
    ("instant", Statistic::Instant),
    ("mean", Statistic::Mean),
    ("min", Statistic::Min),
    ("max", Statistic::Max),
    ("total", Statistic::Total),
];
