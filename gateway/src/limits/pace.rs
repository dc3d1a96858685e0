//! What a device may send: a bucket of frames and one of bytes, refilled with time. Spending more than there is makes a debt, and
//! the debt a pause, so that nothing is lost and the rate over time is the limit.

use model::gatekeeper::Slowed;
use model::id::DeviceId;
use model::time::IngestTime;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a device may send, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    pub frames_per_second: f64,
    /// Frames it may send at once: what it kept while it was away.
    pub frames_burst: f64,
    pub bytes_per_second: f64,
    pub bytes_burst: f64,
}

impl Default for Allowance {
    fn default() -> Self {
        let (kib, mib) = (1024.0, 1024.0 * 1024.0);
        Self { frames_per_second: 100.0, frames_burst: 5_000.0, bytes_per_second: 512.0 * kib, bytes_burst: 16.0 * mib }
    }
}

/// One device's buckets.
#[derive(Debug)]
pub struct Pace {
    allowance: Allowance,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    frames: f64,
    bytes: f64,
    at: Instant,
    last: Option<IngestTime>,
    pauses: u64,
    paused: Duration,
}

impl Pace {
    pub(super) fn new(allowance: Allowance, now: Instant) -> Self {
        let Allowance { frames_burst: frames, bytes_burst: bytes, .. } = allowance;
        let state = State { frames, bytes, at: now, last: None, pauses: 0, paused: Duration::ZERO };
        Self { allowance, state: Mutex::new(state) }
    }

    /// Takes what was sent out of the buckets; returns how long to wait until they are no longer empty.
    pub(super) fn spend(&self, frames: usize, bytes: usize, now: Instant) -> Duration {
        let terms = &self.allowance;
        let mut state = self.lock();
        let since = now.duration_since(state.at).as_secs_f64();
        state.at = now;
        state.frames = (state.frames + since * terms.frames_per_second).min(terms.frames_burst) - as_f64(frames);
        state.bytes = (state.bytes + since * terms.bytes_per_second).min(terms.bytes_burst) - as_f64(bytes);
        let debt = (-state.frames / terms.frames_per_second).max(-state.bytes / terms.bytes_per_second);
        drop(state);
        if debt >= PAUSE_S_MIN { Duration::from_secs_f64(debt.min(PAUSE_S_MAX)) } else { Duration::ZERO }
    }

    /// What is to be waited for before anything more may be spent.
    pub(super) fn debt(&self, now: Instant) -> Duration {
        let terms = &self.allowance;
        let state = self.lock();
        let since = now.duration_since(state.at).as_secs_f64();
        let (frames, bytes) =
            (state.frames + since * terms.frames_per_second, state.bytes + since * terms.bytes_per_second);
        drop(state);
        let debt = (-frames / terms.frames_per_second).max(-bytes / terms.bytes_per_second);
        Duration::from_secs_f64(debt.clamp(0.0, PAUSE_S_MAX))
    }

    pub(super) fn note(&self, pause: Duration, at: IngestTime) {
        let mut state = self.lock();
        state.last = Some(at);
        state.pauses += 1;
        state.paused += pause;
    }

    pub(super) fn slowed(&self, device: DeviceId) -> Option<Slowed> {
        let state = self.lock();
        let last = state.last?;
        let paused_ms = u64::try_from(state.paused.as_millis()).unwrap_or(u64::MAX);
        Some(Slowed { device, last, pauses: state.pauses, paused_ms })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "frames and bytes of one read are far below 2^52")]
const fn as_f64(count: usize) -> f64 {
    count as f64
}

/// A smaller debt makes no pause, so that a device at its limit is read a few times a second and not for each frame.
const PAUSE_S_MIN: f64 = 0.2;
/// A pause ends after this even if the debt is greater; the rest stands for the next.
const PAUSE_S_MAX: f64 = 10.0;
