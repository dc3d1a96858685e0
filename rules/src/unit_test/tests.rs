//! The tests' own tests, and those of every shipped rule.

use super::*;
use std::path::{Path, PathBuf};

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library/rules")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(library().join(name)).unwrap()
}

#[test]
fn every_rule_of_the_library_has_tests_and_passes_them() {
    let is_test = |name: &str| name.rsplit_once(".test.").is_some();
    let names = std::fs::read_dir(library()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut codes: Vec<String> =
        names.filter(|name| !is_test(name)).filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned())).collect();
    codes.sort();
    assert!(codes.len() >= 4);
    let mut told: Vec<String> = Vec::new();
    for code in codes {
        let Ok(tests) = std::fs::read_to_string(library().join(format!("{code}.test.toml"))) else {
            told.push(format!("{code} has no tests: write config/library/rules/{code}.test.toml"));
            continue;
        };
        match run(&read(&format!("{code}.toml")), &tests) {
            Err(problems) => told.extend(problems.iter().map(|problem| format!("{code}: {problem}"))),
            Ok(outcomes) => {
                for outcome in outcomes.iter().filter(|outcome| !outcome.passed()) {
                    told.push(format!("{code}: {} (line {})", outcome.name, outcome.line));
                    told.extend(outcome.differences.iter().cloned());
                }
            }
        }
    }
    let told = told.join("\n");
    assert!(told.is_empty(), "{told}");
}

const WORLD: &str = r#"
start = 2026-01-05T18:00:00
[[subject]]
code = "r1"
details = { kind = "restaurant", size_class = "medium" }
[[device]]
code = "fume-1"
protocol = "hj212"
subject = "r1"
[[limit]]
quantity = "fume"
value = 2.0
unit = "mg/m3"
"#;

fn outcome(test: &str) -> Outcome {
    let mut all = run(&read("fume-exceedance.toml"), &format!("{WORLD}{test}")).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn problems(tests: &str) -> Vec<String> {
    let problems = run(&read("fume-exceedance.toml"), tests).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_difference_says_what_was_expected_and_what_was_found() {
    let told = outcome(
        r#"
[[test]]
name = "too late"
[[test.series]]
device = "fume-1"
every = "1min"
values.fume = "1.0x30 3.5x90"
[[test.expect]]
subject = "r1"
from = "1h 30min"
to = "lasts"
"#,
    );
    assert_eq!(told.line, 15);
    let text = told.differences.join("\n");
    assert!(text.contains("- r1  1h 30min (19:30:00) → lasts"), "{text}");
    assert!(text.contains("should start 1h 30min (19:30:00), started"), "{text}");
}

#[test]
fn what_was_not_expected_fails_a_test() {
    let series = "[[test]]\nname = \"none\"\n[[test.series]]\ndevice = \"fume-1\"\nevery = \"1min\"\n";
    let told = outcome(&format!("{series}values.fume = \"3.5x90\"\n"));
    assert!(told.differences.join("\n").contains("was not expected"), "{told:?}");
    assert!(outcome(&format!("{series}values.fume = \"1.5x90\"\n")).passed());
}

#[test]
fn a_row_that_becomes_known_later_judges_from_then_on() {
    let later = "[[limit]]\nquantity = \"fume\"\nvalue = 5.0\nunit = \"mg/m3\"\nclass = \"medium\"\nvalid_from = 2026-01-05T19:30:00\nknown_at = \"30min\"\n";
    let series = "[[test]]\nname = \"none\"\n[[test.series]]\ndevice = \"fume-1\"\nevery = \"1min\"\nvalues.fume = \"3.5x180\"\n";
    let told = outcome(&format!(
        "{later}{series}[[test.expect]]\nsubject = \"r1\"\nfrom = \"44min\"\nto = \"1h 30min\"\nnear = \"2min\"\n"
    ));
    assert!(told.passed(), "{:#?}", told.differences);
}

#[test]
fn every_problem_of_a_file_is_told_with_its_line() {
    let told = problems(&format!(
        "{WORLD}[[test]]\nname = \"x\"\n[[test.series]]\ndevice = \"fume-2\"\nevery = \"1min\"\nvalues.fumee = \"1x\"\n[[test.expect]]\nsubject = \"r2\"\nfrom = \"soon\"\n"
    ));
    let text = told.join("\n");
    for part in [
        "line 16",
        "no device \"fume-2\"",
        "did you mean \"fume-1\"",
        "\"fumee\" is not a known quantity",
        "no count",
        "no subject \"r2\"",
        "\"soon\" is no time",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(problems("[[test]]\nnam = 1\n").join("\n").contains("nam"));
    assert!(problems("[[subjcet]]\ncode = \"x\"\n[[test]]\nname = \"x\"\n").join("\n").contains("subjcet"));
}
