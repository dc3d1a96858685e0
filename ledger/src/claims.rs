//! Claim codes: an administrator makes one for a model, so many devices and so long; a device that shows it with its serial is made
//! and gets a credential of its own, once. The code is shown once and stored as a keyed hash.
//!
//! ```text
//! code + serial ─▶ one transaction: a use is taken, the device is made (on, or off until a person switches it on), its credential
//!                  written, the use listed ─▶ credential, this once
//! ```
//!
//! A serial that is a device already gets nothing, so that who knows a code and a serial cannot take over what another made. Who is
//! refused learns only that it is refused; the list of attempts says why.

use crate::audit::{self, Change};
use crate::credentials::Issued;
use crate::error::LedgerError;
use crate::issue::Wanted;
use crate::keys::random_text;
use crate::metrics::{CLAIMS_REFUSED, CLAIMS_USED};
use crate::store::{Author, Ledger};
use database::Connection;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::register::{Device, Object};
use model::time::IngestTime;
use serde::Serialize;
use sqlx::Row as _;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// What an administrator wants.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// For the list: `street 7, spring delivery`.
    pub name: String,
    /// Code of the profile its devices get; it says their protocol.
    pub profile: String,
    pub vendor: String,
    /// Their codes begin so; the serial follows.
    pub prefix: String,
    pub policy: Policy,
    /// Devices it may make.
    pub uses_max: u32,
    pub expires: IngestTime,
}

/// What becomes of a device that claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It may speak at once.
    Accepted,
    /// It is made, switched off, and waits until a person switches it on.
    Pending,
}

/// A claim code as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    pub id: i64,
    pub name: String,
    pub profile: String,
    pub vendor: String,
    pub prefix: String,
    pub policy: Policy,
    pub uses_max: u32,
    pub uses: u32,
    pub created: IngestTime,
    pub expires: IngestTime,
    pub revoked: bool,
    pub author: String,
}

/// What a device shows.
#[derive(Debug, Clone, Copy)]
pub struct Claiming<'a> {
    pub code: &'a str,
    /// Its serial number; HJ 212: its MN; JT/T 808: its phone.
    pub serial: &'a str,
    /// Address it comes from.
    pub origin: &'a str,
}

/// A device that was made.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub device: DeviceId,
    pub policy: Policy,
    pub issued: Issued,
}

/// Why a device got nothing. It is told only that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimRefusal {
    /// There is no such code.
    Unknown,
    Revoked,
    Expired,
    UsedUp,
    /// The serial is a device already.
    Known,
    /// The serial cannot be a device's.
    Serial,
}

/// One attempt, for the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimAttempt {
    pub at: IngestTime,
    pub origin: String,
    pub serial: String,
    /// `None`: no such code.
    pub claim: Option<i64>,
    /// The device that was made; `None`: refused.
    pub device: Option<DeviceId>,
    pub refusal: Option<ClaimRefusal>,
}

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("the claim was refused")]
    Refused(ClaimRefusal),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for ClaimError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// Attempts that were refused, in memory: a stranger's attempt must not cost a write.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<VecDeque<ClaimAttempt>>);

impl Attempts {
    fn note(&self, attempt: ClaimAttempt) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ATTEMPTS_MAX {
            kept.pop_front();
        }
        kept.push_back(attempt);
    }

    fn list(&self) -> Vec<ClaimAttempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Ledger {
    /// Makes a claim code; returns it with the code, which is shown this once.
    ///
    /// # Errors
    /// Every problem with its field.
    pub async fn new_claim(&self, author: &Author, new: NewClaim) -> Result<(Claim, String), LedgerError> {
        self.check_claim(&new)?;
        let text = random_text(GROUPS * GROUP)?;
        let hash = self.claim_hash(&text);
        let at = self.now();
        let claim = database::transaction!(self.db(), |tx| -> Result<Claim, LedgerError> {
            let id: i64 = sqlx::query_scalar(
                "INSERT INTO claim(name, hash, profile, vendor, prefix, accepts, uses_max, uses, created, expires, revoked, author) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, 0, $10) RETURNING id",
            )
            .bind(new.name.clone())
            .bind(hash.clone())
            .bind(new.profile.clone())
            .bind(new.vendor.clone())
            .bind(new.prefix.clone())
            .bind(i64::from(new.policy == Policy::Accepted))
            .bind(i64::from(new.uses_max))
            .bind(at.as_ms())
            .bind(new.expires.as_ms())
            .bind(author.name.clone())
            .fetch_one(&mut *tx)
            .await?;
            let claim = Claim {
                id,
                name: new.name.clone(),
                profile: new.profile.clone(),
                vendor: new.vendor.clone(),
                prefix: new.prefix.clone(),
                policy: new.policy,
                uses_max: new.uses_max,
                uses: 0,
                created: at,
                expires: new.expires,
                revoked: false,
                author: author.name.clone(),
            };
            let after = serde_json::to_string(&claim).map_err(|e| LedgerError::Corrupt("claim", e.to_string()))?;
            tell(tx, (at, author), "claim_created", id, Some(&after)).await?;
            Ok(claim)
        })?;
        let groups: Vec<&str> = (0..GROUPS).filter_map(|group| text.get(group * GROUP..(group + 1) * GROUP)).collect();
        Ok((claim, groups.join("-")))
    }

    fn check_claim(&self, new: &NewClaim) -> Result<(), LedgerError> {
        let mut problems = Vec::new();
        let mut wrong = |place: &str, told: String| problems.push(crate::error::Problem::new(place, told));
        let facts = self.facts_now();
        match facts.profiles.get(&new.profile) {
            None => wrong("profile", format!("there is no profile {:?}", new.profile)),
            Some(profile) if profile.protocol == ProtocolKind::Modbus => {
                wrong("profile", "a Modbus device is dialled by us and claims nothing".into());
            }
            Some(_) => {}
        }
        if new.name.trim().is_empty() || new.name.chars().count() > 100 {
            wrong("name", "write 1 to 100 characters".into());
        }
        if new.vendor.chars().count() > 200 {
            wrong("vendor", "write at most 200 characters".into());
        }
        if !new.prefix.is_empty() && (new.prefix.len() > PREFIX_MAX || !crate::check::is_device_code(&new.prefix)) {
            wrong("prefix", format!("write at most {PREFIX_MAX} small letters, digits and -"));
        }
        if !(1..=USES_MAX).contains(&new.uses_max) {
            wrong("uses_max", format!("write 1 to {USES_MAX}"));
        }
        let days = new.expires.since_ms(self.now());
        if days <= 0 || days > DAYS_MAX * 86_400_000 {
            wrong("expires", format!("choose a time within the next {DAYS_MAX} days"));
        }
        if problems.is_empty() { Ok(()) } else { Err(LedgerError::Invalid(problems)) }
    }

    /// Letters and digits alone, so that it may be typed with or without its strokes, in any case.
    fn claim_hash(&self, code: &str) -> Vec<u8> {
        let plain: String =
            code.chars().filter(char::is_ascii_alphanumeric).take(128).map(|c| c.to_ascii_lowercase()).collect();
        self.keys().hash(CLAIM, 0, plain.as_bytes()).to_vec()
    }

    /// All claim codes, the newest first.
    pub async fn claims(&self) -> Result<Vec<Claim>, LedgerError> {
        let query = format!("SELECT {COLUMNS} FROM claim ORDER BY id DESC LIMIT 1000");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut *self.db().read().await?).await?;
        rows.iter().map(read_claim).collect()
    }

    /// No device gets anything for it any more; those it made stay. False: there is none.
    pub async fn revoke_claim(&self, author: &Author, id: i64) -> Result<bool, LedgerError> {
        let at = self.now();
        database::transaction!(self.db(), |tx| -> Result<bool, LedgerError> {
            let done = sqlx::query("UPDATE claim SET revoked = 1 WHERE id = $1").bind(id).execute(&mut *tx).await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            tell(tx, (at, author), "claim_revoked", id, None).await?;
            Ok(true)
        })
    }

    /// The latest attempts, the newest first: those that made a device, and those since start that did not.
    pub async fn claim_attempts(&self, limit: u32) -> Result<Vec<ClaimAttempt>, LedgerError> {
        let rows = sqlx::query("SELECT at, origin, serial, claim, device FROM claim_use ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&mut *self.db().read().await?)
            .await?;
        let mut attempts = self.attempts().list();
        for row in &rows {
            attempts.push(ClaimAttempt {
                at: IngestTime(row.try_get(0)?),
                origin: row.try_get(1)?,
                serial: row.try_get(2)?,
                claim: Some(row.try_get(3)?),
                device: Some(DeviceId(row.try_get(4)?)),
                refusal: None,
            });
        }
        attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.at));
        attempts.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(attempts)
    }

    /// Makes the device of a claim and its credential, or nothing.
    ///
    /// # Errors
    /// [`ClaimError::Refused`]: it is listed already. The device is to be told nothing of why.
    pub async fn claim(&self, claiming: Claiming<'_>) -> Result<Claimed, ClaimError> {
        let done = self.claim_within(claiming).await;
        if let Err((claim, ClaimError::Refused(refusal))) = &done {
            metrics::counter!(CLAIMS_REFUSED).increment(1);
            self.attempts().note(ClaimAttempt {
                at: self.now(),
                origin: claiming.origin.to_owned(),
                serial: claiming.serial.chars().take(SERIAL_MAX).filter(char::is_ascii_graphic).collect(),
                claim: *claim,
                device: None,
                refusal: Some(*refusal),
            });
        }
        done.inspect(|_| metrics::counter!(CLAIMS_USED).increment(1)).map_err(|(_, error)| error)
    }

    async fn claim_within(&self, claiming: Claiming<'_>) -> Result<Claimed, (Option<i64>, ClaimError)> {
        let lookup = async {
            let query = format!("SELECT {COLUMNS} FROM claim WHERE hash = $1");
            let row = sqlx::query(sqlx::AssertSqlSafe(query)).bind(self.claim_hash(claiming.code));
            row.fetch_optional(&mut *self.db().read().await?).await?.as_ref().map(read_claim).transpose()
        };
        let found: Result<Option<Claim>, LedgerError> = lookup.await;
        let claim = found.map_err(|error| (None, error.into()))?;
        let Some(claim) = claim else { return Err((None, ClaimError::Refused(ClaimRefusal::Unknown))) };
        let id = Some(claim.id);
        let refuse = |refusal| Err((id, ClaimError::Refused(refusal)));
        if claim.revoked {
            return refuse(ClaimRefusal::Revoked);
        }
        if claim.expires <= self.now() {
            return refuse(ClaimRefusal::Expired);
        }
        if claim.uses >= claim.uses_max {
            return refuse(ClaimRefusal::UsedUp);
        }
        let Some(device) = self.device_of(&claim, claiming.serial) else { return refuse(ClaimRefusal::Serial) };
        let facts = self.facts_now();
        let same = |known: &Device| {
            known.code == device.code || (known.protocol == device.protocol && known.identity == device.identity)
        };
        if facts.devices.values().any(|known| same(known)) {
            return refuse(ClaimRefusal::Known);
        }
        let wanted = Wanted { code: device.code.clone(), ..Wanted::default() };
        let author = Author::new(format!("claim {}", claim.id), claiming.origin);
        let taking = Taking { claim: claim.id, serial: claiming.serial, origin: claiming.origin };
        let (_, issued) = match self.edit_taking(&author, vec![Object::Device(device)], &[wanted], Some(taking)).await {
            Ok(done) => done,
            Err(LedgerError::Refused(USED_UP)) => return refuse(ClaimRefusal::UsedUp),
            // What is wrong with it can only be the serial: the rest was checked when the code was made.
            Err(LedgerError::Invalid(_)) => return refuse(ClaimRefusal::Serial),
            Err(error) => return Err((id, error.into())),
        };
        let made = issued.into_iter().next().and_then(|issued| Some((issued.device?, issued)));
        let Some((device, issued)) = made else {
            return Err((id, LedgerError::NotFound("the new device".into()).into()));
        };
        Ok(Claimed { device, policy: claim.policy, issued })
    }

    /// The device that a serial becomes; `None`: it cannot be one.
    fn device_of(&self, claim: &Claim, serial: &str) -> Option<Device> {
        let serial = serial.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if serial.is_empty() || serial.len() > SERIAL_MAX || !serial.chars().all(plain) {
            return None;
        }
        let protocol = self.facts_now().profiles.get(&claim.profile)?.protocol;
        let tail: String =
            serial.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let code = format!("{}{tail}", claim.prefix);
        let identity = if protocol == ProtocolKind::Mqtt { code.clone() } else { serial.to_owned() };
        Some(Device {
            id: DeviceId(0),
            code,
            name: String::new(),
            protocol,
            identity,
            profile: claim.profile.clone(),
            vendor: claim.vendor.clone(),
            enabled: claim.policy == Policy::Accepted,
            poll: None,
        })
    }
}

/// A use of a claim code, taken in the transaction that makes its device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taking<'a> {
    claim: i64,
    serial: &'a str,
    origin: &'a str,
}

/// Takes one use; refuses when another took the last one meanwhile, or it was revoked or ran out.
pub(crate) async fn take(
    tx: &mut Connection,
    at: IngestTime,
    taking: Taking<'_>,
    device: DeviceId,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE claim SET uses = uses + 1 WHERE id = $1 AND uses < uses_max AND revoked = 0 AND expires > $2",
    )
    .bind(taking.claim)
    .bind(at.as_ms())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(LedgerError::Refused(USED_UP));
    }
    sqlx::query("INSERT INTO claim_use(claim, at, serial, device, origin) VALUES ($1, $2, $3, $4, $5)")
        .bind(taking.claim)
        .bind(at.as_ms())
        .bind(taking.serial.to_owned())
        .bind(device.0)
        .bind(taking.origin.to_owned())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn read_claim(row: &database::Row) -> Result<Claim, LedgerError> {
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Claim {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        profile: row.try_get(2)?,
        vendor: row.try_get(3)?,
        prefix: row.try_get(4)?,
        policy: if row.try_get::<i64, _>(5)? == 1 { Policy::Accepted } else { Policy::Pending },
        uses_max: small(row.try_get(6)?),
        uses: small(row.try_get(7)?),
        created: IngestTime(row.try_get(8)?),
        expires: IngestTime(row.try_get(9)?),
        revoked: row.try_get::<i64, _>(10)? == 1,
        author: row.try_get(11)?,
    })
}

async fn tell(
    tx: &mut Connection,
    (at, author): (IngestTime, &Author),
    what: &str,
    id: i64,
    after: Option<&str>,
) -> Result<(), LedgerError> {
    let key = id.to_string();
    Ok(audit::write(tx, at, author, Change { what, kind: "claim", key: &key, before: None, after }).await?)
}

const COLUMNS: &str = "id, name, profile, vendor, prefix, accepts, uses_max, uses, created, expires, revoked, author";
/// Keeps hashes of codes apart from those of other things.
const CLAIM: &str = "claim";
const USED_UP: &str = "the claim code is used up";
/// 100 bits, in groups that can be read out.
const GROUPS: usize = 4;
const GROUP: usize = 5;
const PREFIX_MAX: usize = 16;
const SERIAL_MAX: usize = 32;
const USES_MAX: u32 = 10_000;
const DAYS_MAX: i64 = 366;
const ATTEMPTS_MAX: usize = 500;

#[cfg(test)]
mod tests;
