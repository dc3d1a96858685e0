//! Random work, failures and crashes against a model that is a list: every acknowledged entry is there, in order, byte for
//! byte, numbered without gaps; and no reader ever saw an entry before its acknowledgement.

use super::*;
use crate::journal::{keeper, log};
use proptest::prelude::*;
use std::sync::atomic::Ordering;

#[derive(Debug, Clone)]
enum Step {
    Append { lengths: Vec<usize> },
    Read { bytes: usize },
    ReadAt { permille: u64 },
    PrepareReserve,
    Archive { permille: u64 },
    FailAfter(u64),
    FailSyncs(u64),
    Space(Option<u64>),
    Mend,
    CutPower { seed: u64 },
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => prop::collection::vec(0_usize..400, 1..8).prop_map(|lengths| Step::Append { lengths }),
        4 => (1_usize..3000).prop_map(|bytes| Step::Read { bytes }),
        1 => (0_u64..1000).prop_map(|permille| Step::ReadAt { permille }),
        1 => Just(Step::PrepareReserve),
        1 => (0_u64..1001).prop_map(|permille| Step::Archive { permille }),
        1 => (0_u64..12).prop_map(Step::FailAfter),
        1 => (1_u64..3).prop_map(Step::FailSyncs),
        1 => prop::option::of(0_u64..6000).prop_map(Step::Space),
        2 => Just(Step::Mend),
        1 => any::<u64>().prop_map(|seed| Step::CutPower { seed }),
        1 => Just(Step::Kill),
    ]
}

struct Run {
    disk: MemoryLayer,
    shared: Arc<Shared>,
    log: Log,
    reader: JournalReader,
    acknowledged: Vec<Entry>,
    /// Groups that were tried since the last acknowledgement: at most one of them may turn up after a crash.
    tried: Vec<Vec<Entry>>,
    made: u64,
}

impl Run {
    fn new() -> Self {
        let disk = MemoryLayer::new();
        let (shared, _) = open_still(&disk, SEGMENT_BYTES).unwrap();
        let log = Log::new(Arc::clone(&shared));
        let reader = JournalReader::new(Arc::clone(&shared), 1);
        Self { disk, shared, log, reader, acknowledged: Vec::new(), tried: Vec::new(), made: 0 }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append { lengths } => self.append(&lengths),
            Step::Read { bytes } => self.read(bytes),
            Step::ReadAt { permille } => self.read_at(permille),
            Step::PrepareReserve => drop(log::prepare_reserve(&self.shared)),
            Step::Archive { permille } => {
                let below = self.acknowledged.len() as u64 * permille / 1000 + 1;
                self.shared.released.fetch_max(below, Ordering::SeqCst);
                Self::allow(keeper::work(&self.shared, || false));
            }
            Step::FailAfter(operations) => self.disk.fail_after(operations),
            Step::FailSyncs(count) => self.disk.fail_syncs(count),
            Step::Space(space) => self.disk.set_space(space.map(|more| self.disk.used() + more)),
            Step::Mend => self.mend(),
            Step::CutPower { seed } => {
                let mut state = seed;
                self.disk.cut_power(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state >> 63 == 1
                });
                self.reopen();
            }
            Step::Kill => {
                self.disk.kill();
                self.reopen();
            }
        }
    }

    fn append(&mut self, lengths: &[usize]) {
        let group: Vec<Entry> = lengths
            .iter()
            .map(|length| {
                self.made += 1;
                frame(self.made, *length)
            })
            .collect();
        match commit(&mut self.log, &group) {
            Ok(first) => {
                assert_eq!(first, self.acknowledged.len() as u64 + 1);
                self.acknowledged.extend(group);
                self.tried.clear();
            }
            Err(_) => self.tried.push(group),
        }
    }

    fn read(&mut self, bytes: usize) {
        let from = index(self.reader.next().seq) - 1;
        let batch = self.reader.read_batch(bytes);
        if let Some(batch) = Self::allow(batch) {
            assert!(batch.is_empty() == (from == self.acknowledged.len()));
            for (offset, (place, entry)) in batch.into_iter().enumerate() {
                assert_eq!(index(place.seq), from + offset + 1);
                assert_eq!(Some(&entry), self.acknowledged.get(from + offset), "read before its acknowledgement");
            }
        }
    }

    fn read_at(&mut self, permille: u64) {
        let seq = self.acknowledged.len() as u64 * permille / 1000 + 1;
        let read = JournalReader::new(Arc::clone(&self.shared), seq).read_batch(1);
        if let Some(batch) = Self::allow(read) {
            assert_eq!(batch.first().map(|(_, entry)| entry), self.acknowledged.get(index(seq) - 1));
        }
    }

    /// The disk may fail; damage and gaps may never be found.
    fn allow<T>(done: Result<T, JournalError>) -> Option<T> {
        match done {
            Ok(value) => Some(value),
            Err(JournalError::Io { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn mend(&mut self) {
        self.disk.mend();
        self.disk.set_space(None);
    }

    fn reopen(&mut self) {
        let opened = open_still(&self.disk, SEGMENT_BYTES);
        let (shared, recovery) = Self::allow(opened).unwrap_or_else(|| {
            self.mend();
            open_still(&self.disk, SEGMENT_BYTES).unwrap()
        });
        let there = read_all(JournalReader::new(Arc::clone(&shared), 1), 1 << 20).unwrap();
        assert_eq!(there.len() as u64, recovery.last.seq);
        assert!(there.starts_with(&self.acknowledged), "an acknowledged entry was lost");
        let more = &there[self.acknowledged.len()..];
        assert!(more.is_empty() || self.tried.iter().any(|group| group == more), "entries nobody wrote");
        self.acknowledged = there;
        self.tried.clear();
        self.log = Log::new(Arc::clone(&shared));
        self.reader = JournalReader::new(Arc::clone(&shared), self.reader.next().seq);
        self.shared = shared;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_survives_any_crash(steps in prop::collection::vec(step(), 1..80)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        run.mend();
        // Once the disk works again, so does the journal.
        run.append(&[10]);
        assert!(run.tried.is_empty());
        run.disk.cut_power(|| false);
        run.reopen();
        assert!(index(run.reader.next().seq) <= run.acknowledged.len() + 1);
        run.read(1 << 20);
    }
}

/// A dozen entries fill one.
const SEGMENT_BYTES: u64 = 2048;
