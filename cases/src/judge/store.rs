//! The judge's transaction: alerts, cases, evidence, rule state and cursors, all or nothing.

use super::effect::Effect;
use super::{JudgeError, RawFrame};
use crate::dto::{AlertEvent, AlertState, CaseEvent, LiveEvent};
use crate::metrics as names;
use crate::notify::feed::{self, What};
use crate::rows::{alert, case, machine_line, next, tell_alert, tell_case, word};
use database::{Connection, Database, DbError};
use model::case::CaseState;
use model::envelope::Position;
use model::episode::{Episode, EpisodeChange, Standing};
use model::id::{AlertId, CaseId};
use model::time::{EventTime, IngestTime, local_day, local_day_text};
use rules::definition::CaseSpec;
use rules::{CompiledRule, StateRow};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use std::collections::BTreeSet;

#[derive(Clone, Copy)]
pub(super) struct Commit<'a> {
    pub(super) partition: u16,
    pub(super) effects: &'a [Effect],
    pub(super) frames: &'a [(Position, RawFrame)],
    /// With state, the cursor J moves to `told`, too.
    pub(super) state: Option<&'a [StateRow]>,
    pub(super) told: u64,
}

/// (J, E) of a partition.
pub(super) async fn cursor(db: &Database, partition: u16) -> Result<(u64, u64), JudgeError> {
    let row = sqlx::query("SELECT state_seq, effect_seq FROM judge_cursor WHERE partition_number = $1")
        .bind(i64::from(partition))
        .fetch_optional(&mut *db.read().await?)
        .await?;
    let Some(row) = row else { return Ok((0, 0)) };
    let seq = |name: &str| row.try_get::<i64, _>(name).map(|seq| u64::try_from(seq).unwrap_or(0));
    Ok((seq("state_seq")?, seq("effect_seq")?))
}

pub(super) async fn load(db: &Database, partition: u16) -> Result<Vec<StateRow>, JudgeError> {
    let rows = sqlx::query(
        "SELECT rule, subject, device, state FROM rule_state WHERE partition_number = $1 ORDER BY subject, device, rule",
    )
    .bind(i64::from(partition))
    .fetch_all(&mut *db.read().await?)
    .await?;
    let rows = rows.iter().map(|row| {
        Ok(StateRow {
            rule: row.try_get("rule")?,
            subject: row.try_get("subject")?,
            device: row.try_get("device")?,
            blob: row.try_get("state")?,
        })
    });
    Ok(rows.collect::<Result<_, sqlx::Error>>()?)
}

/// An error that will not pass by waiting: the data contradicts the tables.
pub(super) fn is_lasting(error: &JudgeError) -> bool {
    let JudgeError::Database(DbError::Sql(error)) = error else { return true };
    match error {
        sqlx::Error::Database(error) => !matches!(error.kind(), sqlx::error::ErrorKind::Other),
        sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => true,
        _ => false,
    }
}

pub(super) async fn commit(db: &Database, commit: &Commit<'_>) -> Result<Vec<LiveEvent>, JudgeError> {
    database::transaction!(db, |tx| -> Result<Vec<LiveEvent>, JudgeError> {
        let mut touched = Touched::default();
        for effect in commit.effects {
            apply(tx, effect, commit.frames, &mut touched).await?;
        }
        let seq = i64::try_from(commit.told).unwrap_or(i64::MAX);
        let state_seq = if commit.state.is_some() { seq } else { 0 };
        sqlx::query(
            "INSERT INTO judge_cursor(partition_number, state_seq, effect_seq) VALUES ($1, $2, $3) \
             ON CONFLICT(partition_number) DO UPDATE SET effect_seq = excluded.effect_seq, \
             state_seq = CASE WHEN excluded.state_seq > 0 THEN excluded.state_seq ELSE judge_cursor.state_seq END",
        )
        .bind(i64::from(commit.partition))
        .bind(state_seq)
        .bind(seq)
        .execute(&mut *tx)
        .await?;
        for row in commit.state.into_iter().flatten() {
            put_state(tx, commit.partition, row).await?;
        }
        touched.events(tx).await
    })
}

async fn put_state(tx: &mut Connection, partition: u16, row: &StateRow) -> Result<(), JudgeError> {
    sqlx::query(
        "INSERT INTO rule_state(partition_number, rule, subject, device, state) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT(partition_number, rule, subject, device) DO UPDATE SET state = excluded.state",
    )
    .bind(i64::from(partition))
    .bind(row.rule.as_str())
    .bind(row.subject)
    .bind(row.device)
    .bind(row.blob.as_slice())
    .execute(tx)
    .await?;
    Ok(())
}

/// Alerts and cases of this transaction, for the live push after it.
#[derive(Debug, Default)]
struct Touched {
    alerts: BTreeSet<i64>,
    cases: BTreeSet<i64>,
}

impl Touched {
    async fn events(&self, tx: &mut Connection) -> Result<Vec<LiveEvent>, JudgeError> {
        let mut events = Vec::new();
        for id in &self.alerts {
            let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(*id).fetch_one(&mut *tx).await?;
            events.push(LiveEvent::Alert(Box::new(AlertEvent { alert: alert(&row)? })));
        }
        for id in &self.cases {
            let row = sqlx::query("SELECT * FROM case_file WHERE id = $1").bind(*id).fetch_one(&mut *tx).await?;
            events.push(LiveEvent::Case(Box::new(CaseEvent { case: case(&row)? })));
        }
        Ok(events)
    }
}

async fn apply(
    tx: &mut Connection,
    effect: &Effect,
    frames: &[(Position, RawFrame)],
    touched: &mut Touched,
) -> Result<(), JudgeError> {
    let episode = effect.change.episode();
    let id = AlertId(episode.id.0);
    // What runs in shadow rings no bell and lights no map.
    if model::register::shadowed(&episode.rule).is_none() {
        touched.alerts.insert(id.0);
    }
    match &effect.change {
        EpisodeChange::Raised { .. } => {
            raise(tx, effect, episode).await?;
            metrics::counter!(names::ALERTS).increment(1);
            tell_alert(tx, id, effect.at, None, ("raised", "")).await?;
            feed::note(tx, id, What::Raised, effect.at, &severity(effect)).await?;
        }
        EpisodeChange::Changed { .. } => {
            let lasted = lasts(tx, id).await?;
            change(tx, effect, episode).await?;
            if episode.end.is_some() {
                tell_alert(tx, id, effect.at, None, ("ended", "")).await?;
            }
            if lasted != episode.end.is_none() {
                let what = if lasted { What::Ended } else { What::Lasting };
                feed::note(tx, id, what, effect.at, &severity(effect)).await?;
            }
        }
        EpisodeChange::Fell { .. } => {
            change(tx, effect, episode).await?;
            let what = if episode.standing == Standing::Withdrawn { "withdrawn" } else { "merged" };
            tell_alert(tx, id, effect.at, None, (what, "")).await?;
            feed::note(tx, id, What::Withdrawn, effect.at, &severity(effect)).await?;
            let joined: Option<i64> = sqlx::query_scalar("SELECT case_id FROM case_episode WHERE episode = $1")
                .bind(id.0)
                .fetch_optional(&mut *tx)
                .await?;
            if let Some(joined) = joined {
                let line = machine_line(effect.at, &format!("episode_{what}"), episode.id);
                tell_case(tx, CaseId(joined), &line).await?;
                touch_case(tx, CaseId(joined), effect.at).await?;
                touched.cases.insert(joined);
            }
        }
        EpisodeChange::Settled { .. } => {
            change(tx, effect, episode).await?;
            if let (Some(rule), Some(due)) = (&effect.rule, effect.review_due)
                && let Some(spec) = &rule.case
            {
                let order = Order { effect, episode, rule, spec, due };
                register(tx, &order, frames, touched).await?;
            }
        }
    }
    Ok(())
}

async fn lasts(tx: &mut Connection, id: AlertId) -> Result<bool, sqlx::Error> {
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM alert WHERE id = $1").bind(id.0).fetch_optional(tx).await?;
    Ok(matches!(state.as_deref(), Some("open" | "acknowledged")))
}

/// As the page has it: a rule that opens no cases is of low severity.
fn severity(effect: &Effect) -> String {
    effect
        .rule
        .as_ref()
        .and_then(|rule| rule.case.as_ref())
        .map_or_else(|| "low".to_owned(), |case| word(case.severity))
}

async fn raise(tx: &mut Connection, effect: &Effect, episode: &Episode) -> Result<(), JudgeError> {
    let state = if episode.end.is_some() { AlertState::Cleared } else { AlertState::Open };
    let seq = next(tx, "alert_seq").await?;
    let rule = effect.rule.as_deref();
    sqlx::query(
        "INSERT INTO alert(id, seq, state, rule, rule_version, rule_name_zh, rule_name_en, demo, class, subject, subject_name, device, \
         grid, office, raised, changed, episode, details) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(episode.id.0)
    .bind(seq)
    .bind(word(state))
    .bind(episode.rule.as_str())
    .bind(i64::from(episode.rule_version))
    .bind(rule.map_or("", |rule| rule.name_zh.as_str()))
    .bind(rule.map_or("", |rule| rule.name_en.as_str()))
    .bind(i64::from(rule.is_some_and(|rule| rule.demo)))
    .bind(word(episode.class))
    .bind(episode.subject.0)
    .bind(effect.subject_name.as_str())
    .bind(episode.device.0)
    .bind(effect.grid.map(|grid| grid.0))
    .bind(effect.office.map(|office| office.0))
    .bind(episode.raised.0)
    .bind(effect.at.0)
    .bind(json(episode)?)
    .bind(effect.details.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

async fn change(tx: &mut Connection, effect: &Effect, episode: &Episode) -> Result<(), JudgeError> {
    let (seen, unseen) = if episode.standing != Standing::Stands {
        (AlertState::Withdrawn, AlertState::Withdrawn)
    } else if episode.end.is_some() {
        (AlertState::Cleared, AlertState::Cleared)
    } else {
        (AlertState::Acknowledged, AlertState::Open)
    };
    let seq = next(tx, "alert_seq").await?;
    let rule = effect.rule.as_deref();
    // Late data may have moved the start before the activation of a version, and the pin with it.
    sqlx::query(
        "UPDATE alert SET seq = $2, state = CASE WHEN acknowledged_at IS NULL THEN $3 ELSE $4 END, \
         episode = $5, changed = $6, details = $7, rule_version = $8, rule_name_zh = $9, rule_name_en = $10, \
         demo = $11, class = $12 WHERE id = $1",
    )
    .bind(episode.id.0)
    .bind(seq)
    .bind(word(unseen))
    .bind(word(seen))
    .bind(json(episode)?)
    .bind(effect.at.0)
    .bind(effect.details.to_string())
    .bind(i64::from(episode.rule_version))
    .bind(rule.map_or("", |rule| rule.name_zh.as_str()))
    .bind(rule.map_or("", |rule| rule.name_en.as_str()))
    .bind(i64::from(rule.is_some_and(|rule| rule.demo)))
    .bind(word(episode.class))
    .execute(tx)
    .await?;
    Ok(())
}

/// A case that is to be opened or joined.
struct Order<'a> {
    effect: &'a Effect,
    episode: &'a Episode,
    rule: &'a CompiledRule,
    spec: &'a CaseSpec,
    due: IngestTime,
}

async fn register(
    tx: &mut Connection,
    order: &Order<'_>,
    frames: &[(Position, RawFrame)],
    touched: &mut Touched,
) -> Result<(), JudgeError> {
    let (at, episode) = (order.effect.at, order.episode);
    let open: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM case_file WHERE subject = $1 AND rule = $2 AND state NOT IN ('closed', 'rejected', 'voided') \
         ORDER BY id LIMIT 1",
    )
    .bind(episode.subject.0)
    .bind(episode.rule.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    let (id, what) = if let Some(id) = open {
        sqlx::query("UPDATE case_file SET episodes = episodes + 1 WHERE id = $1").bind(id).execute(&mut *tx).await?;
        touch_case(tx, CaseId(id), at).await?;
        (id, "episode_joined")
    } else {
        let Some(id) = open_case(tx, order).await? else {
            metrics::counter!(names::CASES_CAPPED).increment(1);
            tell_alert(tx, AlertId(episode.id.0), at, None, ("case_capped", "")).await?;
            return Ok(());
        };
        (id, "registered")
    };
    let mut line = machine_line(at, what, episode.id);
    if what == "registered" {
        line.to = Some(CaseState::Registered);
        line.office = order.effect.office;
    }
    tell_case(tx, CaseId(id), &line).await?;
    sqlx::query("INSERT INTO case_episode(episode, case_id) VALUES ($1, $2)")
        .bind(episode.id.0)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE alert SET case_id = $2 WHERE id = $1").bind(episode.id.0).bind(id).execute(&mut *tx).await?;
    for position in &episode.evidence {
        let frame = frames.iter().find(|(known, _)| known == position).map(|(_, frame)| frame);
        pin(tx, CaseId(id), order, *position, frame).await?;
    }
    touched.cases.insert(id);
    Ok(())
}

/// `None`: the rule's cap for the day is reached.
async fn open_case(tx: &mut Connection, order: &Order<'_>) -> Result<Option<i64>, JudgeError> {
    let Order { effect, episode, rule, spec, due } = order;
    let day = local_day(EventTime(effect.at.0));
    let opened: i64 = sqlx::query_scalar(
        "INSERT INTO rule_day(rule, day, opened, capped) VALUES ($1, $2, 0, 0) \
         ON CONFLICT(rule, day) DO UPDATE SET capped = rule_day.capped RETURNING opened",
    )
    .bind(rule.code.as_str())
    .bind(day)
    .fetch_one(&mut *tx)
    .await?;
    if opened >= i64::from(spec.per_day_max) {
        sqlx::query("UPDATE rule_day SET capped = capped + 1 WHERE rule = $1 AND day = $2")
            .bind(rule.code.as_str())
            .bind(day)
            .execute(&mut *tx)
            .await?;
        return Ok(None);
    }
    sqlx::query("UPDATE rule_day SET opened = opened + 1 WHERE rule = $1 AND day = $2")
        .bind(rule.code.as_str())
        .bind(day)
        .execute(&mut *tx)
        .await?;
    let id = next(tx, "case").await?;
    let number = format!("{}-{id:06}", local_day_text(day).get(..4).unwrap_or("0000"));
    sqlx::query(
        "INSERT INTO case_file(id, number, version, state, source, category, category_name, is_local_extension, severity, demo, rule, \
         rule_version, subject, subject_name, grid, office, opened, happened, review_due, closed, changed, episodes) \
         VALUES ($1, $2, 1, 'registered', 'iot', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, NULL, $14, 1)",
    )
    .bind(id)
    .bind(number)
    .bind(spec.category.as_str())
    .bind(spec.name.as_str())
    .bind(i64::from(spec.is_local_extension))
    .bind(word(spec.severity))
    .bind(i64::from(rule.demo))
    .bind(rule.code.as_str())
    .bind(i64::from(episode.rule_version))
    .bind(episode.subject.0)
    .bind(effect.subject_name.as_str())
    .bind(effect.grid.map(|grid| grid.0))
    .bind(effect.office.map(|office| office.0))
    .bind(effect.at.0)
    .bind(episode.start.0)
    .bind(due.0)
    .execute(tx)
    .await?;
    metrics::counter!(names::CASES).increment(1);
    Ok(Some(id))
}

/// Copies a raw frame into the evidence store; a frame that is gone is noted with an empty hash.
async fn pin(
    tx: &mut Connection,
    case: CaseId,
    order: &Order<'_>,
    position: Position,
    frame: Option<&RawFrame>,
) -> Result<(), JudgeError> {
    let raw: &[u8] = frame.map_or(&[], |frame| &frame.raw);
    let hash = frame.map_or_else(String::new, |frame| hex(&Sha256::digest(&frame.raw)));
    sqlx::query(
        "INSERT INTO evidence(case_id, partition_number, seq, episode, sha256, bytes, received, channel, pinned, raw) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT(case_id, partition_number, seq) DO NOTHING",
    )
    .bind(case.0)
    .bind(i64::from(position.partition))
    .bind(i64::try_from(position.seq).unwrap_or(i64::MAX))
    .bind(order.episode.id.0)
    .bind(hash)
    .bind(i64::try_from(raw.len()).unwrap_or(i64::MAX))
    .bind(frame.map(|frame| frame.received.0))
    .bind(frame.map_or("", |frame| frame.channel.as_str()))
    .bind(order.effect.at.0)
    .bind(raw)
    .execute(tx)
    .await?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// The machine's changes leave the version alone, so that they make no person's move stale.
async fn touch_case(tx: &mut Connection, case: CaseId, at: IngestTime) -> Result<(), JudgeError> {
    sqlx::query("UPDATE case_file SET changed = $2 WHERE id = $1").bind(case.0).bind(at.0).execute(tx).await?;
    Ok(())
}

fn json(episode: &Episode) -> Result<String, JudgeError> {
    Ok(serde_json::to_string(episode).map_err(|error| sqlx::Error::Encode(Box::new(error)))?)
}
