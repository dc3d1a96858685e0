//! `rules check` and `rules test`: rule files alone, no data.

use crate::args::RuleFiles;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A rule file and its text.
struct RuleFile {
    path: PathBuf,
    text: String,
}

pub(super) fn check(wanted: &RuleFiles) -> Result<()> {
    let files = read(&wanted.files)?;
    let (mut told, mut count) = (Vec::new(), 0);
    for file in &files {
        let mut problems = ::rules::check(&file.text).err().unwrap_or_default();
        if let (true, Some(problem)) = (problems.is_empty(), named_wrong(file)) {
            problems.push(problem);
        }
        count += problems.len();
        if !wanted.json {
            for problem in &problems {
                print_problem(&file.path, problem);
            }
            if problems.is_empty() {
                println!("ok    {}", file.path.display());
            }
        }
        told.push(json!({ "file": file.path, "problems": problems }));
    }
    if wanted.json {
        println!("{}", json!({ "files": told, "problems": count }));
    }
    anyhow::ensure!(count == 0, "check {} rules: {count} problems", files.len());
    Ok(())
}

/// `apply` takes the file's name for the rule's code.
fn named_wrong(file: &RuleFile) -> Option<::rules::Problem> {
    let code = ::rules::check(&file.text).ok()?.code;
    let stem = file.path.file_stem()?.to_string_lossy().into_owned();
    let name = model::register::shadowed(&stem).unwrap_or(&stem);
    (name != code).then(|| ::rules::Problem {
        place: "code".into(),
        message: format!("is \"{code}\", the file is {name}.toml"),
        suggestion: format!("name the file {code}.toml"),
    })
}

pub(super) fn test(wanted: &RuleFiles) -> Result<()> {
    let files = read(&wanted.files)?;
    let (mut told, mut failed, mut count) = (Vec::new(), 0, 0);
    for file in &files {
        let tests = tests_of(&file.path);
        let line = |word: &str| {
            if !wanted.json {
                println!("{word:<5} {}", file.path.display());
            }
        };
        let Ok(text) = std::fs::read_to_string(&tests) else {
            failed += 1;
            line("NONE");
            if !wanted.json {
                println!("      it has no tests: write {}", tests.display());
            }
            told.push(json!({ "file": file.path, "missing": tests }));
            continue;
        };
        match ::rules::unit_test::run(&file.text, &text) {
            Err(problems) => {
                failed += 1;
                line("WRONG");
                if !wanted.json {
                    for problem in &problems {
                        print_problem(&tests, problem);
                    }
                }
                told.push(json!({ "file": file.path, "problems": problems }));
            }
            Ok(outcomes) => {
                count += outcomes.len();
                let bad = outcomes.iter().filter(|outcome| !outcome.passed()).count();
                failed += bad;
                line(if bad == 0 { "ok" } else { "FAIL" });
                for outcome in outcomes.iter().filter(|outcome| !outcome.passed() && !wanted.json) {
                    println!("      {} ({}:{})", outcome.name, tests.display(), outcome.line);
                    outcome.differences.iter().for_each(|line| println!("        {line}"));
                }
                told.push(json!({ "file": file.path, "tests": outcomes }));
            }
        }
    }
    let all = json!({ "files": told, "tests": count, "failed": failed });
    if wanted.json {
        println!("{all}");
    } else {
        println!("{count} tests of {} rules, {failed} failed", files.len());
    }
    anyhow::ensure!(failed == 0, "pass the tests: {failed} failed (= as expected, - missing, + found)");
    Ok(())
}

fn print_problem(path: &Path, problem: &::rules::Problem) {
    println!("WRONG {}: {}: {}", path.display(), problem.place, problem.message);
    if !problem.suggestion.is_empty() {
        println!("      {}", problem.suggestion);
    }
}

/// `<code>.test.toml` beside the rule.
pub(super) fn tests_of(rule: &Path) -> PathBuf {
    rule.with_extension("test.toml")
}

/// The rule files named, and those in the folders named.
fn read(wanted: &[PathBuf]) -> Result<Vec<RuleFile>> {
    let mut paths = Vec::new();
    for path in wanted {
        if path.is_dir() {
            let found = paths.len();
            for entry in std::fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
                let path = entry.with_context(|| format!("read {}", path.display()))?.path();
                let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let is_toml = path.extension().is_some_and(|extension| extension == "toml");
                if is_toml && !name.contains(".test") {
                    paths.push(path);
                }
            }
            if paths.len() == found {
                bail!("find rules in {}: it has no .toml files; name the folder that has them", path.display());
            }
        } else {
            paths.push(path.clone());
        }
    }
    paths.sort();
    let text = |path: PathBuf| -> Result<RuleFile> {
        let size = std::fs::metadata(&path).with_context(|| format!("read {}", path.display()))?.len();
        if size > FILE_BYTES_MAX {
            bail!("read {}: it is larger than 1 MiB and no rule", path.display());
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(RuleFile { path, text })
    };
    paths.into_iter().map(text).collect()
}

const FILE_BYTES_MAX: u64 = 1 << 20;
