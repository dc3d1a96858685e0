//! Who is connected: device → its newest connection. A newer one replaces an older one; whoever replaces decides whether
//! the older connection is cut ([`Link::cut`]).

use crate::metrics;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// A device's connection.
#[derive(Debug, Clone)]
pub struct Link {
    pub protocol: ProtocolKind,
    /// Number of the connection since start, see [`Online::next_connection`].
    pub connection: u64,
    pub peer: String,
    /// Grows with every login; a later login has the greater one.
    pub epoch: u64,
    cut: CancellationToken,
}

impl Link {
    /// Ends the connection because another took its place.
    pub fn cut(&self) {
        ::metrics::counter!(metrics::TAKEOVERS_TOTAL, "protocol" => self.protocol.code()).increment(1);
        self.cut.cancel();
    }
}

#[derive(Debug, Default)]
pub struct Online {
    links: Mutex<HashMap<DeviceId, Link>>,
    connections: AtomicU64,
    epochs: AtomicU64,
}

impl Online {
    /// A number for a new connection, from 1.
    pub fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts a device's connection in place and returns the one it replaced, if that was another connection. `cut` is
    /// what ends this connection when it is replaced in turn.
    pub fn enter(
        &self,
        device: DeviceId,
        protocol: ProtocolKind,
        connection: u64,
        peer: &str,
        cut: CancellationToken,
    ) -> Option<Link> {
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        let link = Link { protocol, connection, peer: peer.to_owned(), epoch, cut };
        let mut links = self.lock();
        let replaced = links.insert(device, link);
        report(links.len());
        replaced.filter(|old| old.connection != connection)
    }

    /// Takes the device off the list unless a newer connection holds its place. True when it was taken off.
    pub fn leave(&self, device: DeviceId, connection: u64) -> bool {
        let mut links = self.lock();
        let ours = links.get(&device).is_some_and(|link| link.connection == connection);
        if ours {
            links.remove(&device);
            report(links.len());
        }
        ours
    }

    pub fn get(&self, device: DeviceId) -> Option<Link> {
        self.lock().get(&device).cloned()
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Link>> {
        self.links.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn report(online: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge of connections stays far below 2^52")]
    ::metrics::gauge!(metrics::DEVICES_ONLINE).set(online as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_login_holds_the_place_and_the_older_cannot_take_it_off() {
        let (online, device) = (Online::default(), DeviceId(7));
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        assert!(online.enter(device, ProtocolKind::Jt808, 1, "a", first.clone()).is_none());
        let old = online.enter(device, ProtocolKind::Jt808, 2, "b", second.clone()).unwrap();
        old.cut();
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert!(!online.leave(device, 1));
        assert_eq!(online.get(device).unwrap().connection, 2);
        assert!(online.leave(device, 2) && online.is_empty());
    }
}
