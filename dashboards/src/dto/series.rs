//! A measured series for a chart: at most 2,000 points, every extreme kept, gaps shown as gaps, with the limit rows valid
//! over the span, "data as of" and "not judged, because …".

use super::common::{DeviceRef, Time};
use super::registers::LimitRow;
use super::words::{Flag, OutageKind, RecordKind, Statistic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SeriesQuery {
    /// A quantity's code.
    pub quantity: String,
    /// Default `instant`.
    pub kind: Option<RecordKind>,
    /// Default: `instant` for instants, `mean` for periods.
    pub statistic: Option<Statistic>,
    pub from: Time,
    /// Default now.
    pub to: Option<Time>,
    /// 10–2000, default 2000.
    pub points: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Series {
    pub device: DeviceRef,
    pub quantity: String,
    pub kind: RecordKind,
    pub statistic: Statistic,
    pub unit: String,
    pub from: Time,
    pub to: Time,
    /// Event time of each point, UTC milliseconds.
    pub t: Vec<i64>,
    /// As many; null breaks the line (a gap starts).
    pub v: Vec<Option<f64>>,
    /// Stretches whose values are not `normal`; what is not listed is.
    pub flags: Vec<FlagSpan>,
    pub gaps: Vec<Gap>,
    /// The limit rows valid over the span for the subject measured.
    pub limits: Vec<LimitLine>,
    pub not_judged: Vec<NotJudged>,
    /// Journal time up to which the series is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_as_of: Option<Time>,
    /// Points before downsampling.
    pub total: u64,
    pub downsampled: bool,
    /// The span was longer than can be read at once; `from` is where it begins.
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FlagSpan {
    pub from: Time,
    pub to: Time,
    pub flag: Flag,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    pub from: Time,
    pub to: Time,
    /// Set when we were the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<OutageKind>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LimitLine {
    /// Cut to the span.
    pub from: Time,
    pub to: Time,
    /// In the series' unit.
    pub value: f64,
    pub limit: LimitRow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotJudged {
    pub from: Time,
    pub to: Time,
    /// `not_installed`, `no_limit`, `not_converted`, `flagged`, `our_outage`, `no_data`, `no_rule`, `not_yet_settled`.
    pub because: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
