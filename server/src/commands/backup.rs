//! A copy of all data in a folder, and its way back. The server must not run: a lock in the data folder says so.

use crate::config::Config;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// Holds the data folder for one process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the data folder, or says who might have it.
pub(crate) fn lock(data_dir: &Path) -> Result<Lock> {
    std::fs::create_dir_all(data_dir).with_context(|| format!("create {}", data_dir.display()))?;
    let file = File::create(data_dir.join("serving.lock")).context("create the lock file")?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .with_context(|| format!("lock {}: is another `lantian serve` running on it?", data_dir.display()))?;
    Ok(Lock { _file: file })
}

pub(super) fn backup(config: &Config, to: &Path) -> Result<()> {
    super::ensure_data(&config.data_dir)?;
    let _lock = lock(&config.data_dir)?;
    ensure_empty(to)?;
    let bytes = copy(&config.data_dir, to)?;
    if config.database_url.is_some() {
        println!("the registers and cases are in PostgreSQL: back it up with pg_dump at the same time");
    }
    println!("{bytes} bytes in {}", to.display());
    Ok(())
}

pub(super) fn restore(config: &Config, from: &Path) -> Result<()> {
    crate::commands::check_backup(from, config.database_url.is_none())?;
    ensure_empty(&config.data_dir)?;
    let bytes = copy(from, &config.data_dir)?;
    println!("{bytes} bytes restored into {}", config.data_dir.display());
    Ok(())
}

fn ensure_empty(dir: &Path) -> Result<()> {
    let Ok(mut entries) = std::fs::read_dir(dir) else {
        return std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()));
    };
    ensure!(entries.next().is_none(), "use {}: it is not empty", dir.display());
    Ok(())
}

/// Copies a folder and syncs every file; returns the bytes.
fn copy(from: &Path, to: &Path) -> Result<u64> {
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry.with_context(|| format!("read {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().with_context(|| format!("look at {}", source.display()))?;
        if kind.is_dir() {
            bytes += copy(&source, &target)?;
        } else if kind.is_file() && entry.file_name() != "serving.lock" {
            bytes += std::fs::copy(&source, &target).with_context(|| format!("copy {}", source.display()))?;
            // A picture's age is that of its file.
            let age = entry.metadata().and_then(|metadata| metadata.modified());
            File::options()
                .append(true)
                .open(&target)
                .and_then(|file| age.and_then(|age| file.set_modified(age)).and_then(|()| file.sync_all()))
                .with_context(|| format!("sync {}", target.display()))?;
        } else if !kind.is_file() {
            bail!("copy {}: it is neither a file nor a folder", source.display());
        }
    }
    Ok(bytes)
}
