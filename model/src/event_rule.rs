//! How a camera's events become events of ours: rows of a device profile, since makers name topics and items as they like.
//!
//! ```toml
//! [[profile.events]]
//! topic = "RuleEngine/Recognition/LicensePlate"
//! event = "vehicle_exit"
//! when = [{ item = "Direction", is = ["leave", "out"] }]
//! plate = "PlateNumber"
//! pictures = ["PictureUri"]
//! attributes = [{ item = "CoverState", name = "covered", yes = ["closed"], no = ["open", "partial"] }]
//! ```

use serde::{Deserialize, Serialize};

/// One row; of several that fit, the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// Without namespace prefixes and sources; with `/*` at the end any topic below.
    pub topic: String,
    /// `vehicle_exit`, `wash` …
    pub event: String,
    /// All must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<EventCondition>,
    /// The item that holds the number plate; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plate: String,
    /// Items that hold an address or hash of a picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<EventAttribute>,
}

/// An item that has one of these values, compared as text without case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCondition {
    pub item: String,
    pub is: Vec<String>,
}

/// An item that becomes an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventAttribute {
    pub item: String,
    /// `covered`, `washed` …
    pub name: String,
    /// Values that become `true` and `false`; any other stays as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub yes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no: Vec<String>,
}

impl EventRule {
    /// Whether the rule is for a topic, of which it has no say in the items yet.
    pub fn is_for(&self, topic: &str) -> bool {
        match self.topic.strip_suffix("/*") {
            Some(above) => topic.strip_prefix(above).is_some_and(|below| below.starts_with('/')),
            None => self.topic == topic,
        }
    }
}

impl EventCondition {
    pub fn holds(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| is_one_of(value, &self.is))
    }
}

impl EventAttribute {
    /// What a value becomes.
    pub fn told<'a>(&self, value: &'a str) -> &'a str {
        match (is_one_of(value, &self.yes), is_one_of(value, &self.no)) {
            (true, _) => "true",
            (false, true) => "false",
            (false, false) => value,
        }
    }
}

fn is_one_of(value: &str, words: &[String]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_conditions_and_words_are_compared_as_the_rows_say() {
        let rule = |topic: &str| EventRule {
            topic: topic.into(),
            event: "wash".into(),
            when: Vec::new(),
            plate: String::new(),
            pictures: Vec::new(),
            attributes: Vec::new(),
        };
        assert!(rule("a/b").is_for("a/b") && !rule("a/b").is_for("a/b/c"));
        assert!(rule("a/*").is_for("a/b/c") && !rule("a/*").is_for("ab/c") && !rule("a/*").is_for("a"));
        let condition = EventCondition { item: "d".into(), is: vec!["Out".into()] };
        assert!(condition.holds(Some(" out ")) && !condition.holds(Some("in")) && !condition.holds(None));
        let cover =
            EventAttribute { item: "c".into(), name: "covered".into(), yes: vec!["1".into()], no: vec!["0".into()] };
        assert_eq!(["1", "0", "2"].map(|value| cover.told(value)), ["true", "false", "2"]);
    }
}
