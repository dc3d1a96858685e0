//! Slows down who guesses passwords: failed logins per peer address in a sliding window, beside the ledger's lockout per account.
//! Bounded: with too many addresses the oldest are forgotten.

use model::time::IngestTime;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<BTreeMap<String, (IngestTime, u32)>>,
}

impl Throttle {
    /// Seconds to wait before this address may try again; 0: now.
    pub(crate) fn wait_s(&self, address: &str, now: IngestTime) -> u64 {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(address) {
            Some((since, count)) if *count >= FAILURES_MAX && now.since_ms(*since) < WINDOW_MS => {
                u64::try_from((WINDOW_MS - now.since_ms(*since)) / 1_000 + 1).unwrap_or(60)
            }
            _ => 0,
        }
    }

    pub(crate) fn failed(&self, address: &str, now: IngestTime) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES_MAX && !failures.contains_key(address) {
            failures.retain(|_, (since, _)| now.since_ms(*since) < WINDOW_MS);
            if failures.len() >= ADDRESSES_MAX {
                let oldest = failures.iter().min_by_key(|(_, (since, _))| *since).map(|(address, _)| address.clone());
                oldest.and_then(|oldest| failures.remove(&oldest));
            }
        }
        let entry = failures.entry(address.to_owned()).or_insert((now, 0));
        if now.since_ms(entry.0) >= WINDOW_MS {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }

    pub(crate) fn passed(&self, address: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }
}

const FAILURES_MAX: u32 = 20;
const WINDOW_MS: i64 = 60_000;
const ADDRESSES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_waits_and_others_do_not() {
        let throttle = Throttle::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(throttle.wait_s("a", IngestTime(0)), 0);
            throttle.failed("a", IngestTime(0));
        }
        assert!(throttle.wait_s("a", IngestTime(1_000)) > 50);
        assert_eq!(throttle.wait_s("b", IngestTime(1_000)), 0);
        assert_eq!(throttle.wait_s("a", IngestTime(WINDOW_MS)), 0);
    }

    #[test]
    fn the_list_of_addresses_is_bounded() {
        let throttle = Throttle::default();
        for number in 0..ADDRESSES_MAX + 50 {
            throttle.failed(&number.to_string(), IngestTime(0));
        }
        assert!(throttle.failures.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
