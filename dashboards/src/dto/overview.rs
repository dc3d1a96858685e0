//! "What needs me now": one call for the first page.

use super::alerts::{AlertRow, Severity};
use super::cases::{CaseCount, CaseRow};
use super::common::{DeviceRef, SubjectRef, Time};
use super::devices::PresenceCount;
use super::health::{Health, OutageRow};
use super::words::SubjectKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Overview {
    pub at: Time,
    pub kpi: Kpi,
    /// Worst and oldest first, at most 20.
    pub worst_alerts: Vec<AlertRow>,
    /// Longest silent first, at most 20.
    pub silent: Vec<SilentDevice>,
    /// Next to its deadline first, at most 20.
    pub due_cases: Vec<CaseRow>,
    pub health: Health,
    /// Our own, of the last 24 hours.
    pub outages: Vec<OutageRow>,
}

/// The numbers that the live topic `kpi` refreshes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Kpi {
    pub alerts: Vec<SeverityCount>,
    pub cases: Vec<CaseCount>,
    pub presence: Vec<PresenceCount>,
    pub subjects: Vec<KindCount>,
    pub quarantine_waiting: u64,
    pub records_today: u64,
    pub records_per_s: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeverityCount {
    pub severity: Severity,
    /// Not acknowledged.
    pub open: u64,
    pub acknowledged: u64,
    /// When the oldest open one was raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindCount {
    pub kind: SubjectKind,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SilentDevice {
    pub device: DeviceRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<Time>,
    pub silent_s: u64,
}
