//! Devices' and bridges' credentials: made here, shown once, stored so that a copy of the database lets nobody in.
//!
//! MQTT: a token of 130 random bits, stored as keyed SHA-256. HJ 212: a password of six or more characters, stored
//! encrypted, since downlinks carry it. JT/T 808: the authentication code is derived from phone and version with the key
//! file, 128 bits, so that nothing is stored and a code of one phone is of no use to another; which terminal may ask for it is
//! stored, see [`crate::terminals`]. Modbus: we dial, there is none.

use crate::audit::{self, Change};
use crate::directory::{BRIDGES_FROM, Secret, Secrets, StoredBridge, TOKEN};
use crate::error::LedgerError;
use crate::issue::{self, Wanted};
use crate::keys::{Keys, random_token};
use crate::store::{Author, Ledger};
use crate::terminals;
use database::Connection;
use model::envelope::ProtocolKind;
use model::id::{DeviceId, InstallationId, SubjectId};
use model::modbus::{DtuForm, DtuPacket};
use model::principal::Grants;
use model::register::{Device, Installation, ModbusPoll, Object};
use model::time::{EventTime, IngestTime};
use serde::Serialize;
use sqlx::Row as _;
use std::sync::Arc;

/// Credentials of devices and bridges. Cheap to make: `ledger.credentials()`.
#[derive(Debug, Clone)]
pub struct Credentials {
    ledger: Ledger,
}

/// What to set on the device. Shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issued {
    pub device: Option<DeviceId>,
    pub settings: Vec<Setting>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `username`, `password`, `client_id`, `topic`, `mn`, `pw`, `phone`, `auth_code`, `address`.
    pub name: &'static str,
    pub value: String,
    pub secret: bool,
}

impl Issued {
    pub fn value(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
    }
}

/// What a list may show of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CredentialState {
    pub version: u32,
    pub revoked: bool,
}

/// A channel that speaks for several devices, or only reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bridge {
    pub name: String,
    pub grants: Grants,
    pub enabled: bool,
}

/// A quarantined identity that a person lets in.
#[derive(Debug, Clone)]
pub struct Acceptance {
    pub protocol: ProtocolKind,
    pub identity: String,
    /// Its new code.
    pub code: String,
    pub name: String,
    pub profile: String,
    pub vendor: String,
    /// Where it is installed, if that is known.
    pub subject: Option<SubjectId>,
    pub point: String,
    pub installed_from: EventTime,
    /// HJ 212: the password the device sends already; without it one is made.
    pub password: Option<String>,
    /// Modbus: the first slave behind the modem that dialled in.
    pub unit: u8,
}

#[derive(Debug, Clone)]
pub struct Accepted {
    pub device: DeviceId,
    pub issued: Issued,
}

impl Credentials {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// A new credential for a device; an older one stops to work and its connections are cut.
    pub async fn issue(&self, author: &Author, device: DeviceId) -> Result<Issued, LedgerError> {
        self.give(author, device, None).await
    }

    /// Like [`Self::issue`], for a device that must have had one.
    pub async fn rotate(&self, author: &Author, device: DeviceId) -> Result<Issued, LedgerError> {
        if self.state(device).is_none() {
            return Err(LedgerError::NotFound(format!("a credential of device {device}")));
        }
        self.issue(author, device).await
    }

    /// Sets an HJ 212 password that the device has already.
    pub async fn set_hj212_password(
        &self,
        author: &Author,
        device: DeviceId,
        password: &str,
    ) -> Result<Issued, LedgerError> {
        let known = self.device(device)?;
        if known.protocol != ProtocolKind::Hj212 {
            return Err(LedgerError::one("password", "only an HJ 212 device has a password"));
        }
        check_password(password)?;
        self.give(author, device, Some(password)).await
    }

    /// Which terminal alone may ask for the code of a JT/T 808 device: its terminal id, or `maker/terminal id`. Then not even
    /// the first that asks is believed. The connections of the device stay.
    pub async fn set_terminal(&self, author: &Author, device: DeviceId, terminal: &str) -> Result<(), LedgerError> {
        if self.device(device)?.protocol != ProtocolKind::Jt808 {
            return Err(LedgerError::one("terminal", "only a JT/T 808 device has a terminal id"));
        }
        terminals::check_name(terminal)?;
        let at = self.ledger.now();
        let written = database::transaction!(self.ledger.db(), |tx| -> Result<bool, LedgerError> {
            issue::write_terminal(tx, (at, author), device, terminal).await
        })?;
        if !written {
            return Err(LedgerError::NotFound(format!("a credential of device {device}")));
        }
        self.ledger.refresh().await
    }

    /// The terminal that holds a JT/T 808 device's phone; empty: its code was set by hand.
    pub fn terminal(&self, device: DeviceId) -> Option<Arc<str>> {
        self.ledger.directory().secrets().of.get(&device.0)?.terminal.clone()
    }

    async fn give(&self, author: &Author, id: DeviceId, password: Option<&str>) -> Result<Issued, LedgerError> {
        let code = self.device(id)?.code;
        let wanted = Wanted { code, password: password.map(str::to_owned), terminal: None };
        let (_, mut issued) = self.ledger.edit_and_issue(author, Vec::new(), &[wanted]).await?;
        issued.pop().ok_or_else(|| LedgerError::NotFound(format!("device {id}")))
    }

    /// New credentials for many devices of the register, by code, all in one transaction.
    pub async fn issue_all(&self, author: &Author, codes: &[String]) -> Result<Vec<Issued>, LedgerError> {
        let wanted: Vec<Wanted> =
            codes.iter().map(|code| Wanted { code: code.clone(), password: None, terminal: None }).collect();
        Ok(self.ledger.edit_and_issue(author, Vec::new(), &wanted).await?.1)
    }

    /// The device is no longer admitted and its connections are cut.
    pub async fn revoke(&self, author: &Author, device: DeviceId) -> Result<(), LedgerError> {
        self.device(device)?;
        self.revoke_principal(author, device.0, ("device", device.to_string())).await
    }

    pub fn state(&self, device: DeviceId) -> Option<CredentialState> {
        let secrets = self.ledger.directory().secrets();
        secrets.of.get(&device.0).map(|secret| CredentialState { version: secret.version, revoked: secret.revoked })
    }

    pub fn bridges(&self) -> Vec<Bridge> {
        let secrets = self.ledger.directory().secrets();
        let bridge =
            |b: &StoredBridge| Bridge { name: b.name.to_string(), grants: b.grants.clone(), enabled: b.enabled };
        secrets.bridges.iter().map(bridge).collect()
    }

    /// A new token for a bridge or observer, which is made when there is none of that name; its grants become these.
    pub async fn issue_bridge(&self, author: &Author, name: &str, grants: Grants) -> Result<Issued, LedgerError> {
        let facts = self.ledger.facts_now();
        if !crate::check::is_device_code(name) {
            return Err(LedgerError::one("name", "write small letters, digits and -, at most 48"));
        }
        if facts.devices.values().any(|device| device.code == name || device.identity == name) {
            return Err(LedgerError::one("name", format!("{name} is a device; choose another name")));
        }
        let unknown = match &grants {
            Grants::One(id) => Some(*id).filter(|id| !facts.devices.contains_key(id)),
            Grants::Many(ids) => ids.iter().copied().find(|id| !facts.devices.contains_key(id)),
            Grants::Prefix(_) | Grants::Observer => None,
        };
        if let Some(id) = unknown {
            return Err(LedgerError::one("grants", format!("there is no device {id}")));
        }
        let text = serde_json::to_string(&grants).map_err(|e| LedgerError::Corrupt("grants", e.to_string()))?;
        let id = database::transaction!(self.ledger.db(), |tx| -> Result<i64, LedgerError> {
            let last: Option<i64> = sqlx::query_scalar("SELECT max(principal) FROM bridge").fetch_one(&mut *tx).await?;
            let id: i64 = sqlx::query_scalar(
                "INSERT INTO bridge(principal, name, grants, enabled) VALUES ($1, $2, $3, 1) \
                 ON CONFLICT(name) DO UPDATE SET grants = excluded.grants, enabled = 1 RETURNING principal",
            )
            .bind(last.unwrap_or(BRIDGES_FROM - 1) + 1)
            .bind(name.to_owned())
            .bind(text.clone())
            .fetch_one(&mut *tx)
            .await?;
            Ok(id)
        })?;
        let token = random_token()?;
        let hash = self.ledger.keys().hash(TOKEN, id, token.as_bytes()).to_vec();
        let at = self.ledger.now();
        database::transaction!(self.ledger.db(), |tx| -> Result<u32, LedgerError> {
            issue::write(tx, (at, author), (id, ("bridge", name)), (Some(hash.clone()), None)).await
        })?;
        self.ledger.refresh().await?;
        let settings = vec![
            Setting { name: "username", value: name.to_owned(), secret: false },
            Setting { name: "password", value: token, secret: true },
        ];
        Ok(Issued { device: None, settings })
    }

    pub async fn revoke_bridge(&self, author: &Author, name: &str) -> Result<(), LedgerError> {
        let secrets = self.ledger.directory().secrets();
        let bridge = secrets.bridges.iter().find(|bridge| *bridge.name == *name);
        let bridge = bridge.ok_or_else(|| LedgerError::NotFound(format!("bridge {name}")))?;
        self.revoke_principal(author, bridge.id, ("bridge", name.to_owned())).await
    }

    async fn revoke_principal(&self, author: &Author, id: i64, key: (&str, String)) -> Result<(), LedgerError> {
        let at = self.ledger.now();
        database::transaction!(self.ledger.db(), |tx| -> Result<(), LedgerError> {
            sqlx::query("UPDATE credential SET revoked = 1, version = version + 1, changed = $1 WHERE principal = $2")
                .bind(at.as_ms())
                .bind(id)
                .execute(&mut *tx)
                .await?;
            told(tx, at, author, "credential_revoked", &key).await
        })?;
        self.ledger.refresh().await
    }

    fn device(&self, id: DeviceId) -> Result<Device, LedgerError> {
        let facts = self.ledger.facts_now();
        facts.devices.get(&id).map(|d| Device::clone(d)).ok_or_else(|| LedgerError::NotFound(format!("device {id}")))
    }
}

impl Ledger {
    /// Makes a quarantined identity a device, installs it, and gives it a credential.
    pub async fn accept_unknown(&self, author: &Author, wanted: Acceptance) -> Result<Accepted, LedgerError> {
        let identity = wanted.identity.clone();
        let mut objects = vec![Object::Device(Device {
            id: DeviceId(-1),
            code: wanted.code.clone(),
            name: wanted.name,
            protocol: wanted.protocol,
            identity: wanted.identity,
            profile: wanted.profile,
            vendor: wanted.vendor,
            enabled: true,
            poll: (wanted.protocol == ProtocolKind::Modbus).then(|| dialled_in(&identity, wanted.unit)),
        })];
        objects.extend(wanted.subject.map(|subject| {
            Object::Installation(Installation {
                id: InstallationId(0),
                device: DeviceId(-1),
                subject,
                point: wanted.point,
                valid_from: wanted.installed_from,
                valid_to: None,
            })
        }));
        let password = wanted.password.filter(|_| wanted.protocol == ProtocolKind::Hj212);
        let wanted = Wanted { code: wanted.code, password, terminal: None };
        let (_, mut issued) = self.edit_and_issue(author, objects, &[wanted]).await?;
        let issued = issued.pop().ok_or_else(|| LedgerError::NotFound("the new device".into()))?;
        let device = issued.device.ok_or_else(|| LedgerError::NotFound("the new device".into()))?;
        Ok(Accepted { device, issued })
    }
}

/// Where the slave of a modem is polled that was unknown until now. What it said is its identity: text, or `hex:` and bytes.
fn dialled_in(identity: &str, unit: u8) -> ModbusPoll {
    let Some(hex) = identity.strip_prefix("hex:") else { return ModbusPoll::new(format!("dtu://{identity}"), unit) };
    let packet = DtuPacket { form: DtuForm::Hex, ..DtuPacket::default() };
    ModbusPoll { dtu: Some(packet), ..ModbusPoll::new(format!("dtu://{hex}"), unit) }
}

/// What an HJ 212 frame can carry.
pub(crate) fn check_password(password: &str) -> Result<(), LedgerError> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | '=' | ',' | '&' | '#');
    if (6..=32).contains(&password.len()) && password.chars().all(plain) {
        return Ok(());
    }
    Err(LedgerError::one("password", "write 6 to 32 letters and digits, none of ; = , & #"))
}

async fn told(
    tx: &mut Connection,
    at: IngestTime,
    author: &Author,
    what: &str,
    key: &(&str, String),
) -> Result<(), LedgerError> {
    let change = Change { what, kind: key.0, key: &key.1, before: None, after: None };
    Ok(audit::write(tx, at, author, change).await?)
}

/// All credentials and bridges.
pub(crate) async fn load(connection: &mut Connection, keys: &Keys) -> Result<Secrets, LedgerError> {
    let mut secrets = Secrets::default();
    let rows =
        sqlx::query("SELECT principal, version, revoked, hash, sealed, terminal FROM credential ORDER BY principal");
    for row in rows.fetch_all(&mut *connection).await? {
        let id: i64 = row.try_get(0)?;
        let sealed: Option<Vec<u8>> = row.try_get(4)?;
        let password = sealed.and_then(|sealed| {
            let opened = keys.open_sealed(id, &sealed).and_then(|bytes| String::from_utf8(bytes).ok());
            if opened.is_none() {
                tracing::error!(principal = id, "a device's password cannot be read with this key file");
            }
            opened.map(Arc::from)
        });
        let secret = Secret {
            version: u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX),
            revoked: row.try_get::<i64, _>(2)? != 0,
            hash: row.try_get(3)?,
            password,
            terminal: row.try_get::<Option<String>, _>(5)?.map(Arc::from),
        };
        secrets.of.insert(id, secret);
    }
    let rows = sqlx::query("SELECT principal, name, grants, enabled FROM bridge ORDER BY principal");
    for row in rows.fetch_all(&mut *connection).await? {
        let grants: String = row.try_get(2)?;
        let bridge = StoredBridge {
            id: row.try_get(0)?,
            name: row.try_get::<String, _>(1)?.into(),
            grants: serde_json::from_str(&grants).map_err(|e| LedgerError::Corrupt("bridge", e.to_string()))?,
            enabled: row.try_get::<i64, _>(3)? != 0,
        };
        secrets.bridges.push(bridge);
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests;
