//! Drafts of rules: their way from one person's text to another person's approval, and the trials on the way.

use crate::dto::drafts::{
    BacktestJob, DecideDraft, DraftMove, DraftRow, DraftStepRow, MoveDraft, PreviewEpisode, PreviewRule, RulePreview,
    StartBacktest, SwitchOff, TestOutcome, TestReport, WhyQuery, WhyReport, WriteDraft,
};
use crate::dto::rules::RuleDetail;
use crate::extract::{Caller, Code, Id, Json, Search};
use crate::handlers::rules::{checked, compile, detail, invalid};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::trial::backtest::{Progress, Wanted, run as run_backtest, stands};
use crate::trial::why::{Asked, run as ask};
use crate::trial::{Source, TrialError};
use axum::extract::State;
use ledger::{Permission, RuleDraft};
use model::id::{DeviceId, SubjectId};
use model::time::{EventTime, parse_rfc3339};
use rules::backtest::Pair;
use rules::{Kind, unit_test};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

pub(crate) async fn list(State(state): State<AppState>, caller: Caller) -> ApiResult<Json<Vec<DraftRow>>> {
    let drafts = state.ledger.drafts(None).await?;
    Ok(Json(drafts.into_iter().map(|draft| row(draft, &caller)).collect()))
}

pub(crate) async fn one(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<DraftRow>> {
    Ok(Json(row(state.ledger.draft(id).await?, &caller)))
}

fn row(draft: RuleDraft, caller: &Caller) -> DraftRow {
    let writers: Vec<String> = draft.writers().into_iter().map(str::to_owned).collect();
    let done = ["tested", "shadowed", "backtested"].into_iter().filter(|what| draft.has(what)).map(str::to_owned);
    let may_approve = draft.state == ledger::DraftState::Submitted
        && caller.may(Permission::ApproveRules)
        && !writers.contains(&caller.login);
    DraftRow {
        id: draft.id,
        done: done.collect(),
        base: draft.base,
        state: draft.state.into(),
        author: draft.author.clone(),
        created: draft.created.into(),
        changed: draft.changed.into(),
        writers,
        may_approve,
        steps: draft
            .steps
            .iter()
            .map(|step| DraftStepRow {
                at: step.at.into(),
                who: step.who.clone(),
                what: step.what.clone(),
                note: step.note.clone(),
            })
            .collect(),
        code: draft.code,
        text: draft.text,
        tests: draft.tests,
    }
}

pub(crate) async fn write(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<WriteDraft>,
) -> ApiResult<Json<DraftRow>> {
    let rule = compile(&wanted.text)?.map_err(invalid)?;
    let text = (wanted.text.as_str(), wanted.tests.as_str());
    let draft = state.ledger.write_draft(&caller.author(), &rule.code, text, &checked).await?;
    Ok(Json(row(draft, &caller)))
}

pub(crate) async fn step(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<MoveDraft>,
) -> ApiResult<Json<DraftRow>> {
    let (ledger, author) = (&state.ledger, caller.author());
    let draft = match wanted.step {
        DraftMove::Test => ledger.test_draft(&author, id, &run_tests).await?,
        DraftMove::Shadow => ledger.shadow_draft(&author, id, &checked).await?,
        DraftMove::Submit => ledger.submit_draft(&author, id, &wanted.note).await?,
        DraftMove::Withdraw => ledger.withdraw_draft(&author, id, &wanted.note).await?,
    };
    Ok(Json(row(draft, &caller)))
}

pub(crate) async fn decide(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<DecideDraft>,
) -> ApiResult<Json<DraftRow>> {
    let (ledger, author) = (&state.ledger, caller.author());
    let draft = if wanted.approve {
        ledger.approve_draft(&author, id, &wanted.note, &checked).await?
    } else {
        ledger.reject_draft(&author, id, &wanted.note).await?
    };
    Ok(Json(row(draft, &caller)))
}

pub(crate) async fn switch_off(
    State(state): State<AppState>,
    caller: Caller,
    Code(code): Code,
    Json(wanted): Json<SwitchOff>,
) -> ApiResult<Json<RuleDetail>> {
    state.ledger.switch_off_rule(&caller.author(), &code, &wanted.note).await?;
    detail(&state, &code).await.map(Json)
}

pub(crate) async fn test(Json(wanted): Json<WriteDraft>) -> ApiResult<Json<TestReport>> {
    compile(&wanted.text)?.map_err(invalid)?;
    let work = move || unit_test::run(&wanted.text, &wanted.tests);
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?;
    Ok(Json(match done {
        Err(problems) => TestReport { problems: problems.into_iter().map(Into::into).collect(), tests: Vec::new() },
        Ok(outcomes) => {
            let tests = outcomes.into_iter().map(|outcome| TestOutcome {
                passed: outcome.passed(),
                name: outcome.name,
                line: outcome.line,
                differences: outcome.differences,
            });
            TestReport { problems: Vec::new(), tests: tests.collect() }
        }
    }))
}

fn run_tests(text: &str, tests: &str) -> Result<(usize, usize), Vec<ledger::Problem>> {
    let outcomes = unit_test::run(text, tests).map_err(|problems| {
        problems.into_iter().map(|one| ledger::Problem::new(one.place, one.message)).collect::<Vec<_>>()
    })?;
    Ok((outcomes.len(), outcomes.iter().filter(|outcome| !outcome.passed()).count()))
}

/// Backtests under way and the last ones done.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<(u64, VecDeque<Job>)>);

#[derive(Debug)]
struct Job {
    id: u64,
    progress: Progress,
    ended: Option<Result<serde_json::Value, String>>,
}

impl Jobs {
    fn with<T>(&self, work: impl FnOnce(&mut (u64, VecDeque<Job>)) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, progress: &Progress) -> ApiResult<u64> {
        self.with(|(last, jobs)| {
            if jobs.iter().any(|job| job.ended.is_none()) {
                return Err(ApiError::new(
                    axum::http::StatusCode::CONFLICT,
                    "busy",
                    "another backtest is running; wait for its end",
                ));
            }
            *last += 1;
            jobs.push_back(Job { id: *last, progress: progress.clone(), ended: None });
            if jobs.len() > JOBS_MAX {
                jobs.pop_front();
            }
            Ok(*last)
        })
    }

    fn end(&self, id: u64, result: Result<serde_json::Value, String>) {
        self.with(|(_, jobs)| {
            if let Some(job) = jobs.iter_mut().find(|job| job.id == id) {
                job.ended = Some(result);
            }
        });
    }

    fn of(&self, id: u64) -> Option<BacktestJob> {
        self.with(|(_, jobs)| {
            let job = jobs.iter().find(|job| job.id == id)?;
            let (done, total, records) = job.progress.now();
            let (state, outcome, error) = match &job.ended {
                None => ("running", None, None),
                Some(Ok(outcome)) => ("done", Some(outcome.clone()), None),
                Some(Err(error)) => ("failed", None, Some(error.clone())),
            };
            Some(BacktestJob { id, state: state.to_owned(), done, total, records, error, outcome })
        })
    }
}

fn source(state: &AppState) -> Source {
    let as_of = *state.settled.borrow();
    Source { ledger: state.ledger.clone(), chunks: state.chunks.clone(), main: state.pulse.database(), as_of }
}

fn failed(error: &TrialError) -> ApiError {
    ApiError::internal(error)
}

pub(crate) async fn backtest(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<StartBacktest>,
) -> ApiResult<Json<BacktestJob>> {
    compile(&wanted.text)?.map_err(invalid)?;
    let (from, to) = (EventTime(wanted.from.0), EventTime(wanted.to.0.min(state.now().0)));
    if from >= to || to.since_ms(from) > SPAN_MAX_MS {
        return Err(ApiError::field("to", "from a time to a later one, at most 92 days"));
    }
    let draft = match wanted.draft {
        None => None,
        Some(id) => {
            let draft = state.ledger.draft(id).await?;
            if draft.text != wanted.text {
                return Err(ApiError::field("draft", "its text is another; save the draft first"));
            }
            Some(id)
        }
    };
    let pair = pair(&state, &wanted.text)?;
    let progress = Progress::default();
    let id = state.jobs.begin(&progress)?;
    // Half of the machine stays for what comes in.
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1);
    let order = Wanted { pair, from, to, workers, subjects: Vec::new() };
    let (watch, author) = (state.clone(), caller.author());
    let (stop, halted) = (state.stop.clone(), progress.clone());
    let work = async move {
        let run = run_backtest(source(&watch), order, progress);
        tokio::pin!(run);
        // Cancel-safe: the run is polled on after it was told to stop.
        let done = tokio::select! {
            done = &mut run => done,
            () = stop.cancelled() => {
                halted.stop();
                run.await
            }
        };
        let result = match done {
            Err(error) => Err(error.to_string()),
            Ok(outcome) => {
                let report = &outcome.report;
                let found = format!(
                    "{} new, {} gone, {} changed, {} the same",
                    report.new, report.gone, report.changed, report.same
                );
                if let Some(id) = draft
                    && let Err(error) = watch.ledger.note_backtest(&author, id, &found).await
                {
                    tracing::warn!(%error, "failed to note a backtest on its draft");
                }
                serde_json::to_value(&outcome).map_err(|error| error.to_string())
            }
        };
        watch.jobs.end(id, result);
    };
    state.tasks.spawn(work);
    state.jobs.of(id).map(Json).ok_or_else(ApiError::not_found)
}

fn pair(state: &AppState, text: &str) -> ApiResult<Pair> {
    let code = rules::check(text).map(|rule| rule.code).unwrap_or_default();
    let facts = state.facts();
    let live = facts.rules.get(&code).filter(|rule| rule.active).map(|rule| rule.text.clone());
    Pair::new(text, live.as_deref()).map_err(|problems| invalid(problems.into_iter().map(Into::into).collect()))
}

pub(crate) async fn backtest_job(State(state): State<AppState>, Id(id): Id) -> ApiResult<Json<BacktestJob>> {
    let found = u64::try_from(id).ok().and_then(|id| state.jobs.of(id));
    found.map(Json).ok_or_else(ApiError::not_found)
}

pub(crate) async fn preview(
    State(state): State<AppState>,
    Json(wanted): Json<PreviewRule>,
) -> ApiResult<Json<RulePreview>> {
    let rule = compile(&wanted.text)?.map_err(invalid)?;
    let to = EventTime(state.now().0);
    let from = to.plus_ms(-24 * 3_600_000);
    let facts = state.facts();
    let device = DeviceId(wanted.device);
    let subject = facts.installation_at(device, to).map(|row| row.subject).ok_or_else(ApiError::not_found)?;
    let pair =
        Pair::new(&wanted.text, None).map_err(|problems| invalid(problems.into_iter().map(Into::into).collect()))?;
    let progress = Progress::default();
    let order = Wanted { pair, from, to, workers: 1, subjects: vec![subject] };
    let (found, _) = stands(source(&state), order, progress.clone()).await.map_err(|error| failed(&error))?;
    let quantity = match &rule.kind {
        Kind::Exceedance(p) => p.quantity.spec().map(|spec| spec.code.to_owned()),
        Kind::Judged(judged) => judged.quantity().map(str::to_owned),
        _ => None,
    };
    let episodes = found.draft.into_iter().map(|episode| PreviewEpisode {
        start: episode.start.into(),
        end: episode.end.map(Into::into),
        extreme: episode.extreme,
        threshold: episode.threshold,
    });
    let (_, _, records) = progress.now();
    Ok(Json(RulePreview { from: from.into(), to: to.into(), records, episodes: episodes.collect(), quantity }))
}

pub(crate) async fn why(
    State(state): State<AppState>,
    Code(code): Code,
    Search(query): Search<WhyQuery>,
) -> ApiResult<Json<WhyReport>> {
    let facts = state.facts();
    let rule = facts.rules.get(&code).ok_or_else(ApiError::not_found)?;
    let subject = SubjectId(query.subject);
    if !facts.subjects.contains_key(&subject) {
        return Err(ApiError::not_found());
    }
    let at = parse_rfc3339(&query.at).ok_or_else(|| ApiError::field("at", "write an RFC 3339 time"))?;
    let around = i64::from(query.around_min.unwrap_or(15).min(AROUND_MIN_MAX));
    let pair =
        Pair::new(&rule.text, None).map_err(|problems| invalid(problems.into_iter().map(Into::into).collect()))?;
    let asked = Asked { pair, version: rule.version, subject, at: EventTime(at), around_ms: around * 60_000 };
    let told = ask(source(&state), asked).await.map_err(|error| failed(&error))?;
    let value = |step| serde_json::to_value(step).map_err(|error| ApiError::internal(&error));
    let steps = told.steps.iter().map(value).collect::<ApiResult<Vec<_>>>()?;
    let conclusion = serde_json::to_value(&told.conclusion).map_err(|error| ApiError::internal(&error))?;
    Ok(Json(WhyReport { conclusion, steps }))
}

/// Backtests kept for who asks.
const JOBS_MAX: usize = 8;
const SPAN_MAX_MS: i64 = 92 * 86_400_000;
const AROUND_MIN_MAX: u32 = 24 * 60;
