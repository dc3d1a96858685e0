//! `tests/fixtures/deviations.tsv`, the index of what is known of how devices deviate: everything that it names is there. With
//! `--nocapture` the index is printed, so that a person sees per clause what is shown and by what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const INDEX: &str = include_str!("../../tests/fixtures/deviations.tsv");
const FRAMES: &[u8] = include_bytes!("../testdata/hj212/frames.txt");
const STREAMS: &[u8] = include_bytes!("../testdata/hj212/streams.txt");
const MESSAGES: &str = include_str!("../testdata/jt808_messages.tsv");
/// The clauses that every deviation is listed of, and how many statements each has.
const CLAUSES: [(&str, usize); 5] = [("1.4", 22), ("1.5", 6), ("2.3", 12), ("2.4", 32), ("5", 23)];

fn titles(file: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(file).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("= ")).map(str::to_owned).collect()
}

/// Names of all test functions of the workspace.
#[expect(clippy::unwrap_used, reason = "a test")]
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "node_modules" | "web") && !name.starts_with('.') {
                tests(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                    found.insert(rest.split('(').next().unwrap_or_default().to_owned());
                    is_test = false;
                }
            }
        }
    }
}

#[test]
fn every_known_deviation_is_shown_by_a_frame_or_a_test_that_is_there() {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect();
    let mut functions = BTreeSet::new();
    tests(&root, &mut functions);
    let (frames, streams) = (titles(FRAMES), titles(STREAMS));
    let messages: BTreeSet<&str> = MESSAGES.lines().filter_map(|line| line.split('\t').next()).collect();
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missing = Vec::new();
    let (mut shown_by_frames, mut shown_by_tests) = (0, 0);
    for line in INDEX.lines().filter(|line| !line.starts_with('#')) {
        let [clause, what, shown] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three columns: {line}") };
        *rows.entry(clause).or_default() += 1;
        println!("{clause:<4} {what}");
        for evidence in shown.split(" | ") {
            let (kind, name) = evidence.split_once(' ').unwrap_or((evidence, ""));
            let there = match kind {
                "212" => frames.contains(name),
                "212s" => streams.contains(name),
                "808" => messages.contains(name),
                "test" => functions.contains(name),
                _ => false,
            };
            *if kind == "test" { &mut shown_by_tests } else { &mut shown_by_frames } += 1;
            println!("       {kind:<4} {name}");
            if !there {
                missing.push(format!("{clause}: {evidence}"));
            }
        }
    }
    println!(
        "{} statements, {shown_by_frames} times a frame, {shown_by_tests} times a test",
        rows.values().sum::<usize>()
    );
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(rows.into_iter().collect::<Vec<_>>(), CLAUSES);
}
