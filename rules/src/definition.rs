//! A rule as a file: TOML in, [`CompiledRule`] out. [`check`] reports every problem at once, each with its place and what to
//! write instead; nothing here knows data. The shipped rules are in `config/library/rules/`.
//!
//! ```toml
//! code = "fume-exceedance"
//! name_zh = "油烟浓度超标"
//! name_en = "Fume above the limit"
//! kind = "exceedance"
//! class = "violation"
//! settle = "10min"        # journal time an alert must have stood before a case may be opened
//! horizon = "6h"          # how late data may come and still be judged
//! demo = false
//! [scope]
//! subject_kind = "restaurant"
//! [parameters]
//! quantity = "fume"
//! statistic = "mean"
//! unit = "mg/m3"
//! window = "60min"
//! [case]
//! category = "06027"
//! name = "油烟污染"
//! review_minutes = 480
//! severity = "normal"
//! [[basis]]
//! law = "中华人民共和国大气污染防治法"
//! article = "第一百一十八条"
//! ```

mod check;

pub(crate) mod design;
mod nearest;
pub(crate) mod reader;

use model::envelope::ProtocolKind;
use model::episode::EpisodeClass;
use model::quantity::Quantity;
use model::record::Statistic;
use model::unit::Unit;
use serde::{Deserialize, Serialize};

pub use check::{check, duration_ms};
pub use design::Judged;
pub(crate) use design::{KINDS, KindRow};
pub(crate) use nearest::suggestion;

/// One thing wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `line 7: parameters.window`, or the key alone.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead; empty when there is nothing better to say.
    pub suggestion: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if self.suggestion.is_empty() { Ok(()) } else { write!(f, " ({})", self.suggestion) }
    }
}

/// A rule that passed [`check`]. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompiledRule {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    pub class: EpisodeClass,
    /// Windows shortened for a demonstration; pages say 演示参数.
    pub demo: bool,
    pub scope: Scope,
    pub kind: Kind,
    /// Journal time from the raising until a case may be opened.
    pub settle_ms: i64,
    /// How late data may come, against the newest event time of its key, and still be judged.
    pub horizon_ms: i64,
    /// Bound of the observations kept per key; beyond it the oldest are no longer revisable (counted).
    pub observations_max: usize,
    pub case: Option<CaseSpec>,
    pub basis: Vec<Basis>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// `restaurant`, `site`, `gate`, `disposal_site`, `truck`; `None`: all.
    pub subject_kinds: Vec<String>,
    /// Codes of device profiles; empty: all.
    pub profiles: Vec<String>,
    pub protocols: Vec<ProtocolKind>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Kind {
    Exceedance(Exceedance),
    Offline(Offline),
    OffRoute(OffRoute),
    /// Of the table of kinds that are judged over a group's log.
    Judged(Judged),
}

impl Kind {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exceedance(_) => "exceedance",
            Self::Offline(_) => "offline",
            Self::OffRoute(_) => "off_route",
            Self::Judged(judged) => judged.code,
        }
    }
}

/// Mean over a sliding window above the limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exceedance {
    pub quantity: Quantity,
    /// The statistic it reads, and other ones for devices of some protocols.
    pub statistic: Statistic,
    pub statistic_of: Vec<(ProtocolKind, Statistic)>,
    pub unit: Unit,
    pub window_ms: i64,
    /// `None`: the expected interval of the device's profile.
    pub interval_ms: Option<i64>,
    pub valid_share_min: f64,
    /// The mean must stay above the limit so long.
    pub for_ms: i64,
    /// The mean must come down to `clear_factor` × limit …
    pub clear_factor: f64,
    /// … and stay there so long.
    pub clear_ms: i64,
    /// The limit rows' standard; empty: any.
    pub standard: String,
    /// The region whose rows apply; empty: those of the subject's grid code, and rows for any region.
    pub region: String,
    /// Values count only while this quantity of the same record, if it is there, is at least so much.
    pub only_while: Option<(Quantity, f64)>,
    /// The law compares a converted value and this rule reads the raw one; pages say so.
    pub not_converted: bool,
}

/// No contact, or no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offline {
    pub judge: Absence,
    pub longer_than_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// No sign of life at all.
    Silence,
    /// No data for a period, whether or not the device was in contact.
    Gap,
}

/// Distance to the permitted corridor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OffRoute {
    /// Out is farther from the line than half the corridor's width plus this.
    pub margin_m: f64,
    pub for_ms: i64,
    pub fixes_min: u32,
    /// Back within half the width for so long ends it.
    pub clear_ms: i64,
    /// Two fixes farther apart in time say nothing of the way between them.
    pub gap_ms: i64,
    /// A fix that would need a higher speed is a jump.
    pub speed_max_kmh: f64,
}

/// The case an episode opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseSpec {
    pub category: String,
    pub name: String,
    pub is_local_extension: bool,
    /// Review deadline in minutes of working time.
    pub review_minutes: u32,
    pub severity: Severity,
    /// The episode must have lasted so long before a case is opened.
    pub after_ms: i64,
    /// Cases a local day; more are counted and shown, not opened.
    pub per_day_max: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Normal,
    High,
    Urgent,
}

/// The article a rule rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    pub law: String,
    #[serde(default)]
    pub article: String,
    /// What the article says about it, in one sentence.
    #[serde(default)]
    pub text: String,
    /// How sure the source is: `found`, `found_weak`, `remembered`, `default`.
    #[serde(default)]
    pub mark: String,
}
