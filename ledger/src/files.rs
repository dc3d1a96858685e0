//! The registers as TOML files: `apply` reads a folder, `export` writes one that applies back to no change.
//!
//! Any `*.toml` in the folder holds arrays of tables named by kind (`[[limit]]`, `[[device]]` …); objects refer to each
//! other by code. A file under a folder `rules` is one rule, its name is the rule's code; under `rules/off` it is switched
//! off. What is not in the files stays as it is.

use crate::error::{LedgerError, Problem};
use crate::object::{KINDS, all_of, label};
use crate::plan::Plan;
use crate::rows::{RawRow, to_fields};
use crate::store::{Author, Ledger};
use model::facts::Facts;
use model::register::Object;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

mod export;

pub use export::{Existing, Exported};

/// Checks a rule's text; the problems' file is filled in by the caller.
pub type RuleCheck<'a> = &'a (dyn Fn(&str) -> Vec<Problem> + Send + Sync);

const FILES_MAX: usize = 5_000;
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
const DEPTH_MAX: usize = 6;

impl Ledger {
    /// What applying the folder would do.
    pub async fn plan_dir(&self, dir: &Path, check: RuleCheck<'_>) -> Result<Plan, LedgerError> {
        let folder = dir.to_owned();
        let read = tokio::task::spawn_blocking(move || read_dir(&folder)).await;
        let files = read.map_err(|error| LedgerError::Corrupt("folder", error.to_string()))??;
        let facts = self.facts_now();
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        for (name, text) in &files {
            if Path::new(name).parent().is_some_and(|p| p.components().any(|c| c.as_os_str() == "rules")) {
                rows.push(read_rule(name, text, &facts, check, &mut problems));
            } else {
                read_file(name, text, &mut rows, &mut problems);
            }
        }
        Ok(self.plan(&rows, problems))
    }

    /// Applies the folder whole, or tells every problem and changes nothing.
    pub async fn apply_dir(&self, author: &Author, dir: &Path, check: RuleCheck<'_>) -> Result<Plan, LedgerError> {
        let plan = self.plan_dir(dir, check).await?;
        self.carry_out(author, &plan).await?;
        Ok(plan)
    }

    /// Writes all registers into the folder, which is made when missing. See [`export`] for what happens to files that are
    /// there already.
    pub async fn export_dir(&self, dir: &Path, existing: Existing) -> Result<Exported, LedgerError> {
        let facts = self.facts_now();
        let mut files = Vec::new();
        for kind in KINDS.into_iter().filter(|kind| *kind != "rule") {
            let rows: Vec<Map<String, Value>> = all_of(&facts, kind).iter().map(|o| to_fields(o, &facts)).collect();
            if !rows.is_empty() {
                let text = toml::to_string(&json!({ kind: rows }));
                let text = text.map_err(|error| LedgerError::Corrupt("register", error.to_string()))?;
                files.push((format!("{kind}s.toml"), text));
            }
        }
        for rule in facts.rules.values() {
            let folder = if rule.active { "rules" } else { "rules/off" };
            files.push((format!("{folder}/{}.toml", rule.code.replace('/', "_")), rule.text.clone()));
        }
        let dir = dir.to_owned();
        let written = tokio::task::spawn_blocking(move || export::write(&dir, &files, existing));
        written.await.map_err(|error| LedgerError::Corrupt("folder", error.to_string()))?
    }

    /// The name an object goes by in lists.
    pub fn name_of(&self, object: &Object) -> String {
        label(object, &self.facts_now())
    }
}

/// All `*.toml` under the folder by relative name, sorted.
fn read_dir(dir: &Path) -> Result<Vec<(String, String)>, LedgerError> {
    let mut paths = Vec::new();
    walk(dir, 0, &mut paths)?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let size = std::fs::metadata(&path).map_err(LedgerError::io("look at", &path))?.len();
        if size > FILE_BYTES_MAX {
            return Err(LedgerError::one(&path.display().to_string(), "is larger than 8 MiB; split it"));
        }
        let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        let bytes = std::fs::read(&path).map_err(LedgerError::io("read", &path))?;
        let text =
            String::from_utf8(bytes).map_err(|_place| LedgerError::one(&name, "is not UTF-8; save it as UTF-8"))?;
        files.push((name, text));
    }
    Ok(files)
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), LedgerError> {
    for entry in std::fs::read_dir(dir).map_err(LedgerError::io("read folder", dir))? {
        let path = entry.map_err(LedgerError::io("read folder", dir))?.path();
        if path.is_dir() && depth < DEPTH_MAX {
            walk(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") && !is_test(&path) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(LedgerError::one(&dir.display().to_string(), format!("more than {FILES_MAX} files")));
        }
    }
    Ok(())
}

/// `<code>.test.toml`: unit tests beside a rule, which are no registers.
fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".test.toml"))
}

fn read_rule(name: &str, text: &str, facts: &Facts, check: RuleCheck<'_>, problems: &mut Vec<Problem>) -> RawRow {
    let path = Path::new(name);
    let code = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let active = path.parent().is_none_or(|folder| !folder.ends_with("off"));
    if active {
        problems.extend(check(text).into_iter().map(|problem| Problem { file: name.to_owned(), ..problem }));
    }
    let old = facts.rules.get(&code);
    let same = old.is_some_and(|old| old.text == text && old.active == active);
    let version = old.map_or(1, |old| if same { old.version } else { old.version + 1 });
    let Value::Object(fields) = json!({ "code": code, "version": version, "text": text, "active": active }) else {
        return RawRow::default();
    };
    RawRow { kind: "rule", file: name.to_owned(), line: 1, fields, ..RawRow::default() }
}

fn read_file(name: &str, text: &str, rows: &mut Vec<RawRow>, problems: &mut Vec<Problem>) {
    let lines = &Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| lines.at(span.start));
        problems.push(Problem::new("", error.message()).in_file(name, line));
    }
    for (key, value) in table.get_ref() {
        let line = lines.at(key.span().start);
        let kind = KINDS.into_iter().find(|kind| *kind == key.get_ref().as_ref() && *kind != "rule");
        let Some(kind) = kind else {
            let known: Vec<String> = KINDS.iter().filter(|kind| **kind != "rule").map(|k| format!("[[{k}]]")).collect();
            let told =
                format!("is no kind of register; write one of {}; rules stand in the folder rules", known.join(", "));
            problems.push(Problem::new(key.get_ref().as_ref(), told).in_file(name, line));
            continue;
        };
        let DeValue::Array(items) = value.get_ref() else {
            problems.push(Problem::new(kind, format!("write [[{kind}]] in double brackets")).in_file(name, line));
            continue;
        };
        for item in items {
            let mut row =
                RawRow { kind, file: name.to_owned(), line: lines.at(item.span().start), ..RawRow::default() };
            match convert(lines, item, "", &mut row) {
                Value::Object(fields) => row.fields = fields,
                _ => problems.push(row.problem("", format!("write [[{kind}]] in double brackets"))),
            }
            rows.push(row);
        }
    }
}

/// TOML to JSON, noting the line of each field.
fn convert(lines: &Lines, value: &Spanned<DeValue<'_>>, path: &str, row: &mut RawRow) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, |number| json!(number))
        }
        DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().map_or(Value::Null, |n| json!(n)),
        DeValue::Boolean(on) => Value::Bool(*on),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => {
            let item = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
                let path = format!("{path}[{index}]");
                row.lines.insert(path.clone(), lines.at(item.span().start));
                convert(lines, item, &path, row)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        DeValue::Table(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                let key_text = key.get_ref().to_string();
                let path = if path.is_empty() { key_text.clone() } else { format!("{path}.{key_text}") };
                row.lines.insert(path.clone(), lines.at(key.span().start));
                out.insert(key_text, convert(lines, value, &path, row));
            }
            Value::Object(out)
        }
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The 1-based line of a byte.
    fn at(&self, offset: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
