//! Which segments there are, where they lie and how far they are durable: what the writer, the keeper and all readers
//! share. Its lock is held for a few instructions, never over a file operation.

use super::layer::{FileLayer, LayerFile, Lock};
use super::segment::Mark;
use super::{Health, JournalConfig};
use model::envelope::Position;
use model::time::Clock;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Shared {
    pub config: JournalConfig,
    pub layer: Arc<dyn FileLayer>,
    pub clock: Arc<dyn Clock>,
    pub catalog: Mutex<Catalog>,
    /// Told when the durable end has moved and when the journal stops.
    pub grown: Condvar,
    pub end: tokio::sync::watch::Sender<Position>,
    pub health: Mutex<Health>,
    /// Segments wholly below this number may be archived.
    pub released: AtomicU64,
    /// The preallocated next segment.
    pub reserve: Mutex<Option<Reserve>>,
    /// Files made for reserves in this run. Each has a name of its own, so that the keeper never opens one that the writer
    /// has taken and not yet renamed.
    pub reserves: AtomicU64,
    /// Block lists of archived segments that were read lately.
    pub blocks: Mutex<BTreeMap<u64, Arc<Vec<Mark>>>>,
    pub _lock: Box<dyn Lock>,
}

#[derive(Debug)]
pub(super) struct Reserve {
    pub file: Arc<dyn LayerFile>,
    pub path: PathBuf,
    pub allocated: u64,
}

#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// By first number.
    pub segments: BTreeMap<u64, Segment>,
    /// The last durable number; 0: none.
    pub durable: u64,
    pub stopped: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub place: Place,
    /// Byte behind the last durable record, where this run knows it.
    pub end: Option<u64>,
    /// `None`: not scanned yet.
    pub marks: Option<Vec<Mark>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Hot,
    Archived,
}

/// Where an entry is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located {
    pub first: u64,
    /// The segment's last durable number.
    pub last: u64,
    pub place: Place,
    pub end: Option<u64>,
    /// The nearest mark at or before the entry; `None`: the segment has no marks yet.
    pub mark: Option<Mark>,
}

impl Catalog {
    /// `Ok(None)`: not durable yet. `Err(first)`: gone, `first` is the oldest kept.
    pub(super) fn locate(&self, seq: u64) -> Result<Option<Located>, u64> {
        if seq > self.durable {
            return Ok(None);
        }
        let Some((first, segment)) = self.segments.range(..=seq).next_back() else { return Err(self.first()) };
        let mark = segment.marks.as_ref().and_then(|marks| {
            let behind = marks.partition_point(|mark| mark.seq <= seq);
            marks.get(behind.checked_sub(1)?).copied()
        });
        Ok(Some(Located { first: *first, last: self.last_of(*first), place: segment.place, end: segment.end, mark }))
    }

    /// The last durable number of the segment that begins with `first`.
    pub(super) fn last_of(&self, first: u64) -> u64 {
        let next = self.segments.range(first + 1..).next();
        next.map_or(self.durable, |(next, _)| (next - 1).min(self.durable))
    }

    /// The oldest number that can be read; one past the end when there is none.
    pub(super) fn first(&self) -> u64 {
        self.segments.first_key_value().map_or(self.durable + 1, |(first, _)| *first)
    }

    /// The oldest hot segment that lies wholly below `released` and is not the newest.
    pub(super) fn archivable(&self, released: u64) -> Option<(u64, u64)> {
        let (first, _) = self.segments.iter().find(|(_, segment)| segment.place == Place::Hot)?;
        let (next, _) = self.segments.range(first + 1..).next()?;
        (*next <= released && next - 1 <= self.durable).then_some((*first, next - 1))
    }
}

impl Shared {
    pub(super) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn position(&self, seq: u64) -> Position {
        Position { partition: self.config.partition, seq }
    }

    pub(super) fn hot_path(&self, first: u64) -> PathBuf {
        self.config.dir.join(format!("{first:020}{HOT_SUFFIX}"))
    }

    pub(super) fn archive_dir(&self) -> PathBuf {
        self.config.dir.join(ARCHIVE_DIR)
    }

    pub(super) fn archive_path(&self, first: u64) -> PathBuf {
        self.archive_dir().join(format!("{first:020}{ARCHIVE_SUFFIX}"))
    }

    /// After a commit: entries up to `durable` are on disk, the segment `first` up to byte `end`.
    pub(super) fn advance(&self, first: u64, end: u64, mark: Mark, durable: u64) {
        {
            let mut catalog = self.catalog();
            if let Some(segment) = catalog.segments.get_mut(&first) {
                segment.end = Some(end);
                let marks = segment.marks.get_or_insert_default();
                if marks.last().is_none_or(|last| mark.offset - last.offset >= super::segment::MARK_EVERY_BYTES) {
                    marks.push(mark);
                }
            }
            catalog.durable = durable;
            self.grown.notify_all();
        }
        self.end.send_replace(self.position(durable));
    }
}

pub(super) const HOT_SUFFIX: &str = ".seg";
pub(super) const ARCHIVE_SUFFIX: &str = ".zst";
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";
pub(super) const ARCHIVE_DIR: &str = "archive";
