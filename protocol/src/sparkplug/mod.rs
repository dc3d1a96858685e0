//! Sparkplug B (version 3.0 of the specification): topics, the protobuf payload, and what a metric's number is. Written by hand, since of protobuf it
//! needs varints and lengths alone, and since each bound must be ours.
//!
//! ```text
//! spBv1.0/{group}/NBIRTH|NDEATH|NDATA|NCMD/{edge}
//! spBv1.0/{group}/DBIRTH|DDEATH|DDATA|DCMD/{edge}/{device}
//! Payload { 1 timestamp ms, 2 metrics*, 3 seq 0–255 }
//! Metric  { 1 name, 2 alias, 3 timestamp ms, 4 datatype, 5 is_historical, 6 is_transient, 7 is_null, 10–19 one value }
//! ```
//!
//! A birth names its metrics and gives each an alias; data after it may name them by alias alone. What is not understood (templates, data
//! sets, properties) is passed over by its length.

mod payload;
mod topic;
mod wire;

pub use payload::{DataType, METRICS_MAX, Metric, NAME_BYTES_MAX, Payload, Value};
pub use topic::{MessageKind, ROOT, Topic};

/// The metric by which a host asks an edge node for its birth.
pub const REBIRTH: &str = "Node Control/Rebirth";
/// The metric that ties a death (the will) to its birth.
pub const BD_SEQ: &str = "bdSeq";

/// The payload of an NCMD that asks for a birth.
pub fn rebirth_request(now_ms: u64) -> Vec<u8> {
    let metric = Metric {
        name: Some(REBIRTH),
        timestamp: Some(now_ms),
        datatype: Some(DataType::BOOLEAN),
        value: Value::Bool(true),
        ..Metric::default()
    };
    Payload { timestamp: Some(now_ms), seq: None, metrics: vec![metric] }.encode()
}

#[cfg(test)]
mod tests;
