//! Carries revisions of the registers into the journal: those of this process at once, those that a command on the same
//! database made within half a second.

use anyhow::{Context, Result};
use database::Database;
use ingest::journal::Journal;
use ingest::journal::entry::Entry;
use ledger::Ledger;
use model::envelope::Position;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

const LOOK: Duration = Duration::from_millis(500);
const AT_ONCE: u32 = 1_000;

/// Appends every unpublished revision, in order, and marks it.
pub(super) async fn publish(ledger: &Ledger, journal: &Arc<Journal>) -> Result<()> {
    loop {
        let revisions = ledger.unpublished(AT_ONCE).await.context("read unpublished revisions")?;
        let Some(count) = u32::try_from(revisions.len()).ok().filter(|count| *count > 0) else { return Ok(()) };
        let numbers: Vec<u64> = revisions.iter().map(|revision| revision.number).collect();
        let entries = revisions.into_iter().map(|revision| Entry::Revision(Box::new(revision))).collect();
        let committed = journal.append_wait(entries).await.context("append revisions to the journal")?;
        let partition = committed.first.partition;
        let places: Vec<(u64, Position)> = numbers
            .into_iter()
            .zip(committed.first.seq..)
            .map(|(number, seq)| (number, Position { partition, seq }))
            .collect();
        ledger.mark_all_published(&places).await.context("mark revisions as published")?;
        if count < AT_ONCE {
            return Ok(());
        }
    }
}

pub(super) async fn run(ledger: Ledger, journal: Arc<Journal>, main: Database, stop: CancellationToken) -> Result<()> {
    let mut changes = ledger.changes();
    let mut seen = newest(&main).await.unwrap_or_default();
    loop {
        // All three branches are cancel-safe.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = changes.changed() => changed.context("follow the registers")?,
            () = tokio::time::sleep(LOOK) => {
                // Trouble with the database shows elsewhere too; here it only means that we look again.
                let Ok(now) = newest(&main).await else { continue };
                if now == seen {
                    continue;
                }
                seen = now;
                ledger.refresh().await.context("take over edits of other processes")?;
            }
        }
        // A journal that is full takes the revisions later; they are not lost.
        if let Err(error) = publish(&ledger, &journal).await {
            warn!(error = format!("{error:#}"), "failed to publish revisions; trying again");
            tokio::time::sleep(LOOK).await;
            changes.mark_changed();
        }
    }
}

/// Writes down which JT/T 808 terminals hold their phones. Stopped in the middle it leaves no code handed out and no hold.
pub(super) async fn keep_terminals(ledger: Ledger, stop: CancellationToken) -> Result<()> {
    tokio::select! {
        () = stop.cancelled() => {}
        () = ledger.keep_terminals() => {}
    }
    Ok(())
}

/// Gives out the commands and writes down what becomes of them. Stopped in the middle it loses none: what may have been sent is known.
pub(super) async fn keep_commands(ledger: Ledger, stop: CancellationToken) -> Result<()> {
    tokio::select! {
        () = stop.cancelled() => {}
        () = ledger.keep_commands() => {}
    }
    Ok(())
}

/// Changes whenever anybody edits a register, a credential or a person.
async fn newest(main: &Database) -> Result<(i64, i64)> {
    let mut reader = main.read().await?;
    let (revision, audit): (Option<i64>, Option<i64>) = ledger::newest(&mut reader).await?;
    Ok((revision.unwrap_or(0), audit.unwrap_or(0)))
}
