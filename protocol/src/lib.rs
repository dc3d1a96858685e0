//! Sans-IO codecs: HJ 212, JT/T 808, Modbus register maps, MQTT topics and payloads, Sparkplug B. No I/O, no clock, no domain types.
//!
//! Contracts. A **framer** consumes only what it returns, refuses on length before it looks for the end, and stands at the
//! next possible start after a bad frame; any split of the stream gives the same frames. A **decoder** returns the
//! message *and* its problems. Every decoder has its encoder.

pub mod error;
pub mod explain;
pub mod hj212;
pub mod jt808;
pub mod modbus;
pub mod mqtt;
pub mod reader;
pub mod sparkplug;

/// A calendar time without a zone as a device writes it: year, month, day, hour, minute, second, millisecond. It is not
/// checked to be a real date.
pub type Stamp = (u16, u8, u8, u8, u8, u8, u16);
