//! Decides everything anew from the journal: settle and judge on empty stores in a folder that is removed afterwards. The
//! registers come out of the journal too, so nothing but the journal is read.

use super::{judge, open_journal_for_reading};
use crate::args::Part;
use crate::config::Config;
use anyhow::{Context, Result, ensure};
use cases::{Judge, JudgeConfig};
use database::{Database, Options};
use ingest::chunks::{ChunkConfig, ChunkStore};
use ingest::live::{LiveConfig, LiveHub};
use ingest::quarantine::{WireTrace, WireTraceConfig};
use ingest::worker::{Worker, WorkerConfig, WorkerParts};
use model::envelope::Position;
use model::facts::Facts;
use model::time::{Clock, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The canonical dump of what the journal decides.
pub(crate) async fn decide_anew(config: &Config, what: Part) -> Result<String> {
    let folder = config.data_dir.join("replay.tmp");
    std::fs::remove_dir_all(&folder).ok(); // of a replay that was cut short
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let dump = decide_in(config, &folder, what).await;
    std::fs::remove_dir_all(&folder).ok(); // only costs space
    dump
}

const PRESSED: Duration = Duration::from_millis(100);

async fn decide_in(config: &Config, folder: &std::path::Path, what: Part) -> Result<String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let journal = open_journal_for_reading(config, Arc::clone(&clock))?;
    let end = journal.durable();
    let main = Database::open(Options::sqlite(folder.join("lantian.db"))).await.context("open a database")?;
    let chunks = Database::open(Options::sqlite(folder.join("chunks.db"))).await.context("open a chunk store")?;
    let store = ChunkStore::open(chunks.clone(), ChunkConfig::default()).await.context("open a chunk store")?;
    Judge::cursor_of(&main, 0).await.context("open a judge")?;
    let raw = Arc::new(judge::Frames(Arc::clone(&journal)));
    let mut own =
        Judge::open(main.clone(), JudgeConfig::default(), Facts::default(), raw, judge::deadline(&config.calendar))
            .await
            .context("open a judge")?;
    let (batches, mut received) = mpsc::channel(super::JUDGE_QUEUE);
    let (judged, judged_seen) = watch::channel(Position::default());
    let stop = CancellationToken::new();
    let worker = Worker::spawn(
        WorkerParts {
            journal: Arc::clone(&journal),
            store: store.clone(),
            facts: Facts::default(),
            hub: LiveHub::new(LiveConfig::default()),
            trace: Arc::new(WireTrace::new(WireTraceConfig::default())),
            fan_out: None,
            blobs: None,
            judge: batches,
            judged: judged_seen,
            clock,
            stop: stop.clone(),
        },
        WorkerConfig::default(),
    )
    .await
    .context("start settle")?;
    let mut seen = Position::default();
    while seen < end {
        // recv is cancel-safe.
        match tokio::time::timeout(PRESSED, received.recv()).await {
            Ok(Some(batch)) => {
                seen = batch.up_to;
                own.on_batch(batch).await.context("judge a batch")?;
            }
            Ok(None) => break,
            // Settle waits: its head is full until the judge's cursor has passed it.
            Err(_) => {}
        }
        if let Some(end) = store.waits_for_judge() {
            own.on_pressed(end.seq).await.context("commit the judge's state")?;
        }
        judged.send_replace(own.handle().committed());
    }
    ensure!(seen >= end, "read the journal to its end: settle stopped at {seen} of {end}");
    own.flush().await.context("commit what was judged")?;
    judged.send_replace(own.handle().committed());
    stop.cancel();
    drop(received);
    worker.stopped().await.context("stop settle")?;
    let dump = crate::commands::dump_text(&main, what).await?;
    tokio::task::spawn_blocking(move || journal.stop()).await.context("close the journal")?;
    main.close().await;
    chunks.close().await;
    Ok(dump)
}
