//! Everything the judge wrote as JSON lines in a fixed order: two runs over one journal must give the same bytes. What
//! people did (acknowledgements, moves) and the change counter are left out.

use crate::rows::{alert, case, evidence, history};
use database::{Database, DbError};
use sqlx::Row as _;
use std::fmt::Write as _;

/// One line per alert, case, history line of the machine and piece of evidence.
pub async fn dump_canonical(db: &Database) -> Result<String, DbError> {
    let mut tx = db.snapshot().await?;
    let mut dump = String::new();
    for row in sqlx::query("SELECT * FROM alert ORDER BY id").fetch_all(&mut *tx).await? {
        let mut alert = alert(&row)?;
        (alert.seq, alert.acknowledged_by, alert.acknowledged_at) = (0, None, None);
        line(&mut dump, "alert", &alert);
    }
    let told = "SELECT alert, number, at, what, note FROM alert_history WHERE user_id IS NULL ORDER BY alert, number";
    for row in sqlx::query(told).fetch_all(&mut *tx).await? {
        let (alert, at): (i64, i64) = (row.try_get("alert")?, row.try_get("at")?);
        line(
            &mut dump,
            "alert_history",
            &(alert, at, row.try_get::<String, _>("what")?, row.try_get::<String, _>("note")?),
        );
    }
    for row in sqlx::query("SELECT * FROM case_file ORDER BY id").fetch_all(&mut *tx).await? {
        line(&mut dump, "case", &case(&row)?);
    }
    let told = "SELECT * FROM case_history WHERE user_id IS NULL ORDER BY case_id, number";
    for row in sqlx::query(told).fetch_all(&mut *tx).await? {
        line(&mut dump, "case_history", &(row.try_get::<i64, _>("case_id")?, history(&row)?));
    }
    let pinned = "SELECT * FROM evidence ORDER BY case_id, partition_number, seq";
    for row in sqlx::query(pinned).fetch_all(&mut *tx).await? {
        line(&mut dump, "evidence", &(row.try_get::<i64, _>("case_id")?, evidence(&row)?));
    }
    tx.rollback().await?;
    Ok(dump)
}

fn line(dump: &mut String, table: &str, row: &impl serde::Serialize) {
    let text = serde_json::to_string(row).unwrap_or_else(|error| format!("\"{error}\""));
    // Writing to a String cannot fail.
    writeln!(dump, "{{\"{table}\":{text}}}").ok();
}
