//! Rules as versions: a change is the next version, a rollback is the next version with old text.

use crate::error::LedgerError;
use crate::files::RuleCheck;
use crate::store::{Author, Ledger, read_revision};
use model::facts::Facts;
use model::register::{Object, Revision, RuleVersion};
use model::time::IngestTime;

impl Ledger {
    /// Makes a rule's next version; `None` when text and state are what they are already.
    pub async fn set_rule(
        &self,
        author: &Author,
        code: &str,
        text: &str,
        active: bool,
        check: RuleCheck<'_>,
    ) -> Result<Option<Revision>, LedgerError> {
        let problems = check(text);
        if active && !problems.is_empty() {
            return Err(LedgerError::Invalid(problems));
        }
        let facts = self.facts_now();
        let old = facts.rules.get(code);
        if old.is_some_and(|old| old.text == text && old.active == active) {
            return Ok(None);
        }
        let version = old.map_or(1, |old| old.version + 1);
        let rule = RuleVersion { code: code.to_owned(), version, text: text.to_owned(), active };
        Ok(self.edit_seen(author, facts.revision, vec![Object::Rule(rule)]).await?.pop())
    }

    /// The registers as they were at a time of ours, and the edits from then until another.
    pub async fn facts_between(&self, from: IngestTime, to: IngestTime) -> Result<(Facts, Vec<Revision>), LedgerError> {
        let rows = sqlx::query("SELECT number, at, author, object FROM revision WHERE at < $1 ORDER BY number")
            .bind(to.as_ms())
            .fetch_all(&mut *self.db().read().await?)
            .await?;
        let (mut facts, mut later) = (Facts::default(), Vec::new());
        for row in &rows {
            let revision = read_revision(row)?;
            // Clocks step back now and then: numbers decide the order, so what follows a later edit is later, too.
            if revision.at < from && later.is_empty() {
                facts.apply(&revision);
            } else {
                later.push(revision);
            }
        }
        Ok((facts, later))
    }

    /// Makes the text of an older version live again, as a new version.
    pub async fn rollback_rule(
        &self,
        author: &Author,
        code: &str,
        to_version: u32,
        check: RuleCheck<'_>,
    ) -> Result<Option<Revision>, LedgerError> {
        let history = self.history("rule", code, 1_000).await?;
        let text = history.into_iter().find_map(|revision| match revision.object {
            Object::Rule(rule) if rule.version == to_version => Some(rule.text),
            _ => None,
        });
        let text = text.ok_or_else(|| LedgerError::NotFound(format!("version {to_version} of rule {code}")))?;
        self.set_rule(author, code, &text, true, check).await
    }
}
