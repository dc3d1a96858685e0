//! Credentials for every device that has none, into a file that only its owner can read.

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
    let mut out = std::fs::OpenOptions::new();
    // Never over an existing file: its credentials could not be had again.
    let mut out = out
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("create {}", file.display()))?;
    let facts = stores.ledger.facts_now();
    let credentials = stores.ledger.credentials();
    let mut lines = BTreeMap::new();
    for device in facts.devices.values() {
        if device.protocol == ProtocolKind::Modbus || credentials.state(device.id).is_some() {
            continue;
        }
        let issued =
            credentials.issue(author, device.id).await.with_context(|| format!("hand out to {}", device.code))?;
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
