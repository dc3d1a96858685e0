//! Time in the journal: a tick every ten seconds, a clock step as an outage of ours, and the outage that a stop was.

use crate::config::Gateway;
use anyhow::Result;
use ingest::chunks::{ChunkStore, QuarantineRetention};
use ingest::journal::entry::Entry;
use ingest::journal::{ClockWatch, Journal, Recovery, process_outage};
use ingest::quarantine::Porch;
use model::envelope::{Position, ProtocolKind};
use model::seams::AppendError;
use model::stream::{Outage, OutageKind, Tick};
use model::time::{Clock, IngestTime};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

const TICK: Duration = Duration::from_secs(10);
/// Our own clock moved by more than this beside the monotonic one.
const STEP: Duration = Duration::from_secs(2);

/// The time from the journal's last entry to now was ours, not the devices'.
pub(super) fn note_own_outage(journal: &Arc<Journal>, recovery: &Recovery, now: IngestTime) -> Result<(), AppendError> {
    let Some(outage) = process_outage(recovery, now) else { return Ok(()) };
    journal.append_blocking(vec![Entry::Outage(outage)]).map(drop)
}

/// Ticks until `stop`. A journal that takes none is its own trouble; the next tick shows how long it lasted.
pub(super) async fn run(
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    gateway: Gateway,
    stop: CancellationToken,
) -> Result<()> {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut last, mut last_instant) = (clock.now(), tokio::time::Instant::now());
    let mut watch = ClockWatch::new(last, STEP);
    let mut full_since: Option<IngestTime> = None;
    loop {
        // Both branches are cancel-safe.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        let (now, instant) = (clock.now(), tokio::time::Instant::now());
        let mut entries = Vec::with_capacity(3);
        if let Some(step) = watch.observe(now, instant - last_instant) {
            warn!(from = %step.from, to = %step.to, "our own clock was moved");
            entries.push(Entry::Outage(step));
        }
        if let Some(from) = full_since {
            entries.push(Entry::Outage(Outage { from, to: now, what: OutageKind::DiskFull }));
        }
        entries.push(Entry::Tick(Tick { at: now, clock_synchronised: synchronised(), listening: listening(&gateway) }));
        match journal.append_wait(entries).await {
            Ok(_) => full_since = None,
            Err(AppendError::Stopping) => return Ok(()),
            Err(_) => full_since = full_since.or(Some(last)),
        }
        (last, last_instant) = (now, instant);
    }
}

/// What the housekeeping looks after.
#[derive(Debug)]
pub(super) struct House {
    journal: Arc<Journal>,
    chunks: ChunkStore,
    porch: Arc<Porch>,
    clock: Arc<dyn Clock>,
    data_dir: PathBuf,
    /// Bytes that the journal takes on the disk, for the page.
    journal_bytes: Arc<AtomicU64>,
    quarantine: QuarantineRetention,
}

impl House {
    pub(super) fn new(
        (journal, chunks, porch, clock): (&Arc<Journal>, &ChunkStore, &Arc<Porch>, &Arc<dyn Clock>),
        (data_dir, journal_bytes): (PathBuf, Arc<AtomicU64>),
        quarantine: QuarantineRetention,
    ) -> Self {
        Self {
            journal: Arc::clone(journal),
            chunks: chunks.clone(),
            porch: Arc::clone(porch),
            clock: Arc::clone(clock),
            data_dir,
            journal_bytes,
            quarantine,
        }
    }
}

/// Every few seconds: lets the journal archive what is sealed and keeps the list of unknown identities. Every minute: measures
/// the journal. Every ten: lets go of what the quarantine list has too much of.
pub(super) async fn keep_house(house: House, stop: CancellationToken) -> Result<()> {
    let House { journal, chunks, porch, clock, data_dir, journal_bytes, quarantine } = house;
    let mut every = tokio::time::interval(Duration::from_secs(5));
    let mut kept = porch.version();
    let mut rounds: u64 = 0;
    // Both branches are cancel-safe.
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        if rounds.is_multiple_of(12) {
            let (folder, bytes) = (data_dir.join("journal"), Arc::clone(&journal_bytes));
            let measure = move || bytes.store(super::machine::bytes_on_disk(&folder), Ordering::Relaxed);
            tokio::task::spawn_blocking(measure).await.ok(); // a panic is logged
        }
        if rounds.is_multiple_of(120)
            && let Err(error) = chunks.forget_quarantine(quarantine, clock.now()).await
        {
            warn!(%error, "failed to shorten the quarantine list, will try again");
        }
        rounds += 1;
        let sealed = chunks.cursor();
        journal.release(Position { seq: sealed.seq + 1, ..sealed });
        if porch.version() != kept {
            kept = porch.version();
            let (porch, data_dir) = (Arc::clone(&porch), data_dir.clone());
            tokio::task::spawn_blocking(move || super::machine::keep_porch(&data_dir, &porch)).await.ok(); // a panic is logged
        }
    }
    Ok(())
}

/// Settled records are written as JSON only while somebody subscribes to them.
pub(super) async fn watch_fan_out(
    front: gateway::mqtt::Front,
    listened: Arc<AtomicBool>,
    stop: CancellationToken,
) -> Result<()> {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    // Both branches are cancel-safe.
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        listened.store(front.counts().routed > 0, Ordering::Relaxed);
    }
    Ok(())
}

/// systemd keeps this file while the clock is synchronised; without systemd nothing is known and nothing is claimed.
fn synchronised() -> bool {
    std::path::Path::new("/run/systemd/timesync/synchronized").exists()
}

fn listening(gateway: &Gateway) -> Vec<ProtocolKind> {
    let all = [
        (gateway.mqtt.or(gateway.mqtt_tls).is_some(), ProtocolKind::Mqtt),
        (gateway.hj212.or(gateway.hj212_tls).is_some(), ProtocolKind::Hj212),
        (gateway.jt808.or(gateway.jt808_tls).is_some(), ProtocolKind::Jt808),
        (gateway.modbus, ProtocolKind::Modbus),
    ];
    all.into_iter().filter_map(|(up, protocol)| up.then_some(protocol)).collect()
}
