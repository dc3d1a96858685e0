//! The way of a draft from the command line. Each step is a person's, who shows a password.

use crate::args::{DraftStep, RuleDraft as Wanted, Who};
use crate::commands::check_rule;
use crate::compose::Stores;
use anyhow::{Context, Result, bail};
use ledger::{Author, Permission, RuleDraft};
use std::path::Path;

/// The person, who must be allowed to.
pub(super) async fn person(stores: &Stores, who: &Who, permission: Permission) -> Result<Author> {
    known(stores, &who.login, who.password_file.as_deref(), permission).await
}

pub(super) async fn known(stores: &Stores, login: &str, file: Option<&Path>, permission: Permission) -> Result<Author> {
    let password = match file {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?,
        None => std::env::var("LANTIAN_PASSWORD")
            .ok()
            .context("know the password: give --password-file or set LANTIAN_PASSWORD")?,
    };
    let people = stores.ledger.people();
    let shown = people.login(login, password.trim_end_matches(['\n', '\r']), "command line").await;
    let shown = shown.with_context(|| format!("log {login} in"))?;
    people.logout(&shown.token).await.context("log out again")?;
    if shown.person.must_change {
        bail!("use the account {login}: its password was given by another; change it on the page first");
    }
    if !shown.person.role.may(permission) {
        bail!("do this as {login}: the role {} may not", shown.person.role.code());
    }
    Ok(Author::new(shown.person.login, "command line"))
}

pub(super) async fn write(stores: &Stores, wanted: &Wanted) -> Result<()> {
    let author = person(stores, &wanted.who, Permission::EditRules).await?;
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
    let tests_file = wanted.tests.clone().unwrap_or_else(|| super::files::tests_of(&wanted.file));
    let (text, tests) = (read(&wanted.file)?, read(&tests_file)?);
    let rule = ::rules::check(&text).map_err(|problems| {
        for problem in &problems {
            println!("WRONG {}: {problem}", wanted.file.display());
        }
        anyhow::anyhow!("take {}: {} problems; nothing was changed", wanted.file.display(), problems.len())
    })?;
    let draft = stores.ledger.write_draft(&author, &rule.code, (&text, &tests), &check_rule).await;
    let draft = draft.context("write the draft")?;
    println!("draft {} of {}, against version {}", draft.id, draft.code, draft.base);
    told(&stores.ledger.test_draft(&author, draft.id, &run_tests).await.context("pass its tests")?);
    Ok(())
}

/// The tests of a rule as the ledger counts them.
pub(crate) fn run_tests(text: &str, tests: &str) -> Result<(usize, usize), Vec<ledger::Problem>> {
    let outcomes = ::rules::unit_test::run(text, tests).map_err(|problems| {
        let told = |p: ::rules::Problem| ledger::Problem::new(p.place.clone(), p.to_string());
        problems.into_iter().map(told).collect::<Vec<_>>()
    })?;
    Ok((outcomes.len(), outcomes.iter().filter(|outcome| !outcome.passed()).count()))
}

fn told(draft: &RuleDraft) {
    let step = draft.steps.last();
    let note = step.map(|step| step.note.as_str()).filter(|note| !note.is_empty()).map(|note| format!(": {note}"));
    println!(
        "draft {} of {} is now {} ({} by {}{})",
        draft.id,
        draft.code,
        draft.state.code(),
        step.map_or("", |step| step.what.as_str()),
        step.map_or("", |step| step.who.as_str()),
        note.unwrap_or_default()
    );
}

pub(super) async fn shadow(stores: &Stores, step: &DraftStep) -> Result<()> {
    let author = person(stores, &step.who, Permission::EditRules).await?;
    told(&stores.ledger.shadow_draft(&author, step.id, &check_rule).await.context("begin the shadow")?);
    println!("its alerts are under {}; they open no case", model::register::shadow_code(&code(stores, step.id).await?));
    Ok(())
}

async fn code(stores: &Stores, id: i64) -> Result<String> {
    Ok(stores.ledger.draft(id).await.context("find the draft")?.code)
}

pub(super) async fn submit(stores: &Stores, step: &DraftStep) -> Result<()> {
    let author = person(stores, &step.who, Permission::EditRules).await?;
    told(&stores.ledger.submit_draft(&author, step.id, &step.note).await.context("submit the draft")?);
    Ok(())
}

pub(super) async fn approve(stores: &Stores, step: &DraftStep) -> Result<()> {
    let author = person(stores, &step.who, Permission::ApproveRules).await?;
    told(&stores.ledger.approve_draft(&author, step.id, &step.note, &check_rule).await.context("approve the draft")?);
    Ok(())
}

pub(super) async fn reject(stores: &Stores, step: &DraftStep) -> Result<()> {
    let author = person(stores, &step.who, Permission::ApproveRules).await?;
    told(&stores.ledger.reject_draft(&author, step.id, &step.note).await.context("reject the draft")?);
    Ok(())
}

pub(super) async fn withdraw(stores: &Stores, step: &DraftStep) -> Result<()> {
    let author = person(stores, &step.who, Permission::EditRules).await?;
    told(&stores.ledger.withdraw_draft(&author, step.id, &step.note).await.context("withdraw the draft")?);
    Ok(())
}

pub(super) async fn list(stores: &Stores, json: bool) -> Result<()> {
    let drafts = stores.ledger.drafts(None).await.context("list the drafts")?;
    if json {
        println!("{}", serde_json::to_string(&drafts).context("write JSON")?);
        return Ok(());
    }
    for draft in &drafts {
        let steps: Vec<String> = draft.steps.iter().map(|step| format!("{} {}", step.what, step.who)).collect();
        println!("{:>5}  {:<10} {:<28} {}", draft.id, draft.state.code(), draft.code, steps.join(", "));
    }
    if drafts.is_empty() {
        println!("no drafts; begin one with `lantian rules draft my-rule.toml --login NAME`");
    }
    Ok(())
}

pub(super) async fn off(stores: &Stores, code: &str, note: &str, who: &Who) -> Result<()> {
    let author = person(stores, who, Permission::EditRules).await?;
    stores.ledger.switch_off_rule(&author, code, note).await.with_context(|| format!("switch {code} off"))?;
    println!("{code} is off; `lantian rules draft` and another person's approval bring it back");
    Ok(())
}
