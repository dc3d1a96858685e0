//! What every listener, session and poller is given: the seams, the clock, and what they share. Cheap to clone.

use crate::budget::Budget;
use crate::limits::Limits;
use crate::online::Online;
use model::downlink::Downlink;
use model::provision::Provisioner;
use model::seams::{DeviceDirectory, Doorstep, Inlet, WireLog};
use model::time::Clock;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone)]
pub struct Edge {
    pub inlet: Arc<dyn Inlet>,
    pub directory: Arc<dyn DeviceDirectory>,
    pub doorstep: Arc<dyn Doorstep>,
    pub wire: Arc<dyn WireLog>,
    /// The commands that wait for devices.
    pub downlink: Arc<dyn Downlink>,
    pub clock: Arc<dyn Clock>,
    /// Bytes handed to the inlet and not yet durable, of all connections together.
    pub budget: Arc<Budget>,
    /// Who is connected, by device, and the connection numbers.
    pub online: Arc<Online>,
    /// What an address and a device may.
    pub limits: Arc<Limits>,
    /// Who makes devices of claim codes; `None`: nobody here.
    pub provisioner: Option<Arc<dyn Provisioner>>,
    /// The directory's revision, as an event: a connection looks at once whether it is still admitted.
    pub changes: watch::Receiver<u64>,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("budget", &self.budget).field("online", &self.online).finish_non_exhaustive()
    }
}
