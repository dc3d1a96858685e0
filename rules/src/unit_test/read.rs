//! A test file's tests as they are written, and their places in the text.

use super::Problem;
use crate::definition::duration_ms;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Spanned, Table, Value};

#[derive(Debug, Deserialize)]
pub(super) struct Tests {
    #[serde(default)]
    pub(super) start: Option<Value>,
    #[serde(default)]
    pub(super) test: Vec<Spanned<Test>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    pub(super) name: String,
    /// The file's start for this test alone.
    #[serde(default)]
    pub(super) start: Option<Value>,
    /// How long time goes on; else 15 minutes after the last thing said.
    #[serde(default)]
    pub(super) until: Option<String>,
    #[serde(default)]
    pub(super) series: Vec<Spanned<Series>>,
    #[serde(default)]
    pub(super) way: Vec<Spanned<Way>>,
    #[serde(default)]
    pub(super) event: Vec<Spanned<Event>>,
    #[serde(default)]
    pub(super) contact: Vec<Spanned<Contact>>,
    #[serde(default)]
    pub(super) outage: Vec<Spanned<Span>>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<Expect>>,
}

/// Values at an interval, in the notation of [`super::notation`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    pub(super) device: String,
    #[serde(default)]
    pub(super) at: Option<String>,
    pub(super) every: String,
    #[serde(default)]
    pub(super) kind: Option<model::record::RecordKind>,
    #[serde(default)]
    pub(super) statistic: Option<model::record::Statistic>,
    #[serde(default)]
    pub(super) slot: u32,
    /// It arrives so much later than it happened.
    #[serde(default)]
    pub(super) delay: Option<String>,
    /// It corrects what was said before of the same moments.
    #[serde(default)]
    pub(super) revises: bool,
    pub(super) values: BTreeMap<String, String>,
}

/// Positions along a line at a speed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Way {
    pub(super) device: String,
    #[serde(default)]
    pub(super) at: Option<String>,
    pub(super) every: String,
    pub(super) points: Vec<(f64, f64)>,
    #[serde(default)]
    pub(super) speed_kmh: Option<f64>,
    /// So long at the last point.
    #[serde(default)]
    pub(super) stay: Option<String>,
    /// False: no fix, the place is the last known one.
    #[serde(default = "yes")]
    pub(super) fixed: bool,
    #[serde(default)]
    pub(super) status: u32,
    #[serde(default)]
    pub(super) alarm: u32,
    #[serde(default)]
    pub(super) delay: Option<String>,
    /// Values of the same records, step by step; the last step holds to the end.
    #[serde(default)]
    pub(super) values: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    pub(super) device: String,
    pub(super) at: String,
    pub(super) what: String,
    #[serde(default)]
    pub(super) end: Option<String>,
    #[serde(default)]
    pub(super) plate: Option<String>,
    #[serde(default)]
    pub(super) slot: u32,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) pictures: Vec<String>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, f64>,
    #[serde(default)]
    pub(super) delay: Option<String>,
}

/// Signs of life without data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    pub(super) device: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) every: String,
}

/// An outage of ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    pub(super) from: String,
    pub(super) to: String,
}

/// An episode that must stand at the end. Fields that are left out are not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) subject: String,
    pub(super) from: String,
    /// A time, or `lasts`.
    #[serde(default)]
    pub(super) to: Option<String>,
    /// How far the times may be off.
    #[serde(default)]
    pub(super) near: Option<String>,
    #[serde(default)]
    pub(super) extreme: Option<f64>,
    #[serde(default)]
    pub(super) threshold: Option<f64>,
    #[serde(default)]
    pub(super) class: Option<model::episode::EpisodeClass>,
    /// Whether a case could be opened by the end.
    #[serde(default)]
    pub(super) settled: Option<bool>,
}

/// Where things stand in the text.
#[derive(Debug)]
pub(super) struct Places<'t>(pub(super) &'t str);

impl Places<'_> {
    pub(super) fn line(&self, byte: usize) -> usize {
        self.0.get(..byte).map_or(1, |before| before.matches('\n').count() + 1)
    }

    pub(super) fn at(
        &self,
        byte: usize,
        what: &str,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) -> Problem {
        let place = format!("line {}: {what}", self.line(byte));
        Problem { place, message: message.into(), suggestion: suggestion.into() }
    }

    /// The `at`-th `[[kind]]` of the file.
    pub(super) fn of_row(&self, kind: &str, at: usize, message: impl Into<String>, suggestion: &str) -> Problem {
        let header = format!("[[{kind}]]");
        let line = self.0.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(&header)).nth(at);
        let place = line.map_or_else(|| header.clone(), |(line, _)| format!("line {}: {header}", line + 1));
        Problem { place, message: message.into(), suggestion: suggestion.to_owned() }
    }

    pub(super) fn of_key(&self, key: &str, message: &str, suggestion: &str) -> Problem {
        let line = self.0.lines().position(|line| line.trim_start().trim_start_matches('[').starts_with(key));
        let place = line.map_or_else(|| key.to_owned(), |line| format!("line {}: {key}", line + 1));
        Problem { place, message: message.into(), suggestion: suggestion.to_owned() }
    }
}

/// The text as a table and as tests, or what stands in the way.
pub(super) fn parse(text: &str) -> Result<(Table, Tests), Problem> {
    let places = Places(text);
    let problem = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let hint = "tests are written as docs/rules.md tells: [[test]] with [[test.series]] and [[test.expect]]";
        places.at(at, "test file", error.message().trim(), hint)
    };
    let table = text.parse::<Table>().map_err(problem)?;
    let tests = toml::from_str::<Tests>(text).map_err(problem)?;
    Ok((table, tests))
}

/// `90s`, `1h 5min`, `-10min`: milliseconds.
pub(super) fn span(text: &str) -> Option<i64> {
    let (sign, text) = text.trim().strip_prefix('-').map_or((1, text.trim()), |rest| (-1, rest));
    let text = text.trim_start_matches('+');
    if text.is_empty() {
        return None;
    }
    let parts = text.split_whitespace().map(duration_ms);
    let sum = parts.sum::<Option<i64>>()?;
    Some(sign * sum)
}
