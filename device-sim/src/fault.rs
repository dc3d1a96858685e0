//! What the network does to messages: some come late, some twice, some in another order. Decided by the seed, so that a
//! run can be repeated; the truth does not change.

use crate::noise::uniform;

/// Shares of messages, 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    pub late: f64,
    pub repeated: f64,
    pub shuffled: f64,
    /// Longest delay of a late message, seconds.
    pub delay_s_max: i64,
}

impl Faults {
    pub const NONE: Self = Self { late: 0.0, repeated: 0.0, shuffled: 0.0, delay_s_max: 0 };
    /// A tenth of the messages late, repeated or shuffled.
    pub const TENTH: Self = Self { late: 0.04, repeated: 0.03, shuffled: 0.03, delay_s_max: 600 };

    /// The times at which a message meant for `at_ms` is sent: one, or two when it is repeated.
    pub fn sent_ms(&self, key: u64, at_ms: i64) -> Vec<i64> {
        let draw = |what: u64| uniform(&[key, at_ms.unsigned_abs(), what]);
        let kind = draw(1);
        let within = |seconds: i64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds of an hour")]
            let ms = (draw(2) * (seconds * 1000) as f64) as i64;
            ms
        };
        if kind < self.late {
            vec![at_ms + within(self.delay_s_max)]
        } else if kind < self.late + self.repeated {
            vec![at_ms, at_ms + within(self.delay_s_max)]
        } else if kind < self.late + self.repeated + self.shuffled {
            vec![at_ms + within(self.delay_s_max.min(120))]
        } else {
            vec![at_ms]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_a_tenth_is_touched_and_nothing_is_lost() {
        let sent: Vec<Vec<i64>> = (0..10_000).map(|i| Faults::TENTH.sent_ms(5, i * 1000)).collect();
        let touched = sent.iter().zip(0..).filter(|(times, i)| **times != vec![i * 1000]).count();
        assert!((800..1200).contains(&touched), "{touched}");
        assert!(sent.iter().all(|times| !times.is_empty()));
    }
}
