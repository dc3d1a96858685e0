//! What only the process knows of itself: the disk it stands on, the state of its projection and of the brokers it reads from, and who knocked while it ran.

use super::projection::Projection;
use dashboards::{BrokerState, Machine, ProjectionState};
use gateway::broker::Brokers;
use ingest::quarantine::Porch;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::warn;

#[derive(Debug)]
pub(super) struct ThisMachine {
    data_dir: PathBuf,
    projection: Option<Projection>,
    journal_bytes: Arc<AtomicU64>,
    brokers: Brokers,
}

impl ThisMachine {
    /// `journal_bytes` is measured by the housekeeping; 0: not yet.
    pub(super) const fn new(
        data_dir: PathBuf,
        projection: Option<Projection>,
        journal_bytes: Arc<AtomicU64>,
        brokers: Brokers,
    ) -> Self {
        Self { data_dir, projection, journal_bytes, brokers }
    }
}

impl Machine for ThisMachine {
    fn disk_free_bytes(&self) -> Option<u64> {
        let free = rustix::fs::statvfs(&self.data_dir).ok()?;
        free.f_bavail.checked_mul(free.f_frsize)
    }

    fn journal_bytes(&self) -> Option<u64> {
        Some(self.journal_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    fn projection(&self) -> Option<ProjectionState> {
        self.projection.as_ref().map(Projection::state)
    }

    fn brokers(&self) -> Vec<BrokerState> {
        let state = |broker: gateway::broker::BrokerState| BrokerState {
            name: broker.name,
            up: broker.up,
            since: broker.since,
            detail: broker.detail,
        };
        self.brokers.states().into_iter().map(state).collect()
    }
}

/// Every connection is a descriptor, and many systems give a program a thousand unless it asks for more.
pub(super) fn raise_files_limit() {
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(FILES_WANTED, |most| most.min(FILES_WANTED));
    if now.current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..now }) {
        warn!(%error, "failed to raise the limit of open files");
    } else {
        tracing::info!(files = wanted, "limit of open files raised");
    }
}

/// As many as the listeners take by default, and some.
const FILES_WANTED: u64 = 65_536;

/// What the files of a folder and its folders take, sparse parts left out; a file that goes away meanwhile counts nothing.
pub(super) fn bytes_on_disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_on_disk(&entry.path()),
        Ok(found) => found.blocks().saturating_mul(512),
        Err(_) => 0,
    });
    sizes.sum()
}

fn porch_file(data_dir: &Path) -> PathBuf {
    data_dir.join("porch.json")
}

/// The quarantine list of unknown identities, as it was at the last stop. A damaged file costs the list, nothing else.
pub(super) fn restore_porch(data_dir: &Path, porch: &Porch) {
    let Ok(text) = std::fs::read_to_string(porch_file(data_dir)) else { return };
    if let Err(error) = porch.restore(&text) {
        warn!(%error, "the list of unknown identities could not be read; it starts empty");
    }
}

pub(super) fn keep_porch(data_dir: &Path, porch: &Porch) {
    let file = porch_file(data_dir);
    let fresh = file.with_extension("new");
    let kept = std::fs::write(&fresh, porch.to_json()).and_then(|()| std::fs::rename(&fresh, &file));
    if let Err(error) = kept {
        warn!(%error, "failed to keep the list of unknown identities");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journals_size_is_what_its_files_take_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("archive")).unwrap();
        for name in ["a", "archive/b"] {
            std::fs::write(dir.path().join(name), vec![1_u8; 100_000]).unwrap();
        }
        let bytes = bytes_on_disk(dir.path());
        assert!((200_000..400_000).contains(&bytes), "{bytes}");
        assert_eq!(bytes_on_disk(&dir.path().join("nowhere")), 0);
    }
}
