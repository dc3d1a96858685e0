//! A blob that is being written: a file of no name yet, hashed when it is whole.

use super::index;
use model::blob::BlobId;
use model::seams::BlobError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Removed when it is dropped.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    bytes_max: u64,
    bytes: u64,
}

/// All bytes are on disk; only the name is not.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: BlobId,
    pub(super) bytes: u64,
    draft: Draft,
}

impl Draft {
    pub(super) fn create(path: PathBuf, bytes_max: u64) -> Result<Self, BlobError> {
        let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(io("create a blob"))?;
        Ok(Self { path, file, bytes_max, bytes: 0 })
    }

    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.bytes_max);
        let end = end.ok_or(BlobError::TooLarge(self.bytes_max))?;
        self.file.write_all_at(bytes, offset).map_err(io("write a blob"))?;
        self.bytes = self.bytes.max(end);
        Ok(())
    }

    pub(super) fn synced(self) -> Result<Written, BlobError> {
        let mut hash = Sha256::new();
        let mut part = vec![0_u8; PART_BYTES];
        let (mut reader, mut bytes) = (&self.file, 0);
        std::io::Seek::rewind(&mut reader).map_err(io("read a new blob"))?;
        loop {
            let count = reader.read(&mut part).map_err(io("read a new blob"))?;
            if count == 0 {
                break;
            }
            hash.update(part.get(..count).unwrap_or_default());
            bytes += count as u64;
        }
        Ok(Written { id: BlobId(hash.finalize().into()), bytes, draft: self })
    }
}

impl Written {
    /// Gives it its name; the folder is not synced yet.
    pub(super) fn rename(self, path: &Path, at: i64) -> Result<(), BlobError> {
        let file = &self.draft.file;
        file.set_modified(index::system_time(at)).and_then(|()| file.sync_all()).map_err(io("sync a blob"))?;
        std::fs::rename(&self.draft.path, path).map_err(io("name a blob"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It has its name already, or is nobody's; what stays is removed at the next start.
        std::fs::remove_file(&self.path).ok();
    }
}

pub(super) fn io(what: &'static str) -> impl Fn(std::io::Error) -> BlobError {
    move |error| BlobError::Io { what, why: Arc::from(error.to_string()) }
}

const PART_BYTES: usize = 64 << 10;
