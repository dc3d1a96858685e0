//! The registers of a test file: the same rows as in the files that `lantian apply` reads, with shorter devices. Objects refer
//! to each other by code; ids are given in the order of the file. A row with `known_at` is a revision in the middle of a test.

use super::Problem;
use super::read::{Places, span};
use model::facts::Facts;
use model::register::{Object, SubjectDetails};
use model::time::parse_rfc3339;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The rows of a file, in order.
#[derive(Debug, Default)]
pub(super) struct Registers {
    /// With the offset from the start of a test at which they become known; `None`: from the beginning.
    pub(super) rows: Vec<(Option<i64>, Object)>,
    ids: BTreeMap<(&'static str, String), i64>,
}

impl Registers {
    pub(super) fn id(&self, kind: &'static str, code: &str) -> Option<i64> {
        self.ids.get(&(kind, code.to_owned())).copied()
    }

    /// Codes of a kind, for suggestions.
    pub(super) fn codes(&self, kind: &'static str) -> Vec<&str> {
        self.ids.keys().filter(|(of, _)| *of == kind).map(|(_, code)| code.as_str()).collect()
    }

    /// Every table of the file but `test`, `start` and `about` is a list of rows.
    pub(super) fn read(root: &Table, places: &Places<'_>, problems: &mut Vec<Problem>) -> Self {
        let mut found = Self::default();
        let mut rows: Vec<(&str, usize, Table)> = Vec::new();
        for (kind, value) in root.iter().filter(|(kind, _)| !matches!(kind.as_str(), "test" | "start" | "about")) {
            let tables = value.as_array().and_then(|rows| rows.iter().map(Value::as_table).collect::<Option<Vec<_>>>());
            match tables {
                Some(tables) => {
                    rows.extend(tables.into_iter().enumerate().map(|(at, row)| (kind.as_str(), at, row.clone())));
                }
                None => problems.push(places.of_key(kind, "is not a list of rows", &format!("write [[{kind}]]"))),
            }
        }
        let mut shorts = Vec::new();
        for (kind, at, row) in &mut rows {
            if *kind == "device" {
                shorts.extend(short_device(row, *at));
            }
            complete(kind, row);
        }
        rows.extend(shorts);
        for (number, (kind, _, row)) in (1..).zip(&rows) {
            if let (Some(kind), Some(code)) = (own_kind(kind), row.get("code").and_then(Value::as_str)) {
                found.ids.insert((kind, code.to_owned()), number);
            }
        }
        // Profiles first: a device of a profile that comes later would be judged without it.
        rows.sort_by_key(|(kind, ..)| *kind != "profile");
        for (number, (kind, at, row)) in (1..).zip(rows) {
            let number = row
                .get("code")
                .and_then(Value::as_str)
                .and_then(|code| found.id(own_kind(kind)?, code))
                .unwrap_or(number);
            found.row(kind, at, number, row, places, problems);
        }
        found
    }

    fn row(
        &mut self,
        kind: &str,
        at: usize,
        number: i64,
        mut row: Table,
        places: &Places<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let place = |message: String, suggestion: &str| places.of_row(kind, at, message, suggestion);
        let known_at = match row.remove("known_at") {
            None => None,
            Some(value) => {
                let offset = value.as_str().and_then(span);
                if offset.is_none() {
                    problems.push(place("known_at is no time after the start".into(), "write known_at = \"30min\""));
                }
                offset
            }
        };
        let mut unknown = Vec::new();
        for (key, value) in &mut row {
            self.resolve(key, value, &mut unknown);
        }
        if let Some((what, code)) = unknown.into_iter().next() {
            let known = self.codes(what);
            problems.push(place(
                format!("there is no {what} \"{code}\" in this file"),
                &crate::definition::suggestion(&code, &known),
            ));
            return;
        }
        if !matches!(kind, "profile" | "calendar" | "rule") {
            row.insert("id".into(), Value::Integer(number));
        }
        match object(kind, &row) {
            Ok(object) => self.rows.push((known_at, object)),
            Err(error) => problems
                .push(place(error.message().to_owned(), "rows are written as in the files that `lantian apply` reads")),
        }
    }

    /// Codes become ids, times milliseconds.
    fn resolve(&self, key: &str, value: &mut Value, unknown: &mut Vec<(&'static str, String)>) {
        match value {
            Value::Datetime(time) => {
                if let Some(ms) = time_ms(&time.to_string()) {
                    *value = Value::Integer(ms);
                }
            }
            Value::String(text) => {
                if let Some(kind) = refers_to(key) {
                    match self.id(kind, text) {
                        Some(id) => *value = Value::Integer(id),
                        None => unknown.push((kind, text.clone())),
                    }
                } else if key.starts_with("valid_")
                    && let Some(ms) = time_ms(text)
                {
                    *value = Value::Integer(ms);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.resolve(key, item, unknown)),
            Value::Table(fields) => {
                for (key, value) in fields {
                    self.resolve(key, value, unknown);
                }
            }
            _ => {}
        }
    }
}

/// Whatever the kind: a name that is missing is the code, a beginning the beginning of time.
fn object(kind: &str, row: &Table) -> Result<Object, toml::de::Error> {
    let read = |row: &Table| {
        let mut object = Table::new();
        object.insert("object".into(), Value::String(kind.to_owned()));
        object.insert("row".into(), Value::Table(row.clone()));
        Value::Table(object).try_into::<Object>()
    };
    let mut filled = row.clone();
    for _ in 0..2 {
        let error = match read(&filled) {
            Ok(object) => return Ok(object),
            Err(error) => error.message().to_owned(),
        };
        if error.contains("missing field `name`") {
            filled.insert("name".into(), row.get("code").cloned().unwrap_or_else(|| Value::String(kind.to_owned())));
        } else if error.contains("missing field `valid_from`") {
            filled.insert("valid_from".into(), Value::Integer(0));
        }
    }
    read(&filled)
}

/// A date (midnight in Beijing), a local time (Beijing) or an RFC 3339 time.
pub fn time_ms(text: &str) -> Option<i64> {
    let text = text.trim().replace(' ', "T");
    parse_rfc3339(&text)
        .or_else(|| parse_rfc3339(&format!("{text}+08:00")))
        .or_else(|| parse_rfc3339(&format!("{text}:00+08:00")))
        .or_else(|| parse_rfc3339(&format!("{text}T00:00:00+08:00")))
}

fn own_kind(kind: &str) -> Option<&'static str> {
    ["office", "grid", "subject", "permit", "device"].into_iter().find(|known| *known == kind)
}

/// Keys that name another object.
fn refers_to(key: &str) -> Option<&'static str> {
    Some(match key {
        "subject" | "subjects" | "truck" | "trucks" | "site" | "sites" | "gate" | "disposal_site" => "subject",
        "device" | "devices" => "device",
        "grid" => "grid",
        "office" | "parent" => "office",
        "permit" => "permit",
        _ => return None,
    })
}

/// What a test need not write.
fn complete(kind: &str, row: &mut Table) {
    let code = row.get("code").cloned();
    let mut set = |key: &str, value: Option<Value>| {
        if let (false, Some(value)) = (row.contains_key(key), value) {
            row.insert(key.to_owned(), value);
        }
    };
    match kind {
        "subject" | "office" | "grid" | "profile" => set("name", code),
        "device" => set("identity", code),
        "limit" => set("standard", Some(Value::String("test".into()))),
        _ => {}
    }
    if matches!(kind, "limit" | "permit" | "installation") {
        set("valid_from", Some(Value::Integer(0)));
    }
}

/// `subject` and `interval` of a device stand for an installation and a profile.
fn short_device(row: &mut Table, at: usize) -> Vec<(&'static str, usize, Table)> {
    let mut made = Vec::new();
    let code = row.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(subject) = row.remove("subject") {
        let mut installation = Table::new();
        installation.insert("device".into(), Value::String(code.clone()));
        installation.insert("subject".into(), subject);
        installation.insert("valid_from".into(), Value::Integer(0));
        made.push(("installation", at, installation));
    }
    let interval = row.remove("interval");
    if !row.contains_key("profile") {
        let seconds = interval.as_ref().and_then(Value::as_str).and_then(span).unwrap_or(60_000) / 1_000;
        let mut profile = Table::new();
        profile.insert("code".into(), Value::String(code.clone()));
        profile.insert("name".into(), Value::String(code.clone()));
        profile.insert("protocol".into(), row.get("protocol").cloned().unwrap_or_else(|| Value::String("mqtt".into())));
        profile.insert("expected_interval_s".into(), Value::Integer(seconds));
        made.push(("profile", at, profile));
        row.insert("profile".into(), Value::String(code));
    }
    made
}

/// Code of a subject, its plate for a truck without one.
pub(super) fn subject_code(facts: &Facts, id: model::id::SubjectId) -> String {
    let Some(subject) = facts.subjects.get(&id) else { return id.to_string() };
    match &subject.details {
        SubjectDetails::Truck { plate, .. } if subject.code.is_empty() => plate.clone(),
        _ => subject.code.clone(),
    }
}
