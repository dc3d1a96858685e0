//! The blob store: pictures and other files of devices in the data folder, named by the SHA-256 of their bytes.
//!
//! ```text
//! blobs/3f/3fa9…          the bytes
//! blobs/3f/3fa9….of-17    device 17 sent it (an empty file)
//! blobs/3f/3fa9….pin      evidence needs it (an empty file)
//! blobs/new/7             being written; emptied at start
//! ```
//!
//! On `Ok` the bytes and their name are on disk. Beyond the bounds the oldest go first: a device that sends too much loses its own
//! oldest, so that one cannot push out what all share; what is pinned, or younger than [`BlobConfig::young_ms`] and so perhaps not
//! yet pinned, stays, and when nothing else is left the new one is refused. What is in memory is an index of names, sizes and times.

mod file;
mod index;
#[cfg(test)]
mod tests;

use crate::metrics::{BLOB_BYTES, BLOBS, BLOBS_EVICTED_TOTAL, BLOBS_REFUSED_TOTAL, BLOBS_STORED_TOTAL};
use file::{Draft, io};
use index::{Index, Known};
use model::blob::BlobId;
use model::id::DeviceId;
use model::seams::{BlobError, BlobFile, BlobStore};
use model::time::Clock;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bounds of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobConfig {
    /// Bytes of one.
    pub blob_bytes_max: u64,
    /// Bytes of all.
    pub bytes_max: u64,
    /// Bytes of all that one device was the first to send and nobody has pinned.
    pub device_bytes_max: u64,
    /// Nothing younger is let go.
    pub young_ms: i64,
}

impl Default for BlobConfig {
    fn default() -> Self {
        Self { blob_bytes_max: 16 << 20, bytes_max: 20 << 30, device_bytes_max: 2 << 30, young_ms: 3_600_000 }
    }
}

/// See the module. Cheap to clone; all clones are one store.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    config: BlobConfig,
    clock: Arc<dyn Clock>,
    drafts: AtomicU64,
    /// Held while names change, so that index and folder agree. Bytes are written and read without it.
    index: Mutex<Index>,
}

impl Blobs {
    /// Opens the folder, makes it when there is none, and reads its names.
    pub fn open(folder: &Path, config: BlobConfig, clock: Arc<dyn Clock>) -> Result<Self, BlobError> {
        let new = folder.join(NEW);
        match std::fs::remove_dir_all(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("empty the blobs' draft folder")(error));
            }
            _ => {}
        }
        std::fs::create_dir_all(&new).map_err(io("create the blobs' folder"))?;
        let index = Index::read(folder)?;
        let blobs = Self(Arc::new(Inner {
            folder: folder.to_owned(),
            config,
            clock,
            drafts: AtomicU64::new(0),
            index: Mutex::new(index),
        }));
        report(&blobs.0.index());
        Ok(blobs)
    }

    /// Blobs and their bytes.
    pub fn held(&self) -> (usize, u64) {
        let index = self.0.index();
        (index.len(), index.bytes())
    }

    pub fn is_pinned(&self, id: BlobId) -> bool {
        self.0.index().get(id).is_some_and(|known| known.pinned)
    }
}

impl BlobStore for Blobs {
    fn begin(&self) -> Result<Box<dyn BlobFile>, BlobError> {
        let number = self.0.drafts.fetch_add(1, Ordering::Relaxed);
        let path = self.0.folder.join(NEW).join(number.to_string());
        let draft = Draft::create(path, self.0.config.blob_bytes_max);
        Ok(Box::new(Writing { inner: Arc::clone(&self.0), draft: count_refusal(draft)? }))
    }

    fn read(&self, id: BlobId) -> Result<Option<Vec<u8>>, BlobError> {
        let bytes = match std::fs::read(self.0.path(id)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("read a blob")(error)),
        };
        if BlobId(Sha256::digest(&bytes).into()) == id { Ok(Some(bytes)) } else { Err(BlobError::Damaged(id)) }
    }

    fn devices(&self, id: BlobId) -> Vec<DeviceId> {
        self.0.index().get(id).map(|known| known.devices.clone()).unwrap_or_default()
    }

    fn pin(&self, id: BlobId) -> Result<(), BlobError> {
        let mut index = self.0.index();
        if index.get(id).is_none_or(|known| known.pinned) {
            return Ok(());
        }
        self.0.mark(id, index::PIN)?;
        index.pin(id);
        Ok(())
    }
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drawer(&self, id: BlobId) -> PathBuf {
        self.folder.join(id.to_string().get(..2).unwrap_or_default())
    }

    fn path(&self, id: BlobId) -> PathBuf {
        self.drawer(id).join(id.to_string())
    }

    /// Leaves an empty file beside a blob, durably.
    fn mark(&self, id: BlobId, suffix: &str) -> Result<(), BlobError> {
        let path = self.drawer(id).join(format!("{id}{suffix}"));
        File::create(path).map_err(io("mark a blob"))?;
        sync_dir(&self.drawer(id))
    }

    fn keep(&self, draft: Draft, device: DeviceId) -> Result<BlobId, BlobError> {
        let written = draft.synced()?;
        let (id, bytes) = (written.id, written.bytes);
        let now = self.clock.now().0;
        let drawer = self.drawer(id);
        let mut index = self.index();
        if let Some(known) = index.get(id) {
            // Something new refers to it: it is as young as that.
            let is_owner = known.devices.contains(&device);
            if !is_owner && known.devices.len() < DEVICES_MAX {
                self.mark(id, &index::of(device))?;
                index.add_device(id, device);
            }
            File::options()
                .append(true)
                .open(self.path(id))
                .and_then(|file| file.set_modified(index::system_time(now)))
                .map_err(io("touch a blob"))?;
            index.touch(id, now);
            return Ok(id);
        }
        self.make_room(&mut index, device, bytes, now)?;
        std::fs::create_dir_all(&drawer).map_err(io("create a blob's folder"))?;
        sync_dir(&self.folder)?;
        File::create(drawer.join(format!("{id}{}", index::of(device)))).map_err(io("mark a blob"))?;
        written.rename(&drawer.join(id.to_string()), now)?;
        sync_dir(&drawer)?;
        index.put(id, Known { bytes, at: now, devices: vec![device], pinned: false });
        metrics::counter!(BLOBS_STORED_TOTAL).increment(1);
        report(&index);
        Ok(id)
    }

    fn make_room(&self, index: &mut Index, device: DeviceId, bytes: u64, now: i64) -> Result<(), BlobError> {
        let before = now.saturating_sub(self.config.young_ms);
        while index.bytes_of(device) + bytes > self.config.device_bytes_max {
            let oldest = index.oldest_of(device, before).ok_or(BlobError::Full)?;
            self.let_go(index, oldest, "device")?;
        }
        while index.bytes() + bytes > self.config.bytes_max {
            let oldest = index.oldest(before).ok_or(BlobError::Full)?;
            self.let_go(index, oldest, "all")?;
        }
        Ok(())
    }

    /// The bytes go first: a mark without a blob says nothing.
    fn let_go(&self, index: &mut Index, id: BlobId, reason: &'static str) -> Result<(), BlobError> {
        std::fs::remove_file(self.path(id)).map_err(io("remove a blob"))?;
        let devices = index.remove(id).map(|known| known.devices).unwrap_or_default();
        for device in devices {
            // One that stays says nothing.
            std::fs::remove_file(self.drawer(id).join(format!("{id}{}", index::of(device)))).ok();
        }
        metrics::counter!(BLOBS_EVICTED_TOTAL, "reason" => reason).increment(1);
        Ok(())
    }
}

fn report(index: &Index) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    let (count, bytes) = (index.len() as f64, index.bytes() as f64);
    metrics::gauge!(BLOBS).set(count);
    metrics::gauge!(BLOB_BYTES).set(bytes);
}

#[derive(Debug)]
struct Writing {
    inner: Arc<Inner>,
    draft: Draft,
}

impl BlobFile for Writing {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        count_refusal(self.draft.write_at(offset, bytes))
    }

    fn finish(self: Box<Self>, device: DeviceId) -> Result<BlobId, BlobError> {
        count_refusal(self.inner.keep(self.draft, device))
    }
}

fn count_refusal<T>(result: Result<T, BlobError>) -> Result<T, BlobError> {
    if let Err(error) = &result {
        let reason = match error {
            BlobError::TooLarge(_) => "size",
            BlobError::Full => "full",
            BlobError::Damaged(_) | BlobError::Io { .. } => "io",
        };
        metrics::counter!(BLOBS_REFUSED_TOTAL, "reason" => reason).increment(1);
    }
    result
}

fn sync_dir(dir: &Path) -> Result<(), BlobError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io("sync a blob's folder"))
}

const NEW: &str = "new";
/// Devices remembered for one blob.
const DEVICES_MAX: usize = 64;
