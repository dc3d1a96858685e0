//! What the edge hands to the journal: raw bytes with provenance, and the place they were given.

use crate::id::{DeviceId, PrincipalId};
use crate::time::IngestTime;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A place in the journal. `seq` counts entries of a partition from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    pub partition: u16,
    pub seq: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.partition, self.seq)
    }
}

/// The wire protocol of a device. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ProtocolKind {
    Mqtt = 1,
    Hj212 = 2,
    Jt808 = 3,
    Modbus = 4,
}

impl ProtocolKind {
    pub const ALL: [Self; 4] = [Self::Mqtt, Self::Hj212, Self::Jt808, Self::Modbus];
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Hj212 => "hj212",
            Self::Jt808 => "jt808",
            Self::Modbus => "modbus",
        }
    }
}

/// How the raw bytes of an envelope are to be read. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Channel {
    /// JSON of `lantian/v1/{device}/telemetry`.
    MqttTelemetry = 1,
    /// JSON of `lantian/v1/{device}/event`.
    MqttEvent = 2,
    /// JSON of `lantian/v1/{device}/status`.
    MqttStatus = 3,
    /// JSON of `lantian/v1/{device}/reply`.
    MqttReply = 4,
    /// JSON of ThingsBoard's `v1/devices/me/telemetry`.
    MqttThingsboard = 5,
    /// A Sparkplug B publish: its topic, a zero byte, its protobuf payload.
    MqttSparkplug = 6,
    /// An ONVIF event (`…/onvif-ej/…`): its topic, a zero byte, its JSON. Empty JSON: a property that is no more.
    MqttOnvif = 7,
    /// An event over HTTP with pictures: one line of JSON, [`crate::blob::Pictures`], and the event's JSON as it was sent.
    HttpPictures = 9,
    /// One HJ 212 frame, from `##` through the check, without its line end.
    Hj212Frame = 10,
    /// One JT/T 808 frame, un-escaped, from the first header byte to the check byte.
    Jt808Frame = 20,
    /// JSON of [`crate::blob::Attachment`]: a file of an alarm has come whole.
    Jt808Attachment = 21,
    /// One Modbus answer in the form of `protocol::modbus::reading`.
    ModbusReading = 30,
    /// JSON of `POST /api/v1/devices/{code}/telemetry`. Entries before it had a number carry [`Self::MqttTelemetry`].
    HttpTelemetry = 40,
    /// JSON of `POST /api/v1/devices/{code}/events`. Entries before it had a number carry [`Self::MqttEvent`].
    HttpEvent = 41,
}

impl Channel {
    pub const ALL: [Self; 14] = [
        Self::MqttTelemetry,
        Self::MqttEvent,
        Self::MqttStatus,
        Self::MqttReply,
        Self::MqttThingsboard,
        Self::MqttSparkplug,
        Self::MqttOnvif,
        Self::HttpPictures,
        Self::Hj212Frame,
        Self::Jt808Frame,
        Self::Jt808Attachment,
        Self::ModbusReading,
        Self::HttpTelemetry,
        Self::HttpEvent,
    ];
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| *channel as u8 == number)
    }
    /// That of the device's profile. What comes over HTTP is of MQTT devices: the same JSON, the same credential.
    pub const fn protocol(self) -> ProtocolKind {
        match self {
            Self::MqttTelemetry
            | Self::MqttEvent
            | Self::MqttStatus
            | Self::MqttReply
            | Self::MqttThingsboard
            | Self::MqttSparkplug
            | Self::MqttOnvif
            | Self::HttpPictures
            | Self::HttpTelemetry
            | Self::HttpEvent => ProtocolKind::Mqtt,
            Self::Hj212Frame => ProtocolKind::Hj212,
            Self::Jt808Frame | Self::Jt808Attachment => ProtocolKind::Jt808,
            Self::ModbusReading => ProtocolKind::Modbus,
        }
    }
}

/// What the edge found odd but accepted, because the device's strictness is `warn` or `accept`. Bits are on disk.
pub mod edge_remark {
    pub const CHECK_BAD: u8 = 1;
    pub const LENGTH_BAD: u8 = 2;
    /// Resynchronised after garbage before this frame.
    pub const AFTER_GARBAGE: u8 = 4;
}

/// A raw frame with its provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub received: IngestTime,
    /// Who sent it.
    pub principal: PrincipalId,
    /// The device it speaks for, checked against the principal's grants. For MQTT it is the topic's.
    pub device: DeviceId,
    pub channel: Channel,
    /// Bits of [`edge_remark`].
    pub remarks: u8,
    /// Number of the connection since start; for traces only.
    pub connection: u64,
    pub raw: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_disk_stay_what_they_are() {
        let numbers: Vec<u8> = Channel::ALL.into_iter().map(|channel| channel as u8).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 9, 10, 20, 21, 30, 40, 41]);
        assert!(Channel::ALL.into_iter().all(|channel| Channel::from_u8(channel as u8) == Some(channel)));
        // What came over HTTP before it had numbers of its own is read as it was written.
        assert_eq!(Channel::from_u8(1), Some(Channel::MqttTelemetry));
        assert_eq!(Channel::HttpTelemetry.protocol(), ProtocolKind::Mqtt);
    }
}
