//! Why a rule fired or did not, for one subject around one moment: the records around it are judged again, step by step.

use super::{Edge, Source, TrialError, columns, installed};
use model::id::SubjectId;
use model::time::{EventTime, IngestTime};
use rules::Why;
use rules::backtest::{Pair, Run};
use rules::why_not::{WhyNot, conclude};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The version in question as the draft of a pair.
    pub pair: Pair,
    /// Its number.
    pub version: u32,
    pub subject: SubjectId,
    pub at: EventTime,
    /// Steps so long before and after are shown.
    pub around_ms: i64,
}

/// Judges again and tells each step.
///
/// # Errors
/// What could not be read.
pub async fn run(source: Source, asked: Asked) -> Result<WhyNot, TrialError> {
    let pair = &asked.pair;
    let end = EventTime(asked.at.0.saturating_add(asked.around_ms));
    let begin = EventTime(asked.at.0.saturating_sub(asked.around_ms).saturating_sub(pair.before_ms()));
    let world = source.world(begin, end).await?;
    let facts = source.ledger.facts_now();
    let unit = pair.unit(asked.subject, &facts);
    let mut inside = installed(pair, &facts, (begin, end));
    inside.retain(|(_, subject)| pair.unit(*subject, &facts) == unit);
    let (mut devices, mut subjects): (Vec<_>, Vec<_>) = inside.into_iter().unzip();
    devices.dedup();
    subjects.sort_unstable();
    let belongs = |subject: SubjectId| subjects.binary_search(&subject).is_ok();
    let span = (begin, EventTime(end.0.saturating_add(1)));
    let (records, _) = source.records(&devices, &columns(pair.reads()), span, pair.horizon_ms(), &belongs).await?;
    let work = move || {
        let shown = |at: EventTime| (at.0 - asked.at.0).abs() <= asked.around_ms;
        let within =
            records.iter().filter(|record| shown(record.key.at) && record.subject == Some(asked.subject)).count();
        let each = within.div_ceil(STEPS_MAX).max(1);
        let mut run = Run::new(&asked.pair, world.facts);
        let (mut edges, mut steps, mut place) = (world.edges.as_slice(), Vec::new(), 0);
        for record in records {
            while let Some((edge, rest)) = edges.split_first().filter(|(edge, _)| Edge::at(edge) <= record.received) {
                edge.apply(&mut run);
                edges = rest;
            }
            let (at, is_shown) = (record.key.at, shown(record.key.at) && record.subject == Some(asked.subject));
            run.record(Box::new(record));
            if is_shown {
                if place % each == 0 {
                    steps.extend(run.why(asked.subject, at).into_iter().map(|why| numbered(why, asked.version)));
                }
                place += 1;
            }
        }
        let stands = run.finish(EventTime(asked.at.0.saturating_sub(asked.around_ms)), IngestTime(end.0));
        let mut episodes = stands.draft;
        episodes.retain(|episode| episode.subject == asked.subject && episode.start <= end);
        let conclusion = conclude(asked.at, &steps, &episodes);
        let rule = asked.pair.draft.code.clone();
        WhyNot { rule, rule_version: asked.version, at: asked.at, steps, episodes, conclusion }
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| TrialError::Stopped)
}

/// A trial's own numbers mean nothing outside of it.
fn numbered(why: Why, version: u32) -> Why {
    let rule = model::register::shadowed(&why.rule).map(str::to_owned).unwrap_or(why.rule.clone());
    Why { rule, rule_version: version, ..why }
}

/// Steps that are shown at most.
const STEPS_MAX: usize = 400;
