//! Channels: where messages go. The hook's address and the signing secret or password are sealed with the key file as soon as they
//! come in, and never leave again but for sending; what is shown of them is the host.

use super::{Notify, NotifyError};
use crate::rows::{next, parse, word};
use database::Connection;
use model::notice::{Channel, ChannelKind, ChannelSecret, ChannelSettings};
use model::time::IngestTime;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// A channel as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelRow {
    pub id: i64,
    pub version: i64,
    pub name: String,
    pub kind: ChannelKind,
    pub enabled: bool,
    pub settings: ChannelSettings,
    /// `https://qyapi.weixin.qq.com/…`, or the mail server.
    pub shown: String,
    /// Whether a signing secret or password is set.
    pub has_secret: bool,
    pub changed: IngestTime,
}

/// A new channel (`id` 0), or the next state of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PutChannel {
    pub id: i64,
    /// The version that was seen.
    pub version: i64,
    pub name: String,
    pub kind: ChannelKind,
    pub enabled: bool,
    pub settings: ChannelSettings,
    /// `None`: as before.
    pub url: Option<String>,
    /// `None`: as before.
    pub secret: Option<String>,
}

impl Notify {
    pub async fn channels(&self) -> Result<Vec<ChannelRow>, NotifyError> {
        let rows =
            sqlx::query("SELECT * FROM notify_channel ORDER BY id").fetch_all(&mut *self.db.read().await?).await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    /// # Errors
    /// [`NotifyError::Field`] names what is wrong; [`NotifyError::Stale`] when another changed it.
    pub async fn put_channel(&self, wanted: &PutChannel, now: IngestTime) -> Result<ChannelRow, NotifyError> {
        check(wanted)?;
        database::transaction!(self.db, |tx| -> Result<ChannelRow, NotifyError> {
            let before = sqlx::query("SELECT * FROM notify_channel WHERE id = $1").bind(wanted.id);
            let before = before.fetch_optional(&mut *tx).await?;
            if before.is_none() && wanted.id != 0 {
                return Err(NotifyError::NotFound);
            }
            let mut secret = match &before {
                Some(row) => self.open(row)?,
                None => ChannelSecret::default(),
            };
            if let Some(known) = before.as_ref().map(row).transpose()? {
                if known.version != wanted.version {
                    return Err(NotifyError::Stale);
                }
                if known.kind != wanted.kind {
                    return field("kind", "a channel keeps its kind; make another one");
                }
            }
            if let Some(url) = &wanted.url {
                url.trim().clone_into(&mut secret.url);
            }
            if let Some(text) = &wanted.secret {
                text.trim().clone_into(&mut secret.secret);
            }
            complete(wanted, &secret)?;
            taken(tx, wanted).await?;
            self.write(tx, wanted, &secret, now).await
        })
    }

    async fn write(
        &self,
        tx: &mut Connection,
        wanted: &PutChannel,
        secret: &ChannelSecret,
        now: IngestTime,
    ) -> Result<ChannelRow, NotifyError> {
        let id = if wanted.id == 0 { next(tx, "channel").await? } else { wanted.id };
        let text = serde_json::to_vec(secret).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let sealed = self.keys.seal_for(PURPOSE, id, &text).map_err(|_| NotifyError::Secret)?;
        let settings = serde_json::to_string(&wanted.settings).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        // The flag rides in front of what is shown.
        let shown = format!("{}{}", if secret.secret.is_empty() { "-" } else { "+" }, shown(wanted, secret));
        sqlx::query(
            "INSERT INTO notify_channel(id, version, name, kind, enabled, settings, secret, shown, changed) \
             VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT(id) DO UPDATE SET version = notify_channel.version + 1, \
             name = excluded.name, enabled = excluded.enabled, settings = excluded.settings, secret = excluded.secret, \
             shown = excluded.shown, changed = excluded.changed",
        )
        .bind(id)
        .bind(wanted.name.trim())
        .bind(word(wanted.kind))
        .bind(i64::from(wanted.enabled))
        .bind(settings)
        .bind(sealed)
        .bind(shown)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query("SELECT * FROM notify_channel WHERE id = $1").bind(id).fetch_one(tx).await?;
        Ok(self::row(&row)?)
    }

    /// The channels that are switched on, with their secrets, for sending.
    pub async fn senders(&self) -> Result<Vec<Channel>, NotifyError> {
        let rows = sqlx::query("SELECT * FROM notify_channel WHERE enabled = 1 ORDER BY id");
        let rows = rows.fetch_all(&mut *self.db.read().await?).await?;
        rows.iter()
            .map(|found| {
                let ChannelRow { id, name, kind, settings, .. } = row(found)?;
                Ok(Channel { id, name, kind, settings, secret: self.open(found)? })
            })
            .collect()
    }

    fn open(&self, row: &database::Row) -> Result<ChannelSecret, NotifyError> {
        let (id, sealed): (i64, Vec<u8>) = (row.try_get("id")?, row.try_get("secret")?);
        let text = self.keys.open_for(PURPOSE, id, &sealed).ok_or(NotifyError::Secret)?;
        serde_json::from_slice(&text).map_err(|_unreadable| NotifyError::Secret)
    }
}

fn row(row: &database::Row) -> Result<ChannelRow, sqlx::Error> {
    let shown: String = row.try_get("shown")?;
    Ok(ChannelRow {
        id: row.try_get("id")?,
        version: row.try_get("version")?,
        name: row.try_get("name")?,
        kind: parse(row.try_get("kind")?)?,
        enabled: row.try_get::<i64, _>("enabled")? != 0,
        settings: serde_json::from_str(row.try_get("settings")?)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        has_secret: shown.starts_with('+'),
        shown: shown.get(1..).unwrap_or_default().to_owned(),
        changed: IngestTime(row.try_get("changed")?),
    })
}

fn field<T>(name: &'static str, message: &str) -> Result<T, NotifyError> {
    Err(NotifyError::Field(name.to_owned(), message.to_owned()))
}

fn check(wanted: &PutChannel) -> Result<(), NotifyError> {
    let name = wanted.name.trim();
    if name.is_empty() || name.chars().count() > 64 {
        return field("name", "write 1 to 64 characters");
    }
    if !(1..=600).contains(&wanted.settings.per_minute_max) {
        return field("per_minute_max", "1 to 600");
    }
    if !(1..=10_080).contains(&wanted.settings.deadline_minutes) {
        return field("deadline_minutes", "1 minute to 7 days (10080)");
    }
    if wanted.secret.as_ref().is_some_and(|secret| secret.len() > 512) {
        return field("secret", "at most 512 bytes");
    }
    match (&wanted.settings.email, wanted.kind) {
        (Some(email), ChannelKind::Email) => check_email(email),
        (None, ChannelKind::Email) => field("email", "name the mail server, the sender and whom to write to"),
        (Some(_), _) => field("email", "only for e-mail"),
        (None, _) => Ok(()),
    }
}

fn check_email(email: &model::notice::Email) -> Result<(), NotifyError> {
    let is_host = |host: &str| {
        !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte))
    };
    let is_address = |text: &str| {
        let plain =
            text.is_ascii() && text.len() <= 254 && !text.bytes().any(|byte| byte <= b' ' || b"<>,;\"".contains(&byte));
        plain && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && is_host(host))
    };
    if !is_host(&email.host) {
        return field("email.host", "a host name or address, without a scheme");
    }
    if email.port == 0 {
        return field("email.port", "465 for TLS, 587 for STARTTLS");
    }
    if !is_address(&email.from) {
        return field("email.from", "an address as lantian@example.org");
    }
    if email.to.is_empty() || email.to.len() > 50 {
        return field("email.to", "1 to 50 addresses");
    }
    match email.to.iter().find(|to| !is_address(to)) {
        Some(wrong) => field("email.to", &format!("{wrong:.80} is no address")),
        None => Ok(()),
    }
}

/// What is there after the edit must be enough to send by.
fn complete(wanted: &PutChannel, secret: &ChannelSecret) -> Result<(), NotifyError> {
    if wanted.kind == ChannelKind::Email {
        let logs_in = wanted.settings.email.as_ref().is_some_and(|email| !email.user.is_empty());
        return if logs_in && secret.secret.is_empty() { field("secret", "the account's password") } else { Ok(()) };
    }
    if host(&secret.url).is_none() {
        return field("url", "the whole address of the hook, beginning with https://");
    }
    Ok(())
}

async fn taken(tx: &mut Connection, wanted: &PutChannel) -> Result<(), NotifyError> {
    let other: Option<i64> = sqlx::query_scalar("SELECT id FROM notify_channel WHERE name = $1 AND id <> $2")
        .bind(wanted.name.trim())
        .bind(wanted.id)
        .fetch_optional(&mut *tx)
        .await?;
    if other.is_some() {
        return field("name", "another channel has this name");
    }
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notify_channel").fetch_one(tx).await?;
    if wanted.id == 0 && count >= CHANNELS_MAX {
        return field("name", "there are 200 channels already");
    }
    Ok(())
}

fn shown(wanted: &PutChannel, secret: &ChannelSecret) -> String {
    match &wanted.settings.email {
        Some(email) => format!("{}:{}", email.host, email.port),
        None => host(&secret.url).map(|host| format!("{host}/…")).unwrap_or_default(),
    }
}

/// `https://host:port` of an address that can be one.
fn host(url: &str) -> Option<&str> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme))?;
    let rest = url.get(scheme.len()..)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let name = rest.get(..end)?;
    let plain = url.len() <= 2_048 && url.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && !name.is_empty() && !name.contains('@')).then(|| url.get(..scheme.len() + end)).flatten()
}

const PURPOSE: &str = "notify-channel";
const CHANNELS_MAX: i64 = 200;
