//! How one address stands: its connections, what it did wrong of late, its ban. Pure: `now` is an argument.

use super::{LimitsConfig, Turned};
use model::gatekeeper::{Ban, BanReason};
use model::time::IngestTime;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Standing {
    connections: usize,
    /// Of those, the ones whose device got in.
    established: usize,
    /// New connections it may make now, refilled with time.
    connects: f64,
    connects_at: Instant,
    /// Hashes of different wrong secrets and unknown identities since `slow_window`, sorted.
    guesses: Vec<u32>,
    strangers: Vec<u32>,
    slow_window: Instant,
    rubbish: u64,
    quick_window: Instant,
    /// Bans so far, forgotten a day after the last.
    times: u32,
    active: Option<Active>,
    touched: Instant,
}

#[derive(Debug)]
struct Active {
    reason: BanReason,
    until: Instant,
    since_shown: IngestTime,
    until_shown: IngestTime,
    refused: u64,
}

/// Something an address did wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrong {
    /// A wrong secret: hash of identity and secret.
    Guess(u32),
    /// An unknown identity: its hash.
    Stranger(u32),
    /// Bytes that could not be taken.
    Rubbish(u64),
}

impl Standing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            connections: 0,
            established: 0,
            connects: f64::INFINITY,
            connects_at: now,
            guesses: Vec::new(),
            strangers: Vec::new(),
            slow_window: now,
            rubbish: 0,
            quick_window: now,
            times: 0,
            active: None,
            touched: now,
        }
    }

    pub(super) fn enter(&mut self, config: &LimitsConfig, now: Instant) -> Result<(), Turned> {
        self.touched = now;
        if self.refuse_if_banned(now) {
            return Err(Turned::Banned);
        }
        let most = f64::from(config.connects_per_minute_max);
        let since = now.duration_since(self.connects_at).as_secs_f64();
        self.connects = (self.connects + since * most / 60.0).min(most);
        self.connects_at = now;
        if self.connections >= config.connections_per_address_max {
            return Err(Turned::Connections);
        }
        if self.connects < 1.0 {
            return Err(Turned::Connects);
        }
        self.connects -= 1.0;
        self.connections += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self, established: bool, now: Instant) {
        self.touched = now;
        self.connections = self.connections.saturating_sub(1);
        self.established = self.established.saturating_sub(usize::from(established));
    }

    pub(super) const fn establish(&mut self) {
        self.established += 1;
    }

    /// `Some`: it is banned from now on.
    pub(super) fn note(
        &mut self,
        wrong: Wrong,
        config: &LimitsConfig,
        now: Instant,
        shown: IngestTime,
    ) -> Option<BanReason> {
        self.touched = now;
        if self.is_banned(now) {
            return None;
        }
        if now.duration_since(self.slow_window) >= SLOW_WINDOW {
            self.slow_window = now;
            self.guesses = Vec::new();
            self.strangers = Vec::new();
        }
        if now.duration_since(self.quick_window) >= QUICK_WINDOW {
            self.quick_window = now;
            self.rubbish = 0;
        }
        let good = self.established.min(GOOD_MAX);
        let over = match wrong {
            Wrong::Guess(hash) => add(&mut self.guesses, hash, config.guesses_max * (1 + good)),
            Wrong::Stranger(hash) => add(&mut self.strangers, hash, config.strangers_max),
            Wrong::Rubbish(bytes) => {
                self.rubbish = self.rubbish.saturating_add(bytes);
                let credit = RUBBISH_PER_GOOD.saturating_mul(u64::try_from(self.established).unwrap_or(u64::MAX));
                self.rubbish > config.rubbish_bytes_max.saturating_add(credit)
            }
        };
        if !over {
            return None;
        }
        let reason = match wrong {
            Wrong::Guess(_) => BanReason::Guessing,
            Wrong::Stranger(_) => BanReason::Strangers,
            Wrong::Rubbish(_) => BanReason::Rubbish,
        };
        let length =
            config.ban.saturating_mul(1_u32.checked_shl(self.times.min(20)).unwrap_or(u32::MAX)).min(config.ban_max);
        self.times = self.times.saturating_add(1);
        let ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let until_shown = shown.plus_ms(ms);
        self.active = Some(Active { reason, until: now + length, since_shown: shown, until_shown, refused: 0 });
        self.clear();
        Some(reason)
    }

    fn clear(&mut self) {
        self.guesses = Vec::new();
        self.strangers = Vec::new();
        self.rubbish = 0;
    }

    pub(super) fn is_banned(&self, now: Instant) -> bool {
        self.active.as_ref().is_some_and(|active| now < active.until)
    }

    pub(super) fn refuse_if_banned(&mut self, now: Instant) -> bool {
        let Some(active) = self.active.as_mut().filter(|active| now < active.until) else { return false };
        active.refused += 1;
        true
    }

    pub(super) fn ban(&self, address: IpAddr, now: Instant) -> Option<Ban> {
        let active = self.active.as_ref().filter(|active| now < active.until)?;
        Some(Ban {
            address,
            reason: active.reason,
            since: active.since_shown,
            until: active.until_shown,
            times: self.times,
            refused: active.refused,
        })
    }

    pub(super) const fn times(&self) -> u32 {
        self.times
    }

    pub(super) fn lift(&mut self, now: Instant) -> bool {
        let was = self.is_banned(now);
        if was {
            self.active = None;
            self.times = 0;
            self.clear();
        }
        was
    }

    pub(super) fn may_be_forgotten(&self, now: Instant) -> bool {
        let memory = if self.times > 0 { BAN_MEMORY } else { SLOW_WINDOW };
        self.connections == 0 && !self.is_banned(now) && now.duration_since(self.touched) >= memory
    }
}

/// Adds to a sorted list; true: it has more than `most`.
fn add(seen: &mut Vec<u32>, hash: u32, most: usize) -> bool {
    if let Err(place) = seen.binary_search(&hash) {
        seen.insert(place, hash);
    }
    seen.len() > most
}

/// In which guesses and unknown identities are counted.
const SLOW_WINDOW: Duration = Duration::from_mins(10);
/// In which rubbish is counted.
const QUICK_WINDOW: Duration = Duration::from_mins(1);
/// How long a ban makes the next one longer.
const BAN_MEMORY: Duration = Duration::from_hours(24);
/// Each device that got in lets its address guess as much again; so many count.
const GOOD_MAX: usize = 32;
/// What each device that got in adds to the rubbish its address may send a minute: one whose check is wrong may share it.
const RUBBISH_PER_GOOD: u64 = 64 << 10;
