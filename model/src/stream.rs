//! What settle hands on, in journal order: the one input of the judge, the live hub and everything else behind it.

use crate::envelope::Position;
use crate::id::DeviceId;
use crate::record::SettledRecord;
use crate::register::Revision;
use crate::time::IngestTime;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// Written to the journal every ten seconds, so that time passes for the rules even when no device speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    pub at: IngestTime,
    /// The machine's clock is synchronised, as far as the system tells.
    pub clock_synchronised: bool,
    /// Protocols whose listener or poller is up.
    pub listening: Vec<crate::envelope::ProtocolKind>,
}

/// A time in which we, not a device, were the reason for missing data. It never counts against anyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    pub from: IngestTime,
    pub to: IngestTime,
    pub what: OutageKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutageKind {
    /// The process was down: from the last tick before to the first after.
    Process,
    Listener,
    DiskFull,
    /// Our own clock jumped.
    ClockStep,
    /// A broker that we read from was away.
    UpstreamBroker,
}

/// One thing that settle has done with, at a place in the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Stored or revised.
    Record(Box<SettledRecord>),
    /// A frame ended as duplicate or quarantined, or held no record (a heartbeat): no data, but the device was in contact.
    Contact {
        device: DeviceId,
        received: IngestTime,
        position: Position,
        verdict: Option<Verdict>,
    },
    Tick {
        tick: Tick,
        position: Position,
    },
    Revision {
        revision: Box<Revision>,
        position: Position,
    },
    Outage {
        outage: Outage,
        position: Position,
    },
}

impl Item {
    pub fn position(&self) -> Position {
        match self {
            Self::Record(record) => record.position,
            Self::Contact { position, .. }
            | Self::Tick { position, .. }
            | Self::Revision { position, .. }
            | Self::Outage { position, .. } => *position,
        }
    }
}

/// Items in journal order. `up_to` is the last entry settle has read, which may have produced no item.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub items: Vec<Item>,
    pub up_to: Position,
}
