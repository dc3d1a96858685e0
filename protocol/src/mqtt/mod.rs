//! MQTT as our devices use it: the grammar of our topics ([`topic`]) and the JSON forms of what they publish ([`payload`]);
//! and what others' conventions make of both ([`foreign`], [`thingsboard`], [`onvif`]). Packets are walked here to be
//! explained ([`packet`]); the gateway's front has a codec of its own. Knows no domain types, no clock, no I/O.
//!
//! ```text
//! lantian/v1/{device}/telemetry   {"ts":1763800000000,"values":{"fume":1.2,"fan_on":true}}
//! lantian/v1/{device}/event       {"ts":"2026-11-22T08:00:00+08:00","event":"vehicle_exit","plate":"豫A·12345"}
//! v1/devices/me/telemetry         {"fume":1.2}
//! ```

pub mod foreign;
mod json;
pub mod onvif;
pub mod packet;
pub mod payload;
mod stamp;
pub mod thingsboard;
pub mod titled;
pub mod topic;
mod walk;
