//! Reads typed values out of a TOML table and collects every problem with its key, instead of stopping at the first.
//! Each key is taken once; what is left at the end is unknown and gets a problem of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use toml::{Table, Value};

/// One thing wrong with a configuration: `mqtt.listen: "x" is no address; write "127.0.0.1:1883"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) key: String,
    pub(crate) message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// A table that is being read.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(path: &str, table: Table, problems: &'a mut Vec<Problem>) -> Self {
        Self { path: path.to_owned(), table, known: Vec::new(), problems }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn problem(&mut self, key: &str, message: String) {
        let key = self.key(key);
        self.problems.push(Problem { key, message });
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// A table below this one; an absent one reads as empty. Reads it with `f` and closes it.
    pub(crate) fn section<T>(&mut self, key: &'static str, f: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.problem(key, format!("must be a table [{}], found {}", self.key(key), other.type_str()));
                Table::new()
            }
        };
        let path = self.key(key);
        let mut inner = Section::new(&path, table, self.problems);
        let value = f(&mut inner);
        inner.close();
        value
    }

    /// Each table of a list of tables `[[key]]`, under its name when it has one.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        most: usize,
        mut f: impl FnMut(&mut Section<'_>) -> T,
    ) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(Value::Array(items)) => {
                self.problem(key, format!("has {} entries, at most {most} are possible", items.len()));
                return Vec::new();
            }
            Some(other) => {
                self.problem(key, format!("must be tables [[{}]], found {}", self.key(key), other.type_str()));
                return Vec::new();
            }
        };
        let mut read = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let Value::Table(table) = item else {
                self.problem(key, format!("must be tables [[{}]]", self.key(key)));
                continue;
            };
            let path = match table.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
                Some(name) => format!("{}.{name}", self.key(key)),
                None => format!("{}[{index}]", self.key(key)),
            };
            let mut inner = Section::new(&path, table, self.problems);
            read.push(f(&mut inner));
            inner.close();
        }
        read
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            other => {
                self.problem(key, format!("must be text in quotes, found {}", other.type_str()));
                None
            }
        }
    }

    pub(crate) fn path(&mut self, key: &'static str, default: &str) -> PathBuf {
        self.text(key).map_or_else(|| PathBuf::from(default), PathBuf::from)
    }

    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Value::Boolean(value)) => value,
            Some(other) => {
                self.problem(key, format!("must be true or false, found {}", other.type_str()));
                default
            }
        }
    }

    /// A whole number within `range`.
    pub(crate) fn number(&mut self, key: &'static str, default: u64, range: std::ops::RangeInclusive<u64>) -> u64 {
        let found = match self.take(key) {
            None => return default,
            Some(Value::Integer(value)) => value,
            Some(other) => {
                self.problem(key, format!("must be a whole number, found {}", other.type_str()));
                return default;
            }
        };
        let Some(value) = u64::try_from(found).ok().filter(|value| range.contains(value)) else {
            self.problem(key, format!("must be from {} to {}, found {found}", range.start(), range.end()));
            return default;
        };
        value
    }

    /// A list of texts, each read as `T`; empty when it is not there.
    pub(crate) fn list<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, key: &'static str) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) if items.len() <= LIST_MAX => items,
            Some(Value::Array(items)) => {
                self.problem(key, format!("has {} entries, at most {LIST_MAX} are possible", items.len()));
                return Vec::new();
            }
            Some(other) => {
                self.problem(key, format!("must be a list in brackets, found {}", other.type_str()));
                return Vec::new();
            }
        };
        let mut read = Vec::new();
        for item in items {
            let Value::String(text) = &item else {
                self.problem(key, format!("must be a list of texts in quotes, found {}", item.type_str()));
                continue;
            };
            match text.trim().parse() {
                Ok(value) => read.push(value),
                Err(error) => self.problem(key, format!("{text:?} {error}")),
            }
        }
        read
    }

    /// An address to listen at; `"off"` switches the listener off.
    pub(crate) fn listen(&mut self, key: &'static str, default: &str) -> Option<SocketAddr> {
        self.address(key, default, default)
    }

    /// The address for TLS beside it; off when it is not there.
    pub(crate) fn tls_listen(&mut self, example: &str) -> Option<SocketAddr> {
        self.address("tls_listen", "off", example)
    }

    /// An address that is off when it is not there.
    pub(crate) fn optional_listen(&mut self, key: &'static str, example: &str) -> Option<SocketAddr> {
        self.address(key, "off", example)
    }

    /// An address that is off, or has a default.
    pub(crate) fn address(&mut self, key: &'static str, default: &str, example: &str) -> Option<SocketAddr> {
        let text = self.text(key).unwrap_or_else(|| default.to_owned());
        if text == "off" {
            return None;
        }
        let address = text.parse().ok();
        if address.is_none() {
            self.problem(key, format!("{text:?} is no address; write \"{example}\" or \"off\""));
        }
        address
    }

    pub(crate) fn one_of(
        &mut self,
        key: &'static str,
        default: &'static str,
        choices: &[&'static str],
    ) -> &'static str {
        let Some(text) = self.text(key) else { return default };
        let Some(choice) = choices.iter().find(|choice| **choice == text) else {
            self.problem(key, format!("{text:?} is not one of {}", choices.join(", ")));
            return default;
        };
        choice
    }

    /// A secret: from the file that `file_key` names, else from the variable `LANTIAN_<SECTION>_<KEY>`; never from here.
    pub(crate) fn secret(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        environment: &Environment,
    ) -> Option<String> {
        if self.take(key).is_some() {
            self.problem(key, format!("secrets do not stand in this file; write {file_key} = \"path\""));
        }
        let variable = format!("LANTIAN_{}", self.key(key).replace(['.', '-'], "_").to_uppercase());
        if let Some(path) = self.text(file_key) {
            return match std::fs::read_to_string(&path) {
                Ok(text) => Some(text.trim_end().to_owned()),
                Err(error) => {
                    self.problem(file_key, format!("cannot read {path:?}: {error}"));
                    None
                }
            };
        }
        (environment.0)(&variable)
    }

    pub(crate) fn require(&mut self, key: &str, present: bool, why: &str) {
        if !present {
            self.problem(key, format!("is missing: {why}"));
        }
    }

    /// Reports the keys nobody asked for.
    pub(crate) fn close(mut self) {
        let leftover: Vec<String> = self.table.keys().cloned().collect();
        for key in leftover {
            let near =
                self.known.iter().min_by_key(|known| distance(known, &key)).filter(|known| distance(known, &key) <= 3);
            let hint = near.map_or_else(
                || format!("known here: {}", self.known.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            self.problem(&key, format!("unknown key; {hint}"));
        }
    }
}

/// Entries of a list.
const LIST_MAX: usize = 64;

/// Where secrets may come from besides files; a function, so that tests do not touch the process's environment.
pub(crate) struct Environment(pub(crate) Lookup);

/// The value of a variable, if it is set.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

/// Edit distance of two short words.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut previous = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.chars().enumerate() {
            let (Some(&above), Some(&left)) = (row.get(j + 1), row.get(j)) else { continue };
            let value = (above + 1).min(left + 1).min(previous + usize::from(x != y));
            previous = above;
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = value;
            }
        }
    }
    row.last().copied().unwrap_or(0)
}
