//! The closed words of the API: mirrors of the model's enums with schemas, so that a new variant there does not compile
//! until it has a word here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident = $model:path { $($variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),+ }

        impl From<$model> for $name {
            fn from(word: $model) -> Self {
                use $model as Source;
                match word { $(Source::$variant => Self::$variant),+ }
            }
        }

        impl From<$name> for $model {
            fn from(word: $name) -> Self {
                use $model as Target;
                match word { $($name::$variant => Target::$variant),+ }
            }
        }
    )+};
}
pub(crate) use mirror;

mirror! {
    /// Wire protocol of a device.
    Protocol = model::envelope::ProtocolKind { Mqtt, Hj212, Jt808, Modbus }
    /// Where a case stands: 登记 核实 立案 派遣 处置 结案 不予立案 作废.
    CaseState = model::case::CaseState { Registered, Verifying, Filed, Dispatched, Handled, Closed, Rejected, Voided }
    /// A move of a case.
    CaseMove = model::case::CaseMove { Verify, File, Reject, Dispatch, Return, Handle, Rework, Close, Void }
    /// 违规, 设备故障, 数据存疑: never mixed up.
    EpisodeClass = model::episode::EpisodeClass { Violation, DeviceFault, DoubtfulData }
    /// How a record ended.
    Verdict = model::verdict::Verdict { Stored, Revised, Duplicate, Quarantined }
    /// Why an acknowledged record was not stored.
    QuarantineReason = model::verdict::QuarantineReason {
        NotUnderstood, NoTime, FarFuture, FarPast, NoUsableValue, NoProfile, UnitMismatch, ForeignDevice, Incomplete,
        Doubtful
    }
    /// Why a frame was not taken.
    RefusalReason = model::verdict::RefusalReason {
        CheckBad, LengthBad, Malformed, Oversize, NotAuthenticated, NotGranted, Unanswered
    }
    /// Which statistic of its period a value is.
    Statistic = model::record::Statistic { Instant, Mean, Min, Max, Total }
    /// What a record is about.
    RecordKind = model::record::RecordKind { Instant, Minute, Hour, Day, Position, State, Event }
    /// How far a value may be trusted; only `normal` counts toward limits.
    Flag = model::record::Flag {
        Normal, Stopped, Maintenance, Manual, Fault, Calibration, OverRange, LinkBroken, Unknown, Impossible
    }
    /// Why we, not a device, were the reason for missing data.
    OutageKind = model::stream::OutageKind { Process, Listener, DiskFull, ClockStep, UpstreamBroker }
    /// What a device's frame with a wrong check code gets.
    Strictness = model::principal::Strictness { Reject, Warn, Accept }
}

/// Kinds of supervised subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Restaurant,
    Site,
    Gate,
    DisposalSite,
    Truck,
}

impl SubjectKind {
    pub const fn of(details: &model::register::SubjectDetails) -> Self {
        use model::register::SubjectDetails as D;
        match details {
            D::Restaurant { .. } => Self::Restaurant,
            D::Site { .. } => Self::Site,
            D::Gate { .. } => Self::Gate,
            D::DisposalSite { .. } => Self::DisposalSite,
            D::Truck { .. } => Self::Truck,
        }
    }

    /// As the registers write it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Restaurant => "restaurant",
            Self::Site => "site",
            Self::Gate => "gate",
            Self::DisposalSite => "disposal_site",
            Self::Truck => "truck",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Restaurant, Self::Site, Self::Gate, Self::DisposalSite, Self::Truck]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// Whether a device is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Heard within three times its expected interval.
    Online,
    /// Its connection stands, but nothing was heard on it yet.
    Connected,
    /// Heard before, not lately.
    Silent,
    /// Never heard.
    Never,
    /// Switched off in the register.
    Disabled,
}

/// Language of a person's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum Language {
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
    #[serde(rename = "en")]
    En,
}
