//! One condition over one group's log. A step takes the readings out of the observation, moves the operators that rest on
//! them, runs the programs and gives the result to the hysteresis ([`Machine`]).

use super::Condition;
use super::ask::{Plan, seconds};
use super::compile::Ask;
use super::program::{Frame, Value, Why};
use super::window::{Around, Shape, State};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{GroupKey, Judge, Observation, Output, Scene, Source};
use crate::engine::machine::{Machine, Reading, Signal, Stretch, Terms};
use crate::explain::{JudgedState, NotJudged, Operand};
use model::id::{LimitId, SubjectId};
use model::record::{Flag, RecordKind, Statistic};
use model::time::EventTime;
use model::unit::Unit;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(super) struct Watch {
    rule: Arc<Condition>,
    version: u32,
    plan: Arc<Plan>,
    /// Whom the device was at; everything is forgotten when it is moved.
    subject: SubjectId,
    readings: Vec<Held>,
    operators: Vec<(State, Held)>,
    machine: Machine,
    /// The last readings, newest in bit 0, for "3 of 5".
    recent: u64,
    /// Journal time of the newest observation that was judged.
    received: i64,
    // The rest is for explanations and follows from the last step.
    at: i64,
    outcome: Outcome,
    compared: Vec<(Value, Value, Value)>,
}

/// A value and the event time it is of.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    at: i64,
    value: Value,
    flag: Flag,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Nothing,
    Judged(Value),
    OutsideHours,
    Exempt,
}

const NEVER: Held = Held { at: i64::MIN, value: Value::unknown(Why::NoData), flag: Flag::Normal };

/// What the programs of a step look at.
#[derive(Debug)]
struct View<'a, 's> {
    rule: &'a Condition,
    plan: &'a Plan,
    scene: &'a Scene<'s>,
    subject: SubjectId,
    at: i64,
    delay_ms: i64,
    readings: &'a [Held],
    operators: &'a [(State, Held)],
    compared: &'a mut [(Value, Value, Value)],
}

impl Frame for View<'_, '_> {
    fn reading(&self, place: u8) -> Value {
        let held = self.readings.get(usize::from(place)).copied().unwrap_or(NEVER);
        fresh(held, self.at, self.rule.hold_ms)
    }

    fn operator(&self, place: u8) -> Value {
        let place = usize::from(place);
        let held = self.operators.get(place).map_or(NEVER, |(_, held)| *held);
        let window_ms = self.rule.parts.operators.get(place).map_or(0, |operator| operator.spec.window_ms);
        fresh(held, self.at, self.rule.hold_ms.saturating_add(window_ms))
    }

    fn ask(&self, place: u8) -> Value {
        match self.rule.parts.asks.get(usize::from(place)) {
            Some(Ask::Delay) => seconds(self.delay_ms),
            Some(Ask::Flagged(reading, mask)) => {
                let held = self.readings.get(usize::from(*reading)).copied().unwrap_or(NEVER);
                if held.at == i64::MIN || self.at.saturating_sub(held.at) > self.rule.hold_ms {
                    return Value::unknown(Why::NoData);
                }
                Value::truth(mask & (1 << held.flag as u16) != 0)
            }
            Some(ask) => self.plan.ask(ask, self.subject, self.at, self.scene),
            None => Value::unknown(Why::NoData),
        }
    }

    fn compared(&mut self, place: u8, left: Value, right: Value, holds: Value) {
        if let Some(slot) = self.compared.get_mut(usize::from(place)) {
            *slot = (left, right, holds);
        }
    }
}

fn fresh(held: Held, at: i64, hold_ms: i64) -> Value {
    if held.at == i64::MIN {
        Value::unknown(Why::NoData)
    } else if at.saturating_sub(held.at) > hold_ms {
        Value::unknown(Why::Stale)
    } else {
        held.value
    }
}

impl Watch {
    pub(super) fn new(rule: Arc<Condition>, version: u32) -> Self {
        let parts = &rule.parts;
        let nothing = Value::unknown(Why::NoData);
        Self {
            version,
            plan: Arc::new(Plan::default()),
            subject: SubjectId(0),
            readings: vec![NEVER; parts.readings.len()],
            operators: vec![(State::default(), NEVER); parts.operators.len()],
            machine: Machine::default(),
            recent: 0,
            received: i64::MIN,
            at: i64::MIN,
            outcome: Outcome::Nothing,
            compared: vec![(nothing, nothing, nothing); parts.comparisons.len()],
            rule,
        }
    }

    /// Takes the readings out of an observation; a bit for each place that has a new one.
    fn take(&mut self, seen: &Observation, scene: &Scene<'_>) -> u32 {
        let Source::Record(kind) = seen.source else { return 0 };
        let statistic = self.rule.statistics.get(seen.protocol as usize - 1).copied().unwrap_or(Statistic::Instant);
        let own_kind = match kind {
            RecordKind::Minute => statistic != Statistic::Instant,
            RecordKind::Instant => statistic == Statistic::Instant,
            RecordKind::State => true,
            _ => false,
        };
        let is_foreign = match scene.group {
            GroupKey::Device(device) => seen.device != *device,
            _ => false,
        };
        let mut new = 0u32;
        for (place, reading) in self.rule.parts.readings.iter().enumerate() {
            if reading.background {
                if !self.plan.is_background(reading.quantity, seen.device, self.subject, seen.at, scene) {
                    continue;
                }
            } else if is_foreign || !own_kind {
                continue;
            }
            let wanted = if reading.background { Statistic::Mean } else { statistic };
            let Some(found) = seen.value(reading.quantity, wanted) else { continue };
            let value = if found.flag != Flag::Normal {
                Value::unknown(Why::Flagged(found.flag))
            } else if found.value.is_finite() {
                Value::known(found.value)
            } else {
                Value::unknown(Why::NotANumber)
            };
            if let Some(held) = self.readings.get_mut(place) {
                *held = Held { at: seen.at, value, flag: found.flag };
                new |= 1 << place;
            }
        }
        new
    }

    /// The device was moved to another subject: nothing of before is of that one.
    fn start_at(&mut self, subject: SubjectId, out: &mut Output) {
        if self.subject != SubjectId(0) {
            self.halt(out);
            let (received, plan) = (self.received, Arc::clone(&self.plan));
            *self = Self { plan, received, ..Self::new(Arc::clone(&self.rule), self.version) };
        }
        self.subject = subject;
    }

    /// Runs the programs on what was taken and gives the result to the hysteresis.
    fn judge(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        let (rule, plan) = (Arc::clone(&self.rule), Arc::clone(&self.plan));

        self.received = self.received.max(seen.received);
        self.at = seen.at;
        let mut view = View {
            rule: &rule,
            plan: &plan,
            scene,
            subject: self.subject,
            at: seen.at,
            delay_ms: seen.received.saturating_sub(seen.at),
            readings: &self.readings,
            operators: &self.operators,
            compared: &mut self.compared,
        };
        let mut signal = Signal::Skip;
        if !plan.is_scheduled(&rule, seen.at) {
            (signal, self.outcome) = (Signal::Stop, Outcome::OutsideHours);
        } else if rule.unless.as_ref().is_some_and(|unless| unless.run(&mut view).holds() == Some(true)) {
            (signal, self.outcome) = (Signal::Stop, Outcome::Exempt);
        } else {
            // What clears is asked first, so that the comparisons shown are those of `when`.
            let clear = rule.clear.as_ref().map(|clear| clear.run(&mut view).holds());
            let when = rule.when.run(&mut view);
            self.outcome = Outcome::Judged(when);
            if let Some(holds) = when.holds() {
                let (n, of) = rule.count;
                self.recent = (self.recent << 1 | u64::from(holds)) & (u64::MAX >> (64 - of.clamp(1, 64)));
                let enough = self.recent.count_ones() >= n;
                signal = match (holds, clear) {
                    (true, _) if enough => Signal::Over,
                    (false, None | Some(Some(true))) if n <= 1 || !enough => Signal::Clear,
                    _ => Signal::Between,
                };
            }
        }
        let (value, threshold) = self.main();
        let limit = self.limit();
        let reading = Reading {
            at: seen.at,
            signal,
            value: value.number,
            threshold: threshold.number,
            limit,
            version: self.version,
            seq: seen.seq,
            falling: rule.main().is_some_and(|main| main.sign.is_falling()),
            subject: self.subject.0,
            device: seen.device.0,
            ..Reading::default()
        };
        out.stretches.extend(self.machine.step(&reading, &self.terms()));
    }

    /// The row that it compared with: of several the one whose value is the threshold.
    fn limit(&self) -> i64 {
        let threshold = self.main().1.number;
        let rows = self.rule.parts.asks.iter().filter_map(|ask| self.plan.limit(ask, self.subject, self.at));
        let rank = |row: &&crate::engine::limits::LimitRow| (row.value - threshold).abs() > 1e-9;
        rows.min_by_key(rank).map_or(0, |row| row.id)
    }

    fn terms(&self) -> Terms {
        Terms { for_ms: self.rule.for_ms, count_min: 1, clear_ms: self.rule.clear_ms, gap_ms: self.rule.gap_ms }
    }

    fn main(&self) -> (Value, Value) {
        let place = self.rule.main.map_or(usize::MAX, usize::from);
        self.compared.get(place).map_or((Value::known(1.0), Value::known(1.0)), |(left, right, _)| (*left, *right))
    }
}

impl Judge for Watch {
    fn plan(&mut self, scene: &Scene<'_>) -> bool {
        let plan = Plan::new(&self.rule, scene);
        let changed = plan != *self.plan;
        self.plan = Arc::new(plan);
        changed
    }

    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        let is_own = match scene.group {
            GroupKey::Device(device) => seen.device == *device,
            _ => true,
        };
        let whose = match scene.group {
            GroupKey::Subject(subject) | GroupKey::Gate(subject) | GroupKey::Site(subject) => *subject,
            _ => seen.subject,
        };
        if is_own && whose != self.subject {
            self.start_at(whose, out);
        }
        let new = self.take(seen, scene);
        if new == 0 {
            return;
        }
        let slot_ms = self.rule.interval_ms.unwrap_or_else(|| self.plan.interval_ms(seen.device, scene));
        let rule = Arc::clone(&self.rule);
        let plan = Arc::clone(&self.plan);
        for (place, operator) in rule.parts.operators.iter().enumerate() {
            if operator.input.reads & new == 0 {
                continue;
            }
            let mut view = View {
                rule: &rule,
                plan: &plan,
                scene,
                subject: self.subject,
                at: seen.at,
                delay_ms: seen.received.saturating_sub(seen.at),
                readings: &self.readings,
                operators: &self.operators,
                compared: &mut self.compared,
            };
            let sample = operator.input.run(&mut view);
            let Some((state, held)) = self.operators.get_mut(place) else { continue };
            let outage_ms = match (operator.spec.shape, state.last_at()) {
                (Shape::Pause, Some(before)) => scene.outages.within(seen.protocol, before, seen.at),
                _ => 0,
            };
            let value = operator.spec.step(state, sample, Around { at: seen.at, slot_ms, outage_ms });
            *held = Held { at: seen.at, value, flag: Flag::Normal };
        }
        // A background reading alone judges nobody.
        if is_own && rule.when.reads & new != 0 {
            self.judge(seen, scene, out);
        }
    }

    fn standing(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>) {
        into.extend(self.machine.open(scene.now > self.received.saturating_add(self.rule.gap_ms)));
    }

    fn lasts(&self, _scene: &Scene<'_>) -> usize {
        usize::from(self.machine.is_active())
    }

    fn due(&self, scene: &Scene<'_>) -> i64 {
        let alone = self.received.saturating_add(self.rule.gap_ms).saturating_add(1);
        if self.machine.is_active() && scene.now < alone { alone } else { i64::MAX }
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
        self.machine = carried.into_iter().next().map(|(_, machine)| machine).unwrap_or_default();
    }

    fn why(&self, scene: &Scene<'_>, into: &mut Vec<Operand>) {
        let parts = &self.rule.parts;
        let known = |at: i64| (at != i64::MIN).then_some(EventTime(at));
        for (comparison, (left, right, holds)) in parts.comparisons.iter().zip(&self.compared) {
            into.push(Operand {
                name: comparison.text.clone(),
                value: left.get(),
                unit: unit_text(comparison.unit),
                threshold: right.get(),
                holds: holds.holds(),
                as_of: known(self.at),
                reason: left.why.reason().or_else(|| right.why.reason()),
            });
        }
        for (operator, (_, held)) in parts.operators.iter().zip(&self.operators) {
            let (name, unit) = (operator.text.clone(), String::new());
            let value = fresh(*held, self.at, self.rule.hold_ms.saturating_add(operator.spec.window_ms));
            into.push(plain(name, unit, value, known(held.at)));
        }
        for (reading, held) in parts.readings.iter().zip(&self.readings) {
            let spec = reading.quantity.spec();
            let code = spec.map_or("", |spec| spec.code);
            let name = if reading.background { format!("background {code}") } else { code.to_owned() };
            let unit = unit_text(spec.map(|spec| spec.unit));
            into.push(plain(name, unit, fresh(*held, self.at, self.rule.hold_ms), known(held.at)));
        }
        for ask in &parts.asks {
            let value = self.plan.ask(ask, self.subject, self.at, scene);
            if let Some(name) = ask_name(ask) {
                into.push(plain(name, String::new(), value, known(self.at)));
            }
        }
    }

    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        let as_of = (self.at != i64::MIN).then_some(self.at);
        let not = |reason| JudgedState::NotJudged { reason };
        let state = match self.outcome {
            Outcome::Nothing => not(NotJudged::NoData),
            Outcome::OutsideHours => not(NotJudged::OutsideHours),
            Outcome::Exempt => not(NotJudged::Exempt),
            Outcome::Judged(when) => match (when.why.reason(), self.main()) {
                (Some(reason), _) => not(reason),
                (None, (value, threshold)) => JudgedState::Judged {
                    value: value.number,
                    threshold: threshold.number,
                    limit: Some(LimitId(self.limit())).filter(|limit| limit.0 != 0),
                    permit: None,
                    over: when.holds() == Some(true),
                    in_episode: self.machine.is_active(),
                },
            },
        };
        (as_of, state)
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        w.signed(self.subject.0);
        w.unsigned(self.recent);
        w.signed(self.received);
        self.machine.write(w);
        for held in &self.readings {
            held.write(w);
        }
        for (state, held) in &self.operators {
            state.write(w);
            held.write(w);
        }
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.subject = SubjectId(r.signed()?);
        self.recent = r.unsigned()?;
        self.received = r.signed()?;
        self.machine = Machine::read(r)?;
        for held in &mut self.readings {
            *held = Held::read(r)?;
        }
        for (operator, (state, held)) in self.rule.parts.operators.iter().zip(&mut self.operators) {
            *state = State::read(&operator.spec, r)?;
            *held = Held::read(r)?;
        }
        Some(())
    }
}

fn plain(name: String, unit: String, value: Value, as_of: Option<EventTime>) -> Operand {
    Operand { name, value: value.get(), unit, threshold: None, holds: None, as_of, reason: value.why.reason() }
}

fn unit_text(unit: Option<Unit>) -> String {
    unit.filter(|unit| *unit != Unit::One).map_or_else(String::new, |unit| unit.code().to_owned())
}

fn ask_name(ask: &Ask) -> Option<String> {
    Some(match ask {
        Ask::Limit(quantity, class) => {
            let code = quantity.spec().map_or("", |spec| spec.code);
            class.as_ref().map_or_else(|| format!("limit({code})"), |class| format!("limit({code}, '{class}')"))
        }
        Ask::Stoves => "stoves()".into(),
        Ask::SinceCleaning => "since_cleaning()".into(),
        Ask::Stopped(work) => format!("stopped({})", work.code()),
        Ask::NightPermit => "night_permit()".into(),
        Ask::Open => "open()".into(),
        Ask::Peak => "peak()".into(),
        Ask::Night => "night()".into(),
        Ask::Stage(stage) => format!("stage({stage})"),
        Ask::Size(size) => format!("size({size})"),
        Ask::Delay | Ask::Flagged(..) => return None,
    })
}

impl Held {
    fn write(&self, w: &mut Writer) {
        w.signed(self.at);
        w.float(self.value.number);
        let (kind, rest) = self.value.why.numbers();
        w.0.push(kind);
        for number in rest {
            w.unsigned(u64::from(number));
        }
        w.0.push(self.flag as u8);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (at, number) = (r.signed()?, r.float()?);
        let kind = r.byte()?;
        let mut rest = [0u16; 3];
        for number in &mut rest {
            *number = u16::try_from(r.unsigned()?).ok()?;
        }
        let why = Why::from_numbers(kind, rest)?;
        Some(Self { at, value: Value { number, why }, flag: Flag::from_u8(r.byte()?)? })
    }
}
