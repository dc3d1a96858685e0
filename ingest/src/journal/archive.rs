//! An archived segment: the same records without group headers, in blocks of about 256 KiB, each compressed on its own so
//! that one entry can be read without the rest. The file is complete when it has its name.

use super::JournalError;
use super::catalog::{Place, Shared};
use super::entry::Entry;
use super::layer::LayerFile;
use super::reader::HotCursor;
use super::segment::{FORMAT_VERSION, FieldReader, Found, Header, Mark, RECORD_BYTES, record_at};
use bytes::Bytes;
use model::time::IngestTime;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The first bytes of an archived segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArchiveHeader {
    pub partition: u16,
    pub blocks: u32,
    pub first: u64,
    pub last: u64,
    /// Journal time of the last entry that has one; the age for the retention.
    pub last_at: IngestTime,
}

impl ArchiveHeader {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&self.partition.to_le_bytes());
        out.extend_from_slice(&self.blocks.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.extend_from_slice(&self.last_at.as_ms().to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    pub(super) fn read(file: &dyn LayerFile, path: &Path) -> Result<Self, JournalError> {
        let mut bytes = [0; ARCHIVE_HEADER_BYTES];
        file.read_at(0, &mut bytes).map_err(|source| JournalError::io("read", path, source))?;
        let damaged = || JournalError::corrupt(path, 0, 0, "archive header does not match its checksum");
        let mut fields = FieldReader(&bytes);
        if fields.take::<8>() != Some(MAGIC) || fields.u16() != Some(FORMAT_VERSION) {
            return Err(JournalError::corrupt(path, 0, 0, "not an archived segment of a version this program reads"));
        }
        let (partition, blocks) = (fields.u16().ok_or_else(damaged)?, fields.u32().ok_or_else(damaged)?);
        let (first, last) = (fields.u64().ok_or_else(damaged)?, fields.u64().ok_or_else(damaged)?);
        let last_at = IngestTime(fields.u64().ok_or_else(damaged)?.cast_signed());
        let covered = bytes.get(..ARCHIVE_HEADER_BYTES - 4).map(crc32fast::hash);
        if fields.u32() != covered {
            return Err(damaged());
        }
        Ok(Self { partition, blocks, first, last, last_at })
    }
}

/// What stands before a block's compressed bytes.
#[derive(Debug, Clone, Copy)]
struct Block {
    raw: u32,
    packed: u32,
    first: u64,
    crc: u32,
}

impl Block {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = self.raw.to_le_bytes().to_vec();
        out.extend_from_slice(&self.packed.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out
    }

    fn read(file: &dyn LayerFile, path: &Path, offset: u64) -> Result<Self, JournalError> {
        let mut bytes = [0; BLOCK_BYTES];
        file.read_at(offset, &mut bytes).map_err(|source| JournalError::io("read", path, source))?;
        let mut fields = FieldReader(&bytes);
        match (fields.u32(), fields.u32(), fields.u64(), fields.u32()) {
            (Some(raw), Some(packed), Some(first), Some(crc)) if raw > 0 && raw as usize <= RAW_BYTES_MAX => {
                Ok(Self { raw, packed, first, crc })
            }
            _ => Err(JournalError::corrupt(path, offset, 0, "block header")),
        }
    }
}

/// Reads the records of an archived segment in order.
#[derive(Debug)]
pub(super) struct ColdCursor {
    file: Arc<dyn LayerFile>,
    path: PathBuf,
    blocks: Arc<Vec<Mark>>,
    next_block: usize,
    bytes: Bytes,
    position: usize,
    pub(super) first: u64,
    pub(super) seq: u64,
}

impl ColdCursor {
    /// Stands at the block that holds `seq`.
    pub(super) fn open(shared: &Shared, first: u64, seq: u64) -> Result<Self, JournalError> {
        let path = shared.archive_path(first);
        let file = shared.layer.open(&path).map_err(|source| JournalError::io("open", &path, source))?;
        let blocks = block_list(shared, &*file, &path, first)?;
        let next_block = blocks.partition_point(|mark| mark.seq <= seq).saturating_sub(1);
        let at = blocks.get(next_block).map_or(first, |mark| mark.seq);
        Ok(Self { file, path, blocks, next_block, bytes: Bytes::new(), position: 0, first, seq: at })
    }

    /// Reads up to about `bytes_max` of entries from `wanted` on into `out`, not beyond the segment's `last`.
    pub(super) fn read(
        &mut self,
        wanted: u64,
        last: u64,
        bytes_max: usize,
        out: &mut Vec<(u64, Bytes)>,
    ) -> Result<(), JournalError> {
        let mut taken = 0;
        while self.seq <= last && taken < bytes_max {
            if self.position >= self.bytes.len() {
                self.load()?;
            }
            let Found::Record(entry) = record_at(&self.bytes, self.position, self.seq) else {
                return Err(JournalError::corrupt(&self.path, self.position as u64, self.seq, "archived record"));
            };
            self.position += RECORD_BYTES + entry.len();
            if self.seq >= wanted {
                taken += RECORD_BYTES + entry.len();
                out.push((self.seq, entry));
            }
            self.seq += 1;
        }
        Ok(())
    }

    fn load(&mut self) -> Result<(), JournalError> {
        let Some(mark) = self.blocks.get(self.next_block).copied() else {
            return Err(JournalError::corrupt(&self.path, 0, self.seq, "archive ends early"));
        };
        let damaged = |what| JournalError::corrupt(&self.path, mark.offset, self.seq, what);
        let block = Block::read(&*self.file, &self.path, mark.offset)?;
        let mut packed = vec![0; block.packed as usize];
        let got = self
            .file
            .read_at(mark.offset + BLOCK_BYTES as u64, &mut packed)
            .map_err(|source| JournalError::io("read", &self.path, source))?;
        if got != packed.len() || crc32fast::hash(&packed) != block.crc || block.first != self.seq {
            return Err(damaged("block does not match its checksum"));
        }
        let raw =
            zstd::bulk::decompress(&packed, block.raw as usize).map_err(|_| damaged("block cannot be unpacked"))?;
        (self.bytes, self.position, self.next_block) = (raw.into(), 0, self.next_block + 1);
        Ok(())
    }
}

/// Compresses the hot segment `first ..= last` into the archive and then removes it. It can be repeated after an error.
pub(super) fn archive_segment(shared: &Shared, first: u64, last: u64) -> Result<(), JournalError> {
    let path = shared.archive_path(first);
    let temporary = path.with_extension("tmp");
    let end = shared.catalog().segments.get(&first).and_then(|segment| segment.end);
    let header = write_archive(shared, first, last, end, &temporary)?;
    shared.layer.rename(&temporary, &path).map_err(|source| JournalError::io("rename", &temporary, source))?;
    let dir = shared.archive_dir();
    shared.layer.sync_dir(&dir).map_err(|source| JournalError::io("sync", &dir, source))?;
    // Read all of it back before the original goes.
    let mut check = ColdCursor::open(shared, first, first)?;
    let mut entries = Vec::new();
    while check.seq <= header.last {
        check.read(first, header.last, RAW_BLOCK_BYTES, &mut entries)?;
        entries.clear();
    }
    if let Some(segment) = shared.catalog().segments.get_mut(&first) {
        segment.place = Place::Archived;
        segment.marks = None;
    }
    let hot = shared.hot_path(first);
    shared.layer.remove(&hot).map_err(|source| JournalError::io("remove", &hot, source))
}

fn write_archive(
    shared: &Shared,
    first: u64,
    last: u64,
    end: Option<u64>,
    path: &Path,
) -> Result<ArchiveHeader, JournalError> {
    let hot = shared.hot_path(first);
    let mut cursor = HotCursor::open(shared, first, None)?;
    let failed = |source| JournalError::io("write", path, source);
    let file = shared.layer.create(path).map_err(failed)?;
    let mut header =
        ArchiveHeader { partition: shared.config.partition, blocks: 0, first, last, last_at: IngestTime::MIN };
    let (mut offset, mut entries, mut raw) = (ARCHIVE_HEADER_BYTES as u64, Vec::new(), Vec::new());
    while cursor.seq <= last {
        let block_first = cursor.seq;
        entries.clear();
        raw.clear();
        cursor.read(block_first, last, end, RAW_BLOCK_BYTES, &mut entries)?;
        for (seq, bytes) in entries.drain(..) {
            let start = super::segment::begin_record(&mut raw);
            raw.extend_from_slice(&bytes);
            let at = start - RECORD_BYTES;
            super::segment::end_record(&mut raw, start);
            super::segment::number_records(raw.get_mut(at..).unwrap_or_default(), seq);
            if let Some(at) = Entry::decode(bytes).ok().and_then(|entry| entry.at()) {
                header.last_at = header.last_at.max(at);
            }
        }
        let packed = zstd::bulk::compress(&raw, COMPRESSION_LEVEL).map_err(failed)?;
        let block = Block {
            raw: u32::try_from(raw.len()).map_err(|error| failed(std::io::Error::other(error)))?,
            packed: u32::try_from(packed.len()).map_err(|error| failed(std::io::Error::other(error)))?,
            first: block_first,
            crc: crc32fast::hash(&packed),
        };
        let mut bytes = block.to_bytes();
        bytes.extend_from_slice(&packed);
        file.write_at(offset, &bytes).map_err(failed)?;
        offset += bytes.len() as u64;
        header.blocks += 1;
    }
    tracing::debug!(segment = %hot.display(), blocks = header.blocks, bytes = offset, "segment archived");
    file.write_at(0, &header.to_bytes()).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    Ok(header)
}

fn block_list(shared: &Shared, file: &dyn LayerFile, path: &Path, first: u64) -> Result<Arc<Vec<Mark>>, JournalError> {
    let mut cache = shared.blocks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(list) = cache.get(&first) {
        return Ok(Arc::clone(list));
    }
    let header = ArchiveHeader::read(file, path)?;
    let (mut offset, mut list) = (ARCHIVE_HEADER_BYTES as u64, Vec::new());
    for _ in 0..header.blocks {
        let block = Block::read(file, path, offset)?;
        list.push(Mark { seq: block.first, offset });
        offset += BLOCK_BYTES as u64 + u64::from(block.packed);
    }
    let list = Arc::new(list);
    if cache.len() >= BLOCK_LISTS_MAX {
        cache.pop_first();
    }
    cache.insert(first, Arc::clone(&list));
    Ok(list)
}

/// Checks the header of a hot segment against its name.
pub(super) fn read_header(
    file: &dyn LayerFile,
    path: &Path,
    partition: u16,
    first: u64,
) -> Result<Header, JournalError> {
    let mut bytes = [0; super::segment::HEADER_BYTES];
    file.read_at(0, &mut bytes).map_err(|source| JournalError::io("read", path, source))?;
    let header = Header::parse(&bytes).map_err(|what| JournalError::corrupt(path, 0, first, &what))?;
    if header.first != first || header.partition != partition {
        return Err(JournalError::corrupt(path, 0, first, "header names another segment or partition"));
    }
    Ok(header)
}

const MAGIC: [u8; 8] = *b"LTARCH\x1a\n";
const ARCHIVE_HEADER_BYTES: usize = 44;
const BLOCK_BYTES: usize = 20;
const RAW_BLOCK_BYTES: usize = 256 << 10;
/// A block holds at least one entry, whatever its length, and never much more than its aim.
const RAW_BYTES_MAX: usize = super::segment::ENTRY_BYTES_MAX + 2 * RAW_BLOCK_BYTES;
const COMPRESSION_LEVEL: i32 = 3;
const BLOCK_LISTS_MAX: usize = 64;
