//! What the judge wrote as JSON lines in a fixed order: two runs over one journal must give the same bytes.
//!
//! | section | what | a replay of the journal |
//! |---|---|---|
//! | decided | alerts as the machine leaves them, their history, and each episode whose case fell due | gives the same bytes, always |
//! | cases | which file each of them went into, and what was pinned | the same as long as no person moved a case: a closed file is not joined |
//! | people | moves, notes and acknowledgements | cannot know them: people's moves are not in the journal |
//!
//! The change counter is left out, being about this store and not about the decisions.

use crate::dto::AlertState;
use crate::rows::{alert, case, evidence, history};
use database::{Connection, Database, DbError};
use sqlx::Row as _;
use std::fmt::Write as _;

/// All sections; the last one only when people did something.
pub async fn dump_canonical(db: &Database) -> Result<String, DbError> {
    let mut tx = db.snapshot().await?;
    let mut dump = String::new();
    decided(&mut tx, &mut dump).await?;
    files(&mut tx, &mut dump).await?;
    people(&mut tx, &mut dump).await?;
    tx.rollback().await?;
    Ok(dump)
}

/// The first section alone: the verdict set, which no person's move changes.
pub async fn dump_decided(db: &Database) -> Result<String, DbError> {
    let mut tx = db.snapshot().await?;
    let mut dump = String::new();
    decided(&mut tx, &mut dump).await?;
    tx.rollback().await?;
    Ok(dump)
}

async fn decided(tx: &mut Connection, dump: &mut String) -> Result<(), DbError> {
    for row in sqlx::query("SELECT * FROM alert ORDER BY id").fetch_all(&mut *tx).await? {
        let mut alert = alert(&row)?;
        (alert.seq, alert.acknowledged_by, alert.acknowledged_at, alert.case) = (0, None, None, None);
        alert.assignee = None;
        if alert.state == AlertState::Acknowledged {
            alert.state = AlertState::Open;
        }
        line(dump, "alert", &alert);
    }
    let told = "SELECT alert, number, at, what, note FROM alert_history WHERE user_id IS NULL AND what IN ('raised', 'ended', 'withdrawn', 'merged') \
                ORDER BY alert, number";
    for row in sqlx::query(told).fetch_all(&mut *tx).await? {
        let (alert, at): (i64, i64) = (row.try_get("alert")?, row.try_get("at")?);
        line(dump, "alert_history", &(alert, at, row.try_get::<String, _>("what")?, row.try_get::<String, _>("note")?));
    }
    // Whether it opened a file, joined one or met the day's cap depends on the files that people had closed by then.
    let due = "SELECT episode, at FROM case_history WHERE user_id IS NULL AND what IN ('registered', 'episode_joined') \
               UNION ALL SELECT alert AS episode, at FROM alert_history WHERE user_id IS NULL AND what = 'case_capped' \
               ORDER BY 1, 2";
    for row in sqlx::query(due).fetch_all(&mut *tx).await? {
        line(dump, "case_due", &(row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?));
    }
    Ok(())
}

async fn files(tx: &mut Connection, dump: &mut String) -> Result<(), DbError> {
    line(dump, "section", &"cases; the same in a replay as long as no person moved one");
    for row in sqlx::query("SELECT * FROM case_file ORDER BY id").fetch_all(&mut *tx).await? {
        line(dump, "case", &case(&row)?);
    }
    let told = "SELECT * FROM case_history WHERE user_id IS NULL ORDER BY case_id, number";
    for row in sqlx::query(told).fetch_all(&mut *tx).await? {
        line(dump, "case_history", &(row.try_get::<i64, _>("case_id")?, history(&row)?));
    }
    let capped =
        "SELECT alert, at FROM alert_history WHERE user_id IS NULL AND what = 'case_capped' ORDER BY alert, at";
    for row in sqlx::query(capped).fetch_all(&mut *tx).await? {
        line(dump, "case_capped", &(row.try_get::<i64, _>("alert")?, row.try_get::<i64, _>("at")?));
    }
    let pinned = "SELECT * FROM evidence ORDER BY case_id, partition_number, seq";
    for row in sqlx::query(pinned).fetch_all(&mut *tx).await? {
        line(dump, "evidence", &(row.try_get::<i64, _>("case_id")?, evidence(&row)?));
    }
    Ok(())
}

async fn people(tx: &mut Connection, dump: &mut String) -> Result<(), DbError> {
    let mut own = String::new();
    let told = "SELECT * FROM case_history WHERE user_id IS NOT NULL ORDER BY case_id, number";
    for row in sqlx::query(told).fetch_all(&mut *tx).await? {
        line(&mut own, "case_history", &(row.try_get::<i64, _>("case_id")?, history(&row)?));
    }
    let told =
        "SELECT alert, at, user_name, what, note FROM alert_history WHERE user_id IS NOT NULL ORDER BY alert, number";
    for row in sqlx::query(told).fetch_all(&mut *tx).await? {
        let (alert, at): (i64, i64) = (row.try_get("alert")?, row.try_get("at")?);
        let text = |name: &str| row.try_get::<String, _>(name);
        line(&mut own, "alert_history", &(alert, at, text("user_name")?, text("what")?, text("note")?));
    }
    if !own.is_empty() {
        line(dump, "section", &"people; not in the journal, so a replay does not derive it");
        dump.push_str(&own);
    }
    Ok(())
}

fn line(dump: &mut String, table: &str, row: &impl serde::Serialize) {
    let text = serde_json::to_string(row).unwrap_or_else(|error| format!("\"{error}\""));
    // Writing to a String cannot fail.
    writeln!(dump, "{{\"{table}\":{text}}}").ok();
}
