//! The durable queue of commands, one line a device: what people and the platform order, what became of it, who asked.
//!
//! ```text
//! order() ─▶ row `queued` ─▶ desk (memory) ─▶ row `sent` ─▶ session takes, sends, tells ─▶ row …
//!            audit            one out a device   on disk before the first byte
//! ```
//! [`Ledger::keep_commands`] is to run beside all else in the process that has the sessions; others only write rows, which it finds.
//! A command that ended is kept for [`KEPT_DAYS`]. Secrets are sealed with the key file and are in no list, log or audit entry.

mod desk;
mod keep;
mod rows;

pub use desk::{Arrival, CommandCheck, Desk};
pub use rows::CommandRow;

use crate::audit::{self, Change};
use crate::error::{LedgerError, Problem};
use crate::metrics::{COMMANDS_ORDERED, COMMANDS_REFUSED};
use crate::store::{Author, Ledger};
use model::downlink::{Command, State, Step, Wrong};
use model::id::{CommandId, DeviceId};
use model::time::IngestTime;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Commands of one device that have not ended.
pub const OPEN_PER_DEVICE_MAX: i64 = 32;
/// Commands of all devices that have not ended.
pub(crate) const OPEN_MAX: i64 = 20_000;
/// Rows of a list.
pub(crate) const LIST_MAX: u32 = 200;
/// Days an ended command is kept; the audit keeps who asked.
pub(crate) const KEPT_DAYS: i64 = 366;
/// How long a command may wait.
pub const WAIT_MIN: Duration = Duration::from_secs(10);
pub const WAIT_MAX: Duration = Duration::from_hours(168);

/// Orders and lists. Cheap to make: `ledger.commands()`.
#[derive(Debug, Clone)]
pub struct Commands {
    ledger: Ledger,
}

impl Ledger {
    pub fn commands(&self) -> Commands {
        Commands { ledger: self.clone() }
    }
}

impl Commands {
    /// Puts a command in its device's line. It is on disk when this returns.
    ///
    /// # Errors
    /// [`LedgerError::Invalid`] when the device does not speak that protocol or a value is not allowed,
    /// [`LedgerError::Refused`] when the line is full.
    pub async fn order(
        &self,
        author: &Author,
        device: DeviceId,
        command: &Command,
        wait: Duration,
    ) -> Result<CommandRow, LedgerError> {
        let ordered = self.order_inner(author, device, command, wait).await;
        match &ordered {
            Ok(_) => metrics::counter!(COMMANDS_ORDERED).increment(1),
            Err(LedgerError::Refused(_)) => metrics::counter!(COMMANDS_REFUSED).increment(1),
            Err(_) => {}
        }
        ordered
    }

    async fn order_inner(
        &self,
        author: &Author,
        device: DeviceId,
        command: &Command,
        wait: Duration,
    ) -> Result<CommandRow, LedgerError> {
        self.check(device, command)?;
        let at = self.ledger.now();
        let wait_ms = i64::try_from(wait.clamp(WAIT_MIN, WAIT_MAX).as_millis()).unwrap_or(0);
        let (shown, secret) = command.without_secret();
        let sealed = secret.map(|secret| self.ledger.keys().seal(device.0, secret.as_bytes())).transpose()?;
        let mut row = CommandRow {
            id: CommandId(0),
            device,
            state: State::Queued,
            command: shown,
            author: author.name.clone(),
            origin: author.origin.clone(),
            created: at,
            deadline: at.plus_ms(wait_ms),
            changed: at,
            number: None,
            interruptions: 0,
            story: vec![Step { at, state: State::Queued, why: String::new(), text: String::new() }],
            result: None,
        };
        let id = database::transaction!(self.ledger.db(), |tx| -> Result<i64, LedgerError> {
            let (own, all) = rows::open_counts(tx, device).await?;
            if own >= OPEN_PER_DEVICE_MAX {
                return Err(LedgerError::Refused(
                    "the device has 32 commands waiting; cancel some, or wait until it has answered",
                ));
            }
            if all >= OPEN_MAX {
                return Err(LedgerError::Refused("20,000 commands are waiting for devices; cancel some first"));
            }
            let id = rows::insert(tx, &row, sealed.clone()).await?;
            let mut told = row.clone();
            told.id = CommandId(id);
            note(tx, at, author, "command_ordered", &told).await?;
            Ok(id)
        })?;
        row.id = CommandId(id);
        self.ledger.desk().poke();
        Ok(row)
    }

    /// What an order would be refused for.
    ///
    /// # Errors
    /// [`LedgerError::Invalid`], [`LedgerError::NotFound`].
    pub fn check(&self, device: DeviceId, command: &Command) -> Result<(), LedgerError> {
        let facts = self.ledger.facts_now();
        let known = facts.devices.get(&device).ok_or_else(|| LedgerError::NotFound(format!("device {device}")))?;
        if known.protocol != command.protocol() {
            let (speaks, wanted) = (known.protocol.code(), command.protocol().code());
            let message = format!("the device speaks {speaks}, and {} is a command of {wanted}", command.kind());
            return Err(LedgerError::one("command", message));
        }
        if let Some(check) = self.ledger.desk().check_of() {
            check(command).map_err(|Wrong { field, message }| {
                let place = if field.is_empty() { "command".to_owned() } else { format!("command.{field}") };
                LedgerError::Invalid(vec![Problem::new(place, message)])
            })?;
        }
        Ok(())
    }

    /// Newest first; `before`: the last one of the page before.
    pub async fn list(
        &self,
        device: DeviceId,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<CommandRow>, LedgerError> {
        rows::list(&mut *self.ledger.db().read().await?, device, before, limit.clamp(1, LIST_MAX)).await
    }

    pub async fn one(&self, id: CommandId) -> Result<CommandRow, LedgerError> {
        let row = rows::one(&mut *self.ledger.db().read().await?, id).await?;
        row.ok_or_else(|| LedgerError::NotFound(format!("command {id}")))
    }

    /// Ends a command. One that was sent may still be done by its device; nothing more is waited for.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] when it has ended already.
    pub async fn cancel(&self, author: &Author, id: CommandId) -> Result<CommandRow, LedgerError> {
        let at = self.ledger.now();
        let row = database::transaction!(self.ledger.db(), |tx| -> Result<CommandRow, LedgerError> {
            let row = rows::one(tx, id).await?.ok_or_else(|| LedgerError::NotFound(format!("command {id}")))?;
            let mut ended = row.clone();
            if !row.state.is_open() {
                return Err(LedgerError::Refused("the command has ended already"));
            }
            let why = if row.state.is_out() { "was_sent" } else { "" };
            ended.step(at, State::Cancelled, why, author.name.clone());
            if !rows::update(tx, &ended).await? {
                return Err(LedgerError::Refused("the command has ended already"));
            }
            note(tx, at, author, "command_cancelled", &ended).await?;
            Ok(ended)
        })?;
        self.ledger.desk().dropped(&row);
        Ok(row)
    }

    /// Every change of a command, as it is on disk. Bounded: whoever is too slow reads the list again.
    pub fn changes(&self) -> broadcast::Receiver<Arc<CommandRow>> {
        self.ledger.desk().changes()
    }

    /// Devices that come to be reachable. Bounded.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.ledger.desk().arrivals()
    }

    /// What the platform noted of a device under a name.
    pub async fn mark(&self, device: DeviceId, what: &str) -> Result<Option<String>, LedgerError> {
        rows::mark(&mut *self.ledger.db().read().await?, device, what).await
    }

    /// Devices that have something noted under a name, by id.
    pub async fn marked(&self, what: &str) -> Result<Vec<DeviceId>, LedgerError> {
        rows::marked(&mut *self.ledger.db().read().await?, what).await
    }

    /// Commands of an origin that have not ended.
    pub async fn open_of_origin(&self, origin: &str) -> Result<i64, LedgerError> {
        rows::open_of_origin(&mut *self.ledger.db().read().await?, origin).await
    }

    pub async fn set_mark(&self, device: DeviceId, what: &str, value: &str) -> Result<(), LedgerError> {
        database::transaction!(self.ledger.db(), |tx| -> Result<(), LedgerError> {
            rows::set_mark(tx, device, what, value).await
        })
    }
}

async fn note(
    tx: &mut database::Connection,
    at: IngestTime,
    author: &Author,
    what: &str,
    row: &CommandRow,
) -> Result<(), LedgerError> {
    let text = serde_json::json!({ "command": row.id, "what": row.command, "deadline": row.deadline.to_rfc3339() });
    let (key, after) = (row.device.to_string(), text.to_string());
    let change = Change { what, kind: "device", key: &key, before: None, after: Some(&after) };
    Ok(audit::write(tx, at, author, change).await?)
}

#[cfg(test)]
mod tests;
