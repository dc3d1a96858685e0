//! A compiled expression: codes for a small stack, without allocation. Truth has three values: what is not known is neither
//! true nor false, so "not judged" comes out of a condition unless the rest decides it alone.

use crate::explain::NotJudged;
use model::record::Flag;

/// A number or a truth (1 and 0), or why it is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    pub(super) number: f64,
    pub(super) why: Why,
}

/// Why a value is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Known,
    NoData,
    /// The last reading is too old to stand for now.
    Stale,
    NotANumber,
    Flagged(Flag),
    TooFew {
        valid: u16,
        expected: u16,
        needed: u16,
    },
    NoLimit,
    NotConverted,
    NoBackground,
    NoBaseline,
    NoSchedule,
    NoRecord,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Code {
    Number(f64),
    /// The newest reading of the quantity of that place.
    Reading(u8),
    /// What the operator of that place gave last.
    Operator(u8),
    /// Limit, register or clock: the place in the list of askings.
    Ask(u8),
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    Absolute,
    /// To another unit of the dimension.
    Scale(f64),
    Compare(Sign, u8),
    And,
    Or,
    Not,
    /// condition, value → the value where the condition holds.
    Where,
    /// first, second → the first if it is known.
    Otherwise,
    /// At most that much.
    Cap(f64),
    /// What is missing here was needed for the conversion.
    Converted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Differs,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Program {
    pub(super) codes: Vec<Code>,
    /// Bit n: it rests on the quantity of place n, itself or through an operator.
    pub(super) reads: u32,
}

/// What codes refer to.
pub(super) trait Frame {
    fn reading(&self, place: u8) -> Value;
    fn operator(&self, place: u8) -> Value;
    fn ask(&self, place: u8) -> Value;
    /// A comparison came out.
    fn compared(&mut self, place: u8, left: Value, right: Value, holds: Value);
}

impl Value {
    pub(super) const fn known(number: f64) -> Self {
        Self { number, why: Why::Known }
    }

    pub(super) const fn truth(holds: bool) -> Self {
        Self::known(if holds { 1.0 } else { 0.0 })
    }

    pub(super) const fn unknown(why: Why) -> Self {
        Self { number: 0.0, why }
    }

    pub(super) const fn is_known(self) -> bool {
        matches!(self.why, Why::Known)
    }

    /// `None`: not known.
    pub(super) fn holds(self) -> Option<bool> {
        self.is_known().then_some(self.number > 0.5)
    }

    pub(super) fn get(self) -> Option<f64> {
        self.is_known().then_some(self.number)
    }

    fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        match (self.why, other.why) {
            (Why::Known, Why::Known) => {
                let number = of(self.number, other.number);
                if number.is_finite() { Self::known(number) } else { Self::unknown(Why::NotANumber) }
            }
            (Why::Known, why) | (why, _) => Self::unknown(why),
        }
    }
}

impl Program {
    pub(super) fn run(&self, frame: &mut impl Frame) -> Value {
        let mut stack = [Value::unknown(Why::NoData); STACK_MAX];
        let mut top = 0usize;
        let push = |stack: &mut [Value; STACK_MAX], top: &mut usize, value: Value| {
            if let Some(slot) = stack.get_mut(*top) {
                *slot = value;
                *top += 1;
            }
        };
        let pop = |stack: &[Value; STACK_MAX], top: &mut usize| {
            *top = top.saturating_sub(1);
            stack.get(*top).copied().unwrap_or(Value::unknown(Why::NoData))
        };
        for code in &self.codes {
            let value = match *code {
                Code::Number(number) => Value::known(number),
                Code::Reading(place) => frame.reading(place),
                Code::Operator(place) => frame.operator(place),
                Code::Ask(place) => frame.ask(place),
                Code::Negate => Value::known(0.0).with(pop(&stack, &mut top), |_, x| -x),
                Code::Absolute => Value::known(0.0).with(pop(&stack, &mut top), |_, x| x.abs()),
                Code::Scale(by) => Value::known(by).with(pop(&stack, &mut top), |by, x| by * x),
                Code::Cap(most) => Value::known(most).with(pop(&stack, &mut top), f64::min),
                Code::Not => Value::known(0.0).with(pop(&stack, &mut top), |_, x| 1.0 - x),
                Code::Converted => match pop(&stack, &mut top) {
                    Value { why: Why::NoData | Why::NoRecord | Why::Stale, .. } => Value::unknown(Why::NotConverted),
                    value => value,
                },
                two => {
                    let right = pop(&stack, &mut top);
                    let left = pop(&stack, &mut top);
                    match two {
                        Code::Add => left.with(right, |a, b| a + b),
                        Code::Subtract => left.with(right, |a, b| a - b),
                        Code::Multiply => left.with(right, |a, b| a * b),
                        Code::Divide => left.with(right, |a, b| a / b),
                        Code::And => both(left, right),
                        Code::Or => either(left, right),
                        Code::Where => match left.holds() {
                            Some(true) => right,
                            Some(false) => Value::unknown(Why::Flagged(Flag::Stopped)),
                            None => left,
                        },
                        Code::Otherwise => {
                            if left.is_known() {
                                left
                            } else {
                                right
                            }
                        }
                        Code::Compare(sign, place) => {
                            let holds = left.with(right, |a, b| f64::from(u8::from(sign.holds(a, b))));
                            frame.compared(place, left, right, holds);
                            holds
                        }
                        _ => Value::unknown(Why::NoData),
                    }
                }
            };
            push(&mut stack, &mut top, value);
        }
        pop(&stack, &mut top)
    }

    /// How deep its stack gets.
    pub(super) fn depth(&self) -> usize {
        let (mut now, mut most) = (0usize, 0usize);
        for code in &self.codes {
            now = match code {
                Code::Number(_) | Code::Reading(_) | Code::Operator(_) | Code::Ask(_) => now + 1,
                Code::Negate | Code::Absolute | Code::Scale(_) | Code::Cap(_) | Code::Converted | Code::Not => now,
                _ => now.saturating_sub(1),
            };
            most = most.max(now);
        }
        most
    }
}

fn both(a: Value, b: Value) -> Value {
    match (a.holds(), b.holds()) {
        (Some(false), _) | (_, Some(false)) => Value::truth(false),
        (Some(true), Some(true)) => Value::truth(true),
        (None, _) => a,
        (_, None) => b,
    }
}

fn either(a: Value, b: Value) -> Value {
    match (a.holds(), b.holds()) {
        (Some(true), _) | (_, Some(true)) => Value::truth(true),
        (Some(false), Some(false)) => Value::truth(false),
        (None, _) => a,
        (_, None) => b,
    }
}

impl Sign {
    pub(super) fn of(written: &str) -> Option<Self> {
        Some(match written {
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::More,
            ">=" => Self::AtLeast,
            "==" => Self::Equal,
            "!=" => Self::Differs,
            _ => return None,
        })
    }

    /// The more it holds, the lower the left side is.
    pub(super) const fn is_falling(self) -> bool {
        matches!(self, Self::Less | Self::AtMost)
    }

    fn holds(self, a: f64, b: f64) -> bool {
        // Values are kept to a millionth; what differs by less is equal.
        let equal = (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
        match self {
            Self::Less => a < b && !equal,
            Self::AtMost => a < b || equal,
            Self::More => a > b && !equal,
            Self::AtLeast => a > b || equal,
            Self::Equal => equal,
            Self::Differs => !equal,
        }
    }
}

impl Why {
    pub(super) fn reason(self) -> Option<NotJudged> {
        Some(match self {
            Self::Known => return None,
            Self::NoData => NotJudged::NoData,
            Self::Stale => NotJudged::Stale,
            Self::NotANumber => NotJudged::NotANumber,
            Self::Flagged(flag) => NotJudged::Flagged { flag },
            Self::TooFew { valid, expected, needed } => {
                NotJudged::TooFewValid { valid: valid.into(), expected: expected.into(), needed: needed.into() }
            }
            Self::NoLimit => NotJudged::NoLimit,
            Self::NotConverted => NotJudged::NotConverted,
            Self::NoBackground => NotJudged::NoBackground,
            Self::NoBaseline => NotJudged::NoBaseline,
            Self::NoSchedule => NotJudged::NoSchedule,
            Self::NoRecord => NotJudged::NoRecord,
        })
    }
}

impl Why {
    /// As it is saved.
    pub(super) const fn numbers(self) -> (u8, [u16; 3]) {
        match self {
            Self::Known => (0, [0; 3]),
            Self::NoData => (1, [0; 3]),
            Self::Stale => (2, [0; 3]),
            Self::NotANumber => (3, [0; 3]),
            Self::Flagged(flag) => (4, [flag as u16, 0, 0]),
            Self::TooFew { valid, expected, needed } => (5, [valid, expected, needed]),
            Self::NoLimit => (6, [0; 3]),
            Self::NotConverted => (7, [0; 3]),
            Self::NoBackground => (8, [0; 3]),
            Self::NoBaseline => (9, [0; 3]),
            Self::NoSchedule => (10, [0; 3]),
            Self::NoRecord => (11, [0; 3]),
        }
    }

    pub(super) fn from_numbers(kind: u8, [a, b, c]: [u16; 3]) -> Option<Self> {
        Some(match kind {
            0 => Self::Known,
            1 => Self::NoData,
            2 => Self::Stale,
            3 => Self::NotANumber,
            4 => Self::Flagged(Flag::from_u8(u8::try_from(a).ok()?)?),
            5 => Self::TooFew { valid: a, expected: b, needed: c },
            6 => Self::NoLimit,
            7 => Self::NotConverted,
            8 => Self::NoBackground,
            9 => Self::NoBaseline,
            10 => Self::NoSchedule,
            11 => Self::NoRecord,
            _ => return None,
        })
    }
}

/// Deeper programs are refused when they are compiled.
pub(super) const STACK_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Frame for Nothing {
        fn reading(&self, _: u8) -> Value {
            Value::unknown(Why::Stale)
        }
        fn operator(&self, _: u8) -> Value {
            Value::unknown(Why::NoData)
        }
        fn ask(&self, _: u8) -> Value {
            Value::unknown(Why::NoLimit)
        }
        fn compared(&mut self, _: u8, _: Value, _: Value, _: Value) {}
    }

    fn run(codes: &[Code]) -> Value {
        Program { codes: codes.to_vec(), reads: 0 }.run(&mut Nothing)
    }

    #[test]
    fn what_is_not_known_is_neither_true_nor_false() {
        let (yes, no, unknown) = (Code::Number(1.0), Code::Number(0.0), Code::Reading(0));
        assert_eq!(run(&[unknown, no, Code::And]).holds(), Some(false));
        assert_eq!(run(&[unknown, yes, Code::Or]).holds(), Some(true));
        assert_eq!(run(&[unknown, yes, Code::And]).why, Why::Stale);
        assert_eq!(run(&[no, Code::Ask(0), Code::Or]).why, Why::NoLimit);
        assert_eq!(run(&[unknown, Code::Not]).holds(), None);
        assert_eq!(run(&[yes, no, Code::Divide]).why, Why::NotANumber);
    }

    #[test]
    fn exactly_at_the_limit_is_not_above_it() {
        let compare = |sign, a, b| run(&[Code::Number(a), Code::Number(b), Code::Compare(sign, 0)]).holds();
        assert_eq!(compare(Sign::More, 0.1 + 0.2, 0.3), Some(false));
        assert_eq!(compare(Sign::AtLeast, 0.1 + 0.2, 0.3), Some(true));
        assert_eq!(compare(Sign::Less, 1.0, 2.0), Some(true));
    }
}
