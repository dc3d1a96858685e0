//! Rules: list, text, history, check, new version, roll back.

use crate::dto::common::FieldProblem;
use crate::dto::rules::{PutRule, Rollback, RuleCheck, RuleDetail, RuleRevision, RuleRow, RuleText};
use crate::extract::{Caller, Code, Json};
use crate::handlers::registers::HISTORY_MAX;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::alert::{sentence, severity_of};
use axum::extract::State;
use axum::http::StatusCode;
use cases::{AlertQuery, AlertState};
use model::episode::EpisodeClass;
use model::register::{Object, RuleVersion, shadowed};
use rules::CompiledRule;

pub(crate) async fn list(State(state): State<AppState>) -> ApiResult<Json<Vec<RuleRow>>> {
    let facts = state.facts();
    let mut rows = Vec::new();
    for version in facts.rules.values().filter(|version| shadowed(&version.code).is_none()) {
        rows.push(row(&state, version).await?);
    }
    Ok(Json(rows))
}

async fn row(state: &AppState, version: &RuleVersion) -> ApiResult<RuleRow> {
    let query = AlertQuery {
        states: vec![AlertState::Open, AlertState::Acknowledged],
        rule: Some(version.code.clone()),
        limit: Some(1),
        ..AlertQuery::default()
    };
    let open = state.cases.alerts(&query).await?.total;
    // A stored text passed the check when it was stored; what an older program let pass still has a row.
    let rule = rules::check(&version.text).ok();
    let rule = rule.as_ref();
    Ok(RuleRow {
        code: version.code.clone(),
        name: rule.map_or_else(|| version.code.clone(), |rule| rule.name_zh.clone()),
        name_en: rule.map_or_else(|| version.code.clone(), |rule| rule.name_en.clone()),
        kind: rule.map(|rule| rule.kind.code().to_owned()).unwrap_or_default(),
        class: rule.map_or(EpisodeClass::DoubtfulData, |rule| rule.class).into(),
        severity: rule
            .and_then(|rule| rule.case.as_ref())
            .map_or(crate::dto::alerts::Severity::Low, |case| severity_of(case.severity)),
        version: version.version,
        active: version.active,
        demo: rule.is_some_and(|rule| rule.demo),
        open_alerts: u64::try_from(open).unwrap_or(0),
    })
}

pub(crate) async fn one(State(state): State<AppState>, Code(code): Code) -> ApiResult<Json<RuleDetail>> {
    detail(&state, &code).await.map(Json)
}

async fn detail(state: &AppState, code: &str) -> ApiResult<RuleDetail> {
    let facts = state.facts();
    let version = facts.rules.get(code).ok_or_else(ApiError::not_found)?;
    let rule = rules::check(&version.text).ok();
    let basis = rule.as_ref().and_then(|rule| rule.basis.first());
    Ok(RuleDetail {
        row: row(state, version).await?,
        text: version.text.clone(),
        sentence: rule.as_ref().map(sentence).unwrap_or_default(),
        basis: basis.map(|basis| format!("{} {}", basis.law, basis.article)),
    })
}

pub(crate) async fn history(State(state): State<AppState>, Code(code): Code) -> ApiResult<Json<Vec<RuleRevision>>> {
    if !state.facts().rules.contains_key(&code) {
        return Err(ApiError::not_found());
    }
    let history = state.ledger.history("rule", &code, HISTORY_MAX).await?;
    let rows = history.into_iter().filter_map(|revision| match revision.object {
        Object::Rule(rule) => Some(RuleRevision {
            version: rule.version,
            at: revision.at.into(),
            author: revision.author,
            active: rule.active,
            text: rule.text,
        }),
        _ => None,
    });
    Ok(Json(rows.collect()))
}

pub(crate) async fn check(Json(wanted): Json<RuleText>) -> ApiResult<Json<RuleCheck>> {
    let answer = match compile(&wanted.text)? {
        Ok(rule) => RuleCheck { ok: true, problems: Vec::new(), sentence: Some(sentence(&rule)) },
        Err(problems) => RuleCheck { ok: false, problems, sentence: None },
    };
    Ok(Json(answer))
}

fn compile(text: &str) -> ApiResult<Result<CompiledRule, Vec<FieldProblem>>> {
    if text.len() > TEXT_MAX {
        return Err(ApiError::field("text", format!("at most {TEXT_MAX} bytes")));
    }
    Ok(rules::check(text).map_err(|problems| problems.into_iter().map(Into::into).collect()))
}

fn invalid(problems: Vec<FieldProblem>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "rule_invalid", "the rule does not pass its check")
        .with_problems(problems)
}

/// The ledger asks once more, with the same check, inside its own transaction.
fn checked(text: &str) -> Vec<ledger::Problem> {
    match rules::check(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|one| ledger::Problem::new(one.place, one.message)).collect(),
    }
}

pub(crate) async fn put(
    State(state): State<AppState>,
    caller: Caller,
    Code(code): Code,
    Json(wanted): Json<PutRule>,
) -> ApiResult<Json<RuleDetail>> {
    match compile(&wanted.text)? {
        Err(problems) => return Err(invalid(problems)),
        Ok(rule) if rule.code != code => {
            let place = FieldProblem {
                line: None,
                place: "code".into(),
                message: format!("the text is of rule {}", rule.code),
                suggestion: Some(format!("code = \"{code}\"")),
            };
            return Err(invalid(vec![place]));
        }
        Ok(_) => {}
    }
    expect_version(&state, &code, wanted.version)?;
    state.ledger.set_rule(&caller.author(), &code, &wanted.text, wanted.active, &checked).await?;
    detail(&state, &code).await.map(Json)
}

pub(crate) async fn rollback(
    State(state): State<AppState>,
    caller: Caller,
    Code(code): Code,
    Json(wanted): Json<Rollback>,
) -> ApiResult<Json<RuleDetail>> {
    if !state.facts().rules.contains_key(&code) {
        return Err(ApiError::not_found());
    }
    expect_version(&state, &code, wanted.version)?;
    state.ledger.rollback_rule(&caller.author(), &code, wanted.to_version, &checked).await?;
    detail(&state, &code).await.map(Json)
}

fn expect_version(state: &AppState, code: &str, seen: u32) -> ApiResult<()> {
    let live = state.facts().rules.get(code).map_or(0, |rule| rule.version);
    if live == seen { Ok(()) } else { Err(ApiError::conflict("another version is live").with_detail(live.to_string())) }
}

/// Bytes of a rule's text.
const TEXT_MAX: usize = 64 << 10;
