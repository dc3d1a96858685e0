//! The judge: drives the rules over settled items, in journal order, and commits their effects.
//!
//! Two commits. *Effects* (alerts, cases, evidence, the place E up to which they were told) are committed before
//! [`Judge::on_batch`] returns. *Rule state* and the cursor J are committed together every few seconds, with the effects up
//! to the same place. After a crash the engine starts from the state at J and judges J..E again; it finds exactly the
//! changes that are already in the tables, so those are not written twice. J is what settle's cursor waits for.
//! Nothing here reads a clock for what it writes: times are the items' journal times.

mod effect;
mod store;

use crate::dto::LiveEvent;
use crate::metrics as names;
use bytes::Bytes;
use database::{Database, DbError};
use effect::Effect;
pub(crate) use effect::journal_time;
use model::envelope::Position;
use model::facts::Facts;
use model::id::SubjectId;
use model::quantity::Quantity;
use model::stream::{Batch, Item};
use model::time::IngestTime;
use rules::{CompiledRule, Counters, Engine, Explanation};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

/// Reads a raw frame back from the journal or its archive. Called for evidence only, from a blocking thread.
pub trait RawFrames: Send + Sync {
    /// `None` when it is gone.
    fn read_at(&self, position: Position) -> Option<RawFrame>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    pub received: IngestTime,
    /// `Channel` of the envelope as text, for the evidence list.
    pub channel: String,
    pub raw: Bytes,
}

/// Review deadlines: (facts, opened, minutes of working time) → due.
pub type Deadline = Arc<dyn Fn(&Facts, IngestTime, u32) -> IngestTime + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeConfig {
    /// State and cursor are committed at least so often (tokio time).
    pub checkpoint_ms: u64,
    /// … and after so many items.
    pub checkpoint_items: u64,
    /// Bound of the live broadcast.
    pub live_events: usize,
    pub partition: u16,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self { checkpoint_ms: 5_000, checkpoint_items: 100_000, live_events: 1_024, partition: 0 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    State(#[from] rules::StateError),
}

impl From<sqlx::Error> for JudgeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbError::Sql(error))
    }
}

impl database::SqlError for JudgeError {
    fn sql(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(error) => error.sql(),
            Self::State(_) => None,
        }
    }
}

/// What the pages may look into while the judge works; locked for a few hundred items at a time.
struct Mind {
    engine: Engine,
    facts: Facts,
}

pub struct Judge {
    db: Database,
    config: JudgeConfig,
    raw: Arc<dyn RawFrames>,
    deadline: Deadline,
    handle: JudgeHandle,
    committed: watch::Sender<u64>,
    passed: watch::Sender<IngestTime>,
    /// The last place judged.
    judged: u64,
    /// Effects up to here are in the tables.
    told: u64,
    items_since: u64,
    checkpoint_due: Instant,
    /// Before it, state is not written even if settle waits for it.
    pressed_due: Instant,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("judged", &self.judged).field("told", &self.told).finish_non_exhaustive()
    }
}

/// Cheap to clone; for settle, the API and the live push.
#[derive(Clone)]
pub struct JudgeHandle {
    partition: u16,
    mind: Arc<Mutex<Mind>>,
    committed: watch::Receiver<u64>,
    passed: watch::Receiver<IngestTime>,
    live: broadcast::Sender<LiveEvent>,
}

impl std::fmt::Debug for JudgeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JudgeHandle").field("committed", &self.committed()).finish_non_exhaustive()
    }
}

impl Judge {
    /// `facts`: the registers as of the judge's own cursor, see [`Judge::cursor_of`].
    pub async fn open(
        db: Database,
        config: JudgeConfig,
        facts: Facts,
        raw: Arc<dyn RawFrames>,
        deadline: Deadline,
    ) -> Result<Self, JudgeError> {
        db.migrate(&crate::rows::COMPONENT).await?;
        let (state, told) = store::cursor(&db, config.partition).await?;
        let engine = Engine::restore(&facts, &store::load(&db, config.partition).await?)?;
        let (committed, seen) = watch::channel(state);
        let (passed, seen_time) = watch::channel(IngestTime(0));
        let (live, _) = broadcast::channel(config.live_events.max(1));
        let mind = Arc::new(Mutex::new(Mind { engine, facts }));
        let handle = JudgeHandle { partition: config.partition, mind, committed: seen, passed: seen_time, live };
        let checkpoint_due = Instant::now() + Duration::from_millis(config.checkpoint_ms);
        let told = told.max(state);
        let pressed_due = Instant::now();
        Ok(Self {
            db,
            config,
            raw,
            deadline,
            handle,
            committed,
            passed,
            judged: state,
            told,
            items_since: 0,
            checkpoint_due,
            pressed_due,
        })
    }

    /// The committed cursor J of a partition; the wiring folds `facts` up to it. `seq` 0: nothing yet. Migrates first.
    pub async fn cursor_of(db: &Database, partition: u16) -> Result<Position, JudgeError> {
        db.migrate(&crate::rows::COMPONENT).await?;
        Ok(Position { partition, seq: store::cursor(db, partition).await?.0 })
    }

    /// Judges the items in order; those at or before J are ignored. When something changed, effects are committed before
    /// this returns. SQL failures are retried with back-off until they pass (back-pressure), so `Err` is a bug or a stop.
    pub async fn on_batch(&mut self, batch: Batch) -> Result<(), JudgeError> {
        let start = self.judged;
        let fresh: Vec<&Item> = batch.items.iter().filter(|item| item.position().seq > start).collect();
        let mut rest = fresh.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(whole_entries(rest));
            rest = later;
            let effects = self.think(chunk);
            if !effects.is_empty() {
                self.tell(&effects, None).await?;
            }
            self.items_since += chunk.len() as u64;
            metrics::counter!(names::ITEMS).increment(chunk.len() as u64);
        }
        self.judged = self.judged.max(batch.up_to.seq);
        if let Some(at) = fresh.iter().map(|item| journal_time(item)).max() {
            self.passed.send_if_modified(|passed| {
                let later = at > *passed;
                *passed = at.max(*passed);
                later
            });
        }
        self.on_idle().await
    }

    /// Commits state and cursor if the checkpoint is due; call it when idle.
    pub async fn on_idle(&mut self) -> Result<(), JudgeError> {
        let due = Instant::now() >= self.checkpoint_due || self.items_since >= self.config.checkpoint_items;
        if due && self.judged > *self.committed.borrow() { self.flush().await } else { Ok(()) }
    }

    /// Settle's head is full and waits for J to pass `seq`: commits without waiting for the next checkpoint, but spends at most a fifth of the
    /// time on it. Call it after each batch and when idle.
    pub async fn on_pressed(&mut self, seq: u64) -> Result<(), JudgeError> {
        let is_asked = *self.committed.borrow() < seq && self.judged >= seq;
        if is_asked && Instant::now() >= self.pressed_due { self.flush().await } else { Ok(()) }
    }

    /// Commits state and cursor now.
    pub async fn flush(&mut self) -> Result<(), JudgeError> {
        let began = Instant::now();
        let rows = lock(&self.handle.mind).engine.save();
        let bytes: usize = rows.iter().map(|row| row.blob.len()).sum();
        metrics::counter!(names::STATE_BYTES).increment(bytes as u64);
        self.tell(&[], Some(&rows)).await?;
        self.committed.send_replace(self.judged);
        self.items_since = 0;
        // At most a twentieth of the time goes into writing state.
        let pause = Duration::from_millis(self.config.checkpoint_ms).max(began.elapsed() * 20);
        self.checkpoint_due = Instant::now() + pause;
        self.pressed_due = Instant::now() + began.elapsed() * 4;
        let counters = self.handle.counters();
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        {
            metrics::gauge!(names::BEYOND_HORIZON).set(counters.beyond_horizon as f64);
            metrics::gauge!(names::MEMORY_BOUND).set(counters.memory_bound as f64);
        }
        Ok(())
    }

    pub fn handle(&self) -> JudgeHandle {
        self.handle.clone()
    }

    /// Judges a chunk; what it changed and was not told before.
    fn think(&mut self, items: &[&Item]) -> Vec<Effect> {
        let mut mind = lock(&self.handle.mind);
        let Mind { engine, facts } = &mut *mind;
        let mut effects = Vec::new();
        let mut changes = Vec::new();
        for item in items {
            if let Item::Revision { revision, .. } = item {
                facts.apply(revision);
            }
            engine.on_item(item, facts, &mut changes);
            let position = item.position();
            self.judged = self.judged.max(position.seq);
            if position.seq <= self.told {
                changes.clear();
                continue;
            }
            let at = journal_time(item);
            effects.extend(changes.drain(..).map(|change| Effect::new(change, at, engine, facts, &self.deadline)));
        }
        effects
    }

    /// Writes effects (and state), trying again until it works.
    async fn tell(&mut self, effects: &[Effect], state: Option<&[rules::StateRow]>) -> Result<(), JudgeError> {
        let frames = self.frames(effects).await;
        let told = self.told.max(self.judged);
        let mut pause = RETRY_FIRST;
        let events = loop {
            let began = Instant::now();
            let commit = store::Commit { partition: self.config.partition, effects, frames: &frames, state, told };
            match store::commit(&self.db, &commit).await {
                Ok(events) => {
                    metrics::counter!(names::COMMITS).increment(1);
                    metrics::histogram!(names::COMMIT_SECONDS).record(began.elapsed().as_secs_f64());
                    break events;
                }
                Err(error) if store::is_lasting(&error) => return Err(error),
                Err(error) => {
                    metrics::counter!(names::COMMIT_RETRIES).increment(1);
                    tracing::warn!(error = %error, "failed to commit the judge's effects, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_LONGEST);
                }
            }
        };
        self.told = told;
        for event in events {
            // Nobody listens: the tables have it.
            self.handle.live.send(event).ok();
        }
        Ok(())
    }

    /// The raw frames of the episodes that open or join a case.
    async fn frames(&self, effects: &[Effect]) -> Vec<(Position, RawFrame)> {
        let wanted: Vec<Position> = effects.iter().flat_map(Effect::evidence).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let (raw, count) = (Arc::clone(&self.raw), wanted.len());
        let read = move || wanted.into_iter().filter_map(|at| Some((at, raw.read_at(at)?))).collect::<Vec<_>>();
        let frames = tokio::task::spawn_blocking(read).await.unwrap_or_default();
        metrics::counter!(names::EVIDENCE_MISSING).increment(count.saturating_sub(frames.len()) as u64);
        frames
    }
}

impl JudgeHandle {
    /// J: settle may commit its cursor up to here. A replay may start after it.
    pub fn committed(&self) -> Position {
        Position { partition: self.partition, seq: *self.committed.borrow() }
    }

    /// Journal time up to which everything is judged and told. 0 until something came since the start.
    pub fn passed(&self) -> IngestTime {
        *self.passed.borrow()
    }

    /// Waits until J is at least `seq`; for settle's S ≤ J. Returns when the judge is gone, too.
    pub async fn wait_for(&self, seq: u64) {
        // An error means that the judge has stopped; the caller looks at `committed` again.
        self.committed.clone().wait_for(|committed| *committed >= seq).await.ok();
    }

    pub fn subscribe(&self) -> broadcast::Receiver<LiveEvent> {
        self.live.subscribe()
    }

    /// For changes that people made: who follows alerts learns of them as of the judge's own.
    pub fn publish(&self, alerts: Vec<crate::dto::AlertRow>) {
        for alert in alerts {
            // Nobody listens: the tables have it.
            self.live.send(LiveEvent::Alert(Box::new(crate::dto::AlertEvent { alert }))).ok();
        }
    }

    pub fn explain(&self, subject: SubjectId, quantity: Option<Quantity>) -> Vec<Explanation> {
        let mind = lock(&self.mind);
        mind.engine.explain(subject, quantity, &mind.facts)
    }

    pub fn counters(&self) -> Counters {
        lock(&self.mind).engine.counters()
    }

    /// Every version of the rules that is kept, with its number; episodes pin theirs.
    pub fn rule_versions(&self) -> Vec<(u32, Arc<CompiledRule>)> {
        lock(&self.mind).engine.rule_versions()
    }

    /// Compiled rules that are live.
    pub fn rules(&self) -> Vec<Arc<CompiledRule>> {
        lock(&self.mind).engine.rules()
    }
}

/// How many items from the front make a chunk; items of one journal entry stay together, since E counts entries.
fn whole_entries(items: &[&Item]) -> usize {
    let Some(last) = items.get(CHUNK_ITEMS - 1).map(|item| item.position().seq) else { return items.len() };
    items.partition_point(|item| item.position().seq <= last)
}

fn lock(mind: &Mutex<Mind>) -> MutexGuard<'_, Mind> {
    mind.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Items judged under one lock and told in one transaction.
const CHUNK_ITEMS: usize = 512;
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
