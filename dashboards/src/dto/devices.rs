//! Devices: list, one, create with its credential, frames, loss ledger.

use super::common::{JournalPlace, SubjectRef, Time};
use super::registers::ProfileRow;
use super::words::{Flag, Presence, Protocol, QuarantineReason, Statistic, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeviceRow {
    pub id: i64,
    pub code: String,
    pub name: String,
    pub protocol: Protocol,
    /// MN, phone, MQTT user name or Modbus target.
    pub identity: String,
    pub profile: String,
    pub vendor: String,
    pub enabled: bool,
    pub presence: Presence,
    /// A connection is open now.
    pub connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<Time>,
    /// Where it is installed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    pub open_alerts: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeviceDetail {
    #[serde(flatten)]
    pub row: DeviceRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_row: Option<ProfileRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollTarget>,
    pub installations: Vec<InstallationRow>,
    /// The newest value of each quantity and statistic.
    pub latest: Vec<LatestValue>,
    /// Today's loss ledger (local day).
    pub loss: LossDay,
    /// Journal time up to which everything is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_as_of: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PollTarget {
    /// `host:port` of a Modbus TCP server; `rtu+tcp://host:port`; `dtu://identity` of a modem that dials in; `/dev/ttyUSB0,9600,8N1`
    pub address: String,
    pub unit: u8,
    #[serde(default = "poll_ms")]
    pub interval_ms: u32,
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
    /// For `dtu://…`: what the modem says first. Left out: its identity's characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtu: Option<DtuPacket>,
}

/// A modem's registration packet and heartbeat. Bytes are text, or `hex:FE FE`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DtuPacket {
    #[serde(default)]
    pub form: DtuForm,
    /// Before the identity, for `hex` and `framed`.
    #[serde(default)]
    pub prefix: String,
    /// Behind the identity, for `framed`.
    #[serde(default)]
    pub suffix: String,
    /// What it sends now and then to keep the line open.
    #[serde(default)]
    pub heartbeat: String,
}

/// How the identity lies in the packet: alone, as a line, as bytes behind a prefix, between a prefix and a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DtuForm {
    #[default]
    Text,
    Line,
    Hex,
    Framed,
}

impl From<model::modbus::DtuPacket> for DtuPacket {
    fn from(packet: model::modbus::DtuPacket) -> Self {
        use model::modbus::DtuForm as Form;
        let form = match packet.form {
            Form::Text => DtuForm::Text,
            Form::Line => DtuForm::Line,
            Form::Hex => DtuForm::Hex,
            Form::Framed => DtuForm::Framed,
        };
        Self { form, prefix: packet.prefix, suffix: packet.suffix, heartbeat: packet.heartbeat }
    }
}

impl From<DtuPacket> for model::modbus::DtuPacket {
    fn from(packet: DtuPacket) -> Self {
        use model::modbus::DtuForm as Form;
        let form = match packet.form {
            DtuForm::Text => Form::Text,
            DtuForm::Line => Form::Line,
            DtuForm::Hex => Form::Hex,
            DtuForm::Framed => Form::Framed,
        };
        Self { form, prefix: packet.prefix, suffix: packet.suffix, heartbeat: packet.heartbeat }
    }
}

const fn poll_ms() -> u32 {
    10_000
}
const fn timeout_ms() -> u32 {
    1_000
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct InstallationRow {
    pub id: i64,
    pub subject: SubjectRef,
    pub point: String,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatestValue {
    /// Code of the quantity.
    pub quantity: String,
    pub statistic: Statistic,
    pub value: f64,
    /// Canonical unit; empty for codes no profile maps.
    pub unit: String,
    pub flag: Flag,
    /// Event time.
    pub at: Time,
}

/// How each record of a local day ended. `received = stored + revised + duplicate + quarantined`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LossDay {
    /// `YYYY-MM-DD`, Beijing time.
    pub day: String,
    pub frames: u64,
    pub received: u64,
    pub stored: u64,
    pub revised: u64,
    pub duplicate: u64,
    pub quarantined: u64,
    pub balanced: bool,
}

/// One raw frame of a device with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FrameRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<JournalPlace>,
    pub received: Time,
    /// `mqtt_telemetry`, `hj212_frame` …
    pub channel: String,
    /// Absent while it is not yet settled, or when it held no record (a heartbeat).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<QuarantineReason>,
    /// When our acknowledgement left; absent: it asked for none, or none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Time>,
    /// What was odd about it.
    pub remarks: Vec<String>,
    pub bytes: u64,
    pub raw_hex: String,
    /// The same as text when it is printable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// `[a-z0-9][a-z0-9-]{0,47}`
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub protocol: Protocol,
    /// MN, phone digits; for MQTT the code when left out.
    #[serde(default)]
    pub identity: Option<String>,
    pub profile: String,
    #[serde(default)]
    pub vendor: String,
    /// For Modbus.
    #[serde(default)]
    pub poll: Option<PollTarget>,
    #[serde(default)]
    pub install: Option<NewInstallation>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInstallation {
    pub subject: i64,
    #[serde(default)]
    pub point: String,
    /// Now when left out.
    #[serde(default)]
    pub valid_from: Option<Time>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditDevice {
    pub name: String,
    pub profile: String,
    pub vendor: String,
    #[serde(default)]
    pub poll: Option<PollTarget>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetEnabled {
    pub enabled: bool,
}

/// The credential, shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CredentialHandout {
    pub device: i64,
    pub code: String,
    pub protocol: Protocol,
    /// MQTT user name, MN or phone.
    pub identity: String,
    /// What to set on the device; empty for Modbus, which we dial.
    pub settings: Vec<CredentialSetting>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CredentialSetting {
    /// `username`, `password`, `client_id`, `topic`, `mn`, `pw`, `phone`, `auth_code`, `address`; and `server`, where it
    /// connects to: `host:port`, with `0.0.0.0` or `[::]` as the host when we listen on every interface.
    pub name: String,
    pub value: String,
    pub secret: bool,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeviceQuery {
    /// Code, name, identity, vendor, shop name or plate.
    pub q: Option<String>,
    pub presence: Option<Presence>,
    pub protocol: Option<Protocol>,
    pub vendor: Option<String>,
    pub profile: Option<String>,
    pub subject: Option<i64>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

/// Devices of one page, with how many there are of each presence under the other filters.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeviceList {
    pub items: Vec<DeviceRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub total: u64,
    pub counts: Vec<PresenceCount>,
    /// For the filter chips.
    pub vendors: Vec<String>,
    pub profiles: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PresenceCount {
    pub presence: Presence,
    pub count: u64,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Seven days before `to` when left out.
    pub from: Option<Time>,
    /// Now when left out.
    pub to: Option<Time>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LossQuery {
    /// `YYYY-MM-DD`, Beijing time; today when left out.
    pub from_day: Option<String>,
    pub to_day: Option<String>,
}
