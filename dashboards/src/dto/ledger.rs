//! The loss ledger with gaps and clocks: of a device by day, and of the district by device.

use super::common::{DeviceRef, SubjectRef};
use super::words::{Protocol, QuarantineReason};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which days.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LedgerQuery {
    /// `YYYY-MM-DD`, Beijing time; six days before `to` when left out.
    pub from: Option<String>,
    /// Today when left out.
    pub to: Option<String>,
}

/// Which days, of whom, in which order.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DistrictLedgerQuery {
    /// `YYYY-MM-DD`, Beijing time; today when left out.
    pub from: Option<String>,
    /// Today when left out.
    pub to: Option<String>,
    /// By what the worst come first; `gap` when left out.
    pub sort: Option<LedgerSort>,
    /// Devices of this vendor only.
    pub vendor: Option<String>,
    /// At most 200; 50 when left out.
    pub limit: Option<u32>,
    pub offset: Option<u32>,
}

/// What makes a device worse than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerSort {
    /// Time without expected data, our own outages apart.
    #[default]
    Gap,
    Quarantined,
    Refused,
    Duplicate,
    /// How far the clock is off.
    Clock,
}

/// How many records, and how each ended: `received = stored + revised + duplicate + quarantined`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct LedgerCounts {
    pub frames: u64,
    pub received: u64,
    pub stored: u64,
    pub revised: u64,
    pub duplicate: u64,
    pub quarantined: u64,
    pub quarantined_by: Vec<QuarantinedCount>,
    /// Frames that the edge did not take; they are in none of the others.
    pub refused: u64,
    pub balanced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct QuarantinedCount {
    pub reason: QuarantineReason,
    pub records: u64,
}

/// Time without expected data, in minutes, by event time: late data fill a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct LedgerGaps {
    /// Minutes in which data were due: from the device's first data to now.
    pub expected: u64,
    /// Of them without data, while we were there to receive them.
    pub missing: u64,
    /// Of them without data, while we were not: never the device's fault.
    pub ours: u64,
    /// The longest run of missing minutes.
    pub longest: u64,
}

/// Received − event time of live records. Positive: the device's clock is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerClock {
    pub median_ms: i64,
    pub min_ms: i64,
    pub max_ms: i64,
    pub records: u64,
    /// The offset is a whole number of hours: another time zone? 8 = it sends UTC where Beijing time is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_hours: Option<i64>,
}

/// One day of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerDay {
    /// `YYYY-MM-DD`, Beijing time.
    pub day: String,
    pub counts: LedgerCounts,
    /// Absent before the first data, and for devices that send events alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<LedgerGaps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<LedgerClock>,
}

/// The ledger of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeviceLedger {
    pub from: String,
    pub to: String,
    /// Seconds between two records, as the device's profile says.
    pub expected_interval_s: u32,
    /// Newest first.
    pub days: Vec<LedgerDay>,
}

/// The sum of the asked days of one device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LedgerRow {
    pub device: DeviceRef,
    pub protocol: Protocol,
    pub vendor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    pub counts: LedgerCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<LedgerGaps>,
    /// Of the day on which it was off the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<LedgerClock>,
}

/// The ledger of the district, worst first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DistrictLedger {
    pub from: String,
    pub to: String,
    /// Devices that were asked for, on all pages.
    pub total: u64,
    pub sum: LedgerCounts,
    /// Minutes of the asked days in which we could receive nothing.
    pub our_outage_minutes: u64,
    /// Vendors to choose from.
    pub vendors: Vec<String>,
    pub rows: Vec<LedgerRow>,
}
