//! The queue before the log and the thread behind it: it takes all that is queued (up to a bound), commits it as one
//! group and runs the completions. While one group is synced the next gathers; no delay is needed for that.
//!
//! After a failure nothing waits: what is queued is refused at once, and the thread tries again and again to start a new
//! segment, at growing intervals up to a bound, until it can.

use super::catalog::Shared;
use super::log::Log;
use super::{Health, JournalConfig};
use crate::metrics::{
    JOURNAL_COMMIT_SECONDS, JOURNAL_FAILED_TOTAL, JOURNAL_GROUP_ENTRIES, JOURNAL_HEALTH_STATE,
    JOURNAL_OVERLOADED_TOTAL, JOURNAL_QUEUE_BYTES,
};
use model::seams::{AppendError, Committed, Completion};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Entries of one caller, encoded as records that still lack number and checksum.
pub(super) struct Batch {
    pub records: Vec<u8>,
    pub count: u32,
    pub done: Completion,
}

/// Bounded in bytes and entries. Full: refused at once.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    bytes: usize,
    entries: usize,
    stopping: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// Queues the batch, or refuses it at once on the caller's thread.
    pub(super) fn push(&self, batch: Batch, config: &JournalConfig) {
        let mut state = self.state();
        let full = state.bytes + batch.records.len() > config.queue_bytes_max
            || state.entries + batch.count as usize > config.queue_entries_max;
        let refusal = match (state.stopping, full) {
            (true, _) => AppendError::Stopping,
            (false, true) => AppendError::Overloaded,
            (false, false) => {
                state.bytes += batch.records.len();
                state.entries += batch.count as usize;
                state.batches.push_back(batch);
                if state.batches.len() == 1 {
                    self.filled.notify_one();
                }
                return;
            }
        };
        drop(state);
        if refusal == AppendError::Overloaded {
            metrics::counter!(JOURNAL_OVERLOADED_TOTAL).increment(1);
        }
        (batch.done)(Err(refusal));
    }

    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.filled.notify_all();
    }

    /// Waits for batches, until `until` where given. Empty: the time is over, or (`None`) the queue is stopped and empty.
    fn take(&self, bytes_max: usize, until: Option<Instant>) -> Option<Vec<Batch>> {
        let mut state = self.state();
        while state.batches.is_empty() && !state.stopping {
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Some(Vec::new()),
                Some(left) => self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        if state.batches.is_empty() {
            return None;
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = state.batches.pop_front() {
            if !group.is_empty() && bytes + batch.records.len() > bytes_max {
                state.batches.push_front(batch);
                break;
            }
            bytes += batch.records.len();
            state.bytes -= batch.records.len();
            state.entries -= batch.count as usize;
            group.push(batch);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(JOURNAL_QUEUE_BYTES).set(state.bytes as f64);
        Some(group)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's thread: until the queue is stopped and empty. `wake_keeper` is called when a segment was started.
pub(super) fn run(shared: &Arc<Shared>, queue: &Queue, wake_keeper: impl Fn()) {
    let mut log = Log::new(Arc::clone(shared));
    let mut segments = 0;
    while let Some(group) = queue.take(shared.config.group_bytes_max, None) {
        if let Err((group, error)) = commit(shared, &mut log, group) {
            outlast(shared, &mut log, queue, group, error);
        }
        if log.started() != segments {
            segments = log.started();
            wake_keeper();
        }
    }
    shared.catalog().stopped = true;
    shared.grown.notify_all();
    shared.end.send_modify(|_| {});
}

fn commit(shared: &Shared, log: &mut Log, group: Vec<Batch>) -> Result<(), (Vec<Batch>, AppendError)> {
    let started = Instant::now();
    let count = group.iter().map(|batch| batch.count).sum();
    match log.commit(group.iter().map(|batch| batch.records.as_slice()), count) {
        Ok(first) => {
            metrics::histogram!(JOURNAL_COMMIT_SECONDS).record(started.elapsed());
            metrics::histogram!(JOURNAL_GROUP_ENTRIES).record(f64::from(count));
            let (at, mut seq) = (shared.clock.now(), first);
            for batch in group {
                (batch.done)(Ok(Committed { first: shared.position(seq), count: batch.count, at }));
                seq += u64::from(batch.count);
            }
            Ok(())
        }
        Err(error) => Err((group, append_error(&error))),
    }
}

/// Refuses everything until a new segment could be started.
fn outlast(shared: &Shared, log: &mut Log, queue: &Queue, mut group: Vec<Batch>, mut error: AppendError) {
    let since = shared.clock.now();
    let mut pause = RETRY_MIN.min(shared.config.retry_max);
    tracing::warn!(%error, "journal stopped taking entries");
    loop {
        let health = match &error {
            AppendError::DiskFull => Health::DiskFull { since },
            other => Health::Failing { since, error: other.to_string().into() },
        };
        set_health(shared, health);
        refuse(std::mem::take(&mut group), &error);
        let until = Instant::now() + pause;
        while Instant::now() < until {
            match queue.take(shared.config.group_bytes_max, Some(until)) {
                Some(group) => refuse(group, &error),
                None => return,
            }
        }
        match log.rotate(0) {
            Ok(()) => break,
            Err(again) => error = append_error(&again),
        }
        pause = (pause * 2).min(shared.config.retry_max);
    }
    set_health(shared, Health::Ok);
    tracing::warn!(since = %since, "journal takes entries again");
}

fn refuse(group: Vec<Batch>, error: &AppendError) {
    let why = if *error == AppendError::DiskFull { "disk_full" } else { "io" };
    metrics::counter!(JOURNAL_FAILED_TOTAL, "why" => why).increment(group.len() as u64);
    for batch in group {
        (batch.done)(Err(error.clone()));
    }
}

fn set_health(shared: &Shared, health: Health) {
    let state = match health {
        Health::Ok => 0.0,
        Health::DiskFull { .. } => 1.0,
        Health::Failing { .. } => 2.0,
    };
    metrics::gauge!(JOURNAL_HEALTH_STATE).set(state);
    *shared.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
}

pub(super) fn append_error(error: &io::Error) -> AppendError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::DiskFull,
        _ => AppendError::Io(error.to_string().into()),
    }
}

const RETRY_MIN: Duration = Duration::from_millis(100);
