//! Kinds of rules that are judged over a group's log: what a rule file's text becomes, and the table of those kinds. The
//! judging itself is behind [`crate::engine::judge`].

use super::reader::{Findings, Reader};
use crate::engine::geo::{dark, gate, truck};
use crate::engine::judge::{Judge, Key, Reads};
use serde::ser::SerializeStruct;
use std::sync::Arc;

/// The compiled parameters of a rule of one kind.
pub(crate) trait Design: std::fmt::Debug + Send + Sync {
    fn key(&self) -> Key;

    fn reads(&self) -> Reads;

    /// How far back it looks; it has to lie within the horizon. Long memories that forget nothing (a baseline of days)
    /// are not meant.
    fn lookback_ms(&self) -> i64;

    /// The unit of its episodes' extreme and threshold, as pages write it; empty: none.
    fn unit(&self) -> &str;

    /// What it does in one sentence, Chinese, without a full stop.
    fn sentence(&self) -> String;

    /// The quantity to draw beside an alert: its code.
    fn quantity(&self) -> Option<&'static str> {
        None
    }

    /// A judge without history. `version` is that of the rule.
    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge>;
}

/// A row of the table of kinds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KindRow {
    /// `kind = "…"`.
    pub(crate) code: &'static str,
    /// Reads what the kind has of its own from the rule's root table (and no key twice); problems go into the findings.
    pub(crate) read: fn(&mut Reader<'_>, &mut Findings<'_>) -> Option<Arc<dyn Design>>,
}

/// Every kind that is judged over a group's log.
pub(crate) const KINDS: &[KindRow] = &[
    truck::OVERSPEED,
    truck::LONG_STOP,
    truck::BED_LIFTED,
    truck::UNCOVERED,
    truck::OUTSIDE_WINDOW,
    truck::WRONG_DUMP,
    truck::NO_GO,
    truck::GPS_JUMP,
    truck::GPS_JAMMING,
    dark::OFFLINE_MOVING,
    gate::NOT_WASHED,
    gate::WASH_TOO_SHORT,
    gate::UNLICENSED,
];

/// A rule of a kind of the table.
#[derive(Debug, Clone)]
pub struct Judged {
    pub(crate) code: &'static str,
    pub(crate) design: Arc<dyn Design>,
    /// The text it was made of, without comments: two rules are the same when their texts are.
    pub(crate) text: String,
}

impl Judged {
    /// See [`Design::unit`].
    pub fn unit(&self) -> &str {
        self.design.unit()
    }

    /// See [`Design::sentence`].
    pub fn sentence(&self) -> String {
        self.design.sentence()
    }

    /// See [`Design::quantity`].
    pub fn quantity(&self) -> Option<&'static str> {
        self.design.quantity()
    }

    /// See [`Design::reads`].
    pub(crate) fn reads(&self) -> Reads {
        self.design.reads()
    }

    /// By what its observations are put together.
    pub fn key(&self) -> Key {
        self.design.key()
    }
}

impl PartialEq for Judged {
    fn eq(&self, other: &Self) -> bool {
        (self.code, &self.text) == (other.code, &other.text)
    }
}

impl serde::Serialize for Judged {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Judged", 4)?;
        row.serialize_field("code", self.code)?;
        row.serialize_field("key", &self.key())?;
        row.serialize_field("unit", self.unit())?;
        row.serialize_field("sentence", &self.sentence())?;
        row.end()
    }
}
