//! Words of a condition: names, numbers with their unit, texts and signs, each with its place in the line.
//!
//! `2.0 mg/m3`, `10min`, `75%` and `5 m/s` are one number each: a number takes the unit that follows it. Durations are
//! numbers of seconds.

use model::unit::Unit;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// In the unit as written; a duration in seconds.
    Number(f64, Option<Unit>),
    Text(String),
    Sign(&'static str),
}

/// A token and the bytes it stands at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) message: String,
    pub(super) suggestion: String,
}

impl Wrong {
    pub(super) fn new(from: usize, to: usize, message: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self { from, to, message: message.into(), suggestion: suggestion.into() }
    }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Wrong> {
    if text.len() > TEXT_MAX {
        let message = format!("is {} bytes long", text.len());
        return Err(Wrong::new(0, text.len(), message, format!("write at most {TEXT_MAX}, use [signals] for parts")));
    }
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, to) = if first.is_ascii_digit() || first == '.' {
            number(text, at)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let to = end_of(text, at, |c| c.is_ascii_alphanumeric() || c == '_');
            (Token::Name(text.get(at..to).unwrap_or_default().to_owned()), to)
        } else if first == '\'' || first == '"' {
            let inside = at + 1;
            let to = end_of(text, inside, |c| c != first);
            if to >= text.len() {
                return Err(Wrong::new(at, to, "the text does not end", format!("close it with {first}")));
            }
            (Token::Text(text.get(inside..to).unwrap_or_default().to_owned()), to + 1)
        } else {
            let rest = text.get(at..).unwrap_or_default();
            let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
                let to = at + first.len_utf8();
                let hint = match first {
                    '=' => "compare with ==",
                    '&' => "write && for and",
                    '|' => "write || for or",
                    _ => "signs are && || ! == != < <= > >= + - * / ( ) ,",
                };
                return Err(Wrong::new(at, to, format!("{first} is no sign of a condition"), hint));
            };
            (Token::Sign(sign), at + sign.len())
        };
        all.push(Placed { token, from: at, to });
        at = to;
    }
    Ok(all)
}

fn end_of(text: &str, from: usize, goes_on: impl Fn(char) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.find(|c| !goes_on(c)).map_or(text.len(), |length| from + length)
}

fn number(text: &str, from: usize) -> Result<(Token, usize), Wrong> {
    let to = end_of(text, from, |c| c.is_ascii_digit() || c == '.');
    let digits = text.get(from..to).unwrap_or_default();
    let Ok(number) = digits.parse::<f64>() else {
        return Err(Wrong::new(from, to, format!("{digits} is no number"), "write for example 2.0"));
    };
    let rest = text.get(to..).unwrap_or_default();
    let unit_from = to + (rest.len() - rest.trim_start().len());
    let rest = rest.trim_start();
    let stands_alone = |length: usize| !rest.get(length..).is_some_and(|more| more.starts_with(is_of_unit));
    for (written, seconds) in DURATIONS {
        if rest.starts_with(written) && stands_alone(written.len()) {
            return Ok((Token::Number(number * seconds, Some(Unit::Second)), unit_from + written.len()));
        }
    }
    for (written, unit) in UNITS.iter().copied().chain(Unit::ALL.into_iter().map(|unit| (unit.code(), unit))) {
        // "1" is no unit that is written behind a number.
        if unit != Unit::One && rest.starts_with(written) && stands_alone(written.len()) {
            return Ok((Token::Number(number, Some(unit)), unit_from + written.len()));
        }
    }
    Ok((Token::Number(number, None), to))
}

fn is_of_unit(c: char) -> bool {
    c.is_alphanumeric() || c == '/' || c == '_' || c == '('
}

const DURATIONS: [(&str, f64); 4] = [("min", 60.0), ("ms", 0.001), ("h", 3_600.0), ("d", 86_400.0)];
/// Other ways to write a unit.
const UNITS: [(&str, Unit); 7] = [
    ("mg/m³", Unit::MgPerM3),
    ("µg/m3", Unit::UgPerM3),
    ("μg/m3", Unit::UgPerM3),
    ("µg/m³", Unit::UgPerM3),
    ("μg/m³", Unit::UgPerM3),
    ("dB", Unit::DbA),
    ("°C", Unit::Celsius),
];
/// Longer ones first.
const SIGNS: [&str; 16] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "(", ")", ","];
const TEXT_MAX: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|placed| placed.token).collect()
    }

    #[test]
    fn a_number_takes_the_unit_that_follows_it() {
        let number = |text| match words(text).as_slice() {
            [Token::Number(number, unit)] => (*number, *unit),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(number("2.0 mg/m3"), (2.0, Some(Unit::MgPerM3)));
        assert_eq!(number("150μg/m³"), (150.0, Some(Unit::UgPerM3)));
        assert_eq!(number("10min"), (600.0, Some(Unit::Second)));
        assert_eq!(number("5 m"), (5.0, Some(Unit::Metre)));
        assert_eq!(number("5.5 m/s"), (5.5, Some(Unit::MPerS)));
        assert_eq!(number("70 dB(A)"), (70.0, Some(Unit::DbA)));
        assert_eq!(number("75%"), (75.0, Some(Unit::Percent)));
        assert_eq!(number("0.5"), (0.5, None));
        assert_eq!(number("3d"), (259_200.0, Some(Unit::Second)));
    }

    #[test]
    fn signs_and_names_stand_apart() {
        assert_eq!(words("fan_on>=0.5&&!x").len(), 6);
        assert!(tokens("a = b").unwrap_err().suggestion.contains("=="));
        assert!(tokens("'abc").is_err());
        assert!(tokens("1.2.3").is_err());
    }
}
