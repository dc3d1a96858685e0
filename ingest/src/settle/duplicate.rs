//! Stage 7: is it new, a copy, or a revision?
//!
//! Same key, same content as **any** earlier version of the key → duplicate of that version. Same key, other content than all of them →
//! revised; both are kept and the later one is shown. So with versions A, B, a further copy of A is a duplicate and B stays shown:
//! what is shown is the latest *new* content, in journal order.
//!
//! A **doubtful** record (its frame had a wrong check or length) never takes the place of a sound one: it is a duplicate when, apart from the
//! doubt, it says what a sound version says, and quarantined as `doubtful` otherwise. It is kept as any other while there is no sound version, and
//! the first sound one revises it.
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

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub struct Contents {
    /// Hash of the body as it would be stored.
    pub content: u64,
    /// Hash of the body as it would be without the doubt.
    pub sound: u64,
    pub doubtful: bool,
}

/// Key set of one bucket: each (time, slot) with its first content, further contents apart since they are rare.
#[derive(Debug, Default)]
struct KeySet {
    first: AHashMap<(EventTime, u32), u64>,
    further: AHashSet<(EventTime, u32, u64)>,
    /// Keys without a sound version.
    doubtful: AHashSet<(EventTime, u32)>,
}

impl KeySet {
    /// Takes in a version that was stored, in any order.
    fn learn(&mut self, key: KeyHash) {
        let place = (key.at, key.slot);
        match self.first.get(&place) {
            None => {
                self.first.insert(place, key.content);
                if key.doubtful {
                    self.doubtful.insert(place);
                }
            }
            Some(first) => {
                if *first != key.content {
                    self.further.insert((key.at, key.slot, key.content));
                }
                if !key.doubtful {
                    self.doubtful.remove(&place);
                }
            }
        }
    }

    fn judge(&mut self, key: KeyHash, sound: u64) -> Verdict {
        let place = (key.at, key.slot);
        let Some(first) = self.first.get(&place).copied() else {
            self.learn(key);
            return Verdict::Stored;
        };
        let has = |content| first == content || self.further.contains(&(key.at, key.slot, content));
        if has(key.content) || has(sound) {
            return Verdict::Duplicate;
        }
        if key.doubtful && !self.doubtful.contains(&place) {
            return Verdict::Quarantined;
        }
        self.learn(key);
        Verdict::Revised
    }

    fn bytes(&self) -> usize {
        SET_BYTES + (self.first.capacity() + self.further.capacity() + self.doubtful.capacity()) * KEY_BYTES
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

    /// Whether the record is newer than all of its device and kind before it.
    pub fn is_newest(&self, key: &RecordKey) -> bool {
        self.newest.get(&(key.device, key.kind)).is_none_or(|newest| key.at > *newest)
    }

    /// Never [`Verdict::Quarantined`] but for a doubtful record that says otherwise than a sound one.
    pub fn judge(&mut self, key: RecordKey, says: Contents, past: &mut dyn Past) -> Result<Verdict, PastError> {
        let bucket = Bucket::of(&key);
        let key = KeyHash { at: key.at, slot: key.slot, content: says.content, doubtful: says.doubtful };
        let verdict = match self.newest.get(&(bucket.device, bucket.kind)).copied() {
            Some(newest) if key.at <= newest => self.look(bucket, key, says.sound, past)?,
            newest => {
                self.newest.insert((bucket.device, bucket.kind), key.at);
                // A loaded set must not miss what comes after it was loaded.
                if newest.is_some_and(|newest| newest.0.div_euclid(Bucket::HOUR_MS) == bucket.hour)
                    && let Some(set) = self.young.get_mut(&bucket).or_else(|| self.old.get_mut(&bucket))
                {
                    let before = set.bytes();
                    set.learn(key);
                    self.young_bytes += set.bytes() - before;
                    self.rotate();
                }
                Verdict::Stored
            }
        };
        if matches!(verdict, Verdict::Stored | Verdict::Revised) {
            self.pending.push((bucket, key));
        }
        Ok(verdict)
    }

    fn look(&mut self, bucket: Bucket, key: KeyHash, sound: u64, past: &mut dyn Past) -> Result<Verdict, PastError> {
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
        let verdict = set.judge(key, sound);
        self.young_bytes += set.bytes().saturating_sub(before);
        self.rotate();
        Ok(verdict)
    }

    fn load(&self, bucket: Bucket, past: &mut dyn Past) -> Result<KeySet, PastError> {
        metrics::counter!(DEDUPE_LOADS_TOTAL).increment(1);
        let mut set = KeySet::default();
        past.keys(bucket, &mut |key| set.learn(key))?;
        for (_, key) in self.pending.iter().filter(|(of, _)| *of == bucket) {
            set.learn(*key);
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

    /// Doubt changes what is stored, and so its hash.
    fn says(content: u64, doubtful: bool) -> Contents {
        Contents { content: content + if doubtful { 1_000 } else { 0 }, sound: content, doubtful }
    }

    #[test]
    fn the_doubtful_never_takes_the_place_of_the_sound() {
        let (mut dedupe, mut past) = (Dedupe::new(1 << 20, AHashMap::new()), Store::default());
        let mut judge = |at, content, doubtful| {
            let verdict = dedupe.judge(key(1, at), says(content, doubtful), &mut past).unwrap();
            format!("{verdict:?}").chars().next().unwrap_or_default()
        };
        // Sound first: a damaged copy of it is a duplicate, other damaged content goes to quarantine, sound content revises.
        let sound: String = [(1, false), (1, true), (2, true), (2, true), (2, false), (1, true), (2, true)]
            .map(|(content, doubtful)| judge(5, content, doubtful))
            .iter()
            .collect();
        assert_eq!(sound, "SDQQRDD");
        // Doubtful first: kept until the sound one comes, and a copy of it stays a duplicate.
        let doubtful: String = [(1, true), (2, true), (3, false), (1, true), (4, true)]
            .map(|(content, doubtful)| judge(9, content, doubtful))
            .iter()
            .collect();
        assert_eq!(doubtful, "SRRDQ");
    }

    #[test]
    fn a_copy_of_any_earlier_version_is_a_duplicate() {
        let (mut dedupe, mut past) = (Dedupe::new(1 << 20, AHashMap::new()), Store::default());
        let verdicts: Vec<_> =
            [1, 1, 2, 1, 2, 3].map(|content| dedupe.judge(key(1, 5), says(content, false), &mut past).unwrap()).into();
        let letters: String = verdicts.iter().filter_map(|verdict| format!("{verdict:?}").chars().next()).collect();
        assert_eq!(letters, "SDRDDR");
    }

    proptest! {
        /// Whatever the memory bound, and wherever the store takes over or the process restarts: the same verdicts as an
        /// unbounded memory gives.
        #[test]
        fn verdicts_do_not_depend_on_what_is_in_memory(
            stream in prop::collection::vec((0i64..3, 0i64..40, 0u64..3, any::<bool>(), 0u8..8), 0..300),
            bytes_max in 0usize..2_000,
        ) {
            let mut seen: AHashMap<RecordKey, Vec<(u64, bool)>> = AHashMap::new();
            let (mut dedupe, mut past) = (Dedupe::new(bytes_max, AHashMap::new()), Store::default());
            let mut newest: AHashMap<(DeviceId, RecordKind), EventTime> = AHashMap::new();
            for (device, step, content, doubtful, what) in stream {
                let key = key(device, step * 600_000);
                let says = says(content, doubtful);
                let versions = seen.entry(key).or_default();
                let has = |content| versions.iter().any(|(known, _)| *known == content);
                let expected = match versions.as_slice() {
                    [] => Verdict::Stored,
                    _ if has(says.content) || has(says.sound) => Verdict::Duplicate,
                    some if doubtful && some.iter().any(|(_, doubtful)| !doubtful) => Verdict::Quarantined,
                    _ => Verdict::Revised,
                };
                prop_assert_eq!(dedupe.judge(key, says, &mut past).unwrap(), expected);
                if matches!(expected, Verdict::Stored | Verdict::Revised) {
                    versions.push((says.content, doubtful));
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
