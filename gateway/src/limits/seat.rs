//! A connection's place among those of its address, and how it tells what went wrong on it.

use super::standing::Wrong;
use super::{Limits, Pace, Room, Stay};
use model::id::DeviceId;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A place of a connection; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    limits: Arc<Limits>,
    /// `None`: of a trusted network, or no address at all.
    address: Option<IpAddr>,
    established: AtomicBool,
    /// Over when a device gets in.
    stay: Mutex<Option<Stay>>,
    banned: AtomicBool,
}

impl Seat {
    pub(super) fn new(limits: Arc<Limits>, address: Option<IpAddr>) -> Arc<Self> {
        let (established, banned) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { limits, address, established, stay: Mutex::default(), banned })
    }

    /// A seat for a stream without an address.
    pub fn nowhere(limits: &Arc<Limits>) -> Arc<Self> {
        Self::new(Arc::clone(limits), None)
    }

    /// It waits in a listener's room until a device gets in. Returns what is cancelled when it has to give way.
    pub(crate) fn wait(&self, room: &Arc<Room>) -> CancellationToken {
        let stay = room.enter();
        let lost = stay.lost().clone();
        *self.stay.lock().unwrap_or_else(PoisonError::into_inner) = Some(stay);
        lost
    }

    /// A device got in on this connection. False: it had to give way a moment ago.
    pub fn establish(&self) -> bool {
        let stay = self.stay.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stay) = stay {
            let lost = stay.lost().clone();
            drop(stay);
            // Out of the room it cannot be sent away any more, so this is the last word.
            if lost.is_cancelled() {
                return false;
            }
        }
        if let Some(address) = self.address
            && !self.established.swap(true, Ordering::Relaxed)
        {
            self.limits.established(address);
        }
        true
    }

    /// A wrong secret for an identity.
    pub fn guessed(&self, identity: &str, secret: &[u8]) {
        self.note(|limits| Wrong::Guess(limits.distinct(identity, secret)));
    }

    /// An identity nobody knows.
    pub fn stranger(&self, identity: &str) {
        self.note(|limits| Wrong::Stranger(limits.distinct(identity, b"")));
    }

    /// Bytes that could not be taken.
    pub fn rubbish(&self, bytes: usize) {
        self.note(|_| Wrong::Rubbish(u64::try_from(bytes).unwrap_or(u64::MAX)));
    }

    fn note(&self, wrong: impl FnOnce(&Limits) -> Wrong) {
        if let Some(address) = self.address
            && !self.banned.load(Ordering::Relaxed)
            && self.limits.note(address, wrong(&self.limits))
        {
            self.banned.store(true, Ordering::Relaxed);
        }
    }

    /// What came over this connection led to a ban: it ends.
    pub fn is_banned(&self) -> bool {
        self.banned.load(Ordering::Relaxed)
    }

    pub fn pace(&self, device: DeviceId) -> Arc<Pace> {
        self.limits.pace(device)
    }

    /// How long its connection must not read: in `open` it sent `bytes` and nobody got in.
    pub fn strange(&self, bytes: u64, open: Duration) -> Duration {
        self.limits.strange(bytes, open)
    }

    /// See [`Limits::spend`].
    pub fn spend(&self, pace: &Pace, frames: usize, bytes: usize) -> Duration {
        self.limits.spend(pace, frames, bytes)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.limits.leave(address, self.established.load(Ordering::Relaxed));
        }
    }
}
