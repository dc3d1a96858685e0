//! Device edge: listeners, sessions, MQTT front and fan-out, brokers that we read from, Modbus pollers.
//!
//! A listener hands each connection to a session, a pure state machine that turns bytes into envelopes and answers.
//! What it promises: an acknowledgement leaves only after `Inlet`'s completion said `Ok`.

pub mod broker;
pub mod budget;
pub mod downlink;
pub mod edge;
pub mod hj212;
mod intake;
pub mod jt808;
pub mod limits;
pub mod metrics;
pub mod modbus;
pub mod mqtt;
pub mod online;
pub mod tcp;

pub use edge::Edge;
