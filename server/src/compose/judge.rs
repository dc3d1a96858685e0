//! The judge's loop: takes what settle hands on, marks revisions as published, judges, and tells settle how far it is.

use anyhow::{Context, Result, ensure};
use cases::Judge;
use cases::judge::{Deadline, RawFrame, RawFrames};
use dashboards::Pulse;
use ingest::chunks::ChunkStore;
use ingest::journal::Journal;
use ingest::journal::entry::Entry;
use ledger::Ledger;
use model::envelope::{Channel, Position};
use model::facts::Facts;
use model::stream::{Batch, Item};
use model::time::{EventTime, IngestTime};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Runs until settle has gone and everything it handed on is committed.
pub(super) async fn run(
    mut judge: Judge,
    mut batches: mpsc::Receiver<Batch>,
    judged: watch::Sender<Position>,
    ledger: Ledger,
    pulse: Pulse,
    chunks: ChunkStore,
    stopping: CancellationToken,
) -> Result<()> {
    const IDLE: Duration = Duration::from_millis(100);
    loop {
        // recv is cancel-safe.
        match tokio::time::timeout(IDLE, batches.recv()).await {
            Ok(Some(batch)) => {
                publish_revisions(&ledger, &batch).await?;
                pulse.observe(&batch, &ledger.facts_now()).await;
                judge.on_batch(batch).await.context("judge a batch")?;
            }
            Ok(None) => break,
            Err(_) => judge.on_idle().await.context("commit the judge's state")?,
        }
        if let Some(end) = chunks.waits_for_judge() {
            judge.on_pressed(end.seq).await.context("commit the judge's state")?;
        }
        judged.send_replace(judge.handle().committed());
    }
    judge.flush().await.context("commit the judge's state")?;
    judged.send_replace(judge.handle().committed());
    // Acknowledging goes on without settle, but nothing would be judged: better to stop and be started again.
    ensure!(stopping.is_cancelled(), "go on without settle, which ended by itself");
    Ok(())
}

/// Marked before the judge's cursor can pass them, so that a fold of the registers at a cursor has every revision that
/// was seen before it.
async fn publish_revisions(ledger: &Ledger, batch: &Batch) -> Result<()> {
    let places: Vec<(u64, Position)> = batch
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Revision { revision, position } => Some((revision.number, *position)),
            _ => None,
        })
        .collect();
    if places.is_empty() {
        return Ok(());
    }
    ledger.mark_all_published(&places).await.context("mark revisions as published")
}

/// Raw frames for evidence, out of the journal.
pub(super) struct Frames(pub(super) Arc<Journal>);

impl RawFrames for Frames {
    fn read_at(&self, position: Position) -> Option<RawFrame> {
        match self.0.read_at(position) {
            Ok(Some(Entry::Frame(envelope))) => {
                Some(RawFrame { received: envelope.received, channel: word(envelope.channel), raw: envelope.raw })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, %position, "failed to read a raw frame for evidence");
                None
            }
        }
    }
}

/// As the API writes it: `mqtt_telemetry`.
fn word(channel: Channel) -> String {
    serde_json::to_value(channel).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Working time by the calendar of that code; around the clock when there is none.
pub(super) fn deadline(calendar: &str) -> Deadline {
    let code = calendar.to_owned();
    Arc::new(move |facts: &Facts, opened: IngestTime, minutes: u32| {
        let plain = opened.plus_ms(i64::from(minutes) * 60_000);
        let Some(calendar) = facts.calendars.get(&code).or_else(|| facts.calendars.values().next()) else {
            return plain;
        };
        ledger::calendar::add_working_minutes(calendar, EventTime(opened.0), minutes)
            .map_or(plain, |due| IngestTime(due.0))
    })
}
