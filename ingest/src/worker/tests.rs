//! Promises of worker and chunk store together, on a real journal and a real database.

#![expect(clippy::float_cmp, reason = "what is stored is what was sent, exactly")]

use super::*;
use crate::chunks::{ChunkConfig, RecordQuery, SeriesQuery};
use crate::journal::JournalConfig;
use crate::journal::entry::Entry;
use crate::journal::layer::Disk;
use crate::live::LiveConfig;
use crate::loss::{LossDay, LossLedger, WatchDay};
use crate::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineList, WireTraceConfig};
use crate::settle::tests::streams;
use crate::testing::{HJ212, JT808, MQTT, facts, json, now};
use database::{Database, Options};
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{RecordKind, SettledRecord, Statistic};
use model::time::{EventTime, ManualClock};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What everybody can see after a run.
#[derive(Debug, PartialEq)]
struct Seen {
    records: Vec<SettledRecord>,
    loss: Vec<LossDay>,
    watches: Vec<WatchDay>,
    first_days: BTreeMap<DeviceId, i64>,
    quarantine: Vec<QuarantineEntry>,
    in_order: Vec<(u64, model::record::RecordKey)>,
}

struct House {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

struct Running {
    worker: Worker,
    store: ChunkStore,
    hub: LiveHub,
    trace: Arc<WireTrace>,
    journal: Arc<Journal>,
    stop: CancellationToken,
    judge: tokio::task::JoinHandle<Vec<Batch>>,
}

impl House {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(now())) }
    }

    fn journal(&self) -> Arc<Journal> {
        let config = JournalConfig { segment_bytes: 1 << 20, ..JournalConfig::new(self.dir.path().join("journal")) };
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        Journal::open(config, Arc::new(Disk), clock).unwrap().0
    }

    async fn start(&self, config: ChunkConfig) -> Running {
        let journal = self.journal();
        let database = Database::open(Options::sqlite(self.dir.path().join("chunks.db"))).await.unwrap();
        let store = ChunkStore::open(database, config).await.unwrap();
        let hub = LiveHub::new(LiveConfig::default());
        let trace = Arc::new(WireTrace::new(WireTraceConfig::default()));
        let (judge, mut batches) = mpsc::channel::<Batch>(4);
        let (judged_tx, judged) = watch::channel(store.cursor());
        let stop = CancellationToken::new();
        let judge_task = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(batch) = batches.recv().await {
                judged_tx.send_replace(batch.up_to);
                seen.push(batch);
            }
            seen
        });
        let parts = WorkerParts {
            journal: Arc::clone(&journal),
            store: store.clone(),
            facts: facts(),
            hub: hub.clone(),
            trace: Arc::clone(&trace),
            fan_out: None,
            blobs: None,
            judge,
            judged,
            clock: Arc::<ManualClock>::clone(&self.clock),
            stop: stop.clone(),
        };
        // Small reads, so that batches end anywhere.
        let config = WorkerConfig { read_bytes_max: 2_000, ..WorkerConfig::default() };
        let worker = Worker::spawn(parts, config).await.unwrap();
        Running { worker, store, hub, trace, journal, stop, judge: judge_task }
    }
}

impl Running {
    async fn append(&self, entries: Vec<Entry>) {
        let end = self.journal.append_wait(entries).await.unwrap();
        let end = end.first.seq + u64::from(end.count) - 1;
        self.settled(end).await;
    }

    async fn settled(&self, end: u64) {
        self.worker.settled().wait_for(|position| position.seq >= end).await.unwrap();
    }

    async fn seen(&self) -> Seen {
        let mut records = Vec::new();
        for device in [MQTT, HJ212, JT808] {
            records.extend(self.store.records(all_of(device)).await.unwrap());
        }
        let loss = LossLedger::new(self.store.clone());
        assert_eq!(loss.balance().await.unwrap(), []);
        let filter = QuarantineFilter { with_rederived: true, limit: 1_000, ..QuarantineFilter::default() };
        let quarantine = QuarantineList::new(self.store.clone()).page(&filter).await.unwrap();
        let mut in_order = Vec::new();
        let mut after = Position::default();
        loop {
            let page = self.store.scan_after(after, 7).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.position;
            let mut page: Vec<_> = page.iter().map(|record| (record.position.seq, record.key)).collect();
            page.sort_unstable();
            in_order.extend(page);
        }
        assert!(in_order.is_sorted());
        Seen {
            records,
            loss: loss.days(None, i64::MIN, i64::MAX, 1_000).await.unwrap(),
            watches: loss.watches(None, i64::MIN, i64::MAX).await.unwrap(),
            first_days: loss.first_days(None).await.unwrap(),
            quarantine,
            in_order,
        }
    }

    async fn stop(self) -> Vec<Batch> {
        self.stop.cancel();
        self.worker.stopped().await.unwrap();
        self.journal.stop();
        self.judge.await.unwrap()
    }

    /// Dies: nothing is sealed any more.
    async fn kill(self) {
        self.stop.cancel();
        let Worker { ended, sealing, sealer_stop, .. } = self.worker;
        sealer_stop.cancel();
        ended.await.unwrap().unwrap();
        sealing.await.unwrap();
        self.journal.stop();
        self.judge.await.unwrap();
    }
}

fn all_of(device: DeviceId) -> RecordQuery {
    RecordQuery { device, kinds: Vec::new(), from: EventTime(0), to: EventTime::MAX, limit: 10_000, as_of: None }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// One run without interruption.
async fn uninterrupted(entries: Vec<Entry>) -> Seen {
    let house = House::new();
    let running = house.start(ChunkConfig::default()).await;
    running.append(entries).await;
    let seen = running.seen().await;
    running.stop().await;
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 20, ..ProptestConfig::default() })]

    /// Seal, stop, die and start again anywhere: the same records, ledger and quarantine as without.
    #[test]
    fn restarts_at_any_point_change_nothing(seed in any::<u64>(), cuts in prop::collection::vec((1usize..60, 0u8..3), 1..5)) {
        let entries = streams::entries(seed, 150);
        runtime().block_on(async {
            let expected = uninterrupted(entries.clone()).await;
            let house = House::new();
            let config = ChunkConfig { parts_max: 2, ..ChunkConfig::default() };
            let mut running = house.start(config).await;
            let mut rest = entries;
            for (length, how) in cuts {
                let later = rest.split_off(length.min(rest.len()));
                if !rest.is_empty() {
                    running.append(rest).await;
                }
                rest = later;
                match how {
                    0 => {
                        // The head is old at the next look, which the next entries bring.
                        house.clock.advance_ms(61_000);
                        continue;
                    }
                    1 => drop(running.stop().await),
                    _ => running.kill().await,
                }
                running = house.start(config).await;
            }
            if !rest.is_empty() {
                running.append(rest).await;
            }
            running.settled(running.journal.durable().seq).await;
            let seen = running.seen().await;
            running.stop().await;
            // After a clean stop everything is in chunks and still the same.
            let running = house.start(config).await;
            let sealed = running.seen().await;
            running.stop().await;
            assert_eq!(seen, expected);
            assert_eq!(sealed, expected);
        });
    }
}

#[test]
fn a_page_sees_a_reading_as_soon_as_it_is_settled_and_the_same_after_a_restart() {
    runtime().block_on(async {
        let house = House::new();
        let running = house.start(ChunkConfig::default()).await;
        let reading = |second: i64| {
            let ts = now().0 - 3_600_000 + second * 1_000;
            json(now(), &format!(r#"{{"ts":{ts},"fume":{}}}"#, if second == 1_234 { 9 } else { 1 }))
        };
        running.append((0..3_000).map(reading).collect()).await;
        assert_eq!(running.hub.device(MQTT).unwrap().values[0].value, 1.0);
        assert_eq!(running.trace.frames(MQTT).len(), 50);
        let query = SeriesQuery {
            device: MQTT,
            kind: RecordKind::Instant,
            quantity: Quantity::FUME,
            statistic: Statistic::Instant,
            from: EventTime(0),
            to: EventTime::MAX,
            points_max: 200,
        };
        let before = running.store.series(query).await.unwrap();
        assert_eq!((before.of, before.points.iter().filter(|point| point.value > 8.0).count()), (3_000, 1));
        assert!(before.points.len() <= 200);
        let latest = running.store.latest(MQTT).await.unwrap();
        assert_eq!(latest[0].key.at.0, now().0 - 3_600_000 + 2_999_000);
        let batches = running.stop().await;
        assert_eq!(batches.iter().map(|batch| batch.items.len()).sum::<usize>(), 3_000);
        let running = house.start(ChunkConfig::default()).await;
        assert_eq!(running.store.cursor().seq, 3_000);
        assert_eq!(running.store.series(query).await.unwrap(), before);
        assert_eq!(running.store.latest(MQTT).await.unwrap(), latest);
        let newest = running.store.records(RecordQuery { limit: 5, ..all_of(MQTT) }).await.unwrap();
        assert_eq!(newest.len(), 5);
        assert_eq!(newest[4], latest[0]);
        running.stop().await;
    });
}

#[test]
fn a_full_head_makes_settle_wait_and_go_on() {
    runtime().block_on(async {
        let house = House::new();
        let running = house.start(ChunkConfig { head_bytes_max: 8_000, ..ChunkConfig::default() }).await;
        let reading =
            |second: i64| json(now(), &format!(r#"{{"ts":{},"fume":1}}"#, now().0 - 3_600_000 + second * 1_000));
        running.append((0..3_000).map(reading).collect()).await;
        let batches = running.stop().await;
        assert_eq!(batches.iter().map(|batch| batch.items.len()).sum::<usize>(), 3_000);
    });
}

#[test]
fn all_versions_are_kept_and_the_later_is_shown() {
    runtime().block_on(async {
        let house = House::new();
        let running = house.start(ChunkConfig::default()).await;
        let version = |fume: u8| json(now(), &format!(r#"{{"ts":{},"fume":{fume}}}"#, now().0));
        running.append(vec![version(1), version(2)]).await;
        running.stop().await;
        let running = house.start(ChunkConfig::default()).await;
        running.append(vec![version(1), version(3)]).await;
        let shown = running.store.records(all_of(MQTT)).await.unwrap();
        assert_eq!(shown.iter().map(|record| record.body.values[0].value).collect::<Vec<_>>(), [3.0]);
        let versions = running.store.versions(shown[0].key).await.unwrap();
        assert_eq!(versions.iter().map(|record| record.body.values[0].value).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
        let as_of = Some(versions[1].position);
        let evidence = running.store.records(RecordQuery { as_of, ..all_of(MQTT) }).await.unwrap();
        assert_eq!(evidence[0].body.values[0].value, 2.0);
        running.stop().await;
    });
}

#[test]
fn nothing_is_sealed_before_the_judge_has_passed_it() {
    runtime().block_on(async {
        let house = House::new();
        let database = Database::open(Options::sqlite(house.dir.path().join("chunks.db"))).await.unwrap();
        let store = ChunkStore::open(database, ChunkConfig::default()).await.unwrap();
        let mut world = crate::testing::World::new();
        let out = world.put(&json(now(), r#"{"fume":1}"#));
        store.append(&out, crate::testing::at(1));
        assert_eq!(store.swap(Vec::new()), Swap::Done);
        let (judged_tx, judged) = watch::channel(Position::default());
        let mut sealer = Sealer::new(store.clone(), judged);
        let early = tokio::time::timeout(Duration::from_millis(50), sealer.seal()).await;
        assert!(early.is_err());
        assert_eq!((store.cursor().seq, store.records(all_of(MQTT)).await.unwrap().len()), (0, 1));
        judged_tx.send_replace(crate::testing::at(1));
        sealer.seal().await.unwrap();
        assert_eq!((store.cursor().seq, store.records(all_of(MQTT)).await.unwrap().len()), (1, 1));
    });
}
