//! What the platform tells a device: a typed [`Command`], its [`State`] from the queue to its end, and [`Downlink`], the seam between
//! the durable queue and the sessions that send.
//!
//! ```text
//! queued ─▶ sent ─▶ confirmed ─▶ done | failed
//!    │        │         └──────▶ unknown: the connection went, and it must not be done twice
//!    │        └─ the connection went, and twice does no harm ─▶ queued
//!    └─ deadline ─▶ expired          a person, at any time ─▶ cancelled
//! ```
//! `sent` is on disk before the first byte leaves: after a crash nothing is lost, and what may have been sent is known.

mod command;
mod life;
mod policy;
mod route;

pub use command::{
    AreaShape, Circle, Command, Control, Hj212Ask, Hj212History, Instrument, Parameter, ParameterValue, Polygon,
    Rectangle, RoutePoint, Setting, Speed, Window,
};
pub use life::{INTERRUPTIONS_MAX, State, Step, Told, Turn, turn};
pub use policy::{FirstContact, GapHistory, Policy, Timeouts};
pub use route::route_of;

use crate::id::{CommandId, DeviceId};
use crate::time::IngestTime;
use std::sync::Arc;

/// What a session is given to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub id: CommandId,
    pub device: DeviceId,
    pub command: Command,
    /// Under which number it was sent before, where that is known: HJ 212 asks for the same QN.
    pub number: Option<String>,
    /// After this nothing is waited for.
    pub deadline: IngestTime,
}

/// Why a value of a command is not allowed, and in which field it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub field: String,
    pub message: String,
}

impl Wrong {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Wakes a session that has something to take. It may run on any thread and only hands over.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The queue as the edge sees it. At most one command of a device is out at a time. No call waits.
pub trait Downlink: Send + Sync {
    /// The device can be sent to over this connection, in place of any older one. Told again it means: try again.
    fn attach(&self, device: DeviceId, connection: u64, wake: Wake);
    /// The connection is gone; what it has taken ends as interrupted.
    fn detach(&self, device: DeviceId, connection: u64);
    /// The command to send now.
    fn take(&self, device: DeviceId, connection: u64) -> Option<Order>;
    /// What became of a command of the device; of one that has ended meanwhile, or is another connection's, it is ignored. MQTT
    /// commands are no connection's: a session's queue outlives it.
    fn told(&self, device: DeviceId, id: CommandId, connection: u64, told: Told);
    /// False when it was cancelled or has expired: nothing more is waited for.
    fn stands(&self, id: CommandId, connection: u64) -> bool;
    /// A device shows a password that is not its own. True when it is the one a sent command told it to use: the credential follows.
    fn password_taken(&self, device: DeviceId, password: &str) -> bool;
    /// A device asks for its time (HJ 212's 1013): a time set is ordered, unless one is under way.
    fn time_wanted(&self, device: DeviceId);
}

/// No queue at all: for tools and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDownlink;

impl Downlink for NoDownlink {
    fn attach(&self, _: DeviceId, _: u64, _: Wake) {}
    fn detach(&self, _: DeviceId, _: u64) {}
    fn take(&self, _: DeviceId, _: u64) -> Option<Order> {
        None
    }
    fn told(&self, _: DeviceId, _: CommandId, _: u64, _: Told) {}
    fn stands(&self, _: CommandId, _: u64) -> bool {
        false
    }
    fn password_taken(&self, _: DeviceId, _: &str) -> bool {
        false
    }
    fn time_wanted(&self, _: DeviceId) {}
}
