//! What two versions of a rule do differently: comments, order and spelling aside, each setting with its old and new value.

use crate::definition::{CompiledRule, Kind, duration_ms};
use serde::Serialize;
use std::collections::BTreeMap;
use toml::Value;

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// As in the file: `parameters.window`.
    pub place: String,
    /// Empty: not there.
    pub old: String,
    /// Empty: not there.
    pub new: String,
    /// It changes which episodes there are; the others change their names, cases or basis.
    pub judges: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
        write!(f, "{}: {} → {}", self.place, word(&self.old), word(&self.new))
    }
}

/// Every setting that differs, by place; empty when the two do the same.
pub fn diff(old: &CompiledRule, new: &CompiledRule) -> Vec<Difference> {
    let (before, after) = (settings(old), settings(new));
    let mut places: Vec<&String> = before.keys().chain(after.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let of = |all: &BTreeMap<String, String>, place: &str| all.get(place).cloned().unwrap_or_default();
    let differs = |place: &&String| before.get(*place) != after.get(*place);
    let line = |place: &String| Difference {
        place: place.clone(),
        old: of(&before, place),
        new: of(&after, place),
        judges: !WORDS.iter().any(|word| place.starts_with(word)),
    };
    places.into_iter().filter(differs).map(line).collect()
}

fn settings(rule: &CompiledRule) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if let Ok(value) = Value::try_from(rule) {
        flatten("", &value, &mut all);
    }
    // Kinds of the table keep their parameters to themselves: their text tells them.
    if let Kind::Judged(judged) = &rule.kind {
        all.retain(|place, _| !place.starts_with("parameters"));
        if let Ok(table) = judged.text.parse::<toml::Table>() {
            for (key, value) in table.iter().filter(|(key, _)| !COMMON.contains(&key.as_str())) {
                flatten(key, value, &mut all);
            }
        }
    }
    all
}

fn flatten(place: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(fields) => {
            for (key, value) in fields {
                // The kind's own settings stand under `parameters` in the file.
                let place = match (place, key.as_str()) {
                    ("", "kind") if value.is_table() => "parameters".to_owned(),
                    ("parameters", "kind") => "kind".to_owned(),
                    ("", key) => key.to_owned(),
                    (place, key) => format!("{place}.{key}"),
                };
                flatten(&place, value, into);
            }
        }
        Value::Array(rows) if rows.iter().any(Value::is_table) => {
            for (number, row) in rows.iter().enumerate() {
                flatten(&format!("{place}[{}]", number + 1), row, into);
            }
        }
        Value::Array(rows) if rows.is_empty() => {}
        Value::Integer(ms) if place.ends_with("_ms") => {
            into.insert(place.trim_end_matches("_ms").to_owned(), duration(*ms));
        }
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => {
            into.insert(place.to_owned(), duration_ms(text).map_or_else(|| text.clone(), duration));
        }
        other => {
            into.insert(place.to_owned(), other.to_string());
        }
    }
}

/// In the largest unit that fits, as rule files write it.
pub fn duration(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let fits = units.into_iter().find(|(length, _)| ms != 0 && ms % length == 0);
    fits.map_or_else(
        || if ms == 0 { "0s".into() } else { format!("{ms}ms") },
        |(length, unit)| format!("{}{unit}", ms / length),
    )
}

/// What rules of every kind have.
const COMMON: [&str; 11] =
    ["code", "name_zh", "name_en", "class", "settle", "horizon", "observations_max", "demo", "scope", "case", "basis"];
/// Settings that change no episode.
const WORDS: [&str; 6] = ["name_zh", "name_en", "case", "basis", "demo", "settle"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    fn library() -> String {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library/rules/fume-exceedance.toml");
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn comments_and_order_are_no_difference_and_settings_are() {
        let text = library();
        let old = check(&text).unwrap();
        assert!(diff(&old, &check(&format!("# another comment\n{text}")).unwrap()).is_empty());
        let changed = text
            .replace("window = \"60min\"", "window = \"1h\"")
            .replace("clear_for = \"10min\"", "clear_for = \"20min\"");
        let changed = changed.replace("review_minutes = 480", "review_minutes = 240");
        let told: Vec<String> = diff(&old, &check(&changed).unwrap()).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["case.review_minutes: 480 → 240", "parameters.clear: 10min → 20min"]);
    }

    #[test]
    fn only_what_judges_changes_episodes() {
        let text = library();
        let new = check(&text.replace("name_en = \"Fume above the limit\"", "name_en = \"Fume\"")).unwrap();
        let told = diff(&check(&text).unwrap(), &new);
        assert_eq!(told.iter().map(|line| line.judges).collect::<Vec<_>>(), [false]);
    }
}
