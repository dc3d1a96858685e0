//! Wrong passwords, counted for an account and an address together, so that nobody can lock another out by guessing from elsewhere.
//! After five in a row the pair waits 30 s, then twice as long for each further one, at most 15 minutes. An account that is guessed
//! at from many addresses is closed for an hour to addresses that it never logged in from. In memory and bounded.

use model::net::neighbourhood;
use model::time::IngestTime;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pairs: BTreeMap<(String, String), Tries>,
    accounts: BTreeMap<String, Siege>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    failures: u32,
    last: IngestTime,
    until: IngestTime,
    pardon: i64,
}

/// Failures of an account from all addresses since a time.
#[derive(Debug, Clone, Copy)]
struct Siege {
    failures: u32,
    since: IngestTime,
    pardon: i64,
}

/// Who tries: the account, where from, and how often the account was pardoned, which voids what was counted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) login: String,
    near: String,
    pub(crate) pardon: i64,
}

impl Who {
    pub(crate) fn new(login: &str, origin: &str, pardon: i64) -> Self {
        let near = origin.parse().map_or_else(|_| origin.to_owned(), |address| neighbourhood(address).to_string());
        Self { login: login.chars().take(LOGIN_CHARS_MAX).collect(), near, pardon }
    }

    fn pair(&self) -> (String, String) {
        (self.login.clone(), self.near.clone())
    }
}

/// Whether a password is looked at at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// Only for an address that the account has logged in from.
    Known {
        until: IngestTime,
    },
    Closed {
        until: IngestTime,
    },
}

impl Guesses {
    pub(crate) fn door(&self, who: &Who, now: IngestTime) -> Door {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = state.pairs.get(&who.pair()).filter(|tries| tries.pardon == who.pardon && tries.until > now);
        if let Some(tries) = tries {
            return Door::Closed { until: tries.until };
        }
        let siege = state.accounts.get(&who.login).filter(|siege| siege.pardon == who.pardon);
        match siege.filter(|siege| siege.failures >= SIEGE_MAX && now.since_ms(siege.since) < SIEGE_MS) {
            Some(siege) => Door::Known { until: siege.since.plus_ms(SIEGE_MS) },
            None => Door::Open,
        }
    }

    /// True: the pair waits from now on.
    pub(crate) fn failed(&self, who: &Who, now: IngestTime) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut state.pairs, |tries| (now.since_ms(tries.last) > FORGET_MS, tries.last));
        make_room(&mut state.accounts, |siege| (now.since_ms(siege.since) > SIEGE_MS, siege.since));
        let fresh = Siege { failures: 0, since: now, pardon: who.pardon };
        let siege = state.accounts.entry(who.login.clone()).or_insert(fresh);
        if siege.pardon != who.pardon || now.since_ms(siege.since) >= SIEGE_MS {
            *siege = fresh;
        }
        siege.failures = siege.failures.saturating_add(1);
        let fresh = Tries { failures: 0, last: now, until: IngestTime::MIN, pardon: who.pardon };
        let tries = state.pairs.entry(who.pair()).or_insert(fresh);
        if tries.pardon != who.pardon || now.since_ms(tries.last) > FORGET_MS {
            *tries = fresh;
        }
        tries.failures = tries.failures.saturating_add(1);
        tries.last = now;
        let Some(over) = tries.failures.checked_sub(FAILURES_FREE) else { return false };
        tries.until = now.plus_ms((LOCK_MS << over.min(10)).min(LOCK_MS_MAX));
        true
    }

    pub(crate) fn passed(&self, who: &Who) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pairs.remove(&who.pair());
    }
}

/// Lets go what is old, else the oldest.
fn make_room<K: Ord + Clone, V>(of: &mut BTreeMap<K, V>, age: impl Fn(&V) -> (bool, IngestTime)) {
    if of.len() < KEPT_MAX {
        return;
    }
    of.retain(|_, value| !age(value).0);
    if of.len() >= KEPT_MAX {
        let oldest = of.iter().min_by_key(|(_, value)| age(value).1).map(|(key, _)| key.clone());
        oldest.and_then(|oldest| of.remove(&oldest));
    }
}

const FAILURES_FREE: u32 = 5;
const LOCK_MS: i64 = 30_000;
pub(crate) const LOCK_MS_MAX: i64 = 15 * 60_000;
/// A pair that did nothing for so long begins anew.
const FORGET_MS: i64 = 24 * 3_600_000;
/// Failures of an account from all addresses within an hour.
pub(crate) const SIEGE_MAX: u32 = 300;
const SIEGE_MS: i64 = 3_600_000;
const LOGIN_CHARS_MAX: usize = 64;
const KEPT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let guesses = Guesses::default();
        for number in 0..KEPT_MAX + 50 {
            guesses.failed(&Who::new(&format!("n{number}"), "10.0.0.1", 0), IngestTime(0));
        }
        let state = guesses.0.lock().unwrap();
        assert!(state.pairs.len() <= KEPT_MAX && state.accounts.len() <= KEPT_MAX);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let (one, two) = (Who::new("a", "2001:db8::1", 0), Who::new("a", "2001:db8::2", 0));
        assert_eq!(one, two);
        assert_ne!(one, Who::new("a", "2001:db8:0:1::1", 0));
    }
}
