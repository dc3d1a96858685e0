//! `rules explain`: why an alert stands, and why a rule did not fire.

use super::backtest::{local, rounded, text};
use super::diff::text_of;
use crate::args::ExplainRule;
use crate::compose::Stores;
use ::rules::backtest::Pair;
use ::rules::why_not::{Conclusion, WhyNot};
use ::rules::{JudgedState, Operand, Why, duration};
use anyhow::{Context, Result, bail};
use cases::Cases;
use dashboards::trial::why::{Asked, run as ask};
use model::facts::Facts;
use model::id::{AlertId, SubjectId};
use model::register::SubjectDetails;
use std::path::Path;

pub(super) async fn run(stores: &Stores, wanted: &ExplainRule) -> Result<()> {
    let around_ms = ::rules::definition::duration_ms(&wanted.around)
        .with_context(|| format!("read --around {:?}: write 10min or 2h", wanted.around))?;
    let (text, version, subject, at) = match (&wanted.why_not, wanted.alert) {
        (Some(asked), _) => {
            let [rule, subject, at] = asked.as_slice() else { bail!("read --why-not: give RULE SUBJECT TIME") };
            let version = version_of(stores, rule);
            (text(stores, rule).await?, version, find(&stores.ledger.facts_now(), subject)?, super::time(at)?)
        }
        (None, Some(id)) => {
            cases::Judge::cursor_of(&stores.main, 0).await.context("open the cases")?;
            let alert = Cases::new(stores.main.clone()).alert(AlertId(id)).await.context("find the alert")?;
            if !wanted.json {
                print_alert(&alert, &stores.ledger.facts_now());
            }
            let text = text_of(stores, &format!("{}@{}", alert.rule, alert.rule_version)).await?;
            (text, alert.rule_version, alert.subject, alert.episode.start)
        }
        (None, None) => bail!("explain: give the number of an alert, or --why-not RULE SUBJECT TIME"),
    };
    let pair = Pair::new(&text, None).map_err(|problems| {
        anyhow::anyhow!("read the rule: {}", problems.first().map(ToString::to_string).unwrap_or_default())
    })?;
    let asked = Asked { pair, version, subject, at, around_ms };
    let told = ask(super::source(stores).await?, asked).await.context("judge again")?;
    if wanted.json {
        println!("{}", serde_json::to_string(&told).context("write JSON")?);
    } else {
        print(&told, &stores.ledger.facts_now());
    }
    Ok(())
}

/// 0: a file.
fn version_of(stores: &Stores, rule: &str) -> u32 {
    if Path::new(rule).is_file() {
        return 0;
    }
    let (code, version) = rule.split_once('@').map_or((rule, None), |(code, version)| (code, version.parse().ok()));
    version.unwrap_or_else(|| stores.ledger.facts_now().rules.get(code).map_or(0, |rule| rule.version))
}

/// By code, or by plate.
fn find(facts: &Facts, name: &str) -> Result<SubjectId> {
    let is_named = |details: &SubjectDetails| matches!(details, SubjectDetails::Truck { plate, .. } if plate == name);
    let found = facts.subjects.values().find(|subject| subject.code == name || is_named(&subject.details));
    Ok(found.with_context(|| format!("find the subject {name:?}: give its code, or a truck's plate"))?.id)
}

fn print_alert(alert: &cases::AlertRow, facts: &Facts) {
    let episode = &alert.episode;
    println!(
        "alert {} · {} {}@{} · {}",
        alert.id.0, alert.rule_name_zh, alert.rule, alert.rule_version, alert.subject_name
    );
    println!(
        "{} → {} · extreme {} at {} against {}",
        local(episode.start),
        episode.end.map_or_else(|| "lasts".to_owned(), local),
        rounded(episode.extreme),
        local(episode.extreme_at),
        rounded(episode.threshold)
    );
    if let Some(limit) = episode.limit.and_then(|id| facts.limits.get(&id)) {
        let source = if limit.verified { limit.source.as_str() } else { "configured value, unverified" };
        println!("limit {} {} {} ({source})", limit.value, limit.unit.code(), limit.standard);
    }
    if let Some(permit) = episode.permit.and_then(|id| facts.permits.get(&id)) {
        println!("permit {}", permit.code);
    }
    println!();
}

fn print(told: &WhyNot, facts: &Facts) {
    let mut shown: Option<(i64, String)> = None;
    for step in &told.steps {
        let line = step_line(step);
        let device = facts.devices.get(&step.device).map_or_else(String::new, |device| device.code.clone());
        // A long run of the same answer is one line.
        if shown.as_ref().is_some_and(|(at, before)| *at == step.device.0 && *before == line) {
            continue;
        }
        println!("{}  {device}  {line}", step.as_of.map(local).unwrap_or_default());
        shown = Some((step.device.0, line));
    }
    println!();
    println!("{}", sentence(told));
}

fn step_line(step: &Why) -> String {
    if let JudgedState::NotJudged { reason } = &step.state
        && step.operands.iter().all(|operand| operand.value.is_none())
    {
        return format!("not judged: {}", words(reason));
    }
    let operands: Vec<String> = step.operands.iter().map(operand).collect();
    operands.join("; ")
}

fn operand(one: &Operand) -> String {
    let value = one.value.map_or_else(|| "?".to_owned(), |value| rounded(value).to_string());
    let against = one.threshold.map(|threshold| format!(" against {}", rounded(threshold))).unwrap_or_default();
    let unit = if one.unit.is_empty() { String::new() } else { format!(" {}", one.unit) };
    let holds = match one.holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "not judged",
    };
    let reason = one.reason.as_ref().map(|reason| format!(" ({})", words(reason))).unwrap_or_default();
    format!("{} = {value}{unit}{against}: {holds}{reason}", one.name)
}

/// A reason as data, in words: its name and what it carries.
fn words(reason: &::rules::NotJudged) -> String {
    let value = serde_json::to_value(reason).unwrap_or_default();
    let Some(fields) = value.as_object() else { return String::new() };
    let name = fields.get("reason").and_then(|name| name.as_str()).unwrap_or_default().replace('_', " ");
    let rest: Vec<String> =
        fields.iter().filter(|(key, _)| *key != "reason").map(|(key, value)| format!("{key} {value}")).collect();
    if rest.is_empty() { name } else { format!("{name}: {}", rest.join(", ")) }
}

fn sentence(told: &WhyNot) -> String {
    match &told.conclusion {
        Conclusion::Fired => "It fired: an episode stands at that time.".to_owned(),
        Conclusion::NothingSeen => {
            "It did not fire: no record that the rule reads was stored around that time.".to_owned()
        }
        Conclusion::NotJudged { reason, steps, of } => {
            format!("It did not fire: {steps} of {of} steps were not judged ({}).", words(reason))
        }
        Conclusion::NotMet { at, name, value, threshold, unit } => format!(
            "It did not fire: {name} came closest at {} with {} against {} {unit}.",
            local(*at),
            rounded(*value),
            rounded(*threshold)
        ),
        Conclusion::NotLongEnough { from, to, steps } => format!(
            "It did not fire: the condition held from {} to {} ({steps} steps, {}), which is not as long or as often as the rule wants.",
            local(*from),
            local(*to),
            duration(to.since_ms(*from))
        ),
        Conclusion::NotHeld => "It did not fire: its condition did not hold.".to_owned(),
    }
}
