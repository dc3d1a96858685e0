//! Ground truth for rules, written from what the law and the district's practice say and not from the engine.
//!
//! A [`Scenario`] tells a [`Story`]: what the devices of a small district said, when it arrived, and which episodes must
//! stand at its end. A seed moves its times, levels and noise. Every story is judged by the whole library; episodes of the
//! scenario's own rule that no truth names are false, and a truth that no episode meets is missed.

mod dice;
mod district;
mod haul;
mod judge;
mod kitchen;
mod rules;
mod story;
mod table;
mod yard;

use std::collections::BTreeMap;

pub use district::Library;
pub use table::Table;

/// One way to offend against a rule, or to look like it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub rule: &'static str,
    pub name: &'static str,
    pub offends: bool,
    tell: fn(&mut story::Story),
}

const fn offence(rule: &'static str, name: &'static str, tell: fn(&mut story::Story)) -> Scenario {
    Scenario { rule, name, offends: true, tell }
}

const fn innocent(rule: &'static str, name: &'static str, tell: fn(&mut story::Story)) -> Scenario {
    Scenario { rule, name, offends: false, tell }
}

/// The scenarios whose label and truth do not agree under a seed.
pub fn contradictions(seed: u64) -> Vec<&'static str> {
    let contradicts = |scenario: &&Scenario| {
        let mut story = story::Story::new(seed);
        (scenario.tell)(&mut story);
        story.said.is_empty() || story.truths.iter().any(|truth| truth.rule == scenario.rule) != scenario.offends
    };
    rules::all().filter(contradicts).map(|scenario| scenario.name).collect()
}

/// Ways to offend and ways to be innocent, by rule.
pub fn ways() -> BTreeMap<&'static str, (usize, usize)> {
    let mut ways: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    for scenario in rules::all() {
        let (offending, innocent) = ways.entry(scenario.rule).or_default();
        *(if scenario.offends { offending } else { innocent }) += 1;
    }
    ways
}
