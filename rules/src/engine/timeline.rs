//! The versions of one rule. A version judges the event times from its activation on, so that data that comes late is judged
//! by the version that was live when it happened; the first version also judges everything before it.
//!
//! An episode pins the version that was live at its start: class, settle time, case and wording are that version's, whatever
//! becomes live later. What lasts over an activation goes on under its id, and its readings from then on are measured by the
//! terms of the new version. Late data that moves a start over an activation moves the pin with it, so that the set of
//! episodes does not depend on the order of arrival.

use super::codec::{Reader, Writer};
use crate::definition::{CompiledRule, Kind, check};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    pub(crate) from: i64,
    pub(crate) number: u32,
    pub(crate) active: bool,
    pub(crate) rule: Arc<CompiledRule>,
    /// Since when observations are of the same quantity and statistic as this version's.
    pub(crate) alike_from: i64,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timeline {
    pub(crate) code: String,
    /// Never empty, ordered by `from`.
    versions: Vec<Version>,
}

impl Timeline {
    /// `None` when the text does not compile; the ledger refuses such texts before they get here.
    pub(crate) fn new(code: &str, number: u32, active: bool, text: &str, from: i64) -> Option<Self> {
        Some(Self { code: code.to_owned(), versions: vec![version(number, active, text, from)?] })
    }

    /// Adds a version; false when it does not compile or is of another kind, which needs a code of its own.
    pub(crate) fn add(&mut self, number: u32, active: bool, text: &str, from: i64) -> bool {
        let Some(version) = version(number, active, text, from) else { return false };
        let same = version.rule.kind.code() == self.newest().rule.kind.code();
        if !same || self.versions.iter().any(|known| known.number == number) {
            return false;
        }
        self.versions.push(version);
        self.versions.sort_by_key(|version| (version.from, version.number));
        if self.versions.len() > VERSIONS_MAX {
            self.versions.remove(0);
        }
        self.mark_alike();
        true
    }

    pub(crate) fn newest(&self) -> &Version {
        self.versions.last().expect("a timeline has at least one version")
    }

    /// The version that judges event time `at`.
    pub(crate) fn at(&self, at: i64) -> &Version {
        let newest = self.newest();
        if newest.from <= at || self.versions.len() == 1 {
            return newest;
        }
        let later = self.versions.partition_point(|version| version.from <= at);
        self.versions.get(later.saturating_sub(1)).unwrap_or(newest)
    }

    /// The version of that number; the oldest kept one stands for those before it.
    pub(crate) fn numbered(&self, number: u32) -> &Version {
        let found = self.versions.iter().find(|version| version.number == number);
        found.or_else(|| self.versions.first()).unwrap_or_else(|| self.newest())
    }

    pub(crate) fn versions(&self) -> &[Version] {
        &self.versions
    }

    fn mark_alike(&mut self) {
        let mut before: Option<(Arc<CompiledRule>, i64)> = None;
        for version in &mut self.versions {
            version.alike_from = match &before {
                Some((rule, from)) if observes_alike(rule, &version.rule) => *from,
                Some(_) => version.from,
                None => i64::MIN,
            };
            before = Some((Arc::clone(&version.rule), version.alike_from));
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.code);
        w.unsigned(self.versions.len() as u64);
        for version in &self.versions {
            w.signed(version.from);
            w.unsigned(u64::from(version.number));
            w.flag(version.active);
            w.text(&version.text);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let code = r.text()?.to_owned();
        let count = r.count()?;
        let mut versions = Vec::new();
        for _ in 0..count {
            let (from, number, active) = (r.signed()?, r.small()?, r.flag()?);
            versions.push(version(number, active, r.text()?, from)?);
        }
        let mut timeline = Self { code, versions };
        timeline.mark_alike();
        (!timeline.versions.is_empty()).then_some(timeline)
    }
}

fn version(number: u32, active: bool, text: &str, from: i64) -> Option<Version> {
    let rule = Arc::new(check(text).ok()?);
    Some(Version { from, number, active, rule, alike_from: i64::MIN, text: text.to_owned() })
}

fn observes_alike(a: &CompiledRule, b: &CompiledRule) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Exceedance(a), Kind::Exceedance(b)) => {
            (a.quantity, a.statistic) == (b.quantity, b.statistic) && a.statistic_of == b.statistic_of
        }
        _ => true,
    }
}

/// Versions kept; the oldest kept one also stands for those before it.
const VERSIONS_MAX: usize = 8;
