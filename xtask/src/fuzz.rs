//! `cargo xtask fuzz`: every fuzz target from its corpus for some seconds, as many at a time as there are processors. cargo-fuzz is
//! installed once when it is missing; it runs on the pinned toolchain, without a sanitizer. A crash, an input that takes longer than a frame
//! may (see `fuzz/src/lib.rs`) and memory beyond 1 GiB end it, with the input kept in `fuzz/artifacts`.

use anyhow::{Context, Result, bail, ensure};
use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

const SECONDS_DEFAULT: u64 = 30;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = match arguments.first() {
        None => SECONDS_DEFAULT,
        Some(text) => text.parse().with_context(|| format!("read the seconds {text:?}"))?,
    };
    let only = arguments.get(1..).unwrap_or_default();
    install()?;
    let begin = Instant::now();
    println!("fuzz: building");
    let built = cargo(&["fuzz", "build", "--sanitizer=none"]).status().context("start cargo fuzz")?;
    ensure!(built.success(), "the fuzz targets do not build");
    let list = cargo(&["fuzz", "list"]).output().context("list the targets")?;
    let all = String::from_utf8_lossy(&list.stdout).into_owned();
    let targets: VecDeque<&str> =
        all.lines().filter(|name| only.is_empty() || only.iter().any(|one| one == name)).collect();
    ensure!(!targets.is_empty(), "no such target; there are:\n{all}");
    println!("fuzz: {} targets built in {} s, {seconds} s each", targets.len(), begin.elapsed().as_secs());
    let count = targets.len();
    let (queue, failed) = (Mutex::new(targets), Mutex::new(Vec::new()));
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(target) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) {
                    if let Err(error) = one(target, seconds)
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(format!("{target}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    ensure!(failed.is_empty(), "{} of {count} targets failed:\n{}", failed.len(), failed.join("\n"));
    println!("fuzz: {count} targets passed, {} s in all", begin.elapsed().as_secs());
    Ok(())
}

fn install() -> Result<()> {
    let there = cargo(&["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    println!("fuzz: installing cargo-fuzz");
    let done = Command::new("cargo").args(["install", "-q", "--locked", "cargo-fuzz"]).status();
    ensure!(done.context("start cargo install")?.success(), "cargo-fuzz cannot be installed");
    Ok(())
}

/// From the fuzz package's folder. Its build has flags of its own and so a folder of its own.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir("fuzz").env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    command
}

fn one(target: &str, seconds: u64) -> Result<()> {
    let time = format!("-max_total_time={seconds}");
    let limits = ["-rss_limit_mb=1024", "-timeout=5", "-print_final_stats=1"];
    let done = cargo(&["fuzz", "run", "--sanitizer=none", target, "--", &time])
        .args(limits)
        .output()
        .context("start cargo fuzz")?;
    let told = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        let last: Vec<&str> = told.lines().rev().take(40).collect();
        for line in last.iter().rev() {
            println!("{target}: {line}");
        }
        bail!("ended with {}", done.status);
    }
    let stat = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
        line.map_or("?", |rest| rest.trim_start_matches(':').trim()).to_owned()
    };
    let (runs, peak) = (stat("number_of_executed_units"), stat("peak_rss_mb"));
    println!("fuzz: {target}: {runs} inputs in {seconds} s, {peak} MiB at most");
    Ok(())
}
