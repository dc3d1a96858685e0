//! An existing broker that we read from: a persistent session, and a message acknowledged to the broker only after its append.
//!
//! **What an acknowledgement promises.** PUBACK leaves only after the inlet said `Ok`, in the order of the PUBLISH packets, and on
//! the connection that the message came by: what becomes durable after a connection broke is acknowledged on none, and the broker
//! gives it again. So nothing that the broker took and keeps in our session is lost; what is given twice is found by settle.
//! Subscriptions are at `QoS` 1.
//!
//! **Identity** is a bridge of the registers, named in the configuration: topics and payloads may name a device only within its
//! grants ([`crate::intake`]). What is not granted is refused, counted, listed, and acknowledged, since a broker would give it again
//! for ever.
//!
//! **An outage of the broker** is ours: told while it lasts and when it ends, so that it counts against nobody.
//!
//! | file | what |
//! |---|---|
//! | `link` | connect, back off, tell outages |
//! | `session` | one connection: read, append, acknowledge |
//! | `wire` | packets of both versions, by rumqttc's codecs |

mod link;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use link::serve;

use model::stream::Outage;
use model::time::IngestTime;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tls::Connector;

/// The protocol version that a broker speaks best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerVersion {
    V3,
    V5,
}

/// A broker and how to read from it.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// For people and logs.
    pub name: String,
    pub host: String,
    pub port: u16,
    pub tls: Option<Connector>,
    pub version: BrokerVersion,
    /// Ours for good: the broker keeps the session under it.
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Whose grants say which devices it speaks for.
    pub bridge: String,
    /// Filters as they are subscribed to, with `$share/{group}/` where that is wanted.
    pub filters: Vec<String>,
    /// What topics there have before ours.
    pub strip: String,
    pub keep_alive: Duration,
    /// Version 5: how long the broker is asked to keep the session.
    pub session_expiry_s: u32,
    pub packet_bytes_max: usize,
    pub append_timeout: Duration,
}

/// How it stands with a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerState {
    pub name: String,
    /// Connected and subscribed.
    pub up: bool,
    pub since: IngestTime,
    /// Why it is not up.
    pub detail: String,
}

/// The states of all brokers, for the page. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Brokers(Arc<Mutex<Vec<BrokerState>>>);

impl Brokers {
    pub fn states(&self) -> Vec<BrokerState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: BrokerState) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match states.iter_mut().find(|known| known.name == state.name) {
            Some(known) => *known = state,
            None => states.push(state),
        }
    }
}

/// Where outages go: must hand over and never wait.
#[derive(Clone)]
pub struct Outages(pub Arc<dyn Fn(Outage) + Send + Sync>);

impl fmt::Debug for Outages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outages")
    }
}
