//! Labelled scenarios: each rule of the shipped library against ways to offend and ways to look like it and be innocent.
//! The scenarios are in `labelled/rules`; `cargo bench -p lantian-rules --bench recall` prints the table over 20 seeds.

#![expect(unreachable_pub, reason = "the scenarios are shared by a test and a bench")]

mod labelled;

use labelled::{Library, Table};

/// Here three seeds; the bench runs twenty.
const SEEDS: u64 = 3;
/// Rules that are held to 100 % and 100 %. A new one comes here when the table says so.
const FINISHED: &[&str] = &[
    "bed-lifted-outside",
    "data-gap",
    "device-offline",
    "fume-exceedance",
    "gate-unlicensed-truck",
    "gps-jamming",
    "gps-jump",
    "truck-long-stop",
    "truck-no-go",
    "truck-not-washed",
    "truck-off-route",
    "truck-offline-moving",
    "truck-outside-window",
    "truck-overspeed",
    "truck-uncovered",
    "truck-wrong-dump",
    "wash-too-short",
];

#[test]
fn every_finished_rule_finds_all_offenders_and_nobody_else() {
    let table = Table::over(&Library::shipped(), SEEDS);
    println!("{table}");
    for line in table.short(|rule| !FINISHED.contains(&rule)) {
        println!("unfinished: {line}");
    }
    let short = table.short(|rule| FINISHED.contains(&rule));
    assert!(short.is_empty(), "below 100 %:\n{}", short.join("\n"));
}

#[test]
fn each_rule_has_five_ways_to_offend_and_five_to_be_innocent() {
    for (rule, (offending, innocent)) in labelled::ways() {
        assert!(offending >= 5 && innocent >= 5, "{rule}: {offending} ways to offend, {innocent} to be innocent");
    }
}

#[test]
fn every_story_tells_what_its_label_says() {
    for seed in 1..=SEEDS {
        assert!(labelled::contradictions(seed).is_empty(), "seed {seed}: {:?}", labelled::contradictions(seed));
    }
}

#[test]
fn no_shipped_rule_is_without_scenarios() {
    let known = labelled::ways();
    let library = Library::shipped();
    let without: Vec<&str> = library.codes().filter(|code| !known.contains_key(*code)).collect();
    assert!(without.is_empty(), "in config/library/rules without a scenario: {without:?}");
}
