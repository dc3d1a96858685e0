//! Reads a TOML table key by key and collects every problem instead of stopping at the first. Keys nobody asked for are
//! problems too. Knows nothing of rules; [`super::check`] asks the questions.

use super::Problem;
use super::nearest::suggestion;
use toml::{Table, Value};

/// All problems of one text.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    text: &'a str,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// `section` is empty at the top level.
    pub(crate) fn add(&mut self, section: &str, key: &str, message: impl Into<String>, suggestion: impl Into<String>) {
        let path = match (section, key) {
            ("", key) => key.to_owned(),
            (section, "") => section.to_owned(),
            (section, key) => format!("{section}.{key}"),
        };
        let place = match line_of(self.text, section, key) {
            Some(line) => format!("line {line}: {path}"),
            None => path,
        };
        self.problems.push(Problem { place, message: message.into(), suggestion: suggestion.into() });
    }
}

/// 1-based line of a key in its section, or of the section's header.
fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let mut current = "";
    let mut header = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            current = line.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
            if current == section && header.is_none() {
                header = Some(number + 1);
            }
        } else if current == section
            && !key.is_empty()
            && line.split(['=', '.']).next().is_some_and(|left| left.trim().trim_matches('"') == key)
        {
            return Some(number + 1);
        }
    }
    header
}

/// One table, its place, and the keys asked for so far.
#[derive(Debug)]
pub(crate) struct Reader<'t> {
    table: Option<&'t Table>,
    section: String,
    asked: Vec<&'static str>,
}

impl<'t> Reader<'t> {
    pub(crate) const fn root(table: &'t Table) -> Self {
        Self { table: Some(table), section: String::new(), asked: Vec::new() }
    }

    pub(crate) fn section(&self) -> &str {
        &self.section
    }

    pub(crate) const fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// The table as text without comments.
    pub(crate) fn plain(&self) -> String {
        self.table.map(ToString::to_string).unwrap_or_default()
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Value> {
        self.asked.push(key);
        self.table?.get(key)
    }

    /// A sub-table; an absent one reads as empty.
    pub(crate) fn table(&mut self, key: &'static str, found: &mut Findings<'_>) -> Self {
        let section = if self.section.is_empty() { key.to_owned() } else { format!("{}.{key}", self.section) };
        let table = match self.get(key) {
            None => None,
            Some(Value::Table(table)) => Some(table),
            Some(other) => {
                found.add(&self.section, key, format!("is {}, not a table", kind(other)), format!("write [{section}]"));
                None
            }
        };
        Self { table, section, asked: Vec::new() }
    }

    /// The tables of an array `[[key]]`.
    pub(crate) fn tables(&mut self, key: &'static str, found: &mut Findings<'_>) -> Vec<Self> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let tables: Option<Vec<&Table>> =
            value.as_array().and_then(|rows| rows.iter().map(Value::as_table).collect::<Option<_>>());
        let Some(tables) = tables else {
            found.add(
                &self.section,
                key,
                format!("is {}, not a list of tables", kind(value)),
                format!("write [[{key}]]"),
            );
            return Vec::new();
        };
        tables
            .into_iter()
            .map(|table| Self { table: Some(table), section: key.to_owned(), asked: Vec::new() })
            .collect()
    }

    pub(crate) fn text(&mut self, key: &'static str, found: &mut Findings<'_>) -> Option<&'t str> {
        let value = self.get(key)?;
        let text = value.as_str();
        if text.is_none() {
            found.add(&self.section, key, format!("is {}, not a text", kind(value)), "put it in quotes");
        }
        text
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required(&mut self, key: &'static str, example: &str, found: &mut Findings<'_>) -> &'t str {
        let before = found.problems.len();
        match self.text(key, found) {
            Some(text) if !text.trim().is_empty() => text.trim(),
            _ => {
                if before == found.problems.len() {
                    found.add(&self.section, key, "is missing", format!("write {key} = {example}"));
                }
                ""
            }
        }
    }

    /// One of a closed set of words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        found: &mut Findings<'_>,
    ) -> Option<T> {
        let text = self.text(key, found)?;
        let hit = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if hit.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            found.add(&self.section, key, format!("\"{text}\" is not known"), suggestion(text, &known));
        }
        hit
    }

    pub(crate) fn texts(&mut self, key: &'static str, found: &mut Findings<'_>) -> Vec<&'t str> {
        match self.get(key) {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one],
            Some(value) => {
                let list = value.as_array().and_then(|rows| rows.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
                list.unwrap_or_else(|| {
                    found.add(&self.section, key, format!("is {}, not a list of texts", kind(value)), "write [\"…\"]");
                    Vec::new()
                })
            }
        }
    }

    pub(crate) fn flag(&mut self, key: &'static str, found: &mut Findings<'_>) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Boolean(flag)) => *flag,
            Some(value) => {
                found.add(&self.section, key, format!("is {}, not true or false", kind(value)), "write true or false");
                false
            }
        }
    }

    /// A number within `range`; the default when absent.
    #[expect(clippy::cast_precision_loss, reason = "numbers in rule files are small")]
    pub(crate) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        range: std::ops::RangeInclusive<f64>,
        found: &mut Findings<'_>,
    ) -> f64 {
        let number = match self.get(key) {
            None => return default,
            Some(Value::Float(number)) => *number,
            Some(Value::Integer(number)) => *number as f64,
            Some(value) => {
                found.add(
                    &self.section,
                    key,
                    format!("is {}, not a number", kind(value)),
                    "write a number without quotes",
                );
                return default;
            }
        };
        if number.is_finite() && range.contains(&number) {
            return number;
        }
        let allowed = format!("write a number from {} to {}", range.start(), range.end());
        found.add(&self.section, key, format!("{number} is not possible"), allowed);
        default
    }

    /// A duration within `range` (ms); the default when absent.
    pub(crate) fn duration(
        &mut self,
        key: &'static str,
        default: i64,
        range: std::ops::RangeInclusive<i64>,
        found: &mut Findings<'_>,
    ) -> i64 {
        let Some(value) = self.get(key) else { return default };
        let example = format!("write a time from \"{}\" to \"{}\"", words(*range.start()), words(*range.end()));
        let Some(text) = value.as_str() else {
            found.add(&self.section, key, format!("is {}, a time needs its unit", kind(value)), example);
            return default;
        };
        match super::duration_ms(text) {
            Some(ms) if range.contains(&ms) => ms,
            Some(_) => {
                found.add(&self.section, key, format!("\"{text}\" is not possible"), example);
                default
            }
            None => {
                found.add(
                    &self.section,
                    key,
                    format!("\"{text}\" is no time"),
                    "write for example \"30s\", \"10min\", \"6h\" or \"3d\"",
                );
                default
            }
        }
    }

    /// Reports the keys nobody asked for.
    pub(crate) fn finish(self, found: &mut Findings<'_>) {
        for key in self.table.into_iter().flat_map(Table::keys) {
            if !self.asked.contains(&key.as_str()) {
                found.add(&self.section, key, "is not a key of this table", suggestion(key, &self.asked));
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// A duration as a person writes it.
pub(crate) fn words(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    UNITS
        .iter()
        .find(|(unit, _)| ms != 0 && ms % unit == 0)
        .map_or_else(|| format!("{ms}ms"), |(unit, name)| format!("{}{name}", ms / unit))
}
