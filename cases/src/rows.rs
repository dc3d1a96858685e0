//! Rows of this crate's tables into [`crate::dto`] and back; words of closed sets as text.

use crate::dto::{AlertRow, AlertState, CaseRow, EvidenceRow, HistoryRow};
use model::id::{AlertId, CaseId, DeviceId, EpisodeId, GridId, OfficeId, SubjectId, UserId};
use model::time::{EventTime, IngestTime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;

pub(crate) const COMPONENT: database::Component =
    database::Component { name: "cases", migrations: &[include_str!("schema.sql"), include_str!("schema_2.sql")] };

/// The word of a unit variant, as in the API.
pub(crate) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Its reverse.
pub(crate) fn parse<T: DeserializeOwned>(word: String) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A number of a row that fits its type by construction.
fn fits<T: TryFrom<i64>>(number: i64) -> Result<T, sqlx::Error> {
    T::try_from(number).map_err(|_| sqlx::Error::Decode(format!("{number} does not fit").into()))
}

pub(crate) fn alert(row: &database::Row) -> Result<AlertRow, sqlx::Error> {
    Ok(AlertRow {
        id: AlertId(row.try_get("id")?),
        seq: row.try_get("seq")?,
        state: parse::<AlertState>(row.try_get("state")?)?,
        rule: row.try_get("rule")?,
        rule_version: fits(row.try_get("rule_version")?)?,
        rule_name_zh: row.try_get("rule_name_zh")?,
        rule_name_en: row.try_get("rule_name_en")?,
        demo: row.try_get::<i64, _>("demo")? != 0,
        class: parse(row.try_get("class")?)?,
        subject: SubjectId(row.try_get("subject")?),
        subject_name: row.try_get("subject_name")?,
        device: DeviceId(row.try_get("device")?),
        grid: row.try_get::<Option<i64>, _>("grid")?.map(GridId),
        office: row.try_get::<Option<i64>, _>("office")?.map(OfficeId),
        episode: json(&row.try_get::<String, _>("episode")?)?,
        case: row.try_get::<Option<i64>, _>("case_id")?.map(CaseId),
        raised: IngestTime(row.try_get("raised")?),
        changed: IngestTime(row.try_get("changed")?),
        acknowledged_by: row.try_get::<Option<i64>, _>("acknowledged_by")?.map(UserId),
        acknowledged_at: row.try_get::<Option<i64>, _>("acknowledged_at")?.map(IngestTime),
        assignee: row.try_get::<Option<i64>, _>("assignee")?.map(UserId),
        details: json(&row.try_get::<String, _>("details")?)?,
    })
}

pub(crate) fn case(row: &database::Row) -> Result<CaseRow, sqlx::Error> {
    Ok(CaseRow {
        id: CaseId(row.try_get("id")?),
        number: row.try_get("number")?,
        version: row.try_get("version")?,
        state: parse(row.try_get("state")?)?,
        source: row.try_get("source")?,
        category: row.try_get("category")?,
        category_name: row.try_get("category_name")?,
        is_local_extension: row.try_get::<i64, _>("is_local_extension")? != 0,
        severity: row.try_get("severity")?,
        demo: row.try_get::<i64, _>("demo")? != 0,
        rule: row.try_get("rule")?,
        rule_version: fits(row.try_get("rule_version")?)?,
        subject: SubjectId(row.try_get("subject")?),
        subject_name: row.try_get("subject_name")?,
        grid: row.try_get::<Option<i64>, _>("grid")?.map(GridId),
        office: row.try_get::<Option<i64>, _>("office")?.map(OfficeId),
        opened: IngestTime(row.try_get("opened")?),
        happened: EventTime(row.try_get("happened")?),
        review_due: IngestTime(row.try_get("review_due")?),
        closed: row.try_get::<Option<i64>, _>("closed")?.map(IngestTime),
        changed: IngestTime(row.try_get("changed")?),
        episodes: row.try_get("episodes")?,
    })
}

pub(crate) fn history(row: &database::Row) -> Result<HistoryRow, sqlx::Error> {
    Ok(HistoryRow {
        number: row.try_get("number")?,
        at: IngestTime(row.try_get("at")?),
        user: row.try_get::<Option<i64>, _>("user_id")?.map(UserId),
        user_name: row.try_get("user_name")?,
        what: row.try_get("what")?,
        wanted: row.try_get::<Option<String>, _>("wanted")?.map(parse).transpose()?,
        from: row.try_get::<Option<String>, _>("from_state")?.map(parse).transpose()?,
        to: row.try_get::<Option<String>, _>("to_state")?.map(parse).transpose()?,
        office: row.try_get::<Option<i64>, _>("office")?.map(OfficeId),
        reason: row.try_get("reason")?,
        note: row.try_get("note")?,
        episode: row.try_get::<Option<i64>, _>("episode")?.map(EpisodeId),
    })
}

pub(crate) fn evidence(row: &database::Row) -> Result<EvidenceRow, sqlx::Error> {
    Ok(EvidenceRow {
        episode: EpisodeId(row.try_get("episode")?),
        partition: fits(row.try_get("partition_number")?)?,
        seq: row.try_get("seq")?,
        sha256: row.try_get("sha256")?,
        bytes: row.try_get("bytes")?,
        received: row.try_get::<Option<i64>, _>("received")?.map(IngestTime),
        channel: row.try_get("channel")?,
        pinned: IngestTime(row.try_get("pinned")?),
    })
}

/// The next number of a counter.
pub(crate) async fn next(tx: &mut database::Connection, counter: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE case_counter SET value = value + 1 WHERE name = $1 RETURNING value")
        .bind(counter)
        .fetch_one(tx)
        .await
}

/// One line more in a case's history.
pub(crate) async fn tell_case(
    tx: &mut database::Connection,
    case: CaseId,
    line: &HistoryRow,
) -> Result<i64, sqlx::Error> {
    let number: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) + 1 FROM case_history WHERE case_id = $1")
        .bind(case.0)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO case_history(case_id, number, at, user_id, user_name, what, wanted, from_state, to_state, office, reason, note, episode) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(case.0)
    .bind(number)
    .bind(line.at.0)
    .bind(line.user.map(|user| user.0))
    .bind(line.user_name.as_str())
    .bind(line.what.as_str())
    .bind(line.wanted.map(word))
    .bind(line.from.map(word))
    .bind(line.to.map(word))
    .bind(line.office.map(|office| office.0))
    .bind(line.reason.as_str())
    .bind(line.note.as_str())
    .bind(line.episode.map(|episode| episode.0))
    .execute(tx)
    .await?;
    Ok(number)
}

/// One line more in an alert's history. `user`: `None` is the machine.
pub(crate) async fn tell_alert(
    tx: &mut database::Connection,
    alert: AlertId,
    at: IngestTime,
    user: Option<(UserId, &str)>,
    (what, note): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO alert_history(alert, number, at, user_id, user_name, what, note) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM alert_history WHERE alert = $1",
    )
    .bind(alert.0)
    .bind(at.0)
    .bind(user.map(|(user, _)| user.0))
    .bind(user.map_or("", |(_, name)| name))
    .bind(what)
    .bind(note)
    .execute(tx)
    .await?;
    Ok(())
}

/// A line by the machine.
pub(crate) fn machine_line(at: IngestTime, what: &str, episode: EpisodeId) -> HistoryRow {
    HistoryRow {
        number: 0,
        at,
        user: None,
        user_name: String::new(),
        what: what.to_owned(),
        wanted: None,
        from: None,
        to: None,
        office: None,
        reason: String::new(),
        note: String::new(),
        episode: Some(episode),
    }
}
