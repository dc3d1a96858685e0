//! Which terminal holds a phone. JT/T 808's 0x0100 shows a phone and a terminal id, neither of them a secret, and is answered
//! with the code that opens everything. So the first terminal that asks under a credential holds the phone: the answer waits until
//! that is on disk, every other terminal is refused, and rotating the credential frees the phone.
//!
//! ```text
//! 0x0100 ─▶ claim in memory (first wins) ─▶ one UPDATE for all that wait ─▶ 0x8100 with the code
//!             └ another terminal meanwhile, or later ─▶ 0x8100 result 3
//! 0x0102 with the right code and no claim ─▶ the code was set by hand ─▶ nobody may ask for it
//! ```
//!
//! A crash before the UPDATE leaves the phone free and nobody with a code. Two processes on one database: the UPDATE decides.

use crate::audit::{self, Change};
use crate::error::LedgerError;
use crate::metrics::{TERMINAL_CLAIMS_FULL, TERMINALS_BOUND};
use crate::store::{Author, Ledger};
use ahash::AHashMap;
use model::id::DeviceId;
use model::principal::Registration;
use model::seams::Registered;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Holds a phone whose code was set by hand. A terminal's name is never empty.
pub(crate) const BY_HAND: &str = "";
/// Claims that may wait to be written.
const CLAIMS_MAX: usize = 1_024;
/// Connections of one terminal that wait for one claim.
const WAITING_MAX: usize = 8;
/// Claims of one transaction.
const AT_ONCE: usize = 256;
/// Bytes of a terminal's name: 11 + 30, each as %XX, and the stroke.
const NAME_BYTES_MAX: usize = 128;

/// `holder` as an operator wrote it may be the terminal id alone.
pub(crate) fn is_held_by(holder: &str, terminal: &str) -> bool {
    let id = terminal.rsplit_once('/').map_or(terminal, |(_, id)| id);
    holder == terminal || (!holder.contains('/') && !holder.is_empty() && holder == id)
}

/// `[maker/]terminal id`, as an operator writes it before the terminal has asked.
pub fn check_name(name: &str) -> Result<(), LedgerError> {
    let plain = |c: char| c.is_ascii_graphic();
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(plain) && name.matches('/').count() <= 1 {
        return Ok(());
    }
    Err(LedgerError::one("terminal", "write the terminal id of 0x0100, or maker/terminal id"))
}

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Claimed {
    Waits,
    Taken(Arc<str>),
    NoRoom,
}

/// Claims that are not on disk yet.
#[derive(Debug)]
pub(crate) struct Claims {
    open: Mutex<AHashMap<DeviceId, Claim>>,
    to_write: mpsc::Sender<DeviceId>,
    written: Mutex<Option<mpsc::Receiver<DeviceId>>>,
}

struct Claim {
    version: u32,
    terminal: Arc<str>,
    waiting: Vec<Registered>,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("version", &self.version)
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

impl Claims {
    pub(crate) fn new() -> Self {
        let (to_write, written) = mpsc::channel(CLAIMS_MAX);
        Self { open: Mutex::default(), to_write, written: Mutex::new(Some(written)) }
    }

    pub(crate) fn claim(&self, device: DeviceId, version: u32, terminal: &str, done: Option<Registered>) -> Claimed {
        let full = || {
            metrics::counter!(TERMINAL_CLAIMS_FULL).increment(1);
            Claimed::NoRoom
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // A claim under an older credential stands for nothing; whoever waits for it hears nothing and asks again.
        if let Some(claim) = open.get_mut(&device).filter(|claim| claim.version == version) {
            if *claim.terminal != *terminal {
                return Claimed::Taken(Arc::clone(&claim.terminal));
            }
            if claim.waiting.len() >= WAITING_MAX {
                return full();
            }
            claim.waiting.extend(done);
            return Claimed::Waits;
        }
        if self.to_write.try_send(device).is_err() {
            return full();
        }
        let waiting = done.into_iter().collect();
        open.insert(device, Claim { version, terminal: terminal.into(), waiting });
        Claimed::Waits
    }

    /// Version and terminal of the claims, without those who wait.
    fn look(&self, devices: &[DeviceId]) -> Vec<(DeviceId, u32, Arc<str>)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let look =
            |device: &DeviceId| open.get(device).map(|claim| (*device, claim.version, Arc::clone(&claim.terminal)));
        devices.iter().filter_map(look).collect()
    }

    fn end(&self, device: DeviceId, version: u32) -> Option<Claim> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&device).filter(|claim| claim.version == version)?;
        open.remove(&device)
    }
}

impl Ledger {
    /// Writes down which terminals hold their phones, and tells them their codes. Runs until it is dropped, once a ledger;
    /// dropped in the middle it leaves phones free whose terminals were told nothing.
    pub async fn keep_terminals(&self) {
        let directory = self.directory();
        let written = directory.claims().written.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut to_write) = written else { return };
        let mut devices = Vec::new();
        while to_write.recv_many(&mut devices, AT_ONCE).await > 0 {
            devices.sort_unstable();
            devices.dedup();
            let claims = directory.claims().look(&devices);
            devices.clear();
            if let Err(error) = self.write_terminals(&claims).await {
                tracing::error!(%error, terminals = claims.len(), "failed to write down which terminals hold their phones");
            }
            for (device, version, terminal) in claims {
                let Some(claim) = directory.claims().end(device, version) else { continue };
                let answer = directory.registered(device, &terminal);
                for done in claim.waiting {
                    done(Registration::clone(&answer));
                }
            }
        }
    }

    async fn write_terminals(&self, claims: &[(DeviceId, u32, Arc<str>)]) -> Result<(), LedgerError> {
        let (at, author) = (self.now(), Author::new("jt808", "terminal"));
        let written = database::transaction!(self.db(), |tx| -> Result<u64, LedgerError> {
            let mut written = 0;
            for (device, version, terminal) in claims {
                let done = sqlx::query(
                    "UPDATE credential SET terminal = $1, changed = $2 \
                     WHERE principal = $3 AND version = $4 AND revoked = 0 AND terminal IS NULL",
                )
                .bind(terminal.to_string())
                .bind(at.as_ms())
                .bind(device.0)
                .bind(i64::from(*version))
                .execute(&mut *tx)
                .await?;
                if done.rows_affected() == 0 {
                    continue;
                }
                written += 1;
                let after = serde_json::json!({ "terminal": **terminal }).to_string();
                let key = device.to_string();
                let change =
                    Change { what: "terminal_bound", kind: "device", key: &key, before: None, after: Some(&after) };
                audit::write(tx, at, &author, change).await?;
            }
            Ok(written)
        })?;
        metrics::counter!(TERMINALS_BOUND).increment(written);
        self.refresh().await
    }
}

#[cfg(test)]
mod tests;
