//! From the tree of a condition to programs and operators: fields and operators are looked up, units compared and converted,
//! and what is wrong is told with its place and what to write instead.

mod call;

use super::parse::{Argument, Node, NodeKind, parse};
use super::program::{Code, Program, STACK_MAX, Sign};
use super::token::Wrong;
use super::window::{Shape, Spec};
use crate::definition::suggestion;
use call::{Call, FUNCTIONS, shape, usage};
use model::quantity::{QUANTITIES, Quantity, QuantitySpec};
use model::record::Flag;
use model::register::Stops;
use model::unit::Unit;
use std::collections::BTreeMap;

/// What a rule's programs share.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Parts {
    pub(super) readings: Vec<Reading>,
    pub(super) operators: Vec<Operator>,
    pub(super) asks: Vec<Ask>,
    pub(super) comparisons: Vec<Comparison>,
}

/// A quantity that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) quantity: Quantity,
    /// Of the background station, not of the own device.
    pub(super) background: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operator {
    pub(super) spec: Spec,
    pub(super) input: Program,
    /// As the rule writes it.
    pub(super) text: String,
}

/// What is neither measured nor computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// Of the subject's own class, or of the class that the rule names.
    Limit(Quantity, Option<String>),
    Stoves,
    /// Seconds since the last cleaning.
    SinceCleaning,
    Stopped(Stops),
    NightPermit,
    Open,
    Peak,
    Night,
    Stage(String),
    Size(String),
    /// Seconds from event time to receipt.
    Delay,
    /// Whether the newest reading of that place has one of the flags, a bit for each.
    Flagged(u8, u16),
}

/// A comparison of the condition, for explanations.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) text: String,
    pub(super) unit: Option<Unit>,
    pub(super) sign: Sign,
    /// It says more than that something is on.
    pub(super) weight: u8,
    pub(super) quantity: Option<Quantity>,
}

/// Expressions by name, with their text.
pub(super) type Signals = BTreeMap<String, (String, Node)>;

#[derive(Debug)]
pub(super) struct Compiler<'a> {
    pub(super) parts: Parts,
    pub(super) signals: &'a Signals,
    /// Names that are being compiled, so that none is made of itself.
    open: Vec<String>,
    nodes: usize,
}

/// A compiled expression and what it gives.
#[derive(Debug, Clone, Default)]
struct Typed {
    codes: Vec<Code>,
    reads: u32,
    is_truth: bool,
    unit: Option<Unit>,
    /// A number as written.
    literal: Option<f64>,
    /// A share as written: `30%`.
    quantity: Option<Quantity>,
    weight: u8,
}

type Done = Result<Typed, Wrong>;

impl<'a> Compiler<'a> {
    pub(super) fn new(signals: &'a Signals) -> Self {
        Self { parts: Parts::default(), signals, open: Vec::new(), nodes: 0 }
    }

    /// A program that says yes or no.
    pub(super) fn truth(&mut self, text: &str) -> Result<Program, Wrong> {
        let node = parse(text)?;
        let done = self.node(&node, text)?;
        let done = as_truth(done).ok_or_else(|| {
            Wrong::new(node.from, node.to, "is a number, not a condition", "compare it: … > 2.0 mg/m3")
        })?;
        finish(&node, done)
    }

    /// Compiles a signal for its own sake, so that one that is not used is checked too.
    pub(super) fn signal(&mut self, name: &str) -> Result<(), Wrong> {
        let Some((text, node)) = self.signals.get(name) else { return Ok(()) };
        self.open.push(name.to_owned());
        let done = self.node(node, text);
        self.open.pop();
        done.map(|_| ())
    }

    fn node(&mut self, node: &Node, text: &str) -> Done {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("costs too much: more than {NODES_MAX} parts");
            return Err(Wrong::new(node.from, node.to, message, "split it into two rules"));
        }
        match &node.kind {
            NodeKind::Number(number, unit) => {
                let typed = Typed { unit: *unit, literal: Some(*number), ..Typed::default() };
                Ok(typed.push(Code::Number(*number)))
            }
            NodeKind::Text(_) => Err(Wrong::new(node.from, node.to, "a text stands where a value should", "remove it")),
            NodeKind::Name(name) => self.name(name, node),
            NodeKind::Call(name, arguments) => self.call(name, arguments, node, text),
            NodeKind::Not(inner) => {
                let done = self.node(inner, text)?;
                let done = as_truth(done).ok_or_else(|| not_a_condition(inner))?;
                Ok(done.push(Code::Not))
            }
            NodeKind::Minus(inner) => {
                let mut done = number(self.node(inner, text)?, inner)?;
                done.literal = done.literal.map(|number| -number);
                Ok(done.push(Code::Negate))
            }
            NodeKind::Binary("&&" | "||", left, right) => {
                let (mut a, mut b) = (self.node(left, text)?, self.node(right, text)?);
                a = as_truth(a).ok_or_else(|| not_a_condition(left))?;
                b = as_truth(b).ok_or_else(|| not_a_condition(right))?;
                let is_and = matches!(node.kind, NodeKind::Binary("&&", ..));
                Ok(a.join(b).push(if is_and { Code::And } else { Code::Or }).truth())
            }
            NodeKind::Binary(sign @ ("+" | "-"), left, right) => {
                let (a, b) = self.alike(left, right, text)?;
                let unit = a.unit.or(b.unit);
                let code = if *sign == "+" { Code::Add } else { Code::Subtract };
                Ok(a.join(b).push(code).of(unit))
            }
            NodeKind::Binary(sign @ ("*" | "/"), left, right) => self.product(sign, left, right, text),
            NodeKind::Binary(sign, left, right) => self.compare(sign, left, right, node, text),
        }
    }

    fn name(&mut self, name: &str, node: &Node) -> Done {
        if let "true" | "false" = name {
            return Ok(Typed::default().push(Code::Number(if name == "true" { 1.0 } else { 0.0 })).truth());
        }
        if let Some((text, signal)) = self.signals.get(name) {
            if self.open.iter().any(|open| open == name) {
                let message = format!("{name} is made of itself");
                return Err(Wrong::new(node.from, node.to, message, "give one of the signals another name"));
            }
            self.open.push(name.to_owned());
            let done = self.node(signal, text);
            self.open.pop();
            return done.map_err(|wrong| {
                let message = format!("the signal {name} is wrong: {}", wrong.message);
                Wrong::new(node.from, node.to, message, wrong.suggestion)
            });
        }
        let spec = QUANTITIES.iter().find(|spec| spec.code == name).ok_or_else(|| {
            let message = format!("\"{name}\" is no field");
            let mut known: Vec<&str> = QUANTITIES.iter().map(|spec| spec.code).collect();
            known.extend(self.signals.keys().map(String::as_str));
            let hint = if FUNCTIONS.contains(&name) { format!("write {name}(…)") } else { suggestion(name, &known) };
            Wrong::new(node.from, node.to, message, hint)
        })?;
        let place = self.reading(spec.quantity, false, node)?;
        let weight = if is_state(spec) { 0 } else { 2 };
        let typed = Typed { reads: 1 << place, unit: Some(spec.unit), weight, ..Typed::default() };
        Ok(Typed { quantity: Some(spec.quantity), ..typed }.push(Code::Reading(place)))
    }

    fn reading(&mut self, quantity: Quantity, background: bool, node: &Node) -> Result<u8, Wrong> {
        let wanted = Reading { quantity, background };
        let list = &mut self.parts.readings;
        place_of(list, wanted, READINGS_MAX)
            .ok_or_else(|| Wrong::new(node.from, node.to, "reads too many fields", "split it into two rules"))
    }

    /// Both sides as numbers of one unit.
    fn alike(&mut self, left: &Node, right: &Node, text: &str) -> Result<(Typed, Typed), Wrong> {
        let a = number(self.node(left, text)?, left)?;
        let b = number(self.node(right, text)?, right)?;
        agree(a, b, left, right)
    }

    fn product(&mut self, sign: &str, left: &Node, right: &Node, text: &str) -> Done {
        let mut a = number(self.node(left, text)?, left)?;
        let mut b = number(self.node(right, text)?, right)?;
        for side in [&mut a, &mut b] {
            // 30% of something is 0.3 of it.
            if side.unit == Some(Unit::Percent) && side.literal.is_some() {
                *side = std::mem::take(side).push(Code::Scale(0.01)).of(None);
            }
        }
        let plain = |unit: Option<Unit>| unit.is_none_or(|unit| unit == Unit::One);
        let unit = if plain(b.unit) {
            a.unit
        } else if sign == "*" {
            if plain(a.unit) { b.unit } else { None }
        } else if a.unit == b.unit {
            Some(Unit::One)
        } else {
            None
        };
        Ok(a.join(b).push(if sign == "*" { Code::Multiply } else { Code::Divide }).of(unit))
    }

    fn compare(&mut self, sign: &str, left: &Node, right: &Node, node: &Node, text: &str) -> Done {
        let (a, b) = self.alike(left, right, text)?;
        let sign = Sign::of(sign).unwrap_or(Sign::Equal);
        let comparison = Comparison {
            text: text.get(left.from..left.to).unwrap_or_default().to_owned(),
            unit: a.unit,
            sign,
            weight: a.weight.max(b.weight),
            quantity: a.quantity,
        };
        let place = u8::try_from(self.parts.comparisons.len()).unwrap_or(u8::MAX);
        if self.parts.comparisons.len() >= COMPARISONS_MAX {
            return Err(Wrong::new(node.from, node.to, "has too many comparisons", "split it into two rules"));
        }
        self.parts.comparisons.push(comparison);
        Ok(a.join(b).push(Code::Compare(sign, place)).truth())
    }

    fn call(&mut self, name: &str, arguments: &[Argument], node: &Node, text: &str) -> Done {
        let mut call = Call { name, arguments, node, used: 0 };
        let done = if let Some(ask) = self.ask(&mut call)? {
            let place = place_of(&mut self.parts.asks, ask, ASKS_MAX);
            let place = place.ok_or_else(|| call.wrong("asks too many registers", "split it into two rules"))?;
            let of = self.parts.asks.get(usize::from(place));
            let typed = match of {
                Some(Ask::Limit(quantity, _)) => {
                    Typed { unit: quantity.spec().map(|spec| spec.unit), weight: 3, ..Typed::default() }
                }
                Some(Ask::Stoves) => Typed { unit: Some(Unit::One), ..Typed::default() },
                Some(Ask::SinceCleaning | Ask::Delay) => {
                    Typed { unit: Some(Unit::Second), weight: 2, ..Typed::default() }
                }
                _ => Typed { is_truth: true, ..Typed::default() },
            };
            let reads = if let Some(Ask::Flagged(reading, _)) = of { 1 << reading } else { 0 };
            Typed { reads, ..typed }.push(Code::Ask(place))
        } else {
            self.operator(&mut call, text)?
        };
        if call.used < arguments.len() {
            let extra = arguments.get(call.used).map_or(node, |argument| &argument.value);
            let message = format!("{name} has no place for this");
            return Err(Wrong::new(extra.from, extra.to, message, usage(name)));
        }
        Ok(done)
    }

    fn ask(&mut self, call: &mut Call<'_>) -> Result<Option<Ask>, Wrong> {
        Ok(Some(match call.name {
            "limit" => {
                let quantity = call.quantity()?.quantity;
                let class = if call.used < call.arguments.len() { Some(call.text()?) } else { None };
                Ask::Limit(quantity, class)
            }
            "stoves" => Ask::Stoves,
            "since_cleaning" => Ask::SinceCleaning,
            "night_permit" => Ask::NightPermit,
            "open" => Ask::Open,
            "peak" => Ask::Peak,
            "night" => Ask::Night,
            "delay" => Ask::Delay,
            "stage" => Ask::Stage(call.word(&["earthwork", "foundation", "structure", "finishing"])?),
            "size" => Ask::Size(call.word(&["small", "medium", "large"])?),
            "stopped" => match call.word(&["earthwork", "muck_transport"])?.as_str() {
                "earthwork" => Ask::Stopped(Stops::Earthwork),
                _ => Ask::Stopped(Stops::MuckTransport),
            },
            "flagged" => {
                let spec = call.quantity()?;
                let letters = call.text()?;
                let mut mask = 0u16;
                for letter in letters.bytes() {
                    match Flag::from_letter(letter) {
                        Flag::Unknown => {
                            return Err(call.wrong("knows no such flag", "write letters of FMSDCTB, as in 'DT'"));
                        }
                        flag => mask |= 1 << flag as u16,
                    }
                }
                Ask::Flagged(self.reading(spec.quantity, false, call.node)?, mask)
            }
            _ => return Ok(None),
        }))
    }

    fn operator(&mut self, call: &mut Call<'_>, text: &str) -> Done {
        match call.name {
            "number" => {
                let condition = call.next()?;
                let condition = as_truth(self.node(condition, text)?).ok_or_else(|| not_a_condition(condition))?;
                Ok(Typed { is_truth: false, ..condition.of(Some(Unit::One)) })
            }
            "abs" => Ok(self.input(call, text)?.push(Code::Absolute)),
            "where" => {
                let condition = call.next()?;
                let condition = as_truth(self.node(condition, text)?).ok_or_else(|| not_a_condition(condition))?;
                let node = call.next()?;
                let value = self.node(node, text)?;
                let (unit, quantity, weight, is_truth) = (value.unit, value.quantity, value.weight, value.is_truth);
                Ok(Typed { is_truth, quantity, weight, ..condition.join(value).push(Code::Where).of(unit) })
            }
            "either" => {
                let (left, right) = (call.next()?, call.next()?);
                let (a, b) = (self.node(left, text)?, self.node(right, text)?);
                if a.is_truth || b.is_truth {
                    let a = as_truth(a).ok_or_else(|| not_a_condition(left))?;
                    let b = as_truth(b).ok_or_else(|| not_a_condition(right))?;
                    return Ok(a.join(b).push(Code::Otherwise).truth());
                }
                let (a, b) = agree(a, b, left, right)?;
                let (unit, quantity) = (a.unit, a.quantity.or(b.quantity));
                Ok(Typed { quantity, ..a.join(b).push(Code::Otherwise).of(unit) })
            }
            "converted" => {
                let spec = call.quantity()?;
                let value = self.reading(spec.quantity, false, call.node)?;
                let flow = self.reading(Quantity::FLUE_FLOW, false, call.node)?;
                let stoves = place_of(&mut self.parts.asks, Ask::Stoves, ASKS_MAX);
                let stoves = stoves.ok_or_else(|| call.wrong("asks too many registers", "split it into two rules"))?;
                let typed =
                    Typed { reads: 1 << value | 1 << flow, unit: Some(spec.unit), weight: 2, ..Typed::default() };
                // GB 18483-2001, 6: c = c_measured × Q / (n × 2000 m³/h).
                let codes = [Code::Reading(flow), Code::Ask(stoves), Code::Divide, Code::Number(2_000.0), Code::Divide];
                let typed = codes.into_iter().fold(typed, Typed::push).push(Code::Converted);
                let typed = typed.push(Code::Reading(value)).push(Code::Multiply);
                Ok(Typed { quantity: Some(spec.quantity), ..typed })
            }
            "background" => {
                let spec = call.quantity()?;
                let window_ms = call.duration()?;
                let valid_share_min = call.share("valid", 0.5)?;
                let cap = call.named("cap");
                let place = self.reading(spec.quantity, true, call.node)?;
                let input =
                    Typed { reads: 1 << place, unit: Some(spec.unit), ..Typed::default() }.push(Code::Reading(place));
                let spec_of = Spec { shape: Shape::Mean, window_ms, valid_share_min, within: 0.0 };
                let mut done = self.keep(spec_of, input, call, text)?.of(Some(spec.unit));
                if let Some(cap) = cap {
                    let NodeKind::Number(most, Some(unit)) = cap.kind else { return Err(no_cap(cap, spec)) };
                    let most = unit.convert(most, spec.unit).ok_or_else(|| no_cap(cap, spec))?;
                    done = done.push(Code::Cap(most));
                }
                // It judges nothing by itself: the site's own data does.
                done.reads = 0;
                Ok(done)
            }
            name => {
                let Some(shape) = shape(name) else {
                    let message = format!("\"{name}\" is no operator");
                    return Err(Wrong::new(call.node.from, call.node.to, message, suggestion(name, FUNCTIONS)));
                };
                self.remembered(shape, call, text)
            }
        }
    }

    fn remembered(&mut self, shape: Shape, call: &mut Call<'_>, text: &str) -> Done {
        let wants_truth = matches!(shape, Shape::Count | Shape::Share | Shape::Daily | Shape::Repeats);
        let node = call.next()?;
        let input = self.node(node, text)?;
        let input =
            if wants_truth { as_truth(input).ok_or_else(|| not_a_condition(node))? } else { number(input, node)? };
        if input.reads == 0 {
            return Err(Wrong::new(node.from, node.to, "rests on no reading", "name a field, for example fume"));
        }
        let (unit, quantity, weight) = (input.unit, input.quantity, input.weight);
        let shape = match shape {
            Shape::Percentile(share) if share < 0.0 => Shape::Percentile(call.percent()?),
            other => other,
        };
        let is_windowed = !matches!(shape, Shape::Previous | Shape::Same | Shape::Pause);
        let window_ms = if is_windowed { call.duration()? } else { 0 };
        let mut within = 0.0;
        if shape == Shape::Same
            && let Some(node) = call.named("within")
        {
            let NodeKind::Number(number, given) = node.kind else {
                return Err(call.wrong("within is no number", usage(call.name)));
            };
            within = match (given, unit) {
                (Some(given), Some(unit)) => given.convert(number, unit),
                (None, Some(Unit::One) | None) => Some(number),
                _ => None,
            }
            .ok_or_else(|| Wrong::new(node.from, node.to, "within is of another unit", usage(call.name)))?;
        }
        if shape == Shape::Repeats {
            within = call.named_duration("within")?.map_or(5.0, minutes);
        }
        if shape == Shape::Baseline {
            within = call.named_duration("least")?.map_or(7.0, days);
        }
        let default = if matches!(shape, Shape::Sum | Shape::Count | Shape::Rate) { 0.0 } else { 0.75 };
        let valid_share_min = call.share("valid", default)?;
        let spec = Spec { shape, window_ms, valid_share_min, within };
        let done = self.keep(spec, input, call, text)?;
        Ok(match shape {
            Shape::Share => Typed { weight: 2, ..done.push(Code::Scale(100.0)).of(Some(Unit::Percent)) },
            Shape::Count | Shape::Daily | Shape::Repeats => Typed { weight: 2, ..done.of(Some(Unit::One)) },
            Shape::Same | Shape::Pause => Typed { weight: 2, ..done.of(Some(Unit::Second)) },
            _ => Typed { quantity, weight, ..done.of(unit) },
        })
    }

    /// An operator with its state; one that is there already is not kept twice.
    fn keep(&mut self, spec: Spec, input: Typed, call: &Call<'_>, text: &str) -> Done {
        let reads = input.reads;
        let program = finish(call.node, input)?;
        let (longest, name) =
            if matches!(spec.shape, Shape::Baseline | Shape::Repeats) { (90 * DAY, "90d") } else { (3 * DAY, "3d") };
        let windowed = !matches!(spec.shape, Shape::Previous | Shape::Same | Shape::Pause);
        if windowed && !(10_000..=longest).contains(&spec.window_ms) {
            return Err(call.wrong("has an impossible window", format!("write a window from 10s to {name}")));
        }
        let known = self.parts.operators.iter().position(|known| known.spec == spec && known.input == program);
        let place = known.unwrap_or(self.parts.operators.len());
        if known.is_none() {
            if place >= OPERATORS_MAX {
                return Err(call.wrong("costs too much: too many operators", "split it into two rules"));
            }
            let text = text.get(call.node.from..call.node.to).unwrap_or_default().to_owned();
            self.parts.operators.push(Operator { spec, input: program, text });
        }
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        Ok(Typed { reads, ..Typed::default() }.push(Code::Operator(place)))
    }

    fn input(&mut self, call: &mut Call<'_>, text: &str) -> Done {
        let node = call.next()?;
        number(self.node(node, text)?, node)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of minutes")]
fn minutes(ms: i64) -> f64 {
    (ms / 60_000) as f64
}

#[expect(clippy::cast_precision_loss, reason = "a number of days")]
fn days(ms: i64) -> f64 {
    (ms / DAY) as f64
}

impl Typed {
    fn push(mut self, code: Code) -> Self {
        self.codes.push(code);
        self
    }

    fn join(mut self, other: Self) -> Self {
        self.codes.extend(other.codes);
        self.reads |= other.reads;
        self.literal = None;
        self.weight = self.weight.max(other.weight);
        self
    }

    fn of(mut self, unit: Option<Unit>) -> Self {
        self.unit = unit;
        self.literal = None;
        self
    }

    fn truth(self) -> Self {
        Self { is_truth: true, unit: None, literal: None, quantity: None, ..self }
    }
}

/// A state that is 0 or 1 is a condition by itself.
fn as_truth(typed: Typed) -> Option<Typed> {
    if typed.is_truth {
        return Some(typed);
    }
    let spec = typed.quantity?.spec().filter(|spec| is_state(spec))?;
    (typed.unit == Some(spec.unit)).then(|| typed.truth())
}

fn is_state(spec: &QuantitySpec) -> bool {
    spec.unit == Unit::One && spec.min.abs() < 1e-9 && (spec.max - 1.0).abs() < 1e-9
}

fn number(typed: Typed, node: &Node) -> Done {
    if typed.is_truth {
        return Err(Wrong::new(node.from, node.to, "is a condition, not a number", "use share(…) or count(…) of it"));
    }
    Ok(typed)
}

fn not_a_condition(node: &Node) -> Wrong {
    Wrong::new(node.from, node.to, "is a number, not a condition", "compare it: … >= 0.5")
}

/// Two numbers of one unit, the right one converted.
fn agree(a: Typed, mut b: Typed, left: &Node, right: &Node) -> Result<(Typed, Typed), Wrong> {
    match (a.unit, b.unit) {
        (Some(one), Some(other)) if one != other => {
            let Some(factor) = other.convert(1.0, one) else {
                let message = format!("compares {} with {}", one.code(), other.code());
                let hint = format!("write {}", right_unit(&b, one));
                return Err(Wrong::new(right.from, right.to, message, hint));
            };
            b = b.push(Code::Scale(factor));
            b.unit = Some(one);
        }
        (Some(unit), None) if needs_unit(&b, unit) => return Err(no_unit(right, &b, unit)),
        (None, Some(unit)) if needs_unit(&a, unit) => return Err(no_unit(left, &a, unit)),
        _ => {}
    }
    Ok((a, b))
}

/// A number without unit beside one with a unit; nothing is nothing in every unit.
fn needs_unit(typed: &Typed, unit: Unit) -> bool {
    unit != Unit::One && typed.literal.is_some_and(|number| number != 0.0)
}

fn no_unit(node: &Node, typed: &Typed, unit: Unit) -> Wrong {
    let hint = format!("write {}", right_unit(typed, unit));
    Wrong::new(node.from, node.to, format!("the number has no unit, the other side is in {}", unit.code()), hint)
}

fn right_unit(typed: &Typed, unit: Unit) -> String {
    typed.literal.map_or_else(|| format!("a value in {}", unit.code()), |number| format!("{number} {}", unit.code()))
}

fn no_cap(node: &Node, spec: &QuantitySpec) -> Wrong {
    Wrong::new(node.from, node.to, "cap needs a number with its unit", format!("write cap 150 {}", spec.unit.code()))
}

fn finish(node: &Node, typed: Typed) -> Result<Program, Wrong> {
    let program = Program { codes: typed.codes, reads: typed.reads };
    if program.depth() > STACK_MAX {
        return Err(Wrong::new(node.from, node.to, "is nested too deep", "name parts of it in [signals]"));
    }
    Ok(program)
}

/// The place of a thing in a list, where it is put when it is new.
fn place_of<T: PartialEq>(list: &mut Vec<T>, wanted: T, most: usize) -> Option<u8> {
    let place = list.iter().position(|known| *known == wanted).unwrap_or(list.len());
    if place == list.len() {
        if place >= most {
            return None;
        }
        list.push(wanted);
    }
    u8::try_from(place).ok()
}

const DAY: i64 = 86_400_000;
const NODES_MAX: usize = 400;
const READINGS_MAX: usize = 24;
const ASKS_MAX: usize = 24;
const COMPARISONS_MAX: usize = 32;
const OPERATORS_MAX: usize = 32;
