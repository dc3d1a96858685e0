//! The writing half, without its thread: one group of batches at a time, one write and one sync each. After anything
//! failed the segment is left for good and the next group goes to a new one: what a failed sync left in the page cache
//! is never trusted.

use super::catalog::{Place, Reserve, Segment, Shared, TEMPORARY_SUFFIX};
use super::layer::LayerFile;
use super::segment::{GROUP_BYTES, Group, HEADER_BYTES, Header, Mark, number_records};
use crate::metrics::{JOURNAL_ENTRIES_TOTAL, JOURNAL_SEGMENTS_TOTAL, JOURNAL_WRITTEN_BYTES_TOTAL};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

#[derive(Debug)]
pub(super) struct Log {
    shared: Arc<Shared>,
    live: Option<Live>,
    /// The number of the next entry.
    next: u64,
    buffer: Vec<u8>,
    /// Segments started in this run.
    started: u64,
}

#[derive(Debug)]
struct Live {
    file: Arc<dyn LayerFile>,
    header: Header,
    /// Behind the last durable record.
    offset: u64,
    allocated: u64,
}

impl Log {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let next = shared.catalog().durable + 1;
        Self { shared, live: None, next, buffer: Vec::new(), started: 0 }
    }

    /// Segments started in this run; when it grows, a reserve is due.
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// Writes and syncs one group: `records` of each batch as `segment::begin_record` made them, `count` in all.
    /// Returns the number of the first. After an error nothing of the group counts.
    pub(super) fn commit<'a>(&mut self, batches: impl Iterator<Item = &'a [u8]>, count: u32) -> io::Result<u64> {
        let first = self.next;
        if count == 0 {
            return Ok(first);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(&[0; GROUP_BYTES]);
        batches.for_each(|records| buffer.extend_from_slice(records));
        let done = self.write(&mut buffer, count);
        buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.buffer = buffer;
        done?;
        self.next += u64::from(count);
        Ok(first)
    }

    fn write(&mut self, buffer: &mut [u8], count: u32) -> io::Result<()> {
        let first = self.next;
        if let Some(records) = buffer.get_mut(GROUP_BYTES..) {
            number_records(records, first);
        }
        if self.live.as_ref().is_none_or(|live| live.offset + buffer.len() as u64 > live.allocated) {
            self.live = None;
            self.rotate(buffer.len() as u64)?;
        }
        let Some(mut live) = self.live.take() else { return Err(io::Error::other("no segment is open")) };
        let bytes = u32::try_from(buffer.len() - GROUP_BYTES).map_err(io::Error::other)?;
        let group = Group { first, count, bytes };
        if let Some(head) = buffer.get_mut(..GROUP_BYTES) {
            head.copy_from_slice(&group.to_bytes(live.header.salt));
        }
        if let Err(error) = live.file.write_at(live.offset, buffer).and_then(|()| live.file.sync_data()) {
            // Not needed for correctness (the next segment's first number bounds this one), so its own error is dropped.
            live.file.truncate(live.offset).ok();
            return Err(error);
        }
        let mark = Mark { seq: first, offset: live.offset };
        live.offset += buffer.len() as u64;
        self.shared.advance(live.header.first, live.offset, mark, first + u64::from(count) - 1);
        self.live = Some(live);
        metrics::counter!(JOURNAL_ENTRIES_TOTAL).increment(u64::from(count));
        metrics::counter!(JOURNAL_WRITTEN_BYTES_TOTAL).increment(buffer.len() as u64);
        Ok(())
    }

    /// Starts a new segment with room for a group of `bytes`. It can be repeated after an error.
    pub(super) fn rotate(&mut self, bytes: u64) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let needed = HEADER_BYTES as u64 + bytes;
        let ready = shared.reserve.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut reserve = match ready {
            Some(reserve) => reserve,
            // The keeper is behind: one that is only allocated is slower to write, but there at once.
            None => make_segment(&shared, |_, _| Ok(()))?,
        };
        let header = Header::new(shared.config.partition, self.next);
        let named = name_segment(&shared, &mut reserve, header, needed);
        if named.is_err() {
            // Where it was renamed already, the next attempt replaces it.
            shared.layer.remove(&reserve.path).ok();
        }
        named?;
        let segment = Segment { place: Place::Hot, end: Some(HEADER_BYTES as u64), marks: Some(Vec::new()) };
        shared.catalog().segments.insert(self.next, segment);
        self.live =
            Some(Live { file: reserve.file, header, offset: HEADER_BYTES as u64, allocated: reserve.allocated });
        self.started += 1;
        metrics::counter!(JOURNAL_SEGMENTS_TOTAL).increment(1);
        Ok(())
    }
}

/// Gives the reserve its header and its name, durably.
fn name_segment(shared: &Shared, reserve: &mut Reserve, header: Header, needed: u64) -> io::Result<()> {
    if reserve.allocated < needed {
        reserve.file.allocate(needed)?;
        reserve.allocated = needed;
    }
    reserve.file.write_at(0, &header.to_bytes())?;
    reserve.file.sync_data()?;
    shared.layer.rename(&reserve.path, &shared.hot_path(header.first))?;
    shared.layer.sync_dir(&shared.config.dir)
}

/// Makes the next segment's file ahead of need, unless it is there. Only the keeper calls it while the writer runs.
pub(super) fn prepare_reserve(shared: &Shared) -> io::Result<()> {
    let there = || shared.reserve.lock().unwrap_or_else(PoisonError::into_inner);
    if there().is_some() {
        return Ok(());
    }
    let reserve = make_segment(shared, fill)?;
    *there() = Some(reserve);
    Ok(())
}

fn make_segment(shared: &Shared, fill: impl FnOnce(&dyn LayerFile, u64) -> io::Result<()>) -> io::Result<Reserve> {
    let number = shared.reserves.fetch_add(1, Ordering::Relaxed) + 1;
    let path = shared.config.dir.join(format!("reserve-{number}{TEMPORARY_SUFFIX}"));
    let file = shared.layer.create(&path)?;
    let allocated = shared.config.segment_bytes;
    if let Err(error) = file.allocate(allocated).and_then(|()| fill(&*file, allocated)) {
        // A leftover that cannot be removed either goes at the next start.
        shared.layer.remove(&path).ok();
        return Err(error);
    }
    Ok(Reserve { file, path, allocated })
}

/// Writes the zeros out: a sync of a page that was only allocated must also commit the file system's own journal.
fn fill(file: &dyn LayerFile, length: u64) -> io::Result<()> {
    let zeros = vec![0; FILL_BYTES];
    let mut offset = 0;
    while offset < length {
        let step = FILL_BYTES.min(usize::try_from(length - offset).unwrap_or(FILL_BYTES));
        file.write_at(offset, zeros.get(..step).unwrap_or_default())?;
        // In small portions, so that the writer's own syncs find little to wait for.
        file.sync_data()?;
        offset += step as u64;
    }
    Ok(())
}

const FILL_BYTES: usize = 1 << 20;
/// A larger buffer, grown by one large batch, is given back.
const BUFFER_KEPT_BYTES: usize = 2 << 20;
