//! What the blob folder holds, in memory: names, sizes, times, who sent them, what is pinned.

use super::file::io;
use model::blob::BlobId;
use model::id::DeviceId;
use model::seams::BlobError;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, SystemTime};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) bytes: u64,
    /// UTC milliseconds of the last time it came.
    pub(super) at: i64,
    /// Its bytes count for the first.
    pub(super) devices: Vec<DeviceId>,
    pub(super) pinned: bool,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashMap<BlobId, Known>,
    /// What may be let go, by age.
    by_age: BTreeSet<(i64, BlobId)>,
    by_device: BTreeSet<(DeviceId, i64, BlobId)>,
    bytes: u64,
    /// Of what may be let go.
    of_device: HashMap<DeviceId, u64>,
}

pub(super) const PIN: &str = ".pin";
const OF: &str = ".of-";

/// Suffix of the mark that a device sent a blob.
pub(super) fn of(device: DeviceId) -> String {
    format!("{OF}{device}")
}

pub(super) fn system_time(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms.max(0).unsigned_abs())
}

impl Index {
    /// Reads names only. A file of another name is left alone.
    pub(super) fn read(folder: &Path) -> Result<Self, BlobError> {
        let mut found: HashMap<BlobId, Known> = HashMap::new();
        let mut marks = Vec::new();
        for drawer in std::fs::read_dir(folder).map_err(io("read the blobs' folder"))?.flatten() {
            if drawer.file_name().len() != 2 {
                continue;
            }
            for entry in std::fs::read_dir(drawer.path()).map_err(io("read a blob's folder"))?.flatten() {
                let name = entry.file_name();
                let Some((id, rest)) = name.to_str().and_then(|name| name.split_at_checked(64)) else { continue };
                let Ok(id) = id.parse::<BlobId>() else { continue };
                if !rest.is_empty() {
                    marks.push((id, rest.to_owned()));
                    continue;
                }
                let metadata = entry.metadata().map_err(io("look at a blob"))?;
                let age = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                let at = age.and_then(|age| i64::try_from(age.as_millis()).ok()).unwrap_or(0);
                found.insert(id, Known { bytes: metadata.len(), at, devices: Vec::new(), pinned: false });
            }
        }
        marks.sort();
        for (id, mark) in marks {
            let Some(known) = found.get_mut(&id) else { continue };
            match mark.strip_prefix(OF).map(str::parse) {
                Some(Ok(device)) => known.devices.push(device),
                None if mark == PIN => known.pinned = true,
                _ => {}
            }
        }
        let mut index = Self::default();
        for (id, known) in found {
            index.put(id, known);
        }
        Ok(index)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn bytes_of(&self, device: DeviceId) -> u64 {
        self.of_device.get(&device).copied().unwrap_or(0)
    }

    pub(super) fn get(&self, id: BlobId) -> Option<&Known> {
        self.known.get(&id)
    }

    pub(super) fn put(&mut self, id: BlobId, known: Known) {
        self.bytes += known.bytes;
        if !known.pinned {
            self.may_go(id, &known);
        }
        self.known.insert(id, known);
    }

    pub(super) fn remove(&mut self, id: BlobId) -> Option<Known> {
        let known = self.known.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(known.bytes);
        if !known.pinned {
            self.stays(id, &known);
        }
        Some(known)
    }

    pub(super) fn touch(&mut self, id: BlobId, at: i64) {
        let Some(mut known) = self.remove(id) else { return };
        known.at = at;
        self.put(id, known);
    }

    pub(super) fn pin(&mut self, id: BlobId) {
        let Some(mut known) = self.remove(id) else { return };
        known.pinned = true;
        self.put(id, known);
    }

    pub(super) fn add_device(&mut self, id: BlobId, device: DeviceId) {
        let Some(mut known) = self.remove(id) else { return };
        known.devices.push(device);
        self.put(id, known);
    }

    /// The oldest that may go and is not younger than `before`.
    pub(super) fn oldest(&self, before: i64) -> Option<BlobId> {
        self.by_age.first().filter(|(at, _)| *at < before).map(|(_, id)| *id)
    }

    pub(super) fn oldest_of(&self, device: DeviceId, before: i64) -> Option<BlobId> {
        let first = (device, i64::MIN, BlobId([0; 32]));
        let (of, at, id) = self.by_device.range(first..).next()?;
        (*of == device && *at < before).then_some(*id)
    }

    fn may_go(&mut self, id: BlobId, known: &Known) {
        self.by_age.insert((known.at, id));
        if let Some(device) = known.devices.first() {
            self.by_device.insert((*device, known.at, id));
            *self.of_device.entry(*device).or_default() += known.bytes;
        }
    }

    fn stays(&mut self, id: BlobId, known: &Known) {
        self.by_age.remove(&(known.at, id));
        if let Some(device) = known.devices.first() {
            self.by_device.remove(&(*device, known.at, id));
            let left = self.of_device.get(device).copied().unwrap_or(0).saturating_sub(known.bytes);
            self.of_device.insert(*device, left);
        }
    }
}
