//! A file system in memory on which the power can be cut: what was not synced is lost, or a part of it, page by page;
//! renames and removals that no `sync_dir` covered may be undone. It can also fail after a number of operations and run
//! out of space. For tests, here and in other crates.

use super::layer::{FileLayer, LayerFile, Lock};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. Clones share the disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryLayer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Content>,
    /// What programs see now, and what a power cut falls back to.
    names: BTreeMap<PathBuf, u64>,
    names_durable: BTreeMap<PathBuf, u64>,
    next_file: u64,
    space: Option<u64>,
    fail_in: Option<u64>,
    fail_syncs: u64,
    operations: u64,
    /// Grows with each power cut; handles from before fail.
    epoch: u64,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Pages that a failed sync left marked as written: no later sync writes them unless they change again.
    forgotten: BTreeSet<usize>,
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryLayer,
    file: u64,
    epoch: u64,
}

#[derive(Debug)]
struct MemoryLock;
impl Lock for MemoryLock {}

impl MemoryLayer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power. For each page or name with changes that were not synced `survives` is asked whether they reached
    /// the disk all the same. Open handles are dead from here on.
    pub fn cut_power(&self, mut survives: impl FnMut() -> bool) {
        let mut state = self.state();
        state.epoch += 1;
        state.fail_in = None;
        state.fail_syncs = 0;
        for content in state.files.values_mut() {
            content.lose(&mut survives);
        }
        let mut names = state.names_durable.clone();
        let changed: Vec<PathBuf> = state
            .names
            .keys()
            .chain(state.names_durable.keys())
            .filter(|path| state.names.get(*path) != state.names_durable.get(*path))
            .cloned()
            .collect();
        for path in changed {
            if survives() {
                match state.names.get(&path) {
                    Some(file) => drop(names.insert(path, *file)),
                    None => drop(names.remove(&path)),
                }
            }
        }
        // A rename is atomic: the old name does not stay beside the new one.
        let (temporary, kept): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|(path, _)| path.extension() == Some("tmp".as_ref()));
        let mut names: BTreeMap<PathBuf, u64> = kept.into_iter().collect();
        for (path, file) in temporary {
            if !names.values().any(|other| *other == file) {
                names.insert(path, file);
            }
        }
        state.names.clone_from(&names);
        state.names_durable = names;
        let State { files, names, .. } = &mut *state;
        files.retain(|file, _| names.values().any(|kept| kept == file));
    }

    /// Kills the process: what it wrote stays as it is, synced or not; open handles are dead from here on.
    pub fn kill(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.fail_in = None;
        state.fail_syncs = 0;
    }

    /// Bytes that may be in use altogether; `None`: no bound.
    pub fn set_space(&self, space: Option<u64>) {
        self.state().space = space;
    }

    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The operation after `operations` more of them fails, and all after it, until [`Self::mend`].
    pub fn fail_after(&self, operations: u64) {
        self.state().fail_in = Some(operations);
    }

    /// The next `count` syncs fail, and what they covered is forgotten as if it had been written (as Linux does).
    pub fn fail_syncs(&self, count: u64) {
        self.state().fail_syncs = count;
    }

    pub fn mend(&self) {
        let mut state = self.state();
        state.fail_in = None;
        state.fail_syncs = 0;
    }

    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Changes bytes of a file behind the journal's back, durably.
    pub fn damage(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        if let Some(file) = state.names.get(path).copied()
            && let Some(content) = state.files.get_mut(&file)
        {
            edit(&mut content.now);
            content.durable.clone_from(&content.now);
        }
    }

    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.files.get(state.names.get(path)?).map(|content| content.now.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, file: u64, epoch: u64) -> Arc<dyn LayerFile> {
        Arc::new(MemoryFile { disk: self.clone(), file, epoch })
    }
}

impl Content {
    fn lose(&mut self, survives: &mut impl FnMut() -> bool) {
        // The length is metadata of its own; a page beyond a lost length is lost with it.
        let length =
            if self.now.len() == self.durable.len() || survives() { self.now.len() } else { self.durable.len() };
        let mut kept = self.durable.clone();
        kept.resize(length, 0);
        for (index, page) in kept.chunks_mut(PAGE_BYTES).enumerate() {
            let start = index * PAGE_BYTES;
            let new: Vec<u8> = (start..start + page.len()).map(|at| self.now.get(at).copied().unwrap_or(0)).collect();
            if new != page && !self.forgotten.contains(&index) && survives() {
                page.copy_from_slice(&new);
            }
        }
        self.durable.clone_from(&kept);
        self.now = kept;
        self.forgotten.clear();
    }

    fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for (index, (kept, now)) in self.durable.chunks_mut(PAGE_BYTES).zip(self.now.chunks(PAGE_BYTES)).enumerate() {
            if !self.forgotten.contains(&index) {
                kept.copy_from_slice(now);
            }
        }
    }

    fn forget(&mut self) {
        let durable = &self.durable;
        let changed = self.now.chunks(PAGE_BYTES).enumerate().filter(|(index, page)| {
            let start = index * PAGE_BYTES;
            durable.get(start..start + page.len()) != Some(*page)
        });
        self.forgotten.extend(changed.map(|(index, _)| index));
    }
}

impl State {
    fn used(&self) -> u64 {
        self.files.values().map(|content| content.now.len() as u64).sum()
    }

    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        match &mut self.fail_in {
            Some(0) => Err(io::Error::from_raw_os_error(EIO)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn room_for(&self, more: usize) -> io::Result<()> {
        match self.space {
            Some(space) if self.used() + more as u64 > space => Err(io::Error::from_raw_os_error(ENOSPC)),
            _ => Ok(()),
        }
    }

    fn fail_sync(&mut self) -> bool {
        let fails = self.fail_syncs > 0;
        self.fail_syncs = self.fail_syncs.saturating_sub(1);
        fails
    }
}

impl FileLayer for MemoryLayer {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LayerFile>> {
        let mut state = self.state();
        state.step()?;
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file, state.epoch))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LayerFile>> {
        let mut state = self.state();
        state.step()?;
        state.next_file += 1;
        let file = state.next_file;
        state.files.insert(file, Content::default());
        state.names.insert(path.to_owned(), file);
        Ok(self.handle(file, state.epoch))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        // A removed file gives its space back; after a power cut its name may come back with what was durable.
        if let Some(content) = state.files.get_mut(&file) {
            content.now.clear();
            content.now.shrink_to_fit();
        }
        if !state.names_durable.values().any(|kept| *kept == file) {
            state.files.remove(&file);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if state.fail_sync() {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        state.names_durable.retain(|path, _| path.parent() != Some(dir));
        let State { names, names_durable, .. } = &mut *state;
        names_durable.extend(
            names.iter().filter(|(path, _)| path.parent() == Some(dir)).map(|(path, file)| (path.clone(), *file)),
        );
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.step()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Lock>> {
        Ok(Box::new(MemoryLock))
    }
}

impl MemoryFile {
    fn with<T>(&self, work: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        if state.epoch != self.epoch {
            return Err(io::Error::other("the machine was restarted"));
        }
        work(&mut state, self.file)
    }
}

impl LayerFile for MemoryFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|state, file| {
            let stepped = state.step();
            let start = usize::try_from(offset).map_err(io::Error::other)?;
            let len = state.files.get(&file).map_or(0, |content| content.now.len());
            let room = state.room_for((start + bytes.len()).saturating_sub(len));
            // A write that fails may have written a part.
            let bytes = if stepped.is_err() { bytes.get(..bytes.len() / 2).unwrap_or_default() } else { bytes };
            if room.is_ok() {
                let content = state.files.entry(file).or_default();
                if content.now.len() < start + bytes.len() {
                    content.now.resize(start + bytes.len(), 0);
                }
                if let Some(place) = content.now.get_mut(start..start + bytes.len()) {
                    place.copy_from_slice(bytes);
                }
                let pages = start / PAGE_BYTES..=(start + bytes.len()) / PAGE_BYTES;
                content.forgotten.retain(|page| !pages.contains(page));
            }
            stepped.and(room)
        })
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|state, file| {
            let content = state.files.get(&file).ok_or(io::ErrorKind::NotFound)?;
            let start = usize::try_from(offset).map_err(io::Error::other)?;
            let there = content.now.get(start..).unwrap_or_default();
            let count = there.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..count), there.get(..count)) {
                to.copy_from_slice(from);
            }
            Ok(count)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state, file| {
            state.step()?;
            let fails = state.fail_sync();
            match state.files.get_mut(&file) {
                Some(content) if fails => content.forget(),
                Some(content) => content.sync(),
                None => {}
            }
            if fails { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.with(|state, file| {
            state.step()?;
            let length = usize::try_from(len).map_err(io::Error::other)?;
            let now = state.files.get(&file).map_or(0, |content| content.now.len());
            state.room_for(length.saturating_sub(now))?;
            if let Some(content) = state.files.get_mut(&file).filter(|content| content.now.len() < length) {
                content.now.resize(length, 0);
            }
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.with(|state, file| {
            state.step()?;
            let length = usize::try_from(len).map_err(io::Error::other)?;
            if let Some(content) = state.files.get_mut(&file) {
                content.now.resize(length, 0);
            }
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.with(|state, file| Ok(state.files.get(&file).map_or(0, |content| content.now.len() as u64)))
    }
}

/// Small, so that few records span many pages.
const PAGE_BYTES: usize = 64;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
