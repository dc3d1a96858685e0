//! `rules diff`: what two versions do differently.

use crate::args::RuleDiff;
use crate::compose::Stores;
use ::rules::{CompiledRule, check, diff};
use anyhow::{Context, Result, bail};
use model::register::Object;
use serde_json::json;
use std::path::Path;

/// `None` when one of the two is no file.
pub(super) fn of_files(wanted: &RuleDiff) -> Option<Result<()>> {
    let is_file = |name: &str| Path::new(name).is_file();
    if !is_file(&wanted.old) || !is_file(&wanted.new) {
        return None;
    }
    Some(read(&wanted.old).and_then(|old| Ok((old, read(&wanted.new)?))).map(|(old, new)| print(wanted, &old, &new)))
}

pub(super) async fn with_registers(stores: &Stores, wanted: &RuleDiff) -> Result<()> {
    let (old, new) = (either(stores, &wanted.old).await?, either(stores, &wanted.new).await?);
    print(wanted, &old, &new);
    Ok(())
}

fn print(wanted: &RuleDiff, old: &CompiledRule, new: &CompiledRule) {
    let told = diff(old, new);
    if wanted.json {
        println!("{}", json!({ "old": wanted.old, "new": wanted.new, "differences": told }));
        return;
    }
    for line in &told {
        println!("{} {line}", if line.judges { "judges " } else { "tells  " });
    }
    match told.iter().filter(|line| line.judges).count() {
        0 if told.is_empty() => println!("the two do the same"),
        0 => println!("the same episodes; {} settings of what is told differ", told.len()),
        count => println!("{count} settings that judge differ; `lantian rules backtest` shows what that means"),
    }
}

fn read(name: &str) -> Result<CompiledRule> {
    compile(name, &std::fs::read_to_string(name).with_context(|| format!("read {name}"))?)
}

fn compile(name: &str, text: &str) -> Result<CompiledRule> {
    check(text).map_err(|problems| {
        for problem in &problems {
            println!("WRONG {name}: {problem}");
        }
        anyhow::anyhow!("read {name}: {} problems", problems.len())
    })
}

async fn either(stores: &Stores, name: &str) -> Result<CompiledRule> {
    if Path::new(name).is_file() { read(name) } else { compile(name, &text_of(stores, name).await?) }
}

/// The text of `CODE` or `CODE@VERSION`.
pub(super) async fn text_of(stores: &Stores, name: &str) -> Result<String> {
    let (code, version) = name.split_once('@').map_or((name, None), |(code, version)| (code, Some(version)));
    let facts = stores.ledger.facts_now();
    let Some(live) = facts.rules.get(code) else {
        let known: Vec<&str> = facts.rules.keys().map(String::as_str).collect();
        bail!("find {name:?}: it is no file and no rule of the registers; rules: {}", known.join(", "));
    };
    let Some(version) = version else { return Ok(live.text.clone()) };
    let version: u32 = version.parse().with_context(|| format!("read the version of {name:?}"))?;
    let history = stores.ledger.history("rule", code, HISTORY_MAX).await.context("read the versions")?;
    let text = history.into_iter().find_map(|revision| match revision.object {
        Object::Rule(rule) if rule.version == version => Some(rule.text),
        _ => None,
    });
    text.with_context(|| format!("find version {version} of {code}; the newest is {}", live.version))
}

const HISTORY_MAX: u32 = 1_000;
