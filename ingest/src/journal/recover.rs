//! Opening: what is there, is it whole, where does it end. The last segment is read through, cut behind its last whole
//! group, and written back over itself and synced, because after a kill its pages may never have reached the disk and
//! after a failed sync the system may believe they have.

use super::archive::{ArchiveHeader, read_header};
use super::catalog::{ARCHIVE_SUFFIX, Catalog, HOT_SUFFIX, Place, Segment, Shared, TEMPORARY_SUFFIX};
use super::layer::LayerFile;
use super::segment::{
    ENTRY_BYTES_MAX, Found, GROUP_BYTES, GROUP_MAGIC, Group, HEADER_BYTES, Header, MARK_EVERY_BYTES, Mark, record_at,
};
use super::{JournalError, RECORD_BYTES};
use bytes::Bytes;
use std::path::Path;

/// Fills the catalog. Returns the bytes of a torn group that were cut off.
pub(super) fn recover(shared: &Shared) -> Result<u64, JournalError> {
    let (dir, archive) = (&shared.config.dir, shared.archive_dir());
    let mut catalog = Catalog::default();
    let mut archived_to = None;
    for first in numbered(shared, &archive, ARCHIVE_SUFFIX)? {
        let path = shared.archive_path(first);
        let header = open_archive(shared, &path)?;
        if header.first != first || header.partition != shared.config.partition {
            return Err(JournalError::corrupt(&path, 0, first, "header names another segment or partition"));
        }
        follows(archived_to, first, &path)?;
        archived_to = Some(header.last);
        catalog.segments.insert(first, Segment { place: Place::Archived, end: None, marks: None });
        catalog.durable = header.last;
    }
    let mut hot = Vec::new();
    for first in numbered(shared, dir, HOT_SUFFIX)? {
        if catalog.segments.contains_key(&first) {
            // Archived, and the removal did not reach the disk. Nor may the archive's own name have, after a kill.
            shared.layer.sync_dir(&archive).map_err(|source| JournalError::io("sync", &archive, source))?;
            remove(shared, &shared.hot_path(first))?;
        } else {
            hot.push(first);
        }
    }
    if let Some(oldest) = hot.first() {
        follows(archived_to, *oldest, &shared.hot_path(*oldest))?;
    }
    let mut torn = 0;
    for (index, first) in hot.iter().enumerate() {
        let path = shared.hot_path(*first);
        let file = shared.layer.open(&path).map_err(|source| JournalError::io("open", &path, source))?;
        let header = read_header(&*file, &path, shared.config.partition, *first)?;
        let mut segment = Segment { place: Place::Hot, end: None, marks: None };
        if index + 1 == hot.len() {
            let tail = Tail::settle(&*file, &path, header)?;
            (catalog.durable, torn) = (tail.next - 1, tail.torn);
            segment = Segment { end: Some(tail.end), marks: Some(tail.marks), ..segment };
        }
        catalog.segments.insert(*first, segment);
    }
    *shared.catalog() = catalog;
    Ok(torn)
}

/// The end of the last segment.
#[derive(Debug)]
struct Tail {
    end: u64,
    next: u64,
    torn: u64,
    marks: Vec<Mark>,
}

impl Tail {
    fn settle(file: &dyn LayerFile, path: &Path, header: Header) -> Result<Self, JournalError> {
        let failed = |what, source| JournalError::io(what, path, source);
        let length = file.length().map_err(|source| failed("measure", source))?;
        let mut tail = Self { end: HEADER_BYTES as u64, next: header.first, torn: 0, marks: Vec::new() };
        while let Some(group) = tail.read_group(file, path, header, length)? {
            file.write_at(tail.end, &group).map_err(|source| failed("rewrite", source))?;
            if tail.marks.last().is_none_or(|mark| tail.end - mark.offset >= MARK_EVERY_BYTES) {
                tail.marks.push(Mark { seq: tail.next, offset: tail.end });
            }
            tail.end += group.len() as u64;
            tail.next += u64::from(Group::parse(&group, header.salt).map_or(0, |group| group.count));
        }
        tail.torn = tail.look_beyond(file, path, header, length)?;
        file.write_at(0, &header.to_bytes()).map_err(|source| failed("rewrite", source))?;
        file.truncate(tail.end).map_err(|source| failed("truncate", source))?;
        file.sync_data().map_err(|source| failed("sync", source))?;
        Ok(tail)
    }

    /// The next group when it is whole, header and all.
    fn read_group(
        &self,
        file: &dyn LayerFile,
        path: &Path,
        header: Header,
        length: u64,
    ) -> Result<Option<Bytes>, JournalError> {
        let failed = |source| JournalError::io("read", path, source);
        let mut head = [0; GROUP_BYTES];
        file.read_at(self.end, &mut head).map_err(failed)?;
        let Some(group) = Group::parse(&head, header.salt).filter(|group| group.first == self.next) else {
            return Ok(None);
        };
        let size = GROUP_BYTES as u64 + u64::from(group.bytes);
        if self.end + size > length {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_at(self.end, &mut bytes).map_err(failed)?;
        let bytes = Bytes::from(bytes);
        let mut at = GROUP_BYTES;
        for seq in group.first..group.first + u64::from(group.count) {
            match record_at(&bytes, at, seq) {
                Found::Record(entry) => at += RECORD_BYTES + entry.len(),
                Found::Short(_) | Found::Bad => return Ok(None),
            }
        }
        Ok((at == bytes.len()).then_some(bytes))
    }

    /// A group is written only after the one before it was synced. So a whole header of a later group behind a broken one
    /// means that the broken one had been acknowledged: that is damage, not a torn tail. Returns the torn bytes.
    fn look_beyond(&self, file: &dyn LayerFile, path: &Path, header: Header, length: u64) -> Result<u64, JournalError> {
        let (mut offset, mut last_used) = (self.end, self.end);
        let (zeros, mut window) = (vec![0; CHUNK_BYTES], Vec::<u8>::new());
        while offset < length {
            let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(length - offset).unwrap_or(CHUNK_BYTES))];
            let got = file.read_at(offset, &mut chunk).map_err(|source| JournalError::io("read", path, source))?;
            if got == 0 {
                break;
            }
            chunk.truncate(got);
            // Most of it was never used.
            if chunk.get(..) == zeros.get(..got) && window.iter().all(|byte| *byte == 0) {
                offset += got as u64;
                window.clear();
                continue;
            }
            if let Some(used) = chunk.iter().rposition(|byte| *byte != 0) {
                last_used = offset + used as u64 + 1;
            }
            let start = offset - window.len() as u64;
            window.extend_from_slice(&chunk);
            for at in magic_in(&window) {
                let later = window.get(at..).and_then(|bytes| Group::parse(bytes, header.salt));
                if later.is_some_and(|group| group.first > self.next && start + at as u64 > self.end) {
                    return Err(JournalError::corrupt(path, self.end, self.next, "broken record before whole ones"));
                }
            }
            offset += got as u64;
            window.drain(..window.len().saturating_sub(GROUP_BYTES - 1));
        }
        Ok(last_used - self.end)
    }
}

fn magic_in(window: &[u8]) -> impl Iterator<Item = usize> {
    window.windows(GROUP_MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == GROUP_MAGIC).map(|(at, _)| at)
}

fn open_archive(shared: &Shared, path: &Path) -> Result<ArchiveHeader, JournalError> {
    let file = shared.layer.open(path).map_err(|source| JournalError::io("open", path, source))?;
    ArchiveHeader::read(&*file, path)
}

fn follows(last: Option<u64>, first: u64, path: &Path) -> Result<(), JournalError> {
    match last {
        Some(last) if last + 1 != first => {
            Err(JournalError::corrupt(path, 0, last + 1, "a segment is missing before this one"))
        }
        _ => Ok(()),
    }
}

/// Segments in a folder by their first numbers, in order. Leftovers of work that did not end are removed.
fn numbered(shared: &Shared, dir: &Path, suffix: &str) -> Result<Vec<u64>, JournalError> {
    let names = shared.layer.list(dir).map_err(|source| JournalError::io("list", dir, source))?;
    let mut found = Vec::new();
    for name in names {
        if name.ends_with(TEMPORARY_SUFFIX) {
            remove(shared, &dir.join(&name))?;
        } else if let Some(first) = name.strip_suffix(suffix).and_then(|number| number.parse().ok()) {
            found.push(first);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn remove(shared: &Shared, path: &Path) -> Result<(), JournalError> {
    shared.layer.remove(path).map_err(|source| JournalError::io("remove", path, source))
}

const CHUNK_BYTES: usize = 256 << 10;
const _: () = assert!(ENTRY_BYTES_MAX < u32::MAX as usize);
