//! Connections on which no device has got in yet, of one listener. When the listener is full, the one that has been there longest
//! gives way if it has had its time, so that thousands that connect and say nothing do not keep out those that speak.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    of: BTreeMap<u64, (Instant, CancellationToken)>,
}

/// A connection's stay in the room; over when it is dropped.
#[derive(Debug)]
pub(crate) struct Stay {
    room: Arc<Room>,
    number: u64,
    lost: CancellationToken,
}

impl Room {
    pub(crate) fn enter(self: &Arc<Self>) -> Stay {
        let lost = CancellationToken::new();
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.of.insert(number, (Instant::now(), lost.clone()));
        drop(waiting);
        Stay { room: Arc::clone(self), number, lost }
    }

    /// Sends the one away that has been here longest. False: all of them have only come.
    pub(crate) fn make_room(&self) -> bool {
        let now = Instant::now();
        let mut waiting = self.lock();
        let Some(oldest) = waiting.of.first_entry() else { return false };
        if now.duration_since(oldest.get().0) < GRACE {
            return false;
        }
        oldest.remove().1.cancel();
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stay {
    /// Cancelled when it has to give way.
    pub(crate) const fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.room.lock().of.remove(&self.number);
    }
}

/// What a device needs to say who it is, also over a bad mobile network.
const GRACE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_gives_way_and_who_has_just_come_does_not() {
        let room = Arc::<Room>::default();
        let (first, second) = (room.enter(), room.enter());
        assert!(!room.make_room());
        tokio::time::advance(GRACE).await;
        let third = room.enter();
        assert!(room.make_room() && first.lost().is_cancelled() && !second.lost().is_cancelled());
        assert!(room.make_room() && second.lost().is_cancelled());
        assert!(!room.make_room() && !third.lost().is_cancelled());
        drop((first, second, third));
        assert!(room.lock().of.is_empty());
    }
}
