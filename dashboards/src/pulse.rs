//! What flows: records per second and protocol, the last tick, and our own outages. The wiring shows it each batch of settle; outages
//! are kept in a small table, so that the list survives a restart.

use crate::dto::health::ProtocolRate;
use database::{Component, Database, DbError};
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::stream::{Batch, Item, Outage, OutageKind, Tick};
use model::time::{IngestTime, local_day};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const TABLES: Component = Component {
    name: "dashboards",
    migrations: &[
        "CREATE TABLE outage(from_ms {int} NOT NULL, to_ms {int} NOT NULL, what {text} NOT NULL, PRIMARY KEY (from_ms, what)) {strict}",
    ],
};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    db: Database,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Records of each of the last seconds of journal time, by protocol.
    seconds: VecDeque<(i64, BTreeMap<ProtocolKind, u64>)>,
    day: i64,
    records_today: u64,
    tick: Option<Tick>,
    outages: VecDeque<Outage>,
}

/// Our own outages that touch a span, by their beginning.
pub(crate) async fn outages_between(
    db: &Database,
    from: IngestTime,
    to: IngestTime,
) -> Result<Vec<(IngestTime, IngestTime)>, DbError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT from_ms, to_ms FROM outage WHERE to_ms > $1 AND from_ms < $2 ORDER BY from_ms LIMIT 10000",
    )
    .bind(from.0)
    .bind(to.0)
    .fetch_all(&mut *db.read().await?)
    .await?;
    Ok(rows.into_iter().map(|(from, to)| (IngestTime(from), IngestTime(to))).collect())
}

impl Pulse {
    /// Brings the table up to date and reads the newest outages.
    pub async fn open(db: Database) -> Result<Self, DbError> {
        db.migrate(&TABLES).await?;
        let rows: Vec<(i64, i64, String)> =
            sqlx::query_as("SELECT from_ms, to_ms, what FROM outage ORDER BY from_ms DESC LIMIT $1")
                .bind(OUTAGES_MAX)
                .fetch_all(&mut *db.read().await?)
                .await?;
        let outages = rows.into_iter().filter_map(|(from, to, what)| {
            let what = serde_json::from_value(serde_json::Value::String(what)).ok()?;
            Some(Outage { from: IngestTime(from), to: IngestTime(to), what })
        });
        let state = State { outages: outages.collect(), ..State::default() };
        Ok(Self { db, state: Arc::new(Mutex::new(state)) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what settle has done with. Never fails for its caller: a list that cannot be written is logged.
    pub async fn observe(&self, batch: &Batch, facts: &Facts) {
        let new = self.lock().take(batch, facts);
        for outage in new {
            if let Err(error) = self.keep(outage).await {
                tracing::warn!(%error, "failed to keep an outage for the page");
            }
        }
    }

    async fn keep(&self, outage: Outage) -> Result<(), DbError> {
        let what = word(outage.what);
        database::transaction!(self.db, |tx| -> Result<(), DbError> {
            sqlx::query("INSERT INTO outage(from_ms, to_ms, what) VALUES ($1, $2, $3) ON CONFLICT(from_ms, what) DO UPDATE SET to_ms = $2")
                .bind(outage.from.0)
                .bind(outage.to.0)
                .bind(what.clone())
                .execute(&mut *tx)
                .await?;
            Ok(())
        })
    }

    /// Records a second and protocol over the last ten seconds before `now`.
    pub fn rates(&self, now: IngestTime) -> Vec<ProtocolRate> {
        let state = self.lock();
        let since = now.0.div_euclid(1_000) - RATE_SECONDS;
        let mut sums: BTreeMap<ProtocolKind, u64> = BTreeMap::new();
        for (_, counts) in state.seconds.iter().filter(|(second, _)| *second >= since) {
            for (protocol, count) in counts {
                *sums.entry(*protocol).or_default() += count;
            }
        }
        ProtocolKind::ALL
            .into_iter()
            .map(|protocol| {
                let sum = sums.get(&protocol).copied().unwrap_or(0);
                let records = f64::from(u32::try_from(sum).unwrap_or(u32::MAX));
                ProtocolRate { protocol: protocol.into(), records_per_s: records / 10.0 }
            })
            .collect()
    }

    /// Records settled since local midnight, as far as this process has seen.
    pub fn records_today(&self) -> u64 {
        self.lock().records_today
    }

    pub fn last_tick(&self) -> Option<Tick> {
        self.lock().tick.clone()
    }

    /// Newest first.
    pub fn outages(&self) -> Vec<Outage> {
        self.lock().outages.iter().cloned().collect()
    }
}

impl State {
    /// Returns the outages that are new, or last longer.
    fn take(&mut self, batch: &Batch, facts: &Facts) -> Vec<Outage> {
        let mut new = Vec::new();
        for item in &batch.items {
            match item {
                Item::Record(record) => {
                    let second = record.received.0.div_euclid(1_000);
                    let day = local_day(model::time::EventTime(record.received.0));
                    if day > self.day {
                        (self.day, self.records_today) = (day, 0);
                    }
                    if day == self.day {
                        self.records_today += 1;
                    }
                    if self.seconds.back().is_none_or(|(last, _)| *last < second) {
                        self.seconds.push_back((second, BTreeMap::new()));
                        if self.seconds.len() > SECONDS_MAX {
                            self.seconds.pop_front();
                        }
                    }
                    if let Some((_, counts)) = self.seconds.back_mut()
                        && let Some(device) = facts.devices.get(&record.key.device)
                    {
                        *counts.entry(device.protocol).or_default() += 1;
                    }
                }
                Item::Tick { tick, .. } => self.tick = Some(tick.clone()),
                Item::Outage { outage, .. } => {
                    // One that lasts is told again, with a later end.
                    let same = |known: &&mut Outage| known.from == outage.from && known.what == outage.what;
                    match self.outages.iter_mut().find(same) {
                        Some(known) if known.to >= outage.to => continue,
                        Some(known) => known.to = outage.to,
                        None => {
                            self.outages.push_front(outage.clone());
                            self.outages.truncate(100);
                        }
                    }
                    new.push(outage.clone());
                }
                Item::Contact { .. } | Item::Revision { .. } => {}
            }
        }
        new
    }
}

fn word(what: OutageKind) -> String {
    serde_json::to_value(what).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Seconds over which a rate is told.
const RATE_SECONDS: i64 = 10;
/// Seconds kept.
const SECONDS_MAX: usize = 16;
/// Outages kept in memory.
const OUTAGES_MAX: i64 = 100;
