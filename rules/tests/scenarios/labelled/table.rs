//! Recall and precision by rule.

use super::district::Library;
use super::judge::outcome;
use super::rules;
use super::story::Story;
use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Default)]
struct Row {
    in_library: bool,
    offending: usize,
    innocent: usize,
    truths: usize,
    found: usize,
    wrong: usize,
    /// Episodes in the scenarios of other rules.
    beside: usize,
    failures: Vec<String>,
}

/// The rules against their scenarios.
#[derive(Debug)]
pub struct Table {
    seeds: u64,
    rows: BTreeMap<String, Row>,
}

impl Table {
    pub fn over(library: &Library, seeds: u64) -> Self {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        let mut beside: BTreeMap<String, usize> = BTreeMap::new();
        for scenario in rules::all() {
            let row = rows.entry(scenario.rule.to_owned()).or_default();
            row.in_library = library.has(scenario.rule);
            *(if scenario.offends { &mut row.offending } else { &mut row.innocent }) += 1;
            if !row.in_library {
                continue;
            }
            for seed in 1..=seeds {
                let mut story = Story::new(seed);
                (scenario.tell)(&mut story);
                let truths = story.truths.iter().filter(|truth| truth.rule == scenario.rule).count();
                assert_eq!(truths > 0, scenario.offends, "{}: {}", scenario.rule, scenario.name);
                let outcome = outcome(scenario.rule, library, &story);
                row.truths += truths;
                row.found += outcome.found;
                row.wrong += outcome.wrong.len();
                let place = format!("{} | {} | seed {seed}", scenario.rule, scenario.name);
                row.failures.extend(outcome.missed.iter().map(|what| format!("{place} | missed: {what}")));
                row.failures.extend(outcome.wrong.iter().map(|what| format!("{place} | wrong: {what}")));
                for (rule, count) in outcome.beside {
                    *beside.entry(rule).or_default() += count;
                }
            }
        }
        for (rule, count) in beside {
            if let Some(row) = rows.get_mut(&rule) {
                row.beside = count;
            }
        }
        Self { seeds, rows }
    }

    /// What keeps some of the library's rules below 100 %.
    pub fn short(&self, of: impl Fn(&str) -> bool) -> Vec<&str> {
        let rows = self.rows.iter().filter(|(rule, _)| of(rule));
        rows.flat_map(|(_, row)| row.failures.iter().map(String::as_str)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Scenarios with known truth, {} seeds each.", self.seeds)?;
        writeln!(f, "| rule | offending | innocent | episodes due | recall | precision |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for (rule, row) in &self.rows {
            write!(f, "| {rule} | {} | {} | ", row.offending, row.innocent)?;
            if row.in_library {
                let (recall, precision) = (share(row.found, row.truths), share(row.found, row.found + row.wrong));
                writeln!(f, "{} | {recall} | {precision} |", row.truths)?;
            } else {
                writeln!(f, "| not in the library | |")?;
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of episodes are small")]
fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}
