//! The bytes of a segment: header, group headers and records, as `journal/mod.rs` draws them. Pure; knows no files but
//! for the walk over group headers.

use super::JournalError;
use super::layer::LayerFile;
use bytes::Bytes;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

/// The first bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub partition: u16,
    pub first: u64,
    /// Unknown to devices, so that none can send bytes that pass for a group header.
    pub salt: u64,
}

/// What stands before the records of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub first: u64,
    pub count: u32,
    /// Of the records that follow.
    pub bytes: u32,
}

/// A place to begin reading at: a group header, or a block of an archived segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub seq: u64,
    pub offset: u64,
}

impl Header {
    pub(super) fn new(partition: u16, first: u64) -> Self {
        let salt = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { partition, first, salt }
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut writer = FieldWriter { out: &mut out, at: 0 };
        writer.put(&MAGIC);
        writer.put(&FORMAT_VERSION.to_le_bytes());
        writer.put(&self.partition.to_le_bytes());
        writer.put(&[0; 4]);
        writer.put(&self.first.to_le_bytes());
        writer.put(&self.salt.to_le_bytes());
        writer.put_crc(0);
        out
    }

    /// The message says what is wrong.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut fields = FieldReader(bytes);
        if fields.take::<8>() != Some(MAGIC) {
            return Err("not a journal segment".into());
        }
        let version = fields.u16().unwrap_or(0);
        if version != FORMAT_VERSION {
            return Err(format!("format version {version}, this program reads {FORMAT_VERSION}"));
        }
        let partition = fields.u16();
        fields.take::<4>();
        let (first, salt, crc) = (fields.u64(), fields.u64(), fields.u32());
        let covered = bytes.get(..HEADER_BYTES - 4).map(crc32fast::hash);
        match (partition, first, salt) {
            (Some(partition), Some(first), Some(salt)) if crc.is_some() && crc == covered => {
                Ok(Self { partition, first, salt })
            }
            _ => Err("segment header does not match its checksum".into()),
        }
    }
}

impl Group {
    pub(super) fn to_bytes(self, salt: u64) -> [u8; GROUP_BYTES] {
        let mut out = [0; GROUP_BYTES];
        let mut writer = FieldWriter { out: &mut out, at: 0 };
        writer.put(&GROUP_MAGIC);
        writer.put(&self.bytes.to_le_bytes());
        writer.put(&self.first.to_le_bytes());
        writer.put(&self.count.to_le_bytes());
        writer.put_crc(fold(salt));
        out
    }

    pub(super) fn parse(bytes: &[u8], salt: u64) -> Option<Self> {
        let mut fields = FieldReader(bytes);
        if fields.take::<4>()? != GROUP_MAGIC {
            return None;
        }
        let (length, first, count, crc) = (fields.u32()?, fields.u64()?, fields.u32()?, fields.u32()?);
        let mut hasher = crc32fast::Hasher::new_with_initial(fold(salt));
        hasher.update(bytes.get(..GROUP_BYTES - 4)?);
        (hasher.finalize() == crc && count > 0).then_some(Self { first, count, bytes: length })
    }
}

/// What a look at the bytes where a record should stand gives.
#[derive(Debug)]
pub(super) enum Found {
    /// The entry's bytes.
    Record(Bytes),
    /// The record is this long in all; more bytes are needed.
    Short(usize),
    Bad,
}

/// Reads the record of `seq` at the start of `bytes`.
pub(super) fn record_at(bytes: &Bytes, at: usize, seq: u64) -> Found {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut fields = FieldReader(rest);
    let (Some(crc), Some(length)) = (fields.u32(), fields.u32()) else { return Found::Short(RECORD_BYTES) };
    let length = length as usize;
    if length == 0 || length > ENTRY_BYTES_MAX {
        return Found::Bad;
    }
    let Some(covered) = rest.get(4..RECORD_BYTES + length) else { return Found::Short(RECORD_BYTES + length) };
    if record_crc(covered, seq) != crc {
        return Found::Bad;
    }
    Found::Record(bytes.slice(at + RECORD_BYTES..at + RECORD_BYTES + length))
}

/// The checksum of a record covers its length, its bytes and, as the seed, its number: a record in the wrong place is bad.
pub(super) fn record_crc(length_and_entry: &[u8], seq: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(fold(seq));
    hasher.update(length_and_entry);
    hasher.finalize()
}

/// Opens a record in `out`: room for checksum and length. Close it with [`end_record`].
pub(super) fn begin_record(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; RECORD_BYTES]);
    out.len()
}

/// False when the entry is longer than a record may be.
pub(super) fn end_record(out: &mut [u8], start: usize) -> bool {
    let length = out.len().saturating_sub(start);
    let Some(place) = out.get_mut(start - 4..start) else { return false };
    place.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    (1..=ENTRY_BYTES_MAX).contains(&length)
}

/// Gives the records of `bytes` their checksums for `first ..`. The bytes are our own, made by the two functions above.
pub(super) fn number_records(mut bytes: &mut [u8], first: u64) {
    let mut seq = first;
    while let Some(length) = bytes.get(4..RECORD_BYTES).and_then(|raw| raw.try_into().ok()).map(u32::from_le_bytes) {
        let Some((record, rest)) = bytes.split_at_mut_checked(RECORD_BYTES + length as usize) else { break };
        let crc = record_crc(record.get(4..).unwrap_or_default(), seq);
        if let Some(place) = record.get_mut(..4) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
        seq += 1;
        bytes = rest;
    }
}

/// Marks about every [`MARK_EVERY_BYTES`] of a segment, by hopping from group to group up to entry `last`.
pub(super) fn scan_marks(
    file: &dyn LayerFile,
    path: &Path,
    header: Header,
    last: u64,
) -> Result<Vec<Mark>, JournalError> {
    let (mut offset, mut next, mut marks) = (HEADER_BYTES as u64, header.first, Vec::<Mark>::new());
    while next <= last {
        let mut bytes = [0; GROUP_BYTES];
        file.read_at(offset, &mut bytes).map_err(|source| JournalError::io("read", path, source))?;
        let group = Group::parse(&bytes, header.salt)
            .filter(|group| group.first == next)
            .ok_or_else(|| JournalError::corrupt(path, offset, next, "no group header"))?;
        if marks.last().is_none_or(|mark| offset - mark.offset >= MARK_EVERY_BYTES) {
            marks.push(Mark { seq: next, offset });
        }
        offset += GROUP_BYTES as u64 + u64::from(group.bytes);
        next += u64::from(group.count);
    }
    Ok(marks)
}

pub(super) fn fold(value: u64) -> u32 {
    u32::try_from((value >> 32) ^ (value & 0xffff_ffff)).unwrap_or(0)
}

/// Writes little-endian fields into a fixed array.
struct FieldWriter<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl FieldWriter<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(self.at..self.at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }

    fn put_crc(&mut self, seed: u32) {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(self.out.get(..self.at).unwrap_or_default());
        self.put(&hasher.finalize().to_le_bytes());
    }
}

/// Takes little-endian fields off the front.
pub(super) struct FieldReader<'a>(pub &'a [u8]);

impl FieldReader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

pub(super) const MAGIC: [u8; 8] = *b"LTJRNL\x1a\n";
pub(super) const FORMAT_VERSION: u16 = 1;
pub(super) const GROUP_MAGIC: [u8; 4] = [0xf6, b'G', b'R', 0xb5];
pub(super) const HEADER_BYTES: usize = 36;
pub(super) const GROUP_BYTES: usize = 24;
/// Checksum and length before an entry.
pub(super) const RECORD_BYTES: usize = 8;
/// No listener takes a frame this long; a longer length on disk is damage.
pub(super) const ENTRY_BYTES_MAX: usize = 16 << 20;
pub(super) const MARK_EVERY_BYTES: u64 = 64 << 10;
