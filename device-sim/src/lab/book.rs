//! What the lab writes down of one device: frames counted, evidence for each check, and what was wrong, with clause and byte.
//! Bounded: a fault that comes again is counted, not written again.

use super::catalogue::{Check, checks};
use protocol::explain::{Explanation, Label, Trouble};
use serde::Serialize;
use std::collections::BTreeMap;

/// Different faults kept of one device.
const FINDINGS_MAX: usize = 400;
/// Characters of a detail.
const DETAIL_CHARS_MAX: usize = 200;

/// The four protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Hj212,
    Jt808,
    Mqtt,
    Modbus,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::Hj212, Self::Jt808, Self::Mqtt, Self::Modbus];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hj212 => "HJ 212",
            Self::Jt808 => "JT/T 808",
            Self::Mqtt => "MQTT",
            Self::Modbus => "Modbus",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Hj212 => "hj212",
            Self::Jt808 => "jt808",
            Self::Mqtt => "mqtt",
            Self::Modbus => "modbus",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.word() == word)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The check fails by it.
    Must,
    /// To be mended; the check does not fail by it.
    Should,
}

/// Something the device did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check it belongs to.
    pub check: &'static str,
    /// Stable name.
    pub code: &'static str,
    pub text: Label,
    /// What to do about it, where there is a word on it.
    pub advice: Option<Label>,
    pub detail: String,
    pub clause: &'static str,
    /// Offset and length in the frame as on the wire (JT/T 808: un-escaped).
    pub place: Option<(usize, usize)>,
    /// The first frame it was seen in, counted from 1; 0: none in particular.
    pub frame: u64,
    pub weight: Weight,
    pub times: u64,
}

impl Finding {
    /// A fault that no frame's bytes show.
    pub fn new(check: &'static str, code: &'static str, zh: &'static str, en: &'static str) -> Self {
        Self {
            check,
            code,
            text: Label { zh, en },
            advice: None,
            detail: String::new(),
            clause: "",
            place: None,
            frame: 0,
            weight: Weight::Must,
            times: 1,
        }
    }

    /// What the explainer found, put under a check.
    pub fn of_trouble(check: &'static str, place: Option<(usize, usize)>, trouble: &Trouble, weight: Weight) -> Self {
        Self {
            place,
            weight,
            ..Self::new(check, trouble.code, trouble.text.zh, trouble.text.en).detail(trouble.detail.clone())
        }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into().chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
        self
    }

    #[must_use]
    pub const fn should(mut self) -> Self {
        self.weight = Weight::Should;
        self
    }

    #[must_use]
    pub const fn at(mut self, place: Option<(usize, usize)>) -> Self {
        self.place = place;
        self
    }

    #[must_use]
    pub const fn advise(mut self, zh: &'static str, en: &'static str) -> Self {
        self.advice = Some(Label { zh, en });
        self
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pass,
    NotSeen,
    Fail,
}

/// The book of one device.
#[derive(Debug)]
pub struct Book {
    pub protocol: Protocol,
    pub identity: String,
    /// Edition, as its frames say.
    pub standard: &'static str,
    pub connections: u64,
    pub frames_up: u64,
    pub frames_down: u64,
    /// Times that a check's promise was seen to be kept.
    kept: BTreeMap<&'static str, u64>,
    /// A few words on how a check went.
    notes: BTreeMap<&'static str, Label2>,
    findings: Vec<Finding>,
    dropped: u64,
}

/// A word in both languages that is made while running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label2 {
    pub zh: String,
    pub en: String,
}

impl Book {
    pub fn new(protocol: Protocol, identity: &str) -> Self {
        Self {
            protocol,
            identity: identity.chars().filter(|c| !c.is_control()).take(64).collect(),
            standard: protocol.name(),
            connections: 0,
            frames_up: 0,
            frames_down: 0,
            kept: BTreeMap::new(),
            notes: BTreeMap::new(),
            findings: Vec::new(),
            dropped: 0,
        }
    }

    /// The promise of a check was kept once more.
    pub fn kept(&mut self, check: &'static str) {
        *self.kept.entry(check).or_default() += 1;
    }

    pub fn times_kept(&self, check: &str) -> u64 {
        self.kept.get(check).copied().unwrap_or(0)
    }

    pub fn note(&mut self, check: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.notes.insert(check, Label2 { zh: zh.into(), en: en.into() });
    }

    pub fn note_of(&self, check: &str) -> Option<&Label2> {
        self.notes.get(check)
    }

    /// Writes a finding of the frame at hand; one of the same check and code is counted. The clause is the check's unless
    /// the finding has one. True: it is new.
    pub fn found(&mut self, mut finding: Finding) -> bool {
        if finding.clause.is_empty() {
            finding.clause =
                checks(self.protocol).iter().find(|check| check.id == finding.check).map_or("", |c| c.clause);
        }
        if let Some(known) =
            self.findings.iter_mut().find(|known| known.check == finding.check && known.code == finding.code)
        {
            known.times += 1;
            return false;
        }
        if self.findings.len() >= FINDINGS_MAX {
            self.dropped += 1;
            return false;
        }
        if finding.frame == 0 && finding.place.is_some() {
            finding.frame = self.frames_up;
        }
        self.findings.push(finding);
        true
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Findings that were no longer written.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn status(&self, check: &str) -> Status {
        let failed = self.findings.iter().any(|finding| finding.check == check && finding.weight == Weight::Must);
        match (failed, self.times_kept(check)) {
            (true, _) => Status::Fail,
            (false, 0) => Status::NotSeen,
            (false, _) => Status::Pass,
        }
    }

    /// The worst: a failed check, then one that had to be seen and was not.
    pub fn result(&self) -> Status {
        let mut result = Status::Pass;
        for check in checks(self.protocol) {
            match self.status(check.id) {
                Status::Fail => return Status::Fail,
                Status::NotSeen if check.needed => result = Status::NotSeen,
                _ => {}
            }
        }
        result
    }

    pub fn checks(&self) -> impl Iterator<Item = (&'static Check, Status)> + '_ {
        checks(self.protocol).iter().map(|check| (check, self.status(check.id)))
    }
}

/// Where a named field of an explanation lies.
pub fn place_of(explanation: &Explanation, name: &str) -> Option<(usize, usize)> {
    explanation.spans.iter().find(|span| span.name == name).map(|span| (span.at, span.len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fails_by_a_must_alone_and_is_not_seen_without_evidence() {
        let mut book = Book::new(Protocol::Hj212, "LT1");
        assert_eq!(book.status("check"), Status::NotSeen);
        book.kept("check");
        assert_eq!(book.status("check"), Status::Pass);
        book.found(Finding::new("check", "check_lower_case", "小写", "lower case").should());
        assert_eq!(book.status("check"), Status::Pass);
        book.found(Finding::new("check", "check_wrong", "校验错误", "wrong"));
        assert_eq!((book.status("check"), book.result()), (Status::Fail, Status::Fail));
    }

    #[test]
    fn a_fault_that_comes_again_is_counted_and_the_book_is_bounded() {
        let mut book = Book::new(Protocol::Hj212, "LT1");
        for _ in 0..1_000 {
            book.found(Finding::new("check", "check_wrong", "", ""));
        }
        assert_eq!((book.findings().len(), book.findings()[0].times), (1, 1_000));
    }
}
