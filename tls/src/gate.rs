//! A bound on the handshakes that are under way. When all places are taken, the one that has been at it longest loses its
//! place to the newcomer if it has had its time, so that many that stall do not keep out those that go on; else the newcomer
//! is refused and tries again.

use crate::metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub struct Gate {
    max: usize,
    /// What a handshake may take undisturbed when the places are short.
    grace: Duration,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    taken: BTreeMap<u64, (Instant, CancellationToken)>,
}

/// A handshake's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    number: u64,
    /// Somebody else has it now.
    pub(crate) lost: CancellationToken,
}

impl Gate {
    pub fn new(max: usize) -> Arc<Self> {
        Self::with_grace(max, GRACE)
    }

    pub(crate) fn with_grace(max: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), grace, places: Mutex::default() })
    }

    /// `None`: all are taken by others that have only begun.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.taken.len() >= self.max {
            let oldest = places.taken.first_entry()?;
            if now.duration_since(oldest.get().0) < self.grace {
                return None;
            }
            oldest.remove().1.cancel();
        }
        let number = places.next;
        places.next += 1;
        let lost = CancellationToken::new();
        places.taken.insert(number, (now, lost.clone()));
        drop(places);
        ::metrics::gauge!(metrics::UNDER_WAY).increment(1.0);
        Some(Place { gate: Arc::clone(self), number, lost })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.places.lock().unwrap_or_else(PoisonError::into_inner).taken.remove(&self.number);
        ::metrics::gauge!(metrics::UNDER_WAY).decrement(1.0);
    }
}

/// A handshake takes one or two round trips: under a second even over a bad mobile network.
const GRACE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stalled_handshake_gives_way_and_one_that_has_just_begun_does_not() {
        let gate = Gate::new(2);
        let first = gate.enter().unwrap();
        let second = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        tokio::time::advance(GRACE).await;
        let third = gate.enter().unwrap();
        assert!(first.lost.is_cancelled() && !second.lost.is_cancelled());
        drop((first, second, third));
        assert!(gate.places.lock().unwrap().taken.is_empty());
    }
}
