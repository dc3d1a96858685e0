//! What only the process knows of itself: the disk it stands on, the state of its projection, and who knocked while it ran.

use super::projection::Projection;
use dashboards::{Machine, ProjectionState};
use ingest::quarantine::Porch;
use std::path::{Path, PathBuf};
use tracing::warn;

#[derive(Debug)]
pub(super) struct ThisMachine {
    data_dir: PathBuf,
    projection: Option<Projection>,
}

impl ThisMachine {
    pub(super) const fn new(data_dir: PathBuf, projection: Option<Projection>) -> Self {
        Self { data_dir, projection }
    }
}

impl Machine for ThisMachine {
    fn disk_free_bytes(&self) -> Option<u64> {
        let free = rustix::fs::statvfs(&self.data_dir).ok()?;
        free.f_bavail.checked_mul(free.f_frsize)
    }

    fn projection(&self) -> Option<ProjectionState> {
        self.projection.as_ref().map(Projection::state)
    }
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
