//! The rules' verdicts equal the truth that was written before the signals existed: ten seeds, real windows on past event
//! time, a tenth of the messages late, repeated or shuffled, restarts in between, on SQLite and on PostgreSQL. And the same
//! journal gives the same bytes.

use anyhow::{Context, Result, ensure};
use device_sim::district::Size;
use device_sim::truth::{Expected, Truth};
use e2e::district::{Staged, stage};
use e2e::tools::Postgres;
use e2e::{Api, Running, Server, Setup, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Kinds of rules in the truth and the rules that must find them.
const RULES: &[(&str, &[&str])] = &[
    ("exceedance", &["fume-exceedance"]),
    ("offline", &["device-offline", "data-gap"]),
    ("off_route", &["truck-off-route"]),
];

#[derive(Debug, Clone)]
struct Found {
    rule: String,
    subject: String,
    start_ms: i64,
    end_ms: Option<i64>,
}

fn time(value: &Value) -> Option<i64> {
    model::time::parse_rfc3339(value.as_str()?)
}

/// Every episode that stands, by its alert.
async fn standing(api: &Api) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/v1/alerts?limit=200{cursor}")).await?;
        for alert in page["items"].as_array().context("alerts")? {
            if alert["state"] == "withdrawn" {
                continue;
            }
            all.push(Found {
                rule: alert["rule"].as_str().or(alert["rule"]["code"].as_str()).context("rule")?.to_owned(),
                subject: alert["subject"]["code"].as_str().context("subject")?.to_owned(),
                start_ms: time(&alert["start"]).context("start")?,
                end_ms: time(&alert["end"]),
            });
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

/// Each expected episode is found once, and nothing else is found by the rules that the simulator writes truth for. The others
/// of the library run along: what they decide is held to its bytes here and to its truth by the scenarios of `rules/tests`.
fn compare(truth: &Truth, mut found: Vec<Found>) -> Result<usize> {
    let mut matched = 0;
    found.retain(|f| RULES.iter().any(|(_, rules)| rules.contains(&f.rule.as_str())));
    for expected in &truth.expected {
        let rules = RULES.iter().find(|(kind, _)| *kind == expected.rule).map_or(&[][..], |(_, rules)| rules);
        for rule in rules {
            let at = found.iter().position(|f| f.rule == *rule && f.subject == expected.subject && near(f, expected));
            let at = at.with_context(|| {
                let same: Vec<&Found> = found.iter().filter(|f| f.subject == expected.subject).collect();
                format!("seed {}: {rule} is missing: {expected:?}; found for the subject: {same:?}", truth.seed)
            })?;
            found.remove(at);
            matched += 1;
        }
    }
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    for f in &found {
        *wrong.entry(format!("{} {}", f.rule, f.subject)).or_default() += 1;
    }
    let why: Vec<String> = truth
        .near_misses
        .iter()
        .filter(|n| found.iter().any(|f| f.subject == n.subject))
        .map(|n| format!("{} is a near miss: {}", n.subject, n.why))
        .collect();
    ensure!(found.is_empty(), "seed {}: found beside the truth: {wrong:?} {found:?} {why:?}", truth.seed);
    Ok(matched)
}

fn near(found: &Found, expected: &Expected) -> bool {
    let close = |a: i64, b: i64| (a - b).abs() <= expected.tolerance_ms;
    let ends = match (found.end_ms, expected.end_ms) {
        (Some(a), Some(b)) => close(a, b),
        // An episode at the very end may still be open.
        (None, _) | (_, None) => true,
    };
    close(found.start_ms, expected.start_ms) && ends
}

const SEEDS: u64 = 10;
const BACK_MINUTES: i64 = 360;
/// The last delayed message leaves before the present.
const LENGTH_MINUTES: i64 = 345;

/// Runs one seed's six hours through a server and compares; returns (matched, dump of what was decided).
async fn scenario(seed: u64, folder: &Path, setup: Setup, restarts: usize) -> Result<(usize, String, Server)> {
    let size = Size { seed, restaurants: 20, sites: 1, trucks: 12 };
    let mut server = Server::prepare(folder, setup)?;
    let staged = stage(&server, size, "config/library")?;
    server.start().await?;
    let truth_file = folder.join("truth.json");
    let mut fleet = start_fleet(&staged, &server, &truth_file)?;
    for _ in 0..restarts {
        eventually("the fleet is under way", Duration::from_secs(60), || async {
            Ok((server.metric("ingest_settle_records_total").await? > 2_000.0).then_some(()))
        })
        .await?;
        server.kill()?;
        server.start().await?;
    }
    fleet.wait(Duration::from_secs(240))?;
    let truth: Truth = serde_json::from_str(&std::fs::read_to_string(&truth_file)?)?;
    let api = server.administrator().await?;
    // The last episodes are judged when a tick has passed; then the verdict set must be the truth.
    let found = eventually("the verdicts equal the truth", Duration::from_secs(60), || async {
        let found = standing(&api).await?;
        compare(&truth, found.clone())?;
        Ok(Some(found))
    })
    .await?;
    let matched = compare(&truth, found)?;
    server.stop()?;
    let dump = server.command(&["dump"])?;
    Ok((matched, dump, server))
}

fn start_fleet(staged: &Staged, server: &Server, truth: &Path) -> Result<Running> {
    let arguments = [
        format!("--back-minutes={BACK_MINUTES}"),
        format!("--length-minutes={LENGTH_MINUTES}"),
        format!("--truth={}", truth.display()),
        "--faults".to_owned(),
        "--stop-at-end".to_owned(),
    ];
    staged.fleet(server, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What was decided equals what the journal alone decides again, byte for byte; twice.
fn replays(server: &Server, dump: &str) -> Result<()> {
    let first = server.command(&["replay"])?;
    ensure!(first == dump, "the replay differs from what was decided: {}", difference(&first, dump));
    ensure!(first == server.command(&["replay"])?, "two replays of one journal differ");
    Ok(())
}

/// The first line that is not alike.
fn difference(replay: &str, dump: &str) -> String {
    let (mut replay, mut dump) = (replay.lines(), dump.lines());
    loop {
        match (replay.next(), dump.next()) {
            (Some(one), Some(other)) if one == other => {}
            (one, other) => return format!("replayed {one:?}, decided {other:?}"),
        }
    }
}

/// What people do is not in the journal; what the machine decided is the same with and without it.
async fn replays_after_people_acted(server: &mut Server) -> Result<()> {
    server.start().await?;
    let api = server.log_in().await?;
    let alert = api.get("/api/v1/alerts?limit=1").await?["items"][0]["id"].clone();
    api.post(&format!("/api/v1/alerts/{alert}/acknowledge"), json!({"comment": "已通知业主"})).await?;
    server.stop()?;
    let decided = server.command(&["dump", "--decided"])?;
    ensure!(decided == server.command(&["replay", "--decided"])?, "the replay differs from what was decided");
    ensure!(server.command(&["dump"])?.contains("已通知业主"), "the dump leaves out what people did");
    ensure!(!server.command(&["replay"])?.contains("已通知业主"), "a replay cannot know what people did");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_equal_the_truth_on_sqlite_and_replay_gives_the_same_bytes() -> Result<()> {
    let mut matched = 0;
    for seed in 1..=SEEDS {
        let folder = tempfile::tempdir()?;
        let (count, dump, mut server) = scenario(seed, folder.path(), Setup::default(), restarts(seed)).await?;
        matched += count;
        ensure!(!dump.is_empty(), "seed {seed}: nothing was decided");
        if seed <= 2 {
            replays(&server, &dump).with_context(|| format!("seed {seed}"))?;
        }
        if seed == 1 {
            replays_after_people_acted(&mut server).await?;
        }
    }
    println!("{SEEDS} seeds on SQLite: {matched} episodes, all found, none beside them");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_equal_the_truth_on_postgresql_and_replay_gives_the_same_bytes() -> Result<()> {
    let mut matched = 0;
    for seed in 1..=SEEDS {
        let folder = tempfile::tempdir()?;
        let postgres = Postgres::start(folder.path()).await?;
        let setup = Setup { postgres_url: Some(postgres.url.clone()), ..Setup::default() };
        let (count, dump, server) = scenario(seed, folder.path(), setup, restarts(seed)).await?;
        matched += count;
        if seed <= 2 {
            // The replay runs on SQLite: the engines decide the same.
            replays(&server, &dump).with_context(|| format!("seed {seed}"))?;
        }
    }
    println!("{SEEDS} seeds on PostgreSQL: {matched} episodes, all found, none beside them");
    Ok(())
}

/// Every other seed is killed once on its way.
fn restarts(seed: u64) -> usize {
    usize::from(seed.is_multiple_of(2))
}
