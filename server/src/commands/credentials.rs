//! Credentials for every device that has none, into a file that only its owner can read.

use crate::args::DeviceImport;
use crate::compose::Stores;
use anyhow::{Context, Result};
use ledger::Author;
use model::envelope::ProtocolKind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

#[derive(Serialize)]
struct Line {
    identity: String,
    secret: String,
}

pub(super) async fn hand_out(stores: &Stores, author: &Author, file: &Path) -> Result<()> {
    let mut out = private(file)?;
    let facts = stores.ledger.facts_now();
    let credentials = stores.ledger.credentials();
    let without: Vec<_> = facts
        .devices
        .values()
        .filter(|device| device.protocol != ProtocolKind::Modbus && credentials.state(device.id).is_none())
        .collect();
    let codes: Vec<String> = without.iter().map(|device| device.code.clone()).collect();
    let issued = credentials.issue_all(author, &codes).await.context("hand out credentials; none was made")?;
    let mut lines = BTreeMap::new();
    for (device, issued) in without.into_iter().zip(issued) {
        let secret = issued.settings.iter().find(|setting| setting.secret).map(|setting| setting.value.clone());
        lines.insert(
            device.code.clone(),
            Line { identity: device.identity.clone(), secret: secret.unwrap_or_default() },
        );
    }
    let text = serde_json::to_string_pretty(&lines).context("write the credentials")?;
    out.write_all(text.as_bytes()).with_context(|| format!("write {}", file.display()))?;
    println!("{} credentials in {}", lines.len(), file.display());
    Ok(())
}

/// Devices with their credentials out of a table; the credentials into a file, once.
pub(super) async fn import(stores: &Stores, author: &Author, wanted: &DeviceImport) -> Result<()> {
    let bytes = std::fs::read(&wanted.file).with_context(|| format!("read {}", wanted.file.display()))?;
    let told = |problems: &[ledger::Problem]| {
        for problem in problems {
            println!("{problem}");
        }
        anyhow::anyhow!("import {}: {} problems; nothing was changed", wanted.file.display(), problems.len())
    };
    let plan = stores.ledger.plan_fleet(&bytes).context("read the table")?;
    if !plan.problems.is_empty() {
        return Err(told(&plan.problems));
    }
    println!("{} new, {} changed, {} unchanged", plan.new.len(), plan.changed.len(), plan.unchanged);
    let Some(file) = wanted.credentials.as_deref().filter(|_| !wanted.dry_run) else {
        println!("nothing was changed (--dry-run)");
        return Ok(());
    };
    // Before anything is made: what cannot be written down must not be handed out.
    let mut out = private(file)?;
    let fleet = match stores.ledger.apply_fleet(author, &bytes).await {
        Ok(fleet) => fleet,
        Err(error) => {
            // Nothing was made, so nothing is lost with it.
            std::fs::remove_file(file).ok();
            return Err(match error {
                ledger::LedgerError::Invalid(problems) => told(&problems),
                other => anyhow::Error::new(other).context("import the devices"),
            });
        }
    };
    out.write_all(&fleet.credentials)
        .and_then(|()| out.sync_all())
        .with_context(|| format!("write {}; rotate the credentials of the new devices", file.display()))?;
    println!("{} credentials in {}", fleet.issued, file.display());
    Ok(())
}

/// Never over an existing file: its credentials could not be had again.
fn private(file: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(file).with_context(|| format!("create {}", file.display()))
}
