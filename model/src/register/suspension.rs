//! Spans in which a permit did not hold, by event time.

use super::Permit;
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// A permit does not hold from `from` until `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    pub from: EventTime,
    /// None until it is lifted.
    #[serde(default)]
    pub to: Option<EventTime>,
    #[serde(default)]
    pub why: String,
}

impl Permit {
    /// Between its two ends, suspended or not.
    pub fn is_valid(&self, at: EventTime) -> bool {
        self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }

    /// Whether it was suspended at the event time.
    pub fn is_suspended(&self, at: EventTime) -> bool {
        self.suspended || self.suspension_at(at).is_some()
    }

    /// The dated suspension that held at the event time.
    pub fn suspension_at(&self, at: EventTime) -> Option<&Suspension> {
        self.suspensions.iter().find(|one| one.from <= at && one.to.is_none_or(|end| at < end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(more: &str) -> Permit {
        let row = format!(
            r#"{{"id": 1, "code": "p", "trucks": [1], "corridor": [], "corridor_half_width_m": 50.0, "valid_from": 0{more}}}"#
        );
        serde_json::from_str(&row).unwrap()
    }

    #[test]
    fn a_permit_is_suspended_as_of_event_time() {
        let permit = permit(r#", "suspensions": [{"from": 10, "to": 20, "why": "预警"}, {"from": 30}]"#);
        let suspended = [9, 10, 19, 20, 29, 30, 9_999].map(|ms| permit.is_suspended(EventTime(ms)));
        assert_eq!(suspended, [false, true, true, false, false, true, true]);
        assert_eq!(permit.suspension_at(EventTime(15)).map(|one| one.why.as_str()), Some("预警"));
    }

    #[test]
    fn a_permit_of_an_old_journal_reads_and_writes_as_it_did() {
        let old = permit(r#", "suspended": true"#);
        assert!(old.is_suspended(EventTime(5)) && old.suspensions.is_empty());
        let text = serde_json::to_string(&old).unwrap();
        assert!(!text.contains("suspensions"), "{text}");
    }
}
