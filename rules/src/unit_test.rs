//! Unit tests of rules, written beside them: `<code>.test.toml` has registers, what devices say, and the episodes that must stand.
//!
//! ```toml
//! start = 2026-01-05T18:00:00            # Beijing time; offsets count from here
//! [[subject]]                            # rows as in the files of `lantian apply`
//! code = "r1"
//! details = { kind = "restaurant", size_class = "medium" }
//! [[device]]
//! code = "fume-1"
//! protocol = "hj212"
//! subject = "r1"                         # short for an installation; `interval` is short for a profile
//! [[limit]]
//! quantity = "fume"
//! value = 2.0
//! unit = "mg/m3"
//! [[test]]
//! name = "an hour above the limit"
//! [[test.series]]
//! device = "fume-1"
//! every = "1min"
//! values.fume = "1.2x30 3.5x90 0.5x60"
//! [[test.expect]]                        # none: nothing may stand
//! subject = "r1"
//! from = "1h"
//! to = "2h 15min"
//! ```

mod compare;
mod notation;
mod plan;
mod read;
mod registers;

use crate::definition::{Problem, check};
use crate::engine::Engine;
use compare::Wanted;
use model::episode::{Episode, EpisodeChange, Standing};
use model::id::EpisodeId;
use model::register::{Object, RuleVersion};
use plan::{Plan, Planner};
use read::{Places, Tests};
use registers::Registers;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

pub use registers::time_ms;

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub name: String,
    /// Line of the test in its file.
    pub line: usize,
    /// Empty: it passed. Else lines that begin with `=` as expected, `-` missing, `+` found instead, ` ` why.
    pub differences: Vec<String>,
}

impl Outcome {
    pub const fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Runs the tests of a rule, each on an engine of its own.
///
/// # Errors
/// Every problem of the rule and of the test file.
pub fn run(rule: &str, tests: &str) -> Result<Vec<Outcome>, Vec<Problem>> {
    let compiled = check(rule)?;
    let (table, written) = read::parse(tests).map_err(|problem| vec![problem])?;
    let places = Places(tests);
    let mut problems = Vec::new();
    let registers = Registers::read(&table, &places, &mut problems);
    if written.test.is_empty() {
        problems.push(Problem {
            place: "line 1".into(),
            message: "has no test".into(),
            suggestion: "write [[test]]".into(),
        });
    }
    let object =
        Object::Rule(RuleVersion { code: compiled.code.clone(), version: 1, text: rule.to_owned(), active: true });
    let plans = plans(&written, &places, &registers, &object, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let judge = |(name, line, wanted, plan): (String, usize, Vec<Wanted>, Plan)| {
        let (stands, settled, start) = judge(&plan, &compiled.code);
        let differences = compare::differences(&wanted, &stands, &settled, &plan.facts, start);
        Outcome { name, line, differences }
    };
    Ok(plans.into_iter().map(judge).collect())
}

fn plans(
    written: &Tests,
    places: &Places<'_>,
    registers: &Registers,
    rule: &Object,
    problems: &mut Vec<Problem>,
) -> Vec<(String, usize, Vec<Wanted>, Plan)> {
    let mut plans = Vec::new();
    for test in &written.test {
        let (byte, test) = (test.span().start, test.get_ref());
        let start = match test.start.as_ref().or(written.start.as_ref()) {
            None => DEFAULT_START,
            Some(value) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                time_ms(&text).unwrap_or_else(|| {
                    problems.push(places.at(
                        byte,
                        "start",
                        format!("\"{text}\" is no time"),
                        "write start = 2026-01-05T18:00:00",
                    ));
                    DEFAULT_START
                })
            }
        };
        let wanted =
            test.expect.iter().filter_map(|row| Wanted::read(row, start, registers, places, problems)).collect();
        let plan = Planner::new(places, registers, start, problems).plan(test, rule);
        plans.push((test.name.clone(), places.line(byte), wanted, plan));
    }
    plans
}

/// What stands of the rule at the end, and which episodes were settled.
fn judge(plan: &Plan, code: &str) -> (Vec<Episode>, BTreeSet<EpisodeId>, i64) {
    let mut facts = plan.facts.clone();
    let mut engine = Engine::new(&facts);
    let (mut changes, mut last, mut settled) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for item in &plan.items {
        if let model::stream::Item::Revision { revision, .. } = item {
            facts.apply(revision);
        }
        engine.on_item(item, &facts, &mut changes);
        for change in changes.drain(..) {
            if matches!(change, EpisodeChange::Settled { .. }) {
                settled.insert(change.episode().id);
            }
            let episode = change.episode();
            if episode.rule == code {
                last.insert(episode.id, episode.clone());
            }
        }
    }
    let mut stands: Vec<Episode> = last.into_values().filter(|episode| episode.standing == Standing::Stands).collect();
    stands.sort_by_key(|episode| (episode.start, episode.subject, episode.device));
    (stands, settled, plan.start)
}

/// A Monday, 2026-01-05 00:00 in Beijing.
const DEFAULT_START: i64 = 1_767_542_400_000;

#[cfg(test)]
mod tests;
