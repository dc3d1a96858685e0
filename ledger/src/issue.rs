//! Making secrets and writing them, also many at once and in the transaction that makes their devices: a device is never there
//! without the credential, and the hold on its phone, that it was asked for with.

use crate::audit::{self, Change};
use crate::credentials::{Issued, Setting, check_password};
use crate::directory::TOKEN;
use crate::error::LedgerError;
use crate::keys::{Keys, random_text, random_token};
use crate::store::{Author, Ledger};
use crate::terminals;
use database::Connection;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::register::{Device, Object, Revision};
use model::time::IngestTime;

/// The credential that a new device is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Code of the device.
    pub code: String,
    /// HJ 212: a password it has already; without it one is made.
    pub password: Option<String>,
    /// JT/T 808: the only terminal that may ask for the code.
    pub terminal: Option<String>,
}

impl Wanted {
    /// Before anything is written.
    pub(crate) fn check(&self, protocol: ProtocolKind) -> Result<(), LedgerError> {
        if let Some(password) = &self.password {
            if protocol != ProtocolKind::Hj212 {
                return Err(LedgerError::one("password", "only an HJ 212 device has a password"));
            }
            check_password(password)?;
        }
        if let Some(terminal) = &self.terminal {
            if protocol != ProtocolKind::Jt808 {
                return Err(LedgerError::one("terminal", "only a JT/T 808 device has a terminal id"));
            }
            terminals::check_name(terminal)?;
        }
        Ok(())
    }
}

/// A secret that is not written yet.
pub(crate) struct Made {
    text: String,
    hash: Option<Vec<u8>>,
    sealed: Option<Vec<u8>>,
}

/// `None`: a Modbus device, which we dial.
pub(crate) fn make(keys: &Keys, device: &Device, password: Option<&str>) -> Result<Option<Made>, LedgerError> {
    Ok(Some(match device.protocol {
        ProtocolKind::Mqtt => {
            let text = random_token()?;
            let hash = keys.hash(TOKEN, device.id.0, text.as_bytes()).to_vec();
            Made { text, hash: Some(hash), sealed: None }
        }
        ProtocolKind::Hj212 => {
            let text = password.map_or_else(|| random_text(6), |password| Ok(password.to_owned()))?;
            let sealed = keys.seal(device.id.0, text.as_bytes())?;
            Made { text, hash: None, sealed: Some(sealed) }
        }
        ProtocolKind::Jt808 => Made { text: String::new(), hash: None, sealed: None },
        ProtocolKind::Modbus => return Ok(None),
    }))
}

/// Writes a secret under the next version, which is returned.
pub(crate) async fn write(
    tx: &mut Connection,
    (at, author): (IngestTime, &Author),
    (id, key): (i64, (&str, &str)),
    (hash, sealed): (Option<Vec<u8>>, Option<Vec<u8>>),
) -> Result<u32, LedgerError> {
    let version: i64 = sqlx::query_scalar(
        "INSERT INTO credential(principal, version, revoked, hash, sealed, changed) VALUES ($1, 1, 0, $2, $3, $4) \
         ON CONFLICT(principal) DO UPDATE SET version = credential.version + 1, revoked = 0, \
         hash = excluded.hash, sealed = excluded.sealed, changed = excluded.changed, terminal = NULL \
         RETURNING version",
    )
    .bind(id)
    .bind(hash)
    .bind(sealed)
    .bind(at.as_ms())
    .fetch_one(&mut *tx)
    .await?;
    let change = Change { what: "credential_issued", kind: key.0, key: key.1, before: None, after: None };
    audit::write(tx, at, author, change).await?;
    u32::try_from(version).map_err(|error| LedgerError::Corrupt("credential", error.to_string()))
}

/// The hold of a terminal on a phone, as a person sets it. False: the device has no credential.
pub(crate) async fn write_terminal(
    tx: &mut Connection,
    (at, author): (IngestTime, &Author),
    device: DeviceId,
    terminal: &str,
) -> Result<bool, LedgerError> {
    let done = sqlx::query("UPDATE credential SET terminal = $1, changed = $2 WHERE principal = $3")
        .bind(terminal.to_owned())
        .bind(at.as_ms())
        .bind(device.0)
        .execute(&mut *tx)
        .await?;
    let after = serde_json::json!({ "terminal": terminal }).to_string();
    let key = device.to_string();
    let change = Change { what: "terminal_set", kind: "device", key: &key, before: None, after: Some(&after) };
    audit::write(tx, at, author, change).await?;
    Ok(done.rows_affected() > 0)
}

impl Ledger {
    /// Writes objects as [`Ledger::edit`] does and, in the same transaction, credentials for devices among them or in the
    /// register. All or nothing.
    ///
    /// # Errors
    /// As there; and a password or terminal that cannot be, before anything is written.
    pub async fn edit_and_issue(
        &self,
        author: &Author,
        objects: Vec<Object>,
        wanted: &[Wanted],
    ) -> Result<(Vec<Revision>, Vec<Issued>), LedgerError> {
        let facts = self.facts_now();
        for (index, one) in wanted.iter().enumerate() {
            let fresh = objects.iter().find_map(|object| match object {
                Object::Device(device) if device.code == one.code => Some(device.protocol),
                _ => None,
            });
            let known = || facts.devices.values().find(|device| device.code == one.code).map(|device| device.protocol);
            let protocol = fresh.or_else(known).ok_or_else(|| LedgerError::NotFound(format!("device {}", one.code)))?;
            one.check(protocol).map_err(|error| at_index(error, index))?;
        }
        self.edit_issuing(author, None, objects, wanted).await
    }

    /// Within the transaction of an edit: the secrets of `wanted`, with their versions.
    pub(crate) async fn issue_within(
        &self,
        tx: &mut Connection,
        (at, author): (IngestTime, &Author),
        devices: &model::facts::Facts,
        wanted: &[Wanted],
    ) -> Result<Vec<(Device, String, u32)>, LedgerError> {
        let mut issued = Vec::with_capacity(wanted.len());
        let by_code: std::collections::BTreeMap<&str, &Device> =
            devices.devices.values().map(|device| (device.code.as_str(), &**device)).collect();
        for one in wanted {
            let device = by_code.get(one.code.as_str()).copied();
            let device = device.ok_or_else(|| LedgerError::NotFound(format!("device {}", one.code)))?;
            let Some(Made { text, hash, sealed }) = make(self.keys(), device, one.password.as_deref())? else {
                issued.push((device.clone(), String::new(), 0));
                continue;
            };
            let key = device.id.to_string();
            let version = write(tx, (at, author), (device.id.0, ("device", &key)), (hash, sealed)).await?;
            if let Some(terminal) = &one.terminal {
                write_terminal(tx, (at, author), device.id, terminal).await?;
            }
            issued.push((device.clone(), text, version));
        }
        Ok(issued)
    }

    /// What to set on a device, once its secret is on disk.
    pub(crate) fn issued(&self, device: &Device, secret: &str, version: u32) -> Issued {
        let setting = |name, value: &str, secret| Setting { name, value: value.to_owned(), secret };
        let settings = match device.protocol {
            ProtocolKind::Mqtt => vec![
                setting("client_id", &device.code, false),
                setting("username", &device.identity, false),
                setting("password", secret, true),
                setting("topic", &format!("lantian/v1/{}/telemetry", device.code), false),
            ],
            ProtocolKind::Hj212 => vec![setting("mn", &device.identity, false), setting("pw", secret, true)],
            ProtocolKind::Jt808 => {
                let code = self.directory().auth_code(device.id, &device.identity, version);
                vec![setting("phone", &device.identity, false), setting("auth_code", &code, true)]
            }
            ProtocolKind::Modbus => {
                let address = device.poll.as_ref().map(|poll| poll.address.as_str()).unwrap_or_default();
                vec![setting("address", address, false)]
            }
        };
        Issued { device: Some(device.id), settings }
    }
}

/// A problem of one of many, at its place.
fn at_index(error: LedgerError, index: usize) -> LedgerError {
    match error {
        LedgerError::Invalid(mut problems) => {
            for problem in &mut problems {
                problem.place = format!("[{index}].{}", problem.place);
            }
            LedgerError::Invalid(problems)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
