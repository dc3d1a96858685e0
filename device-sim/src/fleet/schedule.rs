//! When which reading is sent: the readings of a regular grid of event times, in the order in which they leave, with what
//! the network does to them.

use crate::fault::Faults;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Endless; memory is bounded by the longest delay over the interval.
#[derive(Debug)]
pub struct Schedule {
    next_event_ms: i64,
    interval_ms: i64,
    faults: Faults,
    key: u64,
    waiting: BinaryHeap<Reverse<(i64, i64)>>,
}

impl Schedule {
    /// The grid starts at the first whole interval at or after `from_ms`.
    pub fn new(from_ms: i64, interval_ms: i64, faults: Faults, key: u64) -> Self {
        let next_event_ms = from_ms + (interval_ms - from_ms.rem_euclid(interval_ms)) % interval_ms;
        Self { next_event_ms, interval_ms, faults, key, waiting: BinaryHeap::new() }
    }

    /// `(send time, event time)` of the next message. `leaves_ms` says when a reading can leave its device.
    pub fn next(&mut self, leaves_ms: impl Fn(i64) -> i64) -> (i64, i64) {
        loop {
            // No later event can be sent before its own time.
            if let Some(Reverse((send_ms, event_ms))) = self.waiting.peek().copied()
                && send_ms <= self.next_event_ms
            {
                self.waiting.pop();
                return (send_ms, event_ms);
            }
            let event_ms = self.next_event_ms;
            self.next_event_ms += self.interval_ms;
            let delay = leaves_ms(event_ms) - event_ms;
            for send_ms in self.faults.sent_ms(self.key, event_ms) {
                self.waiting.push(Reverse((send_ms + delay, event_ms)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_sent_in_the_order_it_leaves() {
        let mut schedule = Schedule::new(30_500, 1_000, Faults::TENTH, 9);
        let sent: Vec<(i64, i64)> = (0..5_000).map(|_| schedule.next(|event| event)).collect();
        assert!(sent.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let mut events: Vec<i64> = sent.iter().map(|(_, event)| *event).filter(|event| *event < 3_000_000).collect();
        events.sort_unstable();
        events.dedup();
        assert_eq!(events.len(), (3_000_000 - 31_000) / 1_000);
    }
}
