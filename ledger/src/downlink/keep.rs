//! What runs beside the sessions: writes down what changed on the board, gives out what is due, ends what is overdue, finds what other
//! processes ordered.

use super::KEPT_DAYS;
use super::desk::Desk;
use super::rows::{self, CommandRow};
use crate::error::LedgerError;
use crate::metrics::{COMMANDS_FORGOTTEN, COMMANDS_WRITE_FAILED};
use crate::store::{Author, Ledger};
use model::downlink::{Command, Wake};
use model::id::CommandId;
use model::time::IngestTime;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks when nobody pokes.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_IDLE: Duration = Duration::from_secs(5);
/// Commands given out in one transaction.
const AT_ONCE: usize = 256;
/// Ids below the newest seen that another process may still bring.
const OUT_OF_ORDER: i64 = 1_000;
/// Between two looks at them.
const LOOK_BACK_MS: i64 = 5_000;
/// How long the time that a device asked for may wait to be told.
const TIME_WAIT: Duration = Duration::from_mins(10);
const DAY_MS: i64 = 86_400_000;

impl Ledger {
    /// Runs the queue until it is dropped, which loses nothing: a command is `sent` on disk before it is given out. Once a ledger.
    pub async fn keep_commands(&self) {
        let desk = self.desk();
        let mut keeper = Keeper {
            ledger: self.clone(),
            desk: Arc::clone(&desk),
            newest: 0,
            looked_back: IngestTime::MIN,
            forgot_day: 0,
        };
        while let Err(error) = keeper.begin().await {
            keeper.failed(&error).await;
        }
        loop {
            if let Err(error) = keeper.round().await {
                keeper.failed(&error).await;
            }
            let look = if desk.board().is_idle() { LOOK_IDLE } else { LOOK };
            // Cancel-safe: a notice and a timer.
            tokio::select! {
                () = desk.poked() => {}
                () = tokio::time::sleep(look) => {}
            }
        }
    }
}

struct Keeper {
    ledger: Ledger,
    desk: Arc<Desk>,
    /// Highest id seen.
    newest: i64,
    looked_back: IngestTime,
    /// Day on which old rows were last deleted.
    forgot_day: i64,
}

impl Keeper {
    async fn failed(&self, error: &LedgerError) {
        metrics::counter!(COMMANDS_WRITE_FAILED).increment(1);
        tracing::error!(%error, "failed to keep the commands; trying again");
        tokio::time::sleep(LOOK).await;
    }

    async fn begin(&mut self) -> Result<(), LedgerError> {
        let mut reader = self.ledger.db().snapshot().await?;
        let doubtful = rows::doubtful_passwords(&mut reader, self.ledger.keys()).await?;
        let open = rows::open_after(&mut reader, self.ledger.keys(), 0).await?;
        drop(reader);
        let now = self.ledger.now();
        let mut board = self.desk.board();
        for (row, password) in doubtful {
            if row.number.is_some() || row.state.is_out() {
                board.passwords.insert(row.device, (row, password));
            }
        }
        for (row, secret) in open {
            self.newest = self.newest.max(row.id.0);
            board.put(row, secret, now);
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<(), LedgerError> {
        self.find_new().await?;
        let now = self.ledger.now();
        let (wakes, changed, due) = {
            let mut board = self.desk.board();
            let wakes = board.overdue(now);
            (wakes, board.changed(), board.due(now, AT_ONCE))
        };
        wake_all(wakes);
        if !changed.is_empty() || !due.is_empty() {
            self.write(changed, due).await?;
        }
        self.tell_times().await?;
        self.adopt_passwords().await?;
        self.forget_old(now).await
    }

    /// Orders of this process and of others.
    async fn find_new(&mut self) -> Result<(), LedgerError> {
        let now = self.ledger.now();
        // Ids are given before they are committed: now and then it looks behind itself.
        let was_now = (self.looked_back.as_ms()..self.looked_back.plus_ms(LOOK_BACK_MS).as_ms()).contains(&now.as_ms());
        let after = if was_now { self.newest } else { self.newest.saturating_sub(OUT_OF_ORDER).max(0) };
        let found = rows::open_after(&mut *self.ledger.db().read().await?, self.ledger.keys(), after).await?;
        if !was_now {
            self.looked_back = now;
        }
        let mut fresh = Vec::new();
        let mut board = self.desk.board();
        for (row, secret) in found {
            if board.entry(row.id).is_none() {
                self.newest = self.newest.max(row.id.0);
                fresh.push(row.clone());
                board.put(row, secret, now);
            }
        }
        drop(board);
        for row in fresh {
            self.desk.publish(row);
        }
        Ok(())
    }

    async fn write(&self, changed: Vec<CommandRow>, due: Vec<(CommandRow, u64)>) -> Result<(), LedgerError> {
        // One that is due was written as queued before, or stands in `changed` as queued; `sent` is what counts.
        let changed: Vec<_> =
            changed.into_iter().filter(|row| due.iter().all(|(other, _)| other.id != row.id)).collect();
        let written = database::transaction!(self.ledger.db(), |tx| -> Result<Vec<CommandId>, LedgerError> {
            let mut gone = Vec::new();
            for row in changed.iter().chain(due.iter().map(|(row, _)| row)) {
                if !rows::update(tx, row).await? {
                    gone.push(row.id);
                }
            }
            Ok(gone)
        });
        let mut wakes = Vec::new();
        let mut board = self.desk.board();
        let gone = match written {
            Ok(gone) => gone,
            Err(error) => {
                board.dirty.extend(changed.iter().map(|row| row.id));
                return Err(error);
            }
        };
        for id in &gone {
            wakes.extend(board.remove(*id));
        }
        let stands = |row: &CommandRow| !gone.contains(&row.id);
        let mut told: Vec<CommandRow> = changed.iter().filter(|row| stands(row)).cloned().collect();
        for (row, connection) in due.into_iter().filter(|(row, _)| stands(row)) {
            if let Some(wake) = board.give(row.clone(), connection) {
                wakes.push(wake);
                told.push(row);
            }
        }
        board.forget_ended(changed.iter().map(|row| row.id));
        drop(board);
        for row in told {
            self.desk.publish(row);
        }
        wake_all(wakes);
        // What came meanwhile, and the next of each line.
        self.desk.poke_if_more();
        Ok(())
    }

    async fn tell_times(&self) -> Result<(), LedgerError> {
        let wanted = std::mem::take(&mut self.desk.board().times);
        for device in wanted {
            let ordered = self
                .ledger
                .commands()
                .order(&Author::new("platform", "1013"), device, &Command::Hj212SetTime { pol: None }, TIME_WAIT)
                .await;
            match ordered {
                Ok(_) => {}
                // Its line is full, or it is gone: it asks again.
                Err(LedgerError::Refused(_) | LedgerError::NotFound(_) | LedgerError::Invalid(_)) => {
                    metrics::counter!(crate::metrics::COMMANDS_TIMES_NOT_TOLD).increment(1);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn adopt_passwords(&self) -> Result<(), LedgerError> {
        let taken = std::mem::take(&mut self.desk.board().adopt);
        for (at, (row, password)) in taken.iter().enumerate() {
            let author = Author::new("platform", format!("command {}", row.id));
            let set = self.ledger.credentials().set_hj212_password(&author, row.device, password).await;
            let kept = match set {
                Ok(_) | Err(LedgerError::NotFound(_) | LedgerError::Invalid(_)) => {
                    database::transaction!(self.ledger.db(), |tx| -> Result<(), LedgerError> {
                        rows::password_kept(tx, row).await
                    })
                }
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                self.desk.board().adopt.extend(taken.into_iter().skip(at));
                return Err(error);
            }
            self.desk.board().taking.remove(&row.device);
            self.desk.publish(row.clone());
        }
        Ok(())
    }

    async fn forget_old(&mut self, now: IngestTime) -> Result<(), LedgerError> {
        let day = now.as_ms().div_euclid(DAY_MS);
        if day == self.forgot_day {
            return Ok(());
        }
        let before = now.plus_ms(-KEPT_DAYS * DAY_MS);
        let gone = database::transaction!(self.ledger.db(), |tx| -> Result<u64, LedgerError> {
            rows::forget(tx, before).await
        })?;
        metrics::counter!(COMMANDS_FORGOTTEN).increment(gone);
        self.forgot_day = day;
        Ok(())
    }
}

impl Desk {
    fn poke_if_more(&self) {
        let board = self.board();
        let more = !board.dirty.is_empty() || !board.due(IngestTime(0), 1).is_empty();
        drop(board);
        if more {
            self.poke();
        }
    }
}

fn wake_all(wakes: Vec<Wake>) {
    for wake in wakes {
        wake();
    }
}
