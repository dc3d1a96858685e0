//! Commands to devices from the shell. They are rows like any other: the running server finds them within seconds and sends them.

use crate::compose::Stores;
use anyhow::{Context, Result};
use ledger::{Author, CommandRow};
use model::downlink::Command;
use std::time::Duration;

pub(super) async fn order(stores: &Stores, author: &Author, code: &str, text: &str, wait_s: u64) -> Result<()> {
    let device = super::find_device(stores, code)?;
    let command: Command = serde_json::from_str(text).context("read the command; docs/commands.md lists them")?;
    let ordered = stores.ledger.commands().order(author, device, &command, Duration::from_secs(wait_s)).await;
    println!("{}", line(&ordered.with_context(|| format!("order it for {code}"))?));
    Ok(())
}

pub(super) async fn list(stores: &Stores, code: &str) -> Result<()> {
    let rows = stores
        .ledger
        .commands()
        .list(super::find_device(stores, code)?, None, 50)
        .await
        .context("read the commands")?;
    for row in &rows {
        println!("{}", line(row));
    }
    Ok(())
}

/// `17  done  2026-01-01T00:00:00.000Z  admin  {"kind":…}  refused QnRtn=3`
fn line(row: &CommandRow) -> String {
    let command = serde_json::to_string(&row.command).unwrap_or_default();
    let last = row.story.last().map(|step| format!("{} {}", step.why, step.text)).unwrap_or_default();
    let (id, state, at, author) = (row.id, row.state.code(), row.created, &row.author);
    format!("{id}  {state}  {at}  {author}  {command}  {last}").trim_end().to_owned()
}
