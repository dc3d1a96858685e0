//! Reading: in order, following the durable end and never beyond it, from hot and archived segments alike.

use super::archive::{ColdCursor, read_header};
use super::catalog::{Located, Place, Shared};
use super::entry::Entry;
use super::layer::LayerFile;
use super::segment::{Found, GROUP_BYTES, Group, HEADER_BYTES, Header, Mark, RECORD_BYTES, record_at, scan_marks};
use super::{JournalError, Waited};
use bytes::Bytes;
use model::envelope::Position;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Reads entries in order; see [`super::Journal::reader`].
#[derive(Debug)]
pub struct JournalReader {
    shared: Arc<Shared>,
    next: u64,
    source: Source,
    end: tokio::sync::watch::Receiver<Position>,
}

#[derive(Debug)]
enum Source {
    None,
    Hot(HotCursor),
    Cold(ColdCursor),
}

impl JournalReader {
    pub(super) fn new(shared: Arc<Shared>, from: u64) -> Self {
        let end = shared.end.subscribe();
        Self { shared, next: from.max(1), source: Source::None, end }
    }

    /// The place of the next entry to be read.
    pub fn next(&self) -> Position {
        self.shared.position(self.next)
    }

    /// The next entries, about `bytes_max` of them and at least one; empty at the durable end. Blocks only on the disk.
    /// Raw bytes are slices of the chunk they were read in and keep it (up to 256 KiB) alive: copy what is kept for long.
    pub fn read_batch(&mut self, bytes_max: usize) -> Result<Vec<(Position, Entry)>, JournalError> {
        let raw = self.read_raw(bytes_max)?;
        let mut entries = Vec::with_capacity(raw.len());
        for (seq, bytes) in raw {
            let at = self.shared.position(seq);
            match Entry::decode(bytes) {
                Ok(entry) => entries.push((at, entry)),
                // What stands before the unreadable one is handed out first; the next call meets it again.
                Err(_) if !entries.is_empty() => {
                    self.seek(seq);
                    break;
                }
                Err(source) => {
                    self.seek(seq);
                    return Err(JournalError::Entry { at, source });
                }
            }
        }
        Ok(entries)
    }

    /// Blocks the thread until there is more to read.
    pub fn wait(&self, timeout: Duration) -> Waited {
        let catalog = self.shared.catalog();
        let (catalog, _) = self
            .shared
            .grown
            .wait_timeout_while(catalog, timeout, |catalog| catalog.durable < self.next && !catalog.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        match (catalog.durable >= self.next, catalog.stopped) {
            (true, _) => Waited::Data,
            (false, true) => Waited::Stopped,
            (false, false) => Waited::TimedOut,
        }
    }

    /// The same without a thread or a time limit; cancel-safe.
    pub async fn wait_async(&mut self) -> Waited {
        let next = self.next;
        let shared = Arc::clone(&self.shared);
        let stopped = |_: &Position| shared.catalog().stopped;
        let arrived = self.end.wait_for(|end| end.seq >= next || stopped(end)).await.map(|end| end.seq >= next);
        if arrived.unwrap_or(false) { Waited::Data } else { Waited::Stopped }
    }

    fn seek(&mut self, seq: u64) {
        self.next = seq;
        self.source = Source::None;
    }

    /// The bytes of the next entries.
    pub(super) fn read_raw(&mut self, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, JournalError> {
        let mut out = Vec::new();
        let mut moved = 0;
        loop {
            let located = self.shared.catalog().locate(self.next);
            let located = located.map_err(|first| JournalError::Gone { wanted: self.next, first })?;
            let Some(located) = located else { return Ok(out) };
            match self.read_segment(located, bytes_max, &mut out) {
                // The keeper moved it to the archive between the look and the opening.
                Err(JournalError::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound && moved < MOVES_MAX =>
                {
                    moved += 1;
                    self.source = Source::None;
                    out.clear();
                }
                done => {
                    if done.is_err() {
                        self.source = Source::None;
                    }
                    done?;
                    if let Some((seq, _)) = out.last() {
                        self.next = seq + 1;
                    }
                    return Ok(out);
                }
            }
        }
    }

    fn read_segment(
        &mut self,
        located: Located,
        bytes_max: usize,
        out: &mut Vec<(u64, Bytes)>,
    ) -> Result<(), JournalError> {
        let (shared, next) = (&self.shared, self.next);
        match located.place {
            Place::Hot => {
                if !matches!(&self.source, Source::Hot(c) if c.header.first == located.first && c.seq <= next) {
                    let mark = mark_for(shared, located, next)?;
                    self.source = Source::Hot(HotCursor::open(shared, located.first, mark)?);
                }
            }
            Place::Archived => {
                if !matches!(&self.source, Source::Cold(c) if c.first == located.first && c.seq <= next) {
                    self.source = Source::Cold(ColdCursor::open(shared, located.first, next)?);
                }
            }
        }
        match &mut self.source {
            Source::Hot(cursor) => cursor.read(next, located.last, located.end, bytes_max, out),
            Source::Cold(cursor) => cursor.read(next, located.last, bytes_max, out),
            Source::None => Ok(()),
        }
    }
}

/// Where to begin for `seq`; scans a segment for marks when it has none yet and the beginning will not do.
fn mark_for(shared: &Shared, located: Located, seq: u64) -> Result<Option<Mark>, JournalError> {
    if located.mark.is_some() || seq == located.first {
        return Ok(located.mark);
    }
    let path = shared.hot_path(located.first);
    let file = shared.layer.open(&path).map_err(|source| JournalError::io("open", &path, source))?;
    let header = read_header(&*file, &path, shared.config.partition, located.first)?;
    let marks = scan_marks(&*file, &path, header, located.last)?;
    if let Some(segment) = shared.catalog().segments.get_mut(&located.first)
        && segment.marks.is_none()
    {
        segment.marks = Some(marks);
    }
    Ok(shared.catalog().locate(seq).ok().flatten().and_then(|located| located.mark))
}

/// Reads the records of a hot segment in order.
#[derive(Debug)]
pub(super) struct HotCursor {
    file: Arc<dyn LayerFile>,
    path: PathBuf,
    pub(super) header: Header,
    /// Of the record `seq`, or of the group header before it.
    offset: u64,
    group_end: u64,
    pub(super) seq: u64,
}

impl HotCursor {
    pub(super) fn open(shared: &Shared, first: u64, mark: Option<Mark>) -> Result<Self, JournalError> {
        let path = shared.hot_path(first);
        let file = shared.layer.open(&path).map_err(|source| JournalError::io("open", &path, source))?;
        let header = read_header(&*file, &path, shared.config.partition, first)?;
        let Mark { seq, offset } = mark.unwrap_or(Mark { seq: first, offset: HEADER_BYTES as u64 });
        Ok(Self { file, path, header, offset, group_end: offset, seq })
    }

    /// Reads up to about `bytes_max` of entries from `wanted` on into `out`: not beyond entry `last`, nor beyond byte
    /// `end` where that is known. At least one when `seq <= last`.
    pub(super) fn read(
        &mut self,
        wanted: u64,
        last: u64,
        end: Option<u64>,
        bytes_max: usize,
        out: &mut Vec<(u64, Bytes)>,
    ) -> Result<(), JournalError> {
        let mut size = bytes_max.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        let mut taken = 0;
        while self.seq <= last && taken < bytes_max {
            let left =
                end.map_or(usize::MAX, |end| usize::try_from(end.saturating_sub(self.offset)).unwrap_or(usize::MAX));
            let mut chunk = vec![0; size.min(left)];
            let got = self.file.read_at(self.offset, &mut chunk);
            let got = got.map_err(|source| JournalError::io("read", &self.path, source))?;
            chunk.truncate(got);
            let whole = got < size;
            let before = self.offset;
            let needed = self.parse(&chunk.into(), wanted, last, out, &mut taken, bytes_max)?;
            if self.offset == before && self.seq <= last {
                // Nothing fitted: either the chunk is too small for one record, or the file ends too early.
                if whole || needed <= size {
                    return Err(self.corrupt("segment ends before its last entry"));
                }
                size = needed;
            }
        }
        Ok(())
    }

    /// Takes whole records off `chunk`; returns the length that the next one needs.
    fn parse(
        &mut self,
        chunk: &Bytes,
        wanted: u64,
        last: u64,
        out: &mut Vec<(u64, Bytes)>,
        taken: &mut usize,
        bytes_max: usize,
    ) -> Result<usize, JournalError> {
        let mut at = 0;
        while self.seq <= last && *taken < bytes_max {
            if self.offset == self.group_end {
                let Some(head) = chunk.get(at..at + GROUP_BYTES) else { return Ok(GROUP_BYTES) };
                let group = Group::parse(head, self.header.salt).filter(|group| group.first == self.seq);
                let Some(group) = group else { return Err(self.corrupt("no group header where one must be")) };
                at += GROUP_BYTES;
                self.offset += GROUP_BYTES as u64;
                self.group_end = self.offset + u64::from(group.bytes);
                continue;
            }
            let entry = match record_at(chunk, at, self.seq) {
                Found::Record(entry) => entry,
                Found::Short(needed) => return Ok(needed),
                Found::Bad => return Err(self.corrupt("record does not match its checksum")),
            };
            let length = RECORD_BYTES + entry.len();
            self.offset += length as u64;
            at += length;
            if self.offset > self.group_end {
                return Err(self.corrupt("record reaches beyond its group"));
            }
            if self.seq >= wanted {
                *taken += length;
                out.push((self.seq, entry));
            }
            self.seq += 1;
        }
        Ok(0)
    }

    fn corrupt(&self, what: &str) -> JournalError {
        JournalError::corrupt(&self.path, self.offset, self.seq, what)
    }
}

const CHUNK_BYTES_MIN: usize = 4 << 10;
const CHUNK_BYTES_MAX: usize = 256 << 10;
const MOVES_MAX: u32 = 3;
