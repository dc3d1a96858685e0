//! The journal's housework, on a thread of low priority: the next segment is made ahead of need, segments that settle has
//! passed go to the archive, archived ones are deleted when they outlive the retention. Each step can be repeated; a
//! failed one is tried again later and never touches what the writer does.

use super::archive::{ArchiveHeader, archive_segment};
use super::catalog::{Place, Shared};
use super::{JournalError, log};
use crate::metrics::{
    JOURNAL_ARCHIVE_BYTES, JOURNAL_ARCHIVED_TOTAL, JOURNAL_EXPIRED_TOTAL, JOURNAL_KEEPER_FAILURES_TOTAL,
};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Wakes and stops the keeper.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<Ring>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Ring {
    work: bool,
    stop: bool,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).work = true;
        self.rung.notify_all();
    }

    pub(super) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.rung.notify_all();
    }

    fn stopping(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop
    }

    /// False: stop.
    fn wait(&self, timeout: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .rung
            .wait_timeout_while(state, timeout, |ring| !ring.work && !ring.stop)
            .unwrap_or_else(PoisonError::into_inner);
        state.work = false;
        !state.stop
    }
}

/// The keeper's thread.
pub(super) fn run(shared: &Shared, bell: &Bell) {
    // Only a wish; compression then gives way to everything else.
    rustix::process::nice(NICE).ok();
    let mut failing = false;
    loop {
        let pause = match work(shared, || bell.stopping()) {
            Ok(()) => {
                failing = false;
                REST
            }
            Err(error) => {
                metrics::counter!(JOURNAL_KEEPER_FAILURES_TOTAL).increment(1);
                if !failing {
                    tracing::warn!(error = %chain(&error), "journal keeper could not finish its work and will try again");
                }
                failing = true;
                RETRY
            }
        };
        if !bell.wait(pause) {
            return;
        }
    }
}

/// All that is due now.
pub(super) fn work(shared: &Shared, stop: impl Fn() -> bool) -> Result<(), JournalError> {
    let reserve = log::prepare_reserve(shared);
    let archived = archive_due(shared, &stop);
    expire(shared)?;
    archived?;
    reserve.map_err(|source| JournalError::io("reserve a segment in", &shared.config.dir, source))
}

fn archive_due(shared: &Shared, stop: &impl Fn() -> bool) -> Result<(), JournalError> {
    while !stop() {
        let due = shared.catalog().archivable(shared.released.load(Ordering::Acquire));
        let Some((first, last)) = due else { break };
        archive_segment(shared, first, last)?;
        metrics::counter!(JOURNAL_ARCHIVED_TOTAL).increment(1);
    }
    Ok(())
}

fn expire(shared: &Shared) -> Result<(), JournalError> {
    let retention = i64::try_from(shared.config.archive_retention.as_millis()).unwrap_or(i64::MAX);
    let horizon = shared.clock.now().plus_ms(-retention);
    loop {
        let oldest = shared.catalog().segments.first_key_value().map(|(first, segment)| (*first, segment.place));
        let Some((first, Place::Archived)) = oldest else { break };
        let path = shared.archive_path(first);
        let file = shared.layer.open(&path).map_err(|source| JournalError::io("open", &path, source))?;
        if ArchiveHeader::read(&*file, &path)?.last_at >= horizon {
            break;
        }
        shared.catalog().segments.remove(&first);
        shared.layer.remove(&path).map_err(|source| JournalError::io("remove", &path, source))?;
        metrics::counter!(JOURNAL_EXPIRED_TOTAL).increment(1);
    }
    weigh(shared)
}

fn weigh(shared: &Shared) -> Result<(), JournalError> {
    let dir = shared.archive_dir();
    let mut bytes = 0;
    for name in shared.layer.list(&dir).map_err(|source| JournalError::io("list", &dir, source))? {
        bytes += shared.layer.open(&dir.join(name)).and_then(|file| file.length()).unwrap_or(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!(JOURNAL_ARCHIVE_BYTES).set(bytes as f64);
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

const NICE: i32 = 10;
const REST: Duration = Duration::from_hours(1);
const RETRY: Duration = Duration::from_secs(10);
