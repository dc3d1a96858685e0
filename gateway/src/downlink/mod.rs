//! Commands on the wire: what each protocol makes of a [`Command`], and the talk about one until it has ended. Pure: sessions send what
//! is built here and hand in what they hear.
//!
//! | protocol | sent | heard | again |
//! |---|---|---|---|
//! | HJ 212 | a request or notice under a QN | 9011, uploads, 9012; 9013 | 10 s × 3, the same QN |
//! | JT/T 808 | one message, or sub-packets, under a serial | 0x0001, or the answer of its own | after 10, 20 and 60 s, the same serial |
//! | MQTT | JSON to `lantian/v1/{device}/command`, `QoS` 1 | JSON on `…/reply` with its `id` | by MQTT itself |

pub(crate) mod hj212;
pub(crate) mod jt808;
pub(crate) mod mqtt;

use model::downlink::{Command, Wrong};
use model::envelope::ProtocolKind;
use model::time::IngestTime;
use std::time::Duration;

/// Whether a command can be written at all. Asked before it is taken into a line.
///
/// # Errors
/// The first value that is not allowed.
pub fn check(command: &Command) -> Result<(), Wrong> {
    match command.protocol() {
        ProtocolKind::Hj212 => hj212::check(command),
        ProtocolKind::Jt808 => jt808::check(command),
        ProtocolKind::Mqtt => mqtt::check(command),
        ProtocolKind::Modbus => Err(Wrong::new("", "a Modbus device is polled; it takes no commands")),
    }
}

/// How long until `at`; the wall clock may be set back, so it is asked again after a minute.
pub(crate) fn until(at: IngestTime, now: IngestTime) -> Duration {
    Duration::from_millis(at.since_ms(now).clamp(0, UNTIL_MS_MAX).unsigned_abs())
}

const UNTIL_MS_MAX: i64 = 60_000;

/// The earlier of two times that may not be.
pub(crate) fn sooner(one: Option<IngestTime>, other: Option<IngestTime>) -> Option<IngestTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
