//! Who knocked without being known, what was refused, what was stored apart; accept, reject, derive again.

use super::common::{DeviceRef, JournalPlace, Time};
use super::devices::NewInstallation;
use super::words::{Protocol, QuarantineReason, RefusalReason};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnknownIdentity {
    pub protocol: Protocol,
    /// As sent.
    pub identity: String,
    pub peer: String,
    pub first: Time,
    pub last: Time,
    pub knocks: u64,
    pub rejected: bool,
    /// The first ones it sent, at most 16.
    pub samples: Vec<RawSample>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RawSample {
    pub bytes: u64,
    pub raw_hex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Makes a device of an unknown identity; answers with its credential.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptUnknown {
    pub protocol: Protocol,
    /// As in the list.
    pub identity: String,
    /// The device's code in topics and lists.
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub profile: String,
    #[serde(default)]
    pub vendor: String,
    #[serde(default)]
    pub install: Option<NewInstallation>,
    /// HJ 212: the password the device sends already; without it one is made.
    #[serde(default)]
    pub password: Option<String>,
    /// Modbus: the slave behind the modem that dialled in; 1 when left out.
    #[serde(default)]
    pub unit: Option<u8>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectUnknown {
    pub protocol: Protocol,
    pub identity: String,
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedFrame {
    pub at: Time,
    pub protocol: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    pub peer: String,
    pub reason: RefusalReason,
    pub detail: String,
    pub bytes: u64,
    pub raw_hex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RefusedQuery {
    pub device: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedList {
    /// Newest first.
    pub items: Vec<RefusedFrame>,
    pub counts: Vec<RefusedCount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedCount {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    pub reason: RefusalReason,
    /// Of the last seven local days.
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct QuarantinedRecord {
    /// The entry whose settling quarantined it.
    pub position: JournalPlace,
    /// Where the raw bytes are.
    pub frame: JournalPlace,
    /// Which record of the frame, from 0; absent: the whole frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u32>,
    pub channel: String,
    pub received: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    pub reason: QuarantineReason,
    /// Where in the frame.
    pub detail: String,
    pub bytes: u64,
    pub raw_hex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// It was derived again with success.
    pub resolved: bool,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct QuarantineQuery {
    pub device: Option<i64>,
    pub reason: Option<QuarantineReason>,
    /// Also those that were derived again with success.
    #[serde(default)]
    pub resolved: bool,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rederive {
    pub device: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RederiveReport {
    /// Place of the journal entry that asks for it; settle works it off in order.
    pub position: JournalPlace,
    /// Frames that will be tried again.
    pub frames: u64,
}
