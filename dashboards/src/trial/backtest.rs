//! A backtest: units of subjects side by side, each through its days in order, with the registers as they were.
//!
//! Memory is bounded by the slice of time that a batch of devices is read in; time is what unpacking and judging take. A rule whose
//! groups reach over subjects has one unit for all of them.

use super::{Edge, Source, TrialError, World, columns, installed};
use ingest::chunks::Columns;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::record::SettledRecord;
use model::time::{EventTime, IngestTime};
use rules::backtest::{Pair, Report, Run, Stands, compare};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::runtime::Handle;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub pair: Pair,
    pub from: EventTime,
    pub to: EventTime,
    /// Threads that judge.
    pub workers: usize,
    /// These subjects alone; empty: all.
    pub subjects: Vec<SubjectId>,
}

/// How far it is; shared with who watches.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    total: AtomicU64,
    records: AtomicU64,
    late: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Slices done, slices in all, records judged.
    pub fn now(&self) -> (u64, u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.0.done), of(&self.0.total), of(&self.0.records))
    }

    /// It ends soon, without a result.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    pub rule: String,
    pub from: EventTime,
    pub to: EventTime,
    pub devices: usize,
    pub records: u64,
    /// Came later than the rule's horizon and were not judged.
    pub late: u64,
    /// Signs of life without data are not stored: a rule on silence sees data alone.
    pub contacts_unknown: bool,
    pub report: Report,
}

/// Subjects that are judged together.
#[derive(Debug, Default)]
struct Unit {
    devices: Vec<DeviceId>,
    subjects: Vec<SubjectId>,
}

struct Job {
    source: Source,
    wanted: Wanted,
    world: World,
    columns: Columns,
    batches: Vec<Vec<Unit>>,
    next: AtomicUsize,
    progress: Progress,
}

/// Runs it to the end.
///
/// # Errors
/// What could not be read, or that it was stopped.
pub async fn run(source: Source, wanted: Wanted, progress: Progress) -> Result<Outcome, TrialError> {
    let facts = source.ledger.facts_now();
    let (stands, devices) = stands(source, wanted.clone(), progress.clone()).await?;
    let report = compare(stands, &wanted.pair.draft, wanted.pair.live.as_deref(), &facts);
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Ok(Outcome {
        rule: wanted.pair.draft.code.clone(),
        from: wanted.from,
        to: wanted.to,
        devices,
        records: of(&progress.0.records),
        late: of(&progress.0.late),
        contacts_unknown: matches!(&wanted.pair.draft.kind, rules::Kind::Offline(_)),
        report,
    })
}

/// What stands of both versions, and how many devices were read.
async fn stands(source: Source, wanted: Wanted, progress: Progress) -> Result<(Stands, usize), TrialError> {
    let begin = EventTime(wanted.from.0.saturating_sub(wanted.pair.before_ms()));
    let world = source.world(begin, wanted.to).await?;
    let facts = source.ledger.facts_now();
    let batches = batches(&wanted, &facts, begin);
    let devices = batches.iter().flatten().map(|unit| unit.devices.len()).sum();
    let slices = |batch: &Vec<Unit>| slices(batch, begin, wanted.to).count() as u64;
    progress.0.total.store(batches.iter().map(slices).sum(), Ordering::Relaxed);
    let columns = columns(wanted.pair.reads());
    let workers = wanted.workers.clamp(1, WORKERS_MAX);
    let job = Arc::new(Job { source, wanted, world, columns, batches, next: AtomicUsize::new(0), progress });
    let mut tasks = Vec::new();
    for _ in 0..workers {
        let (job, handle) = (Arc::clone(&job), Handle::current());
        tasks.push(tokio::task::spawn_blocking(move || job.work(&handle)));
    }
    let mut all = Stands::default();
    let mut failed = None;
    for task in tasks {
        match task.await {
            Ok(Ok(stands)) => {
                all.live.extend(stands.live);
                all.draft.extend(stands.draft);
            }
            Ok(Err(error)) => failed = Some(error),
            Err(_) => failed = Some(TrialError::Stopped),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok((all, devices)),
    }
}

fn batches(wanted: &Wanted, facts: &Facts, begin: EventTime) -> Vec<Vec<Unit>> {
    let mut units: BTreeMap<i64, Unit> = BTreeMap::new();
    for (device, subject) in installed(&wanted.pair, facts, (begin, wanted.to)) {
        if !wanted.subjects.is_empty() && !wanted.subjects.contains(&subject) {
            continue;
        }
        let unit = units.entry(wanted.pair.unit(subject, facts)).or_default();
        unit.devices.push(device);
        unit.subjects.push(subject);
    }
    let mut batches: Vec<Vec<Unit>> = Vec::new();
    let mut room = 0;
    for mut unit in units.into_values() {
        unit.devices.dedup();
        unit.subjects.sort_unstable();
        unit.subjects.dedup();
        if room < unit.devices.len() || batches.is_empty() {
            batches.push(Vec::new());
            room = BATCH_DEVICES;
        }
        room = room.saturating_sub(unit.devices.len());
        if let Some(batch) = batches.last_mut() {
            batch.push(unit);
        }
    }
    batches
}

/// The spans in which a batch is read: a day, or less for many devices.
fn slices(batch: &[Unit], from: EventTime, to: EventTime) -> impl Iterator<Item = (EventTime, EventTime)> + use<> {
    let devices: usize = batch.iter().map(|unit| unit.devices.len()).sum();
    let share = i64::try_from(devices.div_ceil(BATCH_DEVICES).max(1)).unwrap_or(i64::MAX);
    let length = (DAY_MS / share).max(HOUR_MS) / HOUR_MS * HOUR_MS;
    let mut at = from.0;
    std::iter::from_fn(move || {
        if at >= to.0 {
            return None;
        }
        // Ends on whole hours, as the chunks do.
        let end = (at.div_euclid(HOUR_MS) * HOUR_MS).saturating_add(length).min(to.0);
        let slice = (EventTime(at), EventTime(end));
        at = end;
        Some(slice)
    })
}

impl Job {
    fn work(&self, handle: &Handle) -> Result<Stands, TrialError> {
        let mut all = Stands::default();
        while let Some(batch) = self.batches.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let stands = self.batch(batch, handle).inspect_err(|_| self.progress.stop())?;
            all.live.extend(stands.live);
            all.draft.extend(stands.draft);
        }
        Ok(all)
    }

    fn batch(&self, batch: &[Unit], handle: &Handle) -> Result<Stands, TrialError> {
        let pair = &self.wanted.pair;
        let mut run = Run::new(pair, self.world.facts.clone());
        let mut edges = self.world.edges.as_slice();
        let begin = EventTime(self.wanted.from.0.saturating_sub(pair.before_ms()));
        for span in slices(batch, begin, self.wanted.to) {
            let counts = &self.progress.0;
            let (mut queues, mut end) = (Vec::with_capacity(batch.len()), IngestTime(span.1.0));
            for unit in batch {
                if counts.stopped.load(Ordering::Relaxed) {
                    return Err(TrialError::Stopped);
                }
                let belongs = |subject: SubjectId| unit.subjects.binary_search(&subject).is_ok();
                let read = self.source.records(&unit.devices, &self.columns, span, pair.horizon_ms(), &belongs);
                let (records, late) = handle.block_on(read)?;
                counts.late.fetch_add(late, Ordering::Relaxed);
                counts.records.fetch_add(records.len() as u64, Ordering::Relaxed);
                // What was sent later was judged with the registers of later.
                end = records.iter().map(|record| record.received.plus_ms(1)).fold(end, IngestTime::max);
                queues.push(records.into_iter().peekable());
            }
            edges = feed(&mut run, &mut queues, edges, end);
            counts.done.fetch_add(1, Ordering::Relaxed);
        }
        for edge in edges {
            edge.apply(&mut run);
        }
        Ok(run.finish(self.wanted.from, IngestTime(self.wanted.to.0)))
    }
}

type Queue = std::iter::Peekable<std::vec::IntoIter<SettledRecord>>;

/// Feeds a slice; edits of the registers come between the records received before and after them. Returns the edges left.
fn feed<'e>(run: &mut Run, queues: &mut [Queue], mut edges: &'e [Edge], end: IngestTime) -> &'e [Edge] {
    loop {
        let edge = edges.split_first().filter(|(edge, _)| edge.at() < end);
        for queue in &mut *queues {
            while let Some(record) = queue.next_if(|next| edge.is_none_or(|(edge, _)| next.received < edge.at())) {
                run.record(Box::new(record));
            }
        }
        let Some((edge, rest)) = edge else { return edges };
        edge.apply(run);
        edges = rest;
    }
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Devices of a batch: a day of them in minutes is some 180,000 records in memory for each worker.
const BATCH_DEVICES: usize = 128;
const WORKERS_MAX: usize = 64;
