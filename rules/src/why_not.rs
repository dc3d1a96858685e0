//! Why a rule did not fire: each operand at each step around a moment, and what follows from them in one line. Pure; the steps
//! come from [`crate::backtest::Run::why`].

use crate::explain::{JudgedState, NotJudged, Why};
use model::episode::Episode;
use model::time::EventTime;
use serde::Serialize;

/// All of it, for a page or a terminal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhyNot {
    pub rule: String,
    pub rule_version: u32,
    pub at: EventTime,
    pub steps: Vec<Why>,
    /// Of this rule and subject, around the moment.
    pub episodes: Vec<Episode>,
    pub conclusion: Conclusion,
}

/// What follows from the steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Conclusion {
    /// It did fire: an episode stands at the moment.
    Fired,
    /// There was no step: no record that the rule reads.
    NothingSeen,
    /// Most steps could not be judged; the reason of most of them.
    NotJudged { reason: NotJudged, steps: usize, of: usize },
    /// The condition was not met; the operand that came closest.
    NotMet { at: EventTime, name: String, value: f64, threshold: f64, unit: String },
    /// The condition held, but not for as long or as often as the rule wants.
    NotLongEnough { from: EventTime, to: EventTime, steps: usize },
    /// Judged, without numbers to compare.
    NotHeld,
}

/// Draws the conclusion.
pub fn conclude(at: EventTime, steps: &[Why], episodes: &[Episode]) -> Conclusion {
    if episodes.iter().any(|episode| episode.start <= at && episode.end.is_none_or(|end| end >= at)) {
        return Conclusion::Fired;
    }
    let reasons: Vec<&NotJudged> = steps.iter().filter_map(reason).collect();
    if steps.is_empty() {
        return Conclusion::NothingSeen;
    }
    if reasons.len() * 2 > steps.len() {
        let count = |reason: &NotJudged| reasons.iter().filter(|other| same_kind(other, reason)).count();
        if let Some(reason) = reasons.iter().rev().max_by_key(|reason| count(reason)) {
            let reason = (*reason).clone();
            return Conclusion::NotJudged { steps: count(&reason), reason, of: steps.len() };
        }
    }
    let held: Vec<&Why> = steps.iter().filter(|step| holds(step)).collect();
    if let (Some(first), Some(last)) = (held.first(), held.last()) {
        let time = |step: &Why| step.as_of.unwrap_or(at);
        return Conclusion::NotLongEnough { from: time(first), to: time(last), steps: held.len() };
    }
    closest(at, steps).unwrap_or(Conclusion::NotHeld)
}

fn reason(step: &Why) -> Option<&NotJudged> {
    match &step.state {
        JudgedState::NotJudged { reason } => Some(reason),
        JudgedState::Judged { .. } => None,
    }
}

fn same_kind(a: &NotJudged, b: &NotJudged) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn holds(step: &Why) -> bool {
    matches!(step.state, JudgedState::Judged { over: true, .. })
}

/// The comparison that failed by the smallest share of its threshold.
fn closest(at: EventTime, steps: &[Why]) -> Option<Conclusion> {
    let failed = steps.iter().flat_map(|step| {
        let of = move |operand: &crate::explain::Operand| {
            let (value, threshold) = (operand.value?, operand.threshold?);
            let miss = ((threshold - value) / threshold.abs().max(1e-9)).abs();
            (operand.holds == Some(false)).then(|| (miss, step, operand.clone(), value, threshold))
        };
        step.operands.iter().filter_map(of).collect::<Vec<_>>()
    });
    let (_, step, operand, value, threshold) = failed.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let (name, unit) = (operand.name, operand.unit);
    Some(Conclusion::NotMet { at: step.as_of.unwrap_or(at), name, value, threshold, unit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Operand;
    use model::id::DeviceId;

    fn step(minute: i64, state: JudgedState, value: Option<f64>) -> Why {
        let holds = value.map(|value| value > 2.0);
        let operand = Operand {
            name: "mean(fume, 60min)".into(),
            value,
            unit: "mg/m3".into(),
            threshold: Some(2.0),
            holds,
            as_of: None,
            reason: None,
        };
        Why {
            rule: "r".into(),
            rule_version: 1,
            device: DeviceId(1),
            as_of: Some(EventTime(minute * 60_000)),
            beyond_horizon: false,
            state,
            operands: vec![operand],
        }
    }

    fn judged(value: f64) -> JudgedState {
        let over = value > 2.0;
        JudgedState::Judged { value, threshold: 2.0, limit: None, permit: None, over, in_episode: false }
    }

    #[test]
    fn the_closest_miss_is_told() {
        let steps: Vec<Why> =
            (0..).zip([1.2, 1.9, 1.4]).map(|(at, value)| step(at, judged(value), Some(value))).collect();
        let Conclusion::NotMet { at, value, .. } = conclude(EventTime(0), &steps, &[]) else { panic!() };
        assert_eq!((at, value), (EventTime(60_000), 1.9));
    }

    #[test]
    fn what_was_mostly_not_judged_says_why() {
        let few = || JudgedState::NotJudged { reason: NotJudged::TooFewValid { valid: 20, expected: 60, needed: 45 } };
        let steps = [step(0, few(), None), step(1, few(), None), step(2, judged(1.0), Some(1.0))];
        let Conclusion::NotJudged { steps, of, .. } = conclude(EventTime(0), &steps, &[]) else { panic!() };
        assert_eq!((steps, of), (2, 3));
        assert_eq!(conclude(EventTime(0), &[], &[]), Conclusion::NothingSeen);
    }

    #[test]
    fn what_held_too_shortly_says_from_when_to_when() {
        let steps: Vec<Why> =
            (0..).zip([1.0, 3.0, 3.0, 1.0]).map(|(at, value)| step(at, judged(value), Some(value))).collect();
        let told = conclude(EventTime(0), &steps, &[]);
        assert_eq!(told, Conclusion::NotLongEnough { from: EventTime(60_000), to: EventTime(120_000), steps: 2 });
    }
}
