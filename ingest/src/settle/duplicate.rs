//! Stage 7: is it new, a copy, or a revision?
//!
//! Same key, same content as **any** earlier version of the key → duplicate of that version. Same key, other content than all of them →
//! revised; both are kept and the later one is shown. So with versions A, B, a further copy of A is a duplicate and B stays shown:
//! what is shown is the latest *new* content, in journal order.
//!
//! A record newer than the newest of its device and kind is new without a look: that is nearly all of a healthy stream. For others the key set
//! of its (device, kind, hour) is loaded from what was stored, and kept while there is room. Which sets are loaded never changes
//! a verdict.

use super::past::{Bucket, KeyHash, Past, PastError};
use crate::metrics::{DEDUPE_EVICTED_TOTAL, DEDUPE_LOADS_TOTAL};
use ahash::{AHashMap, AHashSet};
use model::id::DeviceId;
use model::record::{RecordKey, RecordKind};
use model::time::EventTime;
use model::verdict::Verdict;

/// Key set of one bucket: each (time, slot) with its first content, further contents apart since they are rare.
#[derive(Debug, Default)]
struct KeySet {
    first: AHashMap<(EventTime, u32), u64>,
    further: AHashSet<KeyHash>,
}

impl KeySet {
    fn judge(&mut self, key: KeyHash) -> Verdict {
        match self.first.get(&(key.at, key.slot)) {
            None => {
                self.first.insert((key.at, key.slot), key.content);
                Verdict::Stored
            }
            Some(content) if *content == key.content => Verdict::Duplicate,
            Some(_) if self.further.insert(key) => Verdict::Revised,
            Some(_) => Verdict::Duplicate,
        }
    }

    fn bytes(&self) -> usize {
        SET_BYTES + (self.first.capacity() + self.further.capacity()) * KEY_BYTES
    }
}

/// The stage's state.
#[derive(Debug)]
pub struct Dedupe {
    bytes_max: usize,
    newest: AHashMap<(DeviceId, RecordKind), EventTime>,
    /// Sets in use lately; when they outgrow half of the bound they become `old` and the old ones go.
    young: AHashMap<Bucket, KeySet>,
    young_bytes: usize,
    old: AHashMap<Bucket, KeySet>,
    /// Judged since the store last took over.
    pending: Vec<(Bucket, KeyHash)>,
}

impl Dedupe {
    pub fn new(bytes_max: usize, newest: AHashMap<(DeviceId, RecordKind), EventTime>) -> Self {
        Self { bytes_max, newest, young: AHashMap::new(), young_bytes: 0, old: AHashMap::new(), pending: Vec::new() }
    }

    /// The store has everything judged so far.
    pub fn handed_over(&mut self) {
        self.pending.clear();
    }

    pub fn judge(&mut self, key: RecordKey, content: u64, past: &mut dyn Past) -> Result<Verdict, PastError> {
        let bucket = Bucket::of(&key);
        let key = KeyHash { at: key.at, slot: key.slot, content };
        let verdict = match self.newest.get(&(bucket.device, bucket.kind)).copied() {
            Some(newest) if key.at <= newest => self.look(bucket, key, past)?,
            newest => {
                self.newest.insert((bucket.device, bucket.kind), key.at);
                // A loaded set must not miss what comes after it was loaded.
                if newest.is_some_and(|newest| newest.0.div_euclid(Bucket::HOUR_MS) == bucket.hour)
                    && let Some(set) = self.young.get_mut(&bucket).or_else(|| self.old.get_mut(&bucket))
                {
                    let before = set.bytes();
                    set.judge(key);
                    self.young_bytes += set.bytes() - before;
                    self.rotate();
                }
                Verdict::Stored
            }
        };
        if verdict != Verdict::Duplicate {
            self.pending.push((bucket, key));
        }
        Ok(verdict)
    }

    fn look(&mut self, bucket: Bucket, key: KeyHash, past: &mut dyn Past) -> Result<Verdict, PastError> {
        if !self.young.contains_key(&bucket) {
            let set = match self.old.remove(&bucket) {
                Some(set) => set,
                None => self.load(bucket, past)?,
            };
            self.young_bytes += set.bytes();
            self.young.insert(bucket, set);
        }
        let Some(set) = self.young.get_mut(&bucket) else { return Ok(Verdict::Stored) };
        let before = set.bytes();
        let verdict = set.judge(key);
        self.young_bytes += set.bytes().saturating_sub(before);
        self.rotate();
        Ok(verdict)
    }

    fn load(&self, bucket: Bucket, past: &mut dyn Past) -> Result<KeySet, PastError> {
        metrics::counter!(DEDUPE_LOADS_TOTAL).increment(1);
        let mut set = KeySet::default();
        past.keys(bucket, &mut |key| {
            set.judge(key);
        })?;
        for (_, key) in self.pending.iter().filter(|(of, _)| *of == bucket) {
            set.judge(*key);
        }
        Ok(set)
    }

    fn rotate(&mut self) {
        if self.young_bytes > self.bytes_max / 2 {
            let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young)).len();
            self.young_bytes = 0;
            metrics::counter!(DEDUPE_EVICTED_TOTAL).increment(gone as u64);
        }
    }
}

const KEY_BYTES: usize = 28;
const SET_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quarantine::QuarantineEntry;
    use model::envelope::{Envelope, Position};
    use proptest::prelude::*;

    /// Remembers all that was handed over.
    #[derive(Default)]
    struct Store(Vec<(Bucket, KeyHash)>);

    impl Past for Store {
        fn keys(&mut self, bucket: Bucket, found: &mut dyn FnMut(KeyHash)) -> Result<(), PastError> {
            self.0.iter().filter(|(of, _)| *of == bucket).for_each(|(_, key)| found(*key));
            Ok(())
        }
        fn quarantined(&mut self, _: DeviceId, _: u64, _: u64) -> Result<Vec<QuarantineEntry>, PastError> {
            Ok(Vec::new())
        }
        fn frame(&mut self, _: Position) -> Result<Option<Envelope>, PastError> {
            Ok(None)
        }
    }

    fn key(device: i64, at: i64) -> RecordKey {
        RecordKey { device: DeviceId(device), kind: RecordKind::Instant, slot: 0, at: EventTime(at) }
    }

    #[test]
    fn a_copy_of_any_earlier_version_is_a_duplicate() {
        let (mut dedupe, mut past) = (Dedupe::new(1 << 20, AHashMap::new()), Store::default());
        let verdicts: Vec<_> =
            [1, 1, 2, 1, 2, 3].map(|content| dedupe.judge(key(1, 5), content, &mut past).unwrap()).into();
        let letters: String = verdicts.iter().filter_map(|verdict| format!("{verdict:?}").chars().next()).collect();
        assert_eq!(letters, "SDRDDR");
    }

    proptest! {
        /// Whatever the memory bound, and wherever the store takes over or the process restarts: the same verdicts as an
        /// unbounded memory gives.
        #[test]
        fn verdicts_do_not_depend_on_what_is_in_memory(
            stream in prop::collection::vec((0i64..3, 0i64..40, 0u64..3, 0u8..8), 0..300),
            bytes_max in 0usize..2_000,
        ) {
            let mut seen: AHashMap<RecordKey, Vec<u64>> = AHashMap::new();
            let (mut dedupe, mut past) = (Dedupe::new(bytes_max, AHashMap::new()), Store::default());
            let mut newest: AHashMap<(DeviceId, RecordKind), EventTime> = AHashMap::new();
            for (device, step, content, what) in stream {
                let key = key(device, step * 600_000);
                let versions = seen.entry(key).or_default();
                let expected = match versions.as_slice() {
                    [] => Verdict::Stored,
                    some if some.contains(&content) => Verdict::Duplicate,
                    _ => Verdict::Revised,
                };
                prop_assert_eq!(dedupe.judge(key, content, &mut past).unwrap(), expected);
                if expected != Verdict::Duplicate {
                    versions.push(content);
                }
                if what < 3 {
                    past.0.append(&mut dedupe.pending);
                    dedupe.handed_over();
                }
                if what == 0 {
                    newest.clear();
                    for (bucket, key) in &past.0 {
                        let entry = newest.entry((bucket.device, bucket.kind)).or_insert(key.at);
                        *entry = (*entry).max(key.at);
                    }
                    dedupe = Dedupe::new(bytes_max, newest.clone());
                }
            }
        }
    }
}
