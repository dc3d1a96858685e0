//! `rules backtest`: a draft on stored records, with progress on standard error.

use super::diff::text_of;
use super::drafts::known;
use crate::args::Backtest;
use crate::compose::Stores;
use ::rules::backtest::{Change, Pair, Report};
use anyhow::{Context, Result, bail, ensure};
use dashboards::trial::backtest::{Outcome, Progress, Wanted, run as run_backtest};
use ledger::{Author, Permission};
use model::episode::Episode;
use model::facts::Facts;
use model::time::{EventTime, LocalStamp, local_day_text};
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

pub(super) async fn run(stores: &Stores, wanted: &Backtest) -> Result<()> {
    let (from, to) = (super::time(&wanted.from)?, super::time(&wanted.to)?);
    ensure!(from < to, "try {} to {}: the end is not after the beginning", wanted.from, wanted.to);
    let noted = match (wanted.draft, wanted.login.as_deref()) {
        (Some(id), Some(login)) => {
            let author = known(stores, login, wanted.password_file.as_deref(), Permission::EditRules).await?;
            Some((id, author))
        }
        _ => None,
    };
    let text = match (&wanted.rule, &noted) {
        (_, Some((id, _))) => stores.ledger.draft(*id).await.context("find the draft")?.text,
        (Some(name), None) => text(stores, name).await?,
        (None, None) => bail!("try a rule: name a file, a rule or --draft"),
    };
    let code = ::rules::check(&text).map(|rule| rule.code).unwrap_or_default();
    let live = match &wanted.against {
        Some(name) => Some(self::text(stores, name).await?),
        None => stores.ledger.facts_now().rules.get(&code).filter(|rule| rule.active).map(|rule| rule.text.clone()),
    };
    let pair = Pair::new(&text, live.as_deref()).map_err(|problems| {
        for problem in &problems {
            println!("WRONG {problem}");
        }
        anyhow::anyhow!("try the rule: {} problems", problems.len())
    })?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = wanted.workers.unwrap_or(cores);
    let progress = Progress::default();
    let order = Wanted { pair, from, to, workers, subjects: Vec::new() };
    let done = watched(run_backtest(super::source(stores).await?, order, progress.clone()), &progress).await;
    let outcome = done.context("backtest the rule")?;
    let facts = stores.ledger.facts_now();
    if wanted.json {
        println!("{}", serde_json::to_string(&outcome).context("write JSON")?);
    } else if wanted.csv {
        print!("{}", csv(&outcome.report, &facts));
    } else {
        print(&outcome, &facts);
    }
    if let Some((id, author)) = noted {
        note(stores, &author, id, &outcome).await?;
    }
    Ok(())
}

async fn note(stores: &Stores, author: &Author, id: i64, outcome: &Outcome) -> Result<()> {
    let report = &outcome.report;
    let found = format!(
        "{} to {}: {} new, {} gone, {} changed, {} the same",
        local(outcome.from),
        local(outcome.to),
        report.new,
        report.gone,
        report.changed,
        report.same
    );
    stores.ledger.note_backtest(author, id, &found).await.context("note the result on the draft")?;
    eprintln!("noted on draft {id}");
    Ok(())
}

pub(super) async fn text(stores: &Stores, name: &str) -> Result<String> {
    if Path::new(name).is_file() {
        return std::fs::read_to_string(name).with_context(|| format!("read {name}"));
    }
    text_of(stores, name).await
}

/// Waits for it and shows how far it is, when somebody looks.
async fn watched<T>(work: impl Future<Output = T>, progress: &Progress) -> T {
    tokio::pin!(work);
    let shown = std::io::stderr().is_terminal();
    loop {
        // Cancel-safe: the work is polled on, and a pause that is cut short is begun anew.
        tokio::select! {
            done = &mut work => {
                if shown {
                    eprintln!();
                }
                return done;
            }
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                let (done, total, records) = progress.now();
                if shown {
                    let percent = done * 100 / total.max(1);
                    eprint!("\r{percent:>3} %  {records} records");
                    std::io::stderr().flush().ok(); // a closed terminal changes nothing
                }
            }
        }
    }
}

fn print(outcome: &Outcome, facts: &Facts) {
    let report = &outcome.report;
    println!(
        "{}: {} to {}, {} devices, {} records",
        outcome.rule,
        local(outcome.from),
        local(outcome.to),
        outcome.devices,
        outcome.records
    );
    println!(
        "alerts: {} live, {} draft; {} the same, {} new, {} gone, {} changed",
        report.live, report.draft, report.same, report.new, report.gone, report.changed
    );
    if outcome.late > 0 {
        println!("{} records came later than the horizon and were not judged", outcome.late);
    }
    if outcome.contacts_unknown {
        println!("signs of life without data are not stored: pauses are measured by data alone");
    }
    for change in report.changes.iter().take(LINES_MAX) {
        match change {
            Change::New { draft } => println!("+ {}", line(draft, facts)),
            Change::Gone { live } => println!("- {}", line(live, facts)),
            Change::Changed { live, draft } => {
                println!("- {}", line(live, facts));
                println!("~ {}", line(draft, facts));
            }
        }
    }
    if report.changes.len() > LINES_MAX {
        println!("… and {} more; --csv has them", report.changes.len() - LINES_MAX);
    }
    println!("\nday         grid            alerts live  draft    cases live  draft");
    for day in &report.grid_days {
        println!(
            "{}  {:<14} {:>12} {:>6} {:>13} {:>6}",
            local_day_text(day.day),
            grid(day.grid, facts),
            day.alerts_live,
            day.alerts_draft,
            day.cases_live,
            day.cases_draft
        );
    }
    for (day, cases, cap) in &report.over_cap {
        println!("{}: {cases} cases, the cap of the rule lets {cap} be opened", local_day_text(*day));
    }
}

fn grid(grid: Option<model::id::GridId>, facts: &Facts) -> String {
    grid.and_then(|id| facts.grids.get(&id)).map_or_else(|| "–".to_owned(), |grid| grid.code.clone())
}

fn line(episode: &Episode, facts: &Facts) -> String {
    let device = facts.devices.get(&episode.device).map_or_else(String::new, |device| device.code.clone());
    format!(
        "{}  {device}  {} → {}  {} > {}",
        subject(episode, facts),
        local(episode.start),
        episode.end.map_or_else(|| "lasts".to_owned(), local),
        rounded(episode.extreme),
        rounded(episode.threshold)
    )
}

pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn subject(episode: &Episode, facts: &Facts) -> String {
    facts.subjects.get(&episode.subject).map_or_else(|| episode.subject.to_string(), |subject| subject.code.clone())
}

/// Beijing time.
pub(super) fn local(at: EventTime) -> String {
    let fields = LocalStamp::of(at, model::time::BEIJING_OFFSET_MINUTES).fields();
    fields.map_or_else(
        || at.to_rfc3339(),
        |(year, month, day, hour, minute, second, _)| {
            format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        },
    )
}

fn csv(report: &Report, facts: &Facts) -> String {
    let mut out = String::from("change,subject,device,start,end,extreme,threshold,live_start,live_end,live_extreme\n");
    for change in &report.changes {
        let episode = change.episode();
        let device = facts.devices.get(&episode.device).map_or_else(String::new, |device| device.code.clone());
        let end = |episode: &Episode| episode.end.map(EventTime::to_rfc3339).unwrap_or_default();
        let live = match change {
            Change::Changed { live, .. } => format!("{},{},{}", live.start, end(live), live.extreme),
            _ => ",,".to_owned(),
        };
        let cells = [
            change.word().to_owned(),
            subject(episode, facts),
            device,
            episode.start.to_rfc3339(),
            end(episode),
            episode.extreme.to_string(),
            episode.threshold.to_string(),
            live,
        ];
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

const LINES_MAX: usize = 200;
