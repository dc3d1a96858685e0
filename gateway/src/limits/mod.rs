//! Limits of addresses and devices, shared by every listener of the edge.
//!
//! | of an address (IPv6: a network of 64 bits) | over it |
//! |---|---|
//! | connections at a time, over all ports | the newest is closed at once |
//! | new connections a minute | the same |
//! | different wrong secrets, different unknown identities in ten minutes, bytes that could not be taken in a minute | a ban that expires |
//!
//! | of a device, over all its connections | over it |
//! |---|---|
//! | frames and bytes a second, after a burst | it is read more slowly; nothing is lost |
//!
//! | of a connection, until a device got in on it | over it |
//! |---|---|
//! | bytes a second, after a burst | it is read more slowly |
//!
//! A listener that is full sends away the connection that has said longest nothing of who it is ([`room`]), so that thousands of them,
//! from however many addresses, keep nobody out.
//!
//! Behind one address there may be a thousand devices (a carrier's NAT). So the same wrong secret again is no guess (a device with
//! an old password repeats it for ever), each device that got in raises what its address may do wrong, a ban refuses new
//! connections and leaves those that got in alone, and the networks of [`LimitsConfig::trusted`] are never counted at all.
//! Everything is kept in memory and bounded: a restart forgets it.

mod pace;
mod room;
mod seat;
mod standing;
#[cfg(test)]
mod tests;

pub use pace::{Allowance, Pace};
pub(crate) use room::{Room, Stay};
pub use seat::Seat;

use crate::metrics;
use ahash::{AHashMap, RandomState};
use model::gatekeeper::{Ban, Gatekeeper, Slowed};
use model::id::DeviceId;
use model::net::{Network, neighbourhood};
use model::time::Clock;
use standing::{Standing, Wrong};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The limits. The defaults are those of `config/example.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitsConfig {
    /// Networks that are neither counted nor banned: a carrier's NAT, a proxy of one's own.
    pub trusted: Vec<Network>,
    pub connections_per_address_max: usize,
    pub connects_per_minute_max: u32,
    /// Different wrong secrets of an address in ten minutes.
    pub guesses_max: usize,
    /// Different unknown identities of an address in ten minutes.
    pub strangers_max: usize,
    /// Bytes of an address in a minute that could not be taken.
    pub rubbish_bytes_max: u64,
    /// The first ban; each further one is twice as long.
    pub ban: Duration,
    pub ban_max: Duration,
    /// What a device may send.
    pub device: Allowance,
    /// What a connection may send a second while no device has got in on it …
    pub stranger_bytes_per_second: u64,
    /// … after so much at once.
    pub stranger_bytes_burst: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            connections_per_address_max: 4_096,
            connects_per_minute_max: 6_000,
            guesses_max: 30,
            strangers_max: 2_000,
            rubbish_bytes_max: 4 << 20,
            ban: Duration::from_mins(1),
            ban_max: Duration::from_hours(1),
            device: Allowance::default(),
            stranger_bytes_per_second: 16 << 10,
            stranger_bytes_burst: 64 << 10,
        }
    }
}

/// The limits in force and who stands how with them. Shared by all listeners.
#[derive(Debug)]
pub struct Limits {
    config: LimitsConfig,
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    addresses: Mutex<Addresses>,
    devices: Mutex<AHashMap<DeviceId, Arc<Pace>>>,
}

#[derive(Debug, Default)]
struct Addresses {
    of: BTreeMap<IpAddr, Standing>,
    /// Where the sweep for those who may be forgotten goes on.
    hand: Option<IpAddr>,
}

/// Why a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    Banned,
    Connections,
    Connects,
}

impl Turned {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Connections => "connections",
            Self::Connects => "connects",
        }
    }
}

impl Limits {
    pub fn new(config: LimitsConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            config,
            clock,
            hasher: RandomState::new(),
            addresses: Mutex::default(),
            devices: Mutex::default(),
        })
    }

    /// A place for a new connection, held until the seat is dropped.
    ///
    /// # Errors
    /// The address is banned or has its fill; it is counted already.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Arc<Seat>, Turned> {
        let address = neighbourhood(address);
        if self.trusts(address) {
            return Ok(Seat::new(Arc::clone(self), None));
        }
        let (now, config) = (Instant::now(), &self.config);
        let mut addresses = self.lock();
        addresses.sweep(now);
        let entered = match addresses.standing(address, now) {
            Some(standing) => standing.enter(config, now),
            // With no room to remember it, it is served and not counted: refusing would let a flood of addresses keep all out.
            None => Ok(()),
        };
        drop(addresses);
        match entered {
            Ok(()) => Ok(Seat::new(Arc::clone(self), Some(address))),
            Err(turned) => {
                ::metrics::counter!(metrics::TURNED_AWAY_TOTAL, "reason" => turned.code()).increment(1);
                Err(turned)
            }
        }
    }

    /// What a device has left of its allowance, over all its connections. Ask only for devices of the register.
    pub fn pace(&self, device: DeviceId) -> Arc<Pace> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(devices.entry(device).or_insert_with(|| Arc::new(Pace::new(self.config.device, Instant::now()))))
    }

    /// Spends what a device sent and returns how long its connection must not read.
    pub fn spend(&self, pace: &Pace, frames: usize, bytes: usize) -> Duration {
        let pause = pace.spend(frames, bytes, Instant::now());
        if !pause.is_zero() {
            ::metrics::counter!(metrics::DEVICE_PAUSES_TOTAL).increment(1);
            pace.note(pause, self.clock.now());
        }
        pause
    }

    /// How long a connection must not read on which nobody got in for `open`, although it sent `bytes`.
    fn strange(&self, bytes: u64, open: Duration) -> Duration {
        let over = bytes.saturating_sub(self.config.stranger_bytes_burst);
        if over == 0 {
            return Duration::ZERO;
        }
        let due_ms = over.saturating_mul(1_000) / self.config.stranger_bytes_per_second.max(1);
        let pause = Duration::from_millis(due_ms).saturating_sub(open);
        if !pause.is_zero() {
            ::metrics::counter!(metrics::STRANGER_PAUSES_TOTAL).increment(1);
        }
        pause
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.config.trusted.iter().any(|network| network.holds(address))
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what went wrong; true: the address is banned from now on.
    fn note(&self, address: IpAddr, wrong: Wrong) -> bool {
        let now = Instant::now();
        let mut addresses = self.lock();
        let Some(standing) = addresses.standing(address, now) else { return false };
        let Some(reason) = standing.note(wrong, &self.config, now, self.clock.now()) else { return false };
        let times = standing.times();
        let banned = addresses.of.values().filter(|one| one.is_banned(now)).count();
        drop(addresses);
        ::metrics::counter!(metrics::BANS_TOTAL, "reason" => reason.code()).increment(1);
        gauge_bans(banned);
        tracing::info!(%address, reason = reason.code(), times, "address banned");
        true
    }

    fn distinct(&self, identity: &str, secret: &[u8]) -> u32 {
        let hash = self.hasher.hash_one((identity, secret));
        u32::try_from(hash >> 32).unwrap_or(u32::MAX)
    }

    fn leave(&self, address: IpAddr, established: bool) {
        if let Some(standing) = self.lock().of.get_mut(&address) {
            standing.leave(established, Instant::now());
        }
    }

    fn established(&self, address: IpAddr) {
        if let Some(standing) = self.lock().of.get_mut(&address) {
            standing.establish();
        }
    }
}

impl Addresses {
    /// The standing of an address, made if there is none; `None`: no room.
    fn standing(&mut self, address: IpAddr, now: Instant) -> Option<&mut Standing> {
        if self.of.len() >= ADDRESSES_MAX && !self.of.contains_key(&address) {
            ::metrics::counter!(metrics::ADDRESSES_FULL_TOTAL).increment(1);
            return None;
        }
        Some(self.of.entry(address).or_insert_with(|| Standing::new(now)))
    }

    /// Looks at a few addresses and forgets those that may be forgotten; all of them in turn, call after call.
    fn sweep(&mut self, now: Instant) {
        let from = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
        let next: Vec<IpAddr> =
            self.of.range((from, Bound::Unbounded)).take(SWEPT_AT_ONCE).map(|(address, _)| *address).collect();
        self.hand = next.last().copied().filter(|_| next.len() == SWEPT_AT_ONCE);
        for address in next {
            if self.of.get(&address).is_some_and(|standing| standing.may_be_forgotten(now)) {
                self.of.remove(&address);
            }
        }
    }
}

impl Gatekeeper for Limits {
    fn is_banned(&self, address: IpAddr) -> bool {
        let (address, now) = (neighbourhood(address), Instant::now());
        self.lock().of.get_mut(&address).is_some_and(|standing| standing.refuse_if_banned(now))
    }

    fn guessed(&self, address: IpAddr, identity: &str, secret: &[u8]) {
        let address = neighbourhood(address);
        if !self.trusts(address) {
            self.note(address, Wrong::Guess(self.distinct(identity, secret)));
        }
    }

    fn take(&self, device: DeviceId, frames: usize, bytes: usize) -> Result<(), u64> {
        let pace = self.pace(device);
        let debt = pace.debt(Instant::now());
        if debt.is_zero() {
            pace.spend(frames, bytes, Instant::now());
            return Ok(());
        }
        ::metrics::counter!(metrics::DEVICE_PAUSES_TOTAL).increment(1);
        pace.note(Duration::ZERO, self.clock.now());
        Err(u64::try_from(debt.as_millis()).unwrap_or(u64::MAX).max(1))
    }

    fn bans(&self) -> Vec<Ban> {
        let now = Instant::now();
        let addresses = self.lock();
        let mut bans: Vec<Ban> = addresses.of.iter().filter_map(|(address, one)| one.ban(*address, now)).collect();
        drop(addresses);
        gauge_bans(bans.len());
        bans.sort_by_key(|ban| std::cmp::Reverse((ban.since, ban.address)));
        bans
    }

    fn lift(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let mut addresses = self.lock();
        let lifted = addresses.of.get_mut(&neighbourhood(address)).is_some_and(|standing| standing.lift(now));
        let banned = addresses.of.values().filter(|one| one.is_banned(now)).count();
        drop(addresses);
        gauge_bans(banned);
        lifted
    }

    fn slowed(&self) -> Vec<Slowed> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slowed: Vec<Slowed> = devices.iter().filter_map(|(device, pace)| pace.slowed(*device)).collect();
        drop(devices);
        slowed.sort_by_key(|one| std::cmp::Reverse((one.last, one.device)));
        slowed
    }
}

fn gauge_bans(count: usize) {
    ::metrics::gauge!(metrics::BANNED_ADDRESSES).set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 20_000;
/// Looked at with each new connection.
const SWEPT_AT_ONCE: usize = 4;
