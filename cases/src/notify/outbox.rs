//! The outbox and the log of deliveries in one table. The planner puts deliveries in with the decision; the courier claims one at a
//! time for each channel, sends it, and writes down what came of it.
//!
//! ```text
//! queued ──▶ sending ──▶ sent
//!    ▲          ├──────▶ failed     (trying again cannot help)
//!    └──────────┘        expired    (not sent until its deadline)
//! suppressed: by a silence, an alert, a full outbox, or withdrawn before it was sent
//! ```
//!
//! At least once: what was being sent when the process ended is sent again, under the same key.

use super::render;
use super::{Notify, NotifyError};
use crate::metrics as names;
use crate::rows::{alert, next, parse};
use database::Connection;
use model::facts::Facts;
use model::id::AlertId;
use model::notice::{Channel, Failure, Message, MessageKind};
use model::time::IngestTime;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Queued,
    Sending,
    Sent,
    Failed,
    Expired,
    Suppressed,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryRow {
    pub id: i64,
    pub key: String,
    pub channel: i64,
    /// Code of the route or escalation.
    pub route: String,
    pub kind: MessageKind,
    pub state: DeliveryState,
    /// What the last attempt said, or what suppressed it: `silence:3`, `maintenance:4`, `alert:17`, `withdrawn`, `full`.
    pub reason: String,
    /// Journal time of the decision.
    pub made: IngestTime,
    /// Not tried before.
    pub due: IngestTime,
    pub expires: IngestTime,
    pub attempts: i64,
    pub tried: Option<IngestTime>,
    pub done: Option<IngestTime>,
    pub alerts: Vec<AlertId>,
    /// As it was or is being sent; `None`: not written yet.
    pub message: Option<Message>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryQuery {
    pub channel: Option<i64>,
    pub alert: Option<AlertId>,
    pub state: Option<DeliveryState>,
    /// Only older ones.
    pub before: Option<i64>,
    pub limit: u32,
}

/// A delivery that is to be sent now.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub id: i64,
    pub attempt: u32,
    pub message: Message,
}

pub(super) struct Order<'a> {
    pub(super) channel: i64,
    pub(super) route: &'a str,
    pub(super) kind: MessageKind,
    pub(super) at: IngestTime,
    /// Milliseconds after `at`.
    pub(super) deadline: i64,
}

pub(super) async fn put(tx: &mut Connection, order: &Order<'_>, alerts: &[AlertId]) -> Result<i64, sqlx::Error> {
    let waiting: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM delivery WHERE channel = $1 AND state IN ('queued', 'sending')")
            .bind(order.channel)
            .fetch_one(&mut *tx)
            .await?;
    if waiting >= OUTBOX_MAX {
        metrics::counter!(names::OUTBOX_FULL).increment(1);
        insert(tx, order, ("suppressed", "full"), alerts).await
    } else {
        insert(tx, order, ("queued", ""), alerts).await
    }
}

/// Lines of the log for what is not told; `targets`: (route, channel).
pub(super) async fn suppressed(
    tx: &mut Connection,
    targets: &[(String, i64)],
    by: &str,
    alerts: &[AlertId],
    at: IngestTime,
) -> Result<(), sqlx::Error> {
    for (route, channel) in targets {
        let order = Order { channel: *channel, route, kind: MessageKind::Raised, at, deadline: 0 };
        insert(tx, &order, ("suppressed", by), alerts).await?;
        metrics::counter!(names::DELIVERIES_SUPPRESSED).increment(1);
    }
    Ok(())
}

async fn insert(
    tx: &mut Connection,
    order: &Order<'_>,
    (state, reason): (&str, &str),
    alerts: &[AlertId],
) -> Result<i64, sqlx::Error> {
    let id = next(tx, "delivery").await?;
    sqlx::query(
        "INSERT INTO delivery(id, idempotency_key, channel, route, kind, state, reason, made, due, expires, attempts, maybe, tried, done, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, 0, 0, NULL, $10, NULL)",
    )
    .bind(id)
    .bind(format!("{:x}-{id}", order.at.0))
    .bind(order.channel)
    .bind(order.route)
    .bind(order.kind.code())
    .bind(state)
    .bind(reason)
    .bind(order.at.0)
    .bind(order.at.plus_ms(order.deadline).0)
    .bind((state == "suppressed").then_some(order.at.0))
    .execute(&mut *tx)
    .await?;
    for alert in alerts {
        sqlx::query("INSERT INTO delivery_alert(delivery, alert) VALUES ($1, $2)")
            .bind(id)
            .bind(alert.0)
            .execute(&mut *tx)
            .await?;
    }
    Ok(id)
}

/// A delivery in which people are told that an alert stands.
pub(super) struct Told {
    pub(super) delivery: i64,
    pub(super) channel: i64,
    pub(super) route: String,
    state: DeliveryState,
    maybe: bool,
}

impl Told {
    /// The receiver has it or may have it.
    pub(super) fn has_gone(&self) -> bool {
        match self.state {
            DeliveryState::Sent | DeliveryState::Sending => true,
            DeliveryState::Suppressed => false,
            DeliveryState::Queued | DeliveryState::Failed | DeliveryState::Expired => self.maybe,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.state == DeliveryState::Queued
    }
}

pub(super) async fn told(tx: &mut Connection, alert: AlertId) -> Result<Vec<Told>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT d.id, d.channel, d.route, d.state, d.maybe FROM delivery_alert a JOIN delivery d ON d.id = a.delivery \
         WHERE a.alert = $1 AND d.kind IN ('raised', 'escalated') ORDER BY d.id",
    );
    let rows = rows.bind(alert.0).fetch_all(tx).await?;
    rows.iter()
        .map(|row| {
            Ok(Told {
                delivery: row.try_get(0)?,
                channel: row.try_get(1)?,
                route: row.try_get(2)?,
                state: parse(row.try_get(3)?)?,
                maybe: row.try_get::<i64, _>(4)? != 0,
            })
        })
        .collect()
}

/// Takes an alert out of a delivery that was not sent; without any it is not sent at all.
pub(super) async fn take_out(
    tx: &mut Connection,
    delivery: i64,
    alert: AlertId,
    at: IngestTime,
) -> Result<(), sqlx::Error> {
    let rest: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM delivery_alert WHERE delivery = $1 AND alert <> $2")
        .bind(delivery)
        .bind(alert.0)
        .fetch_one(&mut *tx)
        .await?;
    if rest == 0 {
        metrics::counter!(names::DELIVERIES_SUPPRESSED).increment(1);
        let text = "UPDATE delivery SET state = 'suppressed', reason = 'withdrawn', done = $2 WHERE id = $1";
        sqlx::query(text).bind(delivery).bind(at.0).execute(tx).await?;
    } else {
        let text = "DELETE FROM delivery_alert WHERE delivery = $1 AND alert = $2";
        sqlx::query(text).bind(delivery).bind(alert.0).execute(&mut *tx).await?;
        // Written again without it.
        sqlx::query("UPDATE delivery SET message = NULL WHERE id = $1").bind(delivery).execute(tx).await?;
    }
    Ok(())
}

impl Notify {
    /// What was being sent when the process ended goes back into the queue.
    pub async fn recover(&self) -> Result<u64, NotifyError> {
        database::transaction!(self.db, |tx| -> Result<u64, NotifyError> {
            let text = "UPDATE delivery SET state = 'queued', maybe = 1 WHERE state = 'sending'";
            Ok(sqlx::query(text).execute(&mut *tx).await?.rows_affected())
        })
    }

    /// Gives up what could not be sent in time, and forgets the oldest of the log.
    pub async fn tidy(&self, now: IngestTime) -> Result<u64, NotifyError> {
        database::transaction!(self.db, |tx| -> Result<u64, NotifyError> {
            let text = "UPDATE delivery SET state = 'expired', done = $1 WHERE state = 'queued' AND expires < $1";
            let expired = sqlx::query(text).bind(now.0).execute(&mut *tx).await?.rows_affected();
            let old = now.plus_ms(-LOG_MS).0;
            for text in [
                "DELETE FROM delivery_alert WHERE delivery IN (SELECT id FROM delivery WHERE done < $1 ORDER BY done LIMIT 1000)",
                "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE done < $1 ORDER BY done LIMIT 1000)",
                "DELETE FROM notify_group WHERE due IS NULL AND flushed < $1",
                "DELETE FROM notify_alert WHERE is_open = 0 AND held_by = '' AND at < $1",
            ] {
                sqlx::query(text).bind(old).execute(&mut *tx).await?;
            }
            Ok(expired)
        })
    }

    /// How many wait, and the oldest decision of them.
    pub async fn waiting(&self) -> Result<(i64, Option<IngestTime>), NotifyError> {
        let text = "SELECT COUNT(*), MIN(made) FROM delivery WHERE state IN ('queued', 'sending')";
        let row = sqlx::query(text).fetch_one(&mut *self.db.read().await?).await?;
        Ok((row.try_get(0)?, row.try_get::<Option<i64>, _>(1)?.map(IngestTime)))
    }

    /// When the channel was last tried, newest first, since `since`.
    pub async fn tried_since(&self, channel: i64, since: IngestTime) -> Result<Vec<IngestTime>, NotifyError> {
        let text = "SELECT tried FROM delivery WHERE channel = $1 AND tried > $2 ORDER BY tried DESC LIMIT 600";
        let tried: Vec<i64> =
            sqlx::query_scalar(text).bind(channel).bind(since.0).fetch_all(&mut *self.db.read().await?).await?;
        Ok(tried.into_iter().map(IngestTime).collect())
    }

    /// Takes the channel's next delivery, writes its message if that was not done, and marks it as being sent.
    pub async fn claim(
        &self,
        channel: &Channel,
        facts: &Facts,
        page_url: &str,
        now: IngestTime,
    ) -> Result<Option<Claim>, NotifyError> {
        database::transaction!(self.db, |tx| -> Result<Option<Claim>, NotifyError> {
            // What was told of an alert is told before what takes it back.
            let found = sqlx::query(
                "SELECT * FROM delivery d WHERE d.channel = $1 AND d.state = 'queued' AND d.due <= $2 AND d.expires >= $2 \
                 AND NOT EXISTS (SELECT 1 FROM delivery e JOIN delivery_alert b ON b.delivery = e.id \
                 JOIN delivery_alert a ON a.alert = b.alert WHERE a.delivery = d.id AND e.channel = d.channel AND e.id < d.id \
                 AND e.state IN ('queued', 'sending')) ORDER BY d.id LIMIT 1",
            );
            let found = found.bind(channel.id).bind(now.0).fetch_optional(&mut *tx).await?;
            let Some(found) = found else { return Ok(None) };
            let row = delivery(&found)?;
            let message = match row.message {
                Some(message) => message,
                None => write(tx, &row, channel, facts, page_url).await?,
            };
            let text = serde_json::to_string(&message).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            sqlx::query(
                "UPDATE delivery SET state = 'sending', attempts = attempts + 1, tried = $2, message = $3 WHERE id = $1",
            )
            .bind(row.id)
            .bind(now.0)
            .bind(text)
            .execute(&mut *tx)
            .await?;
            Ok(Some(Claim { id: row.id, attempt: u32::try_from(row.attempts + 1).unwrap_or(u32::MAX), message }))
        })
    }

    pub async fn sent(&self, id: i64, now: IngestTime) -> Result<(), NotifyError> {
        database::transaction!(self.db, |tx| -> Result<(), NotifyError> {
            let text = "UPDATE delivery SET state = 'sent', reason = '', done = $2 WHERE id = $1 AND state = 'sending'";
            sqlx::query(text).bind(id).bind(now.0).execute(&mut *tx).await?;
            Ok(())
        })
    }

    /// An attempt that did not work; tried again at `again`.
    pub async fn failed(
        &self,
        id: i64,
        failure: &Failure,
        again: IngestTime,
        now: IngestTime,
    ) -> Result<(), NotifyError> {
        database::transaction!(self.db, |tx| -> Result<(), NotifyError> {
            let done = failure.lasting.then_some(now.0);
            sqlx::query(
                "UPDATE delivery SET state = $2, reason = $3, due = $4, done = $5, maybe = CASE WHEN $6 = 1 THEN 1 ELSE maybe END \
                 WHERE id = $1 AND state = 'sending'",
            )
            .bind(id)
            .bind(if failure.lasting { "failed" } else { "queued" })
            .bind(model::notice::cut(&failure.reason, REASON_BYTES))
            .bind(again.0)
            .bind(done)
            .bind(i64::from(failure.maybe))
            .execute(&mut *tx)
            .await?;
            Ok(())
        })
    }

    /// Newest first.
    pub async fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<DeliveryRow>, NotifyError> {
        let mut tx = self.db.snapshot().await?;
        let state = query.state.map(crate::rows::word).unwrap_or_default();
        let rows = sqlx::query(
            "SELECT * FROM delivery WHERE ($1 = 0 OR channel = $1) AND ($2 = '' OR state = $2) AND id < $3 \
             AND ($4 = 0 OR id IN (SELECT delivery FROM delivery_alert WHERE alert = $4)) ORDER BY id DESC LIMIT $5",
        )
        .bind(query.channel.unwrap_or(0))
        .bind(state)
        .bind(query.before.unwrap_or(i64::MAX))
        .bind(query.alert.map_or(0, |alert| alert.0))
        .bind(i64::from(query.limit.clamp(1, 200)))
        .fetch_all(&mut *tx)
        .await?;
        let mut found = Vec::new();
        for row in &rows {
            let mut one = delivery(row)?;
            one.alerts = alerts_of(&mut tx, one.id).await?;
            found.push(one);
        }
        tx.rollback().await?;
        Ok(found)
    }

    /// Puts a message into the channel's queue that says nothing but that it comes through.
    pub async fn test(&self, channel: i64, now: IngestTime) -> Result<DeliveryRow, NotifyError> {
        database::transaction!(self.db, |tx| -> Result<DeliveryRow, NotifyError> {
            let enabled: Option<i64> = sqlx::query_scalar("SELECT enabled FROM notify_channel WHERE id = $1")
                .bind(channel)
                .fetch_optional(&mut *tx)
                .await?;
            match enabled {
                None => return Err(NotifyError::NotFound),
                Some(0) => return Err(NotifyError::Field("enabled".into(), "the channel is switched off".into())),
                Some(_) => {}
            }
            let order = Order { channel, route: "", kind: MessageKind::Test, at: now, deadline: TEST_MS };
            let id = put(tx, &order, &[]).await?;
            let row = sqlx::query("SELECT * FROM delivery WHERE id = $1").bind(id).fetch_one(&mut *tx).await?;
            Ok(delivery(&row)?)
        })
    }

    /// Puts what failed or expired into the queue again, with a new deadline.
    pub async fn again(&self, id: i64, now: IngestTime) -> Result<DeliveryRow, NotifyError> {
        database::transaction!(self.db, |tx| -> Result<DeliveryRow, NotifyError> {
            sqlx::query(
                "UPDATE delivery SET state = 'queued', done = NULL, due = $2, expires = $2 + (expires - made), made = $2 \
                 WHERE id = $1 AND state IN ('failed', 'expired')",
            )
            .bind(id)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            let row = sqlx::query("SELECT * FROM delivery WHERE id = $1").bind(id).fetch_optional(&mut *tx).await?;
            let mut row = delivery(&row.ok_or(NotifyError::NotFound)?)?;
            row.alerts = alerts_of(tx, id).await?;
            Ok(row)
        })
    }
}

async fn write(
    tx: &mut Connection,
    row: &DeliveryRow,
    channel: &Channel,
    facts: &Facts,
    page_url: &str,
) -> Result<Message, NotifyError> {
    let rows = sqlx::query(
        "SELECT a.* FROM delivery_alert d JOIN alert a ON a.id = d.alert WHERE d.delivery = $1 ORDER BY a.id LIMIT $2",
    );
    let rows = rows.bind(row.id).bind(ALERTS_MAX).fetch_all(&mut *tx).await?;
    let alerts: Vec<_> = rows.iter().map(alert).collect::<Result<_, _>>()?;
    let total: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM delivery_alert WHERE delivery = $1")
        .bind(row.id)
        .fetch_one(tx)
        .await?;
    let text = render::Text { language: channel.settings.language, facts, page_url };
    Ok(text.message((&row.key, row.kind, row.made), &channel.name, &alerts, total))
}

async fn alerts_of(tx: &mut Connection, id: i64) -> Result<Vec<AlertId>, sqlx::Error> {
    let text = "SELECT alert FROM delivery_alert WHERE delivery = $1 ORDER BY alert LIMIT 200";
    let ids: Vec<i64> = sqlx::query_scalar(text).bind(id).fetch_all(tx).await?;
    Ok(ids.into_iter().map(AlertId).collect())
}

fn delivery(row: &database::Row) -> Result<DeliveryRow, sqlx::Error> {
    let time = |name: &str| row.try_get::<i64, _>(name).map(IngestTime);
    let some = |name: &str| row.try_get::<Option<i64>, _>(name).map(|at| at.map(IngestTime));
    let message: Option<String> = row.try_get("message")?;
    let message = message.map(|text| serde_json::from_str(&text)).transpose();
    Ok(DeliveryRow {
        id: row.try_get("id")?,
        key: row.try_get("idempotency_key")?,
        channel: row.try_get("channel")?,
        route: row.try_get("route")?,
        kind: parse(row.try_get("kind")?)?,
        state: parse(row.try_get("state")?)?,
        reason: row.try_get("reason")?,
        made: time("made")?,
        due: time("due")?,
        expires: time("expires")?,
        attempts: row.try_get("attempts")?,
        tried: some("tried")?,
        done: some("done")?,
        alerts: Vec::new(),
        message: message.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}

/// Deliveries of a channel that wait; more are not sent, but logged.
pub const OUTBOX_MAX: i64 = 2_000;
/// The log is kept for 90 days.
const LOG_MS: i64 = 90 * 86_400_000;
const TEST_MS: i64 = 600_000;
const REASON_BYTES: usize = 500;
/// Alerts that a message's data lists.
const ALERTS_MAX: i64 = 100;
