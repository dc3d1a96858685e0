//! Everything CI runs, stage by stage, with each stage's minutes and one closing line over all runners.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a stage runs, and which runner's closing lines count its tests.
struct Stage {
    name: &'static str,
    runner: Runner,
    steps: &'static [&'static [&'static str]],
}

#[derive(Clone, Copy, PartialEq)]
enum Runner {
    /// A check: counts as one.
    Check,
    Cargo,
    Vitest,
    Playwright,
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", runner: Runner::Check, steps: &[&["cargo", "fmt", "--all", "--check"]] },
    Stage { name: "tidy", runner: Runner::Check, steps: &[&["cargo", "xtask", "tidy"]] },
    Stage { name: "tools", runner: Runner::Check, steps: &[&["cargo", "xtask", "tools"]] },
    Stage {
        name: "web",
        runner: Runner::Vitest,
        steps: &[&["make", "-s", "web"], &["npm", "--prefix", "dashboards/web", "run", "test"]],
    },
    Stage {
        name: "clippy",
        runner: Runner::Check,
        steps: &[&["cargo", "clippy", "--workspace", "--all-targets", "--locked", "-q", "--", "-D", "warnings"]],
    },
    Stage {
        name: "build",
        runner: Runner::Check,
        steps: &[&["cargo", "build", "--workspace", "--bins", "--locked", "-q"]],
    },
    Stage {
        name: "unit",
        runner: Runner::Cargo,
        steps: &[&["cargo", "test", "--workspace", "--exclude", "e2e", "--locked", "--no-fail-fast", "-q"]],
    },
    Stage {
        name: "e2e",
        runner: Runner::Cargo,
        steps: &[&["cargo", "test", "-p", "e2e", "--locked", "--no-fail-fast"]],
    },
    Stage { name: "fuzz", runner: Runner::Check, steps: &[&["cargo", "xtask", "fuzz", "30"]] },
    Stage { name: "browser", runner: Runner::Playwright, steps: &[&["make", "-s", "browser-test"]] },
];

#[derive(Default, Clone, Copy)]
struct Count {
    passed: u64,
    failed: u64,
}

pub(crate) fn run(only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !STAGES.iter().any(|s| s.name == **name)) {
        bail!("no stage {unknown:?}; known: {}", STAGES.map_names().join(", "));
    }
    let mut rows = Vec::new();
    let mut total = Count::default();
    for stage in STAGES.iter().filter(|s| only.is_empty() || only.iter().any(|name| name == s.name)) {
        println!("\n=== {} ===", stage.name);
        let begin = Instant::now();
        let count = run_stage(stage)?;
        rows.push((stage.name, begin.elapsed(), count));
        total.passed += count.passed;
        total.failed += count.failed;
    }
    println!("\nstage      minutes  passed  failed");
    for (name, took, count) in rows {
        println!("{name:<10} {:>7.1}  {:>6}  {:>6}", minutes(took), count.passed, count.failed);
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 || total.passed == 0 {
        bail!("not everything passed");
    }
    Ok(())
}

trait Names {
    fn map_names(&self) -> Vec<&'static str>;
}

impl Names for [Stage] {
    fn map_names(&self) -> Vec<&'static str> {
        self.iter().map(|s| s.name).collect()
    }
}

fn minutes(took: Duration) -> f64 {
    took.as_secs_f64() / 60.0
}

fn run_stage(stage: &Stage) -> Result<Count> {
    let mut count = Count::default();
    for step in stage.steps {
        let (seen, ok) = run_step(stage.runner, step)?;
        count.passed += seen.passed;
        count.failed += seen.failed;
        if !ok && seen.failed == 0 {
            // The runner broke before or beside its tests.
            count.failed += 1;
        }
        if !ok {
            return Ok(count);
        }
    }
    if stage.runner == Runner::Check {
        count.passed += 1;
    } else if count.passed + count.failed == 0 {
        println!("stage {} ran no test", stage.name);
        count.failed += 1;
    }
    Ok(count)
}

/// Runs one command, passing its output on, and counts the tests its closing lines speak of.
fn run_step(runner: Runner, step: &[&str]) -> Result<(Count, bool)> {
    let (program, arguments) = step.split_first().context("empty step")?;
    println!("$ {}", step.join(" "));
    let mut child = Command::new("sh")
        .args(["-c", "exec \"$0\" \"$@\" 2>&1", program])
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("CARGO_TERM_COLOR", "never")
        .envs(unpacked_postgres())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let mut count = Count::default();
    let output = child.stdout.take().context("read the command's output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("read the command's output")?).into_owned();
        println!("{line}");
        let seen = closing_line(runner, &line);
        count.passed += seen.passed;
        count.failed += seen.failed;
    }
    let status = child.wait().context("wait for the command")?;
    Ok((count, status.success()))
}

/// Where the SQL tests find PostgreSQL when the machine has none of its own.
fn unpacked_postgres() -> Vec<(&'static str, std::path::PathBuf)> {
    let Ok(root) = crate::tools::folder().map(|tools| tools.join("root/usr")) else { return Vec::new() };
    let bin = root.join("lib/postgresql/15/bin");
    let own = ["/usr/lib/postgresql/15/bin/initdb", "/usr/local/bin/initdb", "/usr/bin/initdb"];
    if !bin.is_dir() || own.iter().any(|place| std::path::Path::new(place).is_file()) {
        return Vec::new();
    }
    vec![("LANTIAN_PG_BIN", bin), ("LD_LIBRARY_PATH", root.join("lib/x86_64-linux-gnu"))]
}

fn closing_line(runner: Runner, line: &str) -> Count {
    let line = line.trim();
    let before = |word: &str| {
        let head = line.find(word).and_then(|at| line.get(..at)).unwrap_or("");
        head.split(|c: char| !c.is_ascii_digit())
            .rfind(|part| !part.is_empty())
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    };
    let speaks = match runner {
        Runner::Check => false,
        Runner::Cargo => line.starts_with("test result: "),
        Runner::Vitest => line.starts_with("Tests "),
        Runner::Playwright => {
            let mut words = line.split(' ');
            words.next().is_some_and(|w| w.parse::<u64>().is_ok())
                && words.next().is_some_and(|w| matches!(w, "passed" | "failed"))
        }
    };
    if speaks { Count { passed: before(" passed"), failed: before(" failed") } } else { Count::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_each_runner_are_counted() {
        let count = |runner, line| {
            let seen = closing_line(runner, line);
            (seen.passed, seen.failed)
        };
        assert_eq!(count(Runner::Cargo, "test result: ok. 12 passed; 0 failed; 0 ignored"), (12, 0));
        assert_eq!(count(Runner::Cargo, "test result: FAILED. 3 passed; 2 failed; 0 ignored"), (3, 2));
        assert_eq!(count(Runner::Vitest, "      Tests  7 passed (7)"), (7, 0));
        assert_eq!(count(Runner::Vitest, "      Tests  1 failed | 6 passed (7)"), (6, 1));
        assert_eq!(count(Runner::Playwright, "  6 passed (23.0s)"), (6, 0));
        assert_eq!(count(Runner::Playwright, "  2 failed"), (0, 2));
        assert_eq!(count(Runner::Cargo, "running 12 tests"), (0, 0));
    }
}
