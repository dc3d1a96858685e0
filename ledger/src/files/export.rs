//! Writing an export into a folder. A folder with anything in it is refused unless it is to be replaced: then every file is
//! written beside its place first and moved there in one step, and the files of earlier exports that are no more go away.
//!
//! Ours are: what the list [`LIST`] of the earlier export names, the registers' own file names, and a rule's file in the other
//! of the two rule folders. Everything else was written by someone else and is left alone; it is told when `apply` would read it.

use super::walk;
use crate::error::LedgerError;
use crate::object::KINDS;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Component, Path};

/// What to do with a folder that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
}

/// Names below the folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exported {
    pub written: Vec<String>,
    /// Of an earlier export.
    pub removed: Vec<String>,
    /// Not of any export, and `apply` reads them.
    pub left: Vec<String>,
}

pub(super) fn write(dir: &Path, files: &[(String, String)], existing: Existing) -> Result<Exported, LedgerError> {
    std::fs::create_dir_all(dir).map_err(LedgerError::io("make folder", dir))?;
    let mut entries = std::fs::read_dir(dir).map_err(LedgerError::io("read folder", dir))?;
    if existing == Existing::Refuse && entries.next().is_some() {
        return Err(LedgerError::Refused(
            "the folder is not empty; name a new one, or replace what is in it with --force",
        ));
    }
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let earlier = earlier(dir, &names)?;
    let list = names.iter().fold(String::from(LIST_HEAD), |list, name| list + name + "\n");
    let all = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).chain([(LIST, list.as_str())]);
    // All are written out before the first is put in its place: a full disk changes nothing.
    for (name, text) in all.clone() {
        let path = beside(dir, name);
        let folder = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).map_err(LedgerError::io("make folder", folder))?;
        let mut file = std::fs::File::create(&path).map_err(LedgerError::io("write", &path))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(LedgerError::io("write", &path))?;
    }
    for (name, _) in all {
        let path = dir.join(name);
        std::fs::rename(beside(dir, name), &path).map_err(LedgerError::io("put in place", &path))?;
    }
    let mut done = Exported { written: names.iter().map(ToString::to_string).collect(), ..Exported::default() };
    for name in earlier {
        let path = dir.join(&name);
        match std::fs::remove_file(&path) {
            Ok(()) => done.removed.push(name),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(LedgerError::io("remove", &path)(error)),
        }
    }
    let mut found = Vec::new();
    walk(dir, 0, &mut found)?;
    done.left = found
        .iter()
        .map(|path| path.strip_prefix(dir).unwrap_or(path).display().to_string())
        .filter(|name| !names.contains(name.as_str()))
        .collect();
    done.left.sort();
    Ok(done)
}

/// Files of earlier exports that this one does not write.
fn earlier(dir: &Path, now: &BTreeSet<&str>) -> Result<BTreeSet<String>, LedgerError> {
    let path = dir.join(LIST);
    let listed = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(LedgerError::io("read", &path)(error)),
    };
    let listed = listed.lines().filter(|line| is_ours(line)).take(LISTED_MAX).map(str::to_owned);
    let registers = KINDS.into_iter().filter(|kind| *kind != "rule").map(|kind| format!("{kind}s.toml"));
    let twins = now.iter().filter_map(|name| {
        let code = name.strip_prefix("rules/")?;
        Some(code.strip_prefix("off/").map_or_else(|| format!("rules/off/{code}"), |code| format!("rules/{code}")))
    });
    Ok(listed.chain(registers).chain(twins).filter(|name| !now.contains(name.as_str())).collect())
}

/// A list in a folder that anybody may write must not name files outside of it, nor any that an export never writes.
fn is_ours(name: &str) -> bool {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let place =
        path.parent().is_some_and(|folder| ["", "rules", "rules/off"].iter().any(|one| folder == Path::new(one)));
    plain && place && path.extension().is_some_and(|extension| extension == "toml")
}

fn beside(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join(format!("{name}.new"))
}

/// The list of what an export wrote.
const LIST: &str = "lantian-export.txt";
const LIST_HEAD: &str = "# What `lantian export` wrote here; the next export with --force removes what is no more.\n";
const LISTED_MAX: usize = 10_000;
