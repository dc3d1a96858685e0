//! What a truck's permits say of a moment. A suspended permit does not hold, and a pollution notice that stops muck transport
//! overrides every permit, in the grid of the permit's site or in the whole district.

use crate::engine::judge::{GroupKey, Scene};
use model::facts::Facts;
use model::register::{Permit, Stops};
use model::time::EventTime;
use std::sync::Arc;

/// Whether a truck may drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// No permit is valid: the register cannot say.
    None,
    /// This one lets it.
    Holds(i64),
    /// This one is valid, and it is outside its windows, suspended or overridden.
    Closed(i64),
}

/// The permits that name the truck of the group, by id.
pub(crate) fn of(scene: &Scene<'_>) -> Arc<[Arc<Permit>]> {
    let GroupKey::Subject(truck) = scene.group else { return Arc::default() };
    scene.facts.permits_of(*truck).cloned().collect()
}

pub(crate) fn leave(permits: &[Arc<Permit>], at: i64, facts: &Facts) -> Leave {
    let at = EventTime(at);
    let mut found = Leave::None;
    for permit in permits.iter().filter(|permit| permit.is_valid(at)) {
        if facts.permit_holds(permit, at) && !is_stopped(permit, at, facts) {
            return Leave::Holds(permit.id.0);
        }
        if found == Leave::None {
            found = Leave::Closed(permit.id.0);
        }
    }
    found
}

fn is_stopped(permit: &Permit, at: EventTime, facts: &Facts) -> bool {
    let work = Stops::MuckTransport;
    match permit.site {
        Some(site) => facts.subject_stopped_at(work, site, at).is_some(),
        None => facts.stopped_at(work, None, at).is_some(),
    }
}

/// The disposal sites that the permits valid at the moment name, and the first of those permits. Its windows do not matter: who
/// unloads late unloads at the right place.
pub(crate) fn dumps(permits: &[Arc<Permit>], at: i64) -> (Vec<i64>, i64) {
    let at = EventTime(at);
    let valid = permits.iter().filter(|permit| permit.is_valid(at) && !permit.is_suspended(at));
    let named: Vec<(i64, i64)> = valid.filter_map(|permit| Some((permit.disposal_site?.0, permit.id.0))).collect();
    (named.iter().map(|(dump, _)| *dump).collect(), named.first().map_or(0, |(_, permit)| *permit))
}
