//! Drafts of rules: what one person writes becomes live only when it passed its tests, ran in shadow and another person approved it.
//!
//! ```text
//! draft ──test──▶ draft ──shadow──▶ shadow ──backtest──▶ shadow ──submit──▶ submitted ──approve──▶ live
//!   ▲                                 │                                         │ reject
//!   └───────────── edit ──────────────┴─────────────────────────────────────────┘
//! ```
//!
//! A step is a fact about one exact text (its digest): an edit takes tests, shadow and backtest back. Whoever wrote any of the text
//! approves nothing of it. Switching a rule off needs one person and no draft ([`Ledger::switch_off_rule`]).

use crate::audit::{self, Change};
use crate::error::{LedgerError, Problem};
use crate::files::RuleCheck;
use crate::store::{Author, Ledger};
use database::{Connection, Row};
use model::register::shadow_code;
use model::time::IngestTime;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::Row as _;

/// Runs a rule's tests: how many there are and how many failed, or the problems of the files.
pub type RuleTests<'a> = &'a (dyn Fn(&str, &str) -> Result<(usize, usize), Vec<Problem>> + Send + Sync);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftState {
    Draft,
    /// Its alerts are marked and open no case.
    Shadow,
    /// Another person must look.
    Submitted,
    Live,
    Withdrawn,
}

impl DraftState {
    const ALL: [Self; 5] = [Self::Draft, Self::Shadow, Self::Submitted, Self::Live, Self::Withdrawn];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Submitted => "submitted",
            Self::Live => "live",
            Self::Withdrawn => "withdrawn",
        }
    }

    const fn is_over(self) -> bool {
        matches!(self, Self::Live | Self::Withdrawn)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleDraft {
    pub id: i64,
    pub code: String,
    /// The live version it was written against; 0 for a new rule.
    pub base: u32,
    pub state: DraftState,
    pub text: String,
    pub tests: String,
    pub author: String,
    pub created: IngestTime,
    pub changed: IngestTime,
    pub steps: Vec<DraftStep>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DraftStep {
    pub number: u32,
    pub at: IngestTime,
    pub who: String,
    /// `written`, `tested`, `shadowed`, `backtested`, `submitted`, `approved`, `rejected`, `withdrawn`.
    pub what: String,
    /// Of the text and tests it is about.
    pub digest: String,
    pub note: String,
}

impl RuleDraft {
    pub fn digest(&self) -> String {
        digest(&self.text, &self.tests)
    }

    /// Whether a step was made with exactly this text.
    pub fn has(&self, what: &str) -> bool {
        let digest = self.digest();
        self.steps.iter().any(|step| step.what == what && step.digest == digest)
    }

    /// Everyone who wrote any of it.
    pub fn writers(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.steps.iter().filter(|step| step.what == "written").map(|step| step.who.as_str()).collect();
        names.push(&self.author);
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Ledger {
    /// Begins a draft, or replaces the text of the one that is under way for the same rule and is the author's to change.
    ///
    /// # Errors
    /// [`LedgerError::Invalid`] with every problem of the rule or its tests; failing tests are told by [`Self::test_draft`].
    pub async fn write_draft(
        &self,
        author: &Author,
        code: &str,
        (text, tests): (&str, &str),
        check: RuleCheck<'_>,
    ) -> Result<RuleDraft, LedgerError> {
        let problems = check(text);
        if !problems.is_empty() {
            return Err(LedgerError::Invalid(problems));
        }
        if text.len() > TEXT_MAX || tests.len() > TEXT_MAX {
            return Err(LedgerError::one("text", format!("at most {TEXT_MAX} bytes")));
        }
        let base = self.facts_now().rules.get(code).map_or(0, |rule| rule.version);
        let at = self.now();
        let under_way = self.drafts(Some(code)).await?.into_iter().find(|draft| !draft.state.is_over());
        if let Some(old) = &under_way {
            self.end_shadow(author, old).await?;
        }
        let id = database::transaction!(self.db(), |tx| -> Result<i64, LedgerError> {
            let id = match &under_way {
                Some(old) => {
                    sqlx::query("UPDATE rule_draft SET text = $1, tests = $2, base = $3, state = 'draft', changed = $4 WHERE id = $5")
                        .bind(text.to_owned())
                        .bind(tests.to_owned())
                        .bind(i64::from(base))
                        .bind(at.as_ms())
                        .bind(old.id)
                        .execute(&mut *tx)
                        .await?;
                    old.id
                }
                None => {
                    sqlx::query_scalar(
                        "INSERT INTO rule_draft(code, base, state, text, tests, author, created, changed) \
                         VALUES ($1, $2, 'draft', $3, $4, $5, $6, $6) RETURNING id",
                    )
                    .bind(code.to_owned())
                    .bind(i64::from(base))
                    .bind(text.to_owned())
                    .bind(tests.to_owned())
                    .bind(author.name.clone())
                    .bind(at.as_ms())
                    .fetch_one(&mut *tx)
                    .await?
                }
            };
            let step = Step { id, what: "written", digest: digest(text, tests), note: String::new() };
            write_step(tx, (at, author), &step).await?;
            Ok(id)
        })?;
        self.draft(id).await
    }

    /// Runs its tests and writes down that they pass.
    ///
    /// # Errors
    /// [`LedgerError::Invalid`] when there are none, or some fail.
    pub async fn test_draft(&self, author: &Author, id: i64, run: RuleTests<'_>) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        let (count, failed) = run(&draft.text, &draft.tests).map_err(LedgerError::Invalid)?;
        if failed > 0 || count == 0 {
            return Err(LedgerError::one(
                "tests",
                format!("{failed} of {count} tests failed; mend the rule or its tests"),
            ));
        }
        self.step(author, &draft, "tested", draft.state, &format!("{count} tests")).await
    }

    /// Writes down what a backtest of exactly this text found.
    pub async fn note_backtest(&self, author: &Author, id: i64, found: &str) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        self.step(author, &draft, "backtested", draft.state, found).await
    }

    /// Lets it run beside the live version: marked alerts, no cases, no notifications.
    pub async fn shadow_draft(&self, author: &Author, id: i64, check: RuleCheck<'_>) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        if draft.state != DraftState::Draft {
            return Err(LedgerError::Refused("it runs in shadow already, or waits for its approval"));
        }
        needs(&draft, "tested", "its tests have not passed with this text; run them first")?;
        self.set_rule(author, &shadow_code(&draft.code), &draft.text, true, check).await?;
        self.step(author, &draft, "shadowed", DraftState::Shadow, "").await
    }

    /// Asks another person to approve it.
    pub async fn submit_draft(&self, author: &Author, id: i64, note: &str) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        needs(&draft, "shadowed", "it has not run in shadow with this text; begin its shadow first")?;
        needs(&draft, "backtested", "it was not backtested with this text; backtest it first")?;
        self.step(author, &draft, "submitted", DraftState::Submitted, note).await
    }

    /// Makes it live. Whoever wrote any of it may not.
    pub async fn approve_draft(
        &self,
        author: &Author,
        id: i64,
        note: &str,
        check: RuleCheck<'_>,
    ) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        if draft.state != DraftState::Submitted {
            return Err(LedgerError::Refused("it was not submitted for approval"));
        }
        if draft.writers().contains(&author.name.as_str()) {
            return Err(LedgerError::Refused("who wrote a rule may not approve it; ask another person"));
        }
        let facts = self.facts_now();
        let live = facts.rules.get(&draft.code);
        let done_before = live.is_some_and(|live| live.text == draft.text && live.active);
        if !done_before && live.map_or(0, |live| live.version) != draft.base {
            return Err(LedgerError::Refused(
                "another version went live since it was written; write it against that one",
            ));
        }
        self.set_rule(author, &draft.code, &draft.text, true, check).await?;
        self.end_shadow(author, &draft).await?;
        self.step(author, &draft, "approved", DraftState::Live, note).await
    }

    /// Sends it back to its author. It keeps running in shadow.
    pub async fn reject_draft(&self, author: &Author, id: i64, note: &str) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        if draft.state != DraftState::Submitted {
            return Err(LedgerError::Refused("it was not submitted for approval"));
        }
        if note.trim().is_empty() {
            return Err(LedgerError::one("note", "say why; the author reads it"));
        }
        self.step(author, &draft, "rejected", DraftState::Shadow, note).await
    }

    /// Gives it up and ends its shadow.
    pub async fn withdraw_draft(&self, author: &Author, id: i64, note: &str) -> Result<RuleDraft, LedgerError> {
        let draft = self.open_draft(id).await?;
        self.end_shadow(author, &draft).await?;
        self.step(author, &draft, "withdrawn", DraftState::Withdrawn, note).await
    }

    /// The emergency switch: one person, at once, with a reason that stays in the audit.
    pub async fn switch_off_rule(&self, author: &Author, code: &str, note: &str) -> Result<(), LedgerError> {
        let facts = self.facts_now();
        let live = facts.rules.get(code).ok_or_else(|| LedgerError::NotFound(format!("rule {code}")))?;
        if note.trim().is_empty() {
            return Err(LedgerError::one("note", "say why; it stays in the audit"));
        }
        self.set_rule(author, code, &live.text, false, &|_| Vec::new()).await?;
        self.audit().record(author, "rule_switched_off", "rule", code, (None, Some(note))).await
    }

    /// Drafts of a rule, or of all; the newest first, at most 500, with their steps.
    pub async fn drafts(&self, code: Option<&str>) -> Result<Vec<RuleDraft>, LedgerError> {
        let mut connection = self.db().read().await?;
        let rows = sqlx::query(
            "SELECT id, code, base, state, text, tests, author, created, changed FROM rule_draft \
             WHERE $1 = '' OR code = $1 ORDER BY id DESC LIMIT 500",
        )
        .bind(code.unwrap_or_default().to_owned())
        .fetch_all(&mut *connection)
        .await?;
        let mut drafts = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for draft in &mut drafts {
            draft.steps = steps(&mut connection, draft.id).await?;
        }
        Ok(drafts)
    }

    pub async fn draft(&self, id: i64) -> Result<RuleDraft, LedgerError> {
        let mut connection = self.db().read().await?;
        let row = sqlx::query(
            "SELECT id, code, base, state, text, tests, author, created, changed FROM rule_draft WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        let mut draft = read(&row.ok_or_else(|| LedgerError::NotFound(format!("draft {id}")))?)?;
        draft.steps = steps(&mut connection, id).await?;
        Ok(draft)
    }

    async fn open_draft(&self, id: i64) -> Result<RuleDraft, LedgerError> {
        let draft = self.draft(id).await?;
        if draft.state.is_over() {
            return Err(LedgerError::Refused("it is live or was withdrawn; begin another draft"));
        }
        Ok(draft)
    }

    async fn end_shadow(&self, author: &Author, draft: &RuleDraft) -> Result<(), LedgerError> {
        let code = shadow_code(&draft.code);
        let facts = self.facts_now();
        if let Some(shadow) = facts.rules.get(&code).filter(|shadow| shadow.active) {
            self.set_rule(author, &code, &shadow.text, false, &|_| Vec::new()).await?;
        }
        Ok(())
    }

    async fn step(
        &self,
        author: &Author,
        draft: &RuleDraft,
        what: &'static str,
        state: DraftState,
        note: &str,
    ) -> Result<RuleDraft, LedgerError> {
        if note.len() > NOTE_MAX {
            return Err(LedgerError::one("note", format!("at most {NOTE_MAX} bytes")));
        }
        let at = self.now();
        database::transaction!(self.db(), |tx| -> Result<(), LedgerError> {
            // What was read may have been changed by another person since.
            let done = sqlx::query(
                "UPDATE rule_draft SET state = $1, changed = $2 WHERE id = $3 AND state = $4 AND changed = $5",
            )
            .bind(state.code())
            .bind(at.as_ms().max(draft.changed.as_ms() + 1))
            .bind(draft.id)
            .bind(draft.state.code())
            .bind(draft.changed.as_ms())
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                return Err(LedgerError::Refused("another person changed the draft meanwhile; look at it again"));
            }
            let step = Step { id: draft.id, what, digest: draft.digest(), note: note.to_owned() };
            write_step(tx, (at, author), &step).await?;
            Ok(())
        })?;
        self.draft(draft.id).await
    }
}

fn needs(draft: &RuleDraft, what: &str, told: &'static str) -> Result<(), LedgerError> {
    if draft.has(what) { Ok(()) } else { Err(LedgerError::Refused(told)) }
}

struct Step {
    id: i64,
    what: &'static str,
    digest: String,
    note: String,
}

async fn write_step(tx: &mut Connection, (at, author): (IngestTime, &Author), step: &Step) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO rule_draft_step(draft, number, at, who, what, digest, note) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM rule_draft_step WHERE draft = $1",
    )
    .bind(step.id)
    .bind(at.as_ms())
    .bind(author.name.clone())
    .bind(step.what)
    .bind(step.digest.clone())
    .bind(step.note.clone())
    .execute(&mut *tx)
    .await?;
    let (what, key) = (format!("rule_draft_{}", step.what), step.id.to_string());
    let change = Change { what: &what, kind: "rule_draft", key: &key, before: None, after: Some(&step.note) };
    audit::write(tx, at, author, change).await?;
    Ok(())
}

fn read(row: &Row) -> Result<RuleDraft, LedgerError> {
    let state: String = row.try_get(3)?;
    let known = DraftState::ALL.into_iter().find(|known| known.code() == state);
    Ok(RuleDraft {
        id: row.try_get(0)?,
        code: row.try_get(1)?,
        base: u32::try_from(row.try_get::<i64, _>(2)?).unwrap_or_default(),
        state: known.ok_or_else(|| LedgerError::Corrupt("draft", state))?,
        text: row.try_get(4)?,
        tests: row.try_get(5)?,
        author: row.try_get(6)?,
        created: IngestTime(row.try_get(7)?),
        changed: IngestTime(row.try_get(8)?),
        steps: Vec::new(),
    })
}

async fn steps(connection: &mut Connection, id: i64) -> Result<Vec<DraftStep>, LedgerError> {
    let rows =
        sqlx::query("SELECT number, at, who, what, digest, note FROM rule_draft_step WHERE draft = $1 ORDER BY number")
            .bind(id)
            .fetch_all(connection)
            .await?;
    let step = |row: &Row| -> Result<DraftStep, sqlx::Error> {
        Ok(DraftStep {
            number: u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(),
            at: IngestTime(row.try_get(1)?),
            who: row.try_get(2)?,
            what: row.try_get(3)?,
            digest: row.try_get(4)?,
            note: row.try_get(5)?,
        })
    };
    Ok(rows.iter().map(step).collect::<Result<_, _>>()?)
}

fn digest(text: &str, tests: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
    hash.update(tests.as_bytes());
    hash.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Bytes of a rule's text, and of its tests.
const TEXT_MAX: usize = 65_536;
const NOTE_MAX: usize = 2_000;

#[cfg(test)]
mod tests;
