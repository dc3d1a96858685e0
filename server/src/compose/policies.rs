//! What the platform tells HJ 212 loggers by itself, by their profiles: the settings of first contact, and history for the time a logger
//! was away. Both are ordinary commands in the logger's line, of the author `platform`.
//!
//! A gap is seen when a logger comes back: from the newest record received before. It is written down (`gap_minute`, `gap_hour`) before it is
//! asked for, so that neither a restart nor the pauses lose it. Asked for are at most [`AT_ONCE`] histories at a time over all loggers, and
//! one logger again after [`PAUSE_MS`] at the earliest.

use anyhow::{Context, Result};
use ingest::chunks::{ChunkStore, RecordQuery};
use ledger::{Arrival, Author, Ledger, LedgerError};
use model::downlink::{Command, GapHistory, Hj212History, Policy};
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::record::RecordKind;
use model::time::{Clock, EventTime, IngestTime};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Histories asked for at a time.
const AT_ONCE: i64 = 32;
/// Between two of one logger.
const PAUSE_MS: i64 = 600_000;
/// How long an order waits.
const WAIT: Duration = Duration::from_hours(6);
/// Between two looks at what is to be asked for.
const LOOK: Duration = Duration::from_secs(2);
/// How far back the newest record is looked for.
const BACK_MS: i64 = 31 * 86_400_000;
/// Newest records of a logger that are looked at.
const RECORDS_MAX: usize = 500;
/// A record received so shortly before an arrival may be of the new connection.
const BEFORE_MS: i64 = 1_000;
/// Loggers that came back while too many others did; they are looked at when they come the next time.
const ARRIVALS_MISSED: &str = "server_arrivals_missed_total";
const FIRST_CONTACT: &str = "first_contact";
const ASKED: &str = "gap_asked";
const KINDS: [(Hj212History, RecordKind, &str); 2] =
    [(Hj212History::Minute, RecordKind::Minute, "gap_minute"), (Hj212History::Hour, RecordKind::Hour, "gap_hour")];

pub(super) async fn run(
    ledger: Ledger,
    chunks: ChunkStore,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<()> {
    let policies = Policies { ledger, chunks, clock };
    let mut arrivals = policies.ledger.commands().arrivals();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        // Cancel-safe: a token, a channel, a timer.
        let done = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            arrival = arrivals.recv() => match arrival {
                Ok(arrival) => policies.arrived(arrival).await,
                Err(RecvError::Lagged(missed)) => {
                    metrics::counter!(ARRIVALS_MISSED).increment(missed);
                    Ok(())
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            _ = looks.tick() => policies.ask().await,
        };
        if let Err(error) = done {
            warn!("failed to tell loggers what their profiles say: {error:#}");
        }
    }
}

struct Policies {
    ledger: Ledger,
    chunks: ChunkStore,
    clock: Arc<dyn Clock>,
}

impl Policies {
    fn policy(&self, device: DeviceId) -> Option<Policy> {
        let facts = self.ledger.facts_now();
        let is_logger = facts.devices.get(&device)?.protocol == ProtocolKind::Hj212;
        facts.profile_of(device).filter(|_| is_logger)?.downlink.clone()
    }

    async fn arrived(&self, Arrival { device, at }: Arrival) -> Result<()> {
        let Some(policy) = self.policy(device) else { return Ok(()) };
        if let Some(gaps) = &policy.gaps {
            self.note_gaps(device, gaps, at).await.context("note a logger's gap")?;
        }
        let Some(first) = &policy.first_contact else { return Ok(()) };
        let (commands, wanted) = (self.ledger.commands(), serde_json::to_string(first)?);
        if commands.mark(device, FIRST_CONTACT).await?.as_deref() == Some(&wanted) {
            return Ok(());
        }
        for command in first.commands() {
            if !self.order(device, FIRST_CONTACT, &command).await.context("order the settings of first contact")? {
                return Ok(());
            }
        }
        Ok(commands.set_mark(device, FIRST_CONTACT, &wanted).await?)
    }

    async fn note_gaps(&self, device: DeviceId, gaps: &GapHistory, at: IngestTime) -> Result<()> {
        let now = EventTime(at.as_ms());
        for (what, kind, mark) in KINDS {
            let wanted = if what == Hj212History::Hour { gaps.hour } else { gaps.minute };
            if !wanted {
                continue;
            }
            let query = RecordQuery {
                device,
                kinds: vec![kind],
                from: now.plus_ms(-BACK_MS),
                to: now.plus_ms(86_400_000),
                limit: RECORDS_MAX,
                as_of: None,
            };
            let records = self.chunks.records(query).await?;
            let before = at.plus_ms(-BEFORE_MS);
            // A logger that never sent such data has none to give.
            let newest = records.iter().filter(|record| record.received < before).map(|record| record.key.at).max();
            let Some(newest) = newest.filter(|newest| gaps.missing(what, *newest, now).is_some()) else { continue };
            // One that is noted already and not asked for begins earlier.
            if self.noted(device, mark).await?.is_none() {
                self.ledger.commands().set_mark(device, mark, &newest.0.to_string()).await?;
            }
        }
        Ok(())
    }

    async fn noted(&self, device: DeviceId, mark: &str) -> Result<Option<EventTime>> {
        let value = self.ledger.commands().mark(device, mark).await?;
        Ok(value.and_then(|text| text.parse().ok()).map(EventTime))
    }

    /// Asks for what is missing, as far as the bounds allow.
    async fn ask(&self) -> Result<()> {
        let (commands, now) = (self.ledger.commands(), self.clock.now());
        for (what, _, mark) in KINDS {
            for device in commands.marked(mark).await? {
                if commands.open_of_origin("gap").await? >= AT_ONCE {
                    return Ok(());
                }
                let asked = self.noted(device, ASKED).await?.map_or(i64::MIN, |at| at.0);
                // The hour's history may follow the minute's at once.
                if what == Hj212History::Minute && now.as_ms().saturating_sub(asked) < PAUSE_MS {
                    continue;
                }
                let (newest, policy) = (self.noted(device, mark).await?, self.policy(device));
                let missing = newest.zip(policy.and_then(|policy| policy.gaps));
                let missing = missing.and_then(|(newest, gaps)| gaps.missing(what, newest, EventTime(now.as_ms())));
                if let Some((from, to)) = missing {
                    let command = Command::Hj212History { what, from, to };
                    if !self.order(device, "gap", &command).await.context("order the history of a gap")? {
                        continue;
                    }
                    commands.set_mark(device, ASKED, &now.as_ms().to_string()).await?;
                }
                commands.set_mark(device, mark, "").await?;
            }
        }
        Ok(())
    }

    /// False: its line is full, or the device is gone; it is tried again.
    async fn order(&self, device: DeviceId, why: &str, command: &Command) -> Result<bool> {
        match self.ledger.commands().order(&Author::new("platform", why), device, command, WAIT).await {
            Ok(_) => Ok(true),
            Err(LedgerError::Refused(_) | LedgerError::NotFound(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
