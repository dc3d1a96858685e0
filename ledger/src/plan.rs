//! From rows to an edit: what would be new, changed or unchanged, with every problem at its place; then the edit itself.

use crate::error::{LedgerError, Problem};
use crate::object::{ObjectKey, label};
use crate::rows::{RawRow, to_fields, to_objects};
use crate::store::{Author, Ledger};
use model::register::{Object, Revision};
use serde::Serialize;
use serde_json::Value;

/// What applying files or a table would do. With problems it does nothing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    pub new: Vec<Change>,
    pub changed: Vec<Change>,
    pub unchanged: usize,
    pub problems: Vec<Problem>,
    /// The registers' revision it was made against.
    pub seen: u64,
    #[serde(skip)]
    pub(crate) objects: Vec<Object>,
}

/// One object that is new or changes, as files write it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub kind: &'static str,
    /// Code, or what stands for it.
    pub name: String,
    /// Only the fields that change.
    pub before: Value,
    pub after: Value,
}

impl Ledger {
    pub(crate) fn plan(&self, rows: &[RawRow], mut problems: Vec<Problem>) -> Plan {
        let facts = self.facts_now();
        let objects = to_objects(rows, &facts, &mut problems);
        let (mut plan, mut from) = (Plan { seen: facts.revision, ..Plan::default() }, Vec::new());
        for (row, object) in rows.iter().zip(objects) {
            let Some(object) = object else { continue };
            let key = ObjectKey::of(&object);
            let old = key.find(&facts);
            if old.as_ref() == Some(&object) {
                plan.unchanged += 1;
                continue;
            }
            let after = row.fields.clone();
            let name = match row.fields.get("code").and_then(Value::as_str) {
                Some(code) => code.to_owned(),
                None => label(&object, &facts),
            };
            match old {
                None => plan.new.push(Change { kind: key.kind, name, before: Value::Null, after: after.into() }),
                Some(old) => {
                    let (mut before, mut after) = (to_fields(&old, &facts), to_fields(&object, &facts));
                    let both = before.clone();
                    before.retain(|field, value| after.get(field) != Some(value));
                    after.retain(|field, value| both.get(field) != Some(value));
                    plan.changed.push(Change { kind: key.kind, name, before: before.into(), after: after.into() });
                }
            }
            plan.objects.push(object);
            from.push(row);
        }
        // With a broken row its referrers would be told too; the first round tells what is broken. Nothing refers to a rule.
        if problems.iter().all(|problem| is_rule(&problem.file)) {
            for problem in self.check(plan.objects.clone()) {
                problems.push(place_of(problem, &from));
            }
        }
        plan.problems = problems;
        plan
    }

    /// Writes a plan whole, or nothing.
    pub(crate) async fn carry_out(&self, author: &Author, plan: &Plan) -> Result<Vec<Revision>, LedgerError> {
        if !plan.problems.is_empty() {
            return Err(LedgerError::Invalid(plan.problems.clone()));
        }
        self.edit_seen(author, plan.seen, plan.objects.clone()).await
    }
}

/// A file under a folder `rules`.
fn is_rule(file: &str) -> bool {
    std::path::Path::new(file)
        .parent()
        .is_some_and(|folder| folder.components().any(|part| part.as_os_str() == "rules"))
}

/// Turns `[3].corridor[0]` into file, line and key of the row.
fn place_of(problem: Problem, from: &[&RawRow]) -> Problem {
    let parsed = problem.place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let row = parsed.and_then(|(index, field)| {
        let row = from.get(index.parse::<usize>().ok()?)?;
        Some(row.problem(field.trim_start_matches('.'), problem.message.clone()))
    });
    row.unwrap_or(problem)
}
