//! Ids as newtypes, so that two of them cannot be swapped by accident. All are positive `i64`, given out by the ledger
//! (or, for episodes and cases, by the engine in journal order) and never reused.

use serde::{Deserialize, Serialize};

macro_rules! id_type {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }
    )*};
}

id_type! {
    /// A device (设备) in the register.
    DeviceId;
    /// A supervised subject (监管对象): restaurant, site, gate, truck or disposal site; one number space for all kinds.
    SubjectId;
    /// A grid cell (单元网格).
    GridId;
    /// An office (机构): bureau, squadron, sub-district office.
    OfficeId;
    /// A permit (准运证 and its kin).
    PermitId;
    /// A row of the limits table.
    LimitId;
    /// An installation row: device ↔ subject over a span of time.
    InstallationId;
    /// An area of the map (区域): no-go zone, parking, temporary dump, speed zone, transfer station, sensitive area.
    AreaId;
    /// A pollution notice (重污染天气预警 or control order).
    NoticeId;
    /// A night work permit (夜间施工证明).
    NightPermitId;
    /// A cleaning record (清洗记录).
    CleaningId;
    /// A manifest (联单).
    ManifestId;
    /// A maintenance window.
    MaintenanceId;
    /// A schedule of open hours and meal peaks.
    ScheduleId;
    /// A background station's row.
    BackgroundId;
    /// An authenticated channel.
    PrincipalId;
    /// A command to a device.
    CommandId;
    /// A person with an account.
    UserId;
    /// An alert (告警); one per episode.
    AlertId;
    /// A case (案件).
    CaseId;
    /// An episode of a rule on a subject. Given when first raised, in journal order.
    EpisodeId;
}
