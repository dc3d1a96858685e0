//! What is true: the episodes that a rule must find, computed from the plan by arithmetic of the simulator's own, and the
//! near misses that it must not.

mod exceedance;
mod presence;
mod route;

use crate::district::District;
use crate::plan::{Plan, Role};
use serde::{Deserialize, Serialize};

/// An episode that must stand at the end; its bounds may be off by the tolerance (a reading more or less).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Kind of the rule: `exceedance`, `offline`, `off_route`.
    pub rule: String,
    pub subject: String,
    pub device: String,
    pub start_ms: i64,
    pub end_ms: Option<i64>,
    pub tolerance_ms: i64,
}

/// Somebody who only looks like an offender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearMiss {
    pub rule: String,
    pub subject: String,
    pub device: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Truth {
    pub seed: u64,
    pub start_ms: i64,
    pub end_ms: i64,
    pub expected: Vec<Expected>,
    pub near_misses: Vec<NearMiss>,
}

/// The truth of a plan.
pub fn expected(district: &District, plan: &Plan) -> Truth {
    let end_ms = plan.timeline.start_ms + plan.timeline.length_s * 1000;
    let mut truth = Truth { seed: district.size.seed, start_ms: plan.timeline.start_ms, end_ms, ..Truth::default() };
    for (restaurant, own) in district.restaurants.iter().zip(&plan.fume) {
        let stretches = exceedance::stretches(own, plan).into_iter().map(|s| ("exceedance", s));
        let gaps = presence::gaps(own, plan).into_iter().map(|s| ("offline", s));
        for (rule, (start_ms, end_ms)) in stretches.chain(gaps) {
            truth.expected.push(Expected {
                rule: rule.into(),
                subject: restaurant.code.clone(),
                device: restaurant.device.clone(),
                start_ms,
                end_ms,
                tolerance_ms: plan.judging.reading_interval_s * 2_000,
            });
        }
        note_near_miss(&mut truth, own.role, &restaurant.code, &restaurant.device);
    }
    for (truck, own) in district.trucks.iter().zip(&plan.trucks) {
        for (start_ms, end_ms) in route::stretches(own, plan) {
            truth.expected.push(Expected {
                rule: "off_route".into(),
                subject: truck.code.clone(),
                device: truck.device.clone(),
                start_ms,
                end_ms,
                tolerance_ms: plan.judging.fix_interval_s * 2_000,
            });
        }
        note_near_miss(&mut truth, own.role, &truck.code, &truck.device);
    }
    truth
}

fn note_near_miss(truth: &mut Truth, role: Role, subject: &str, device: &str) {
    let (rule, why) = match role {
        Role::NearPeak => ("exceedance", "a short peak that leaves the mean below the limit"),
        Role::NearLevel => ("exceedance", "a level just below the limit"),
        Role::NearCalibration => ("exceedance", "high values while the instrument is calibrated"),
        Role::NearShortOff => ("offline", "away for less than the limit"),
        Role::NearDelayed => ("offline", "the network was away; the readings came afterwards"),
        Role::NearLane => ("off_route", "a lane beside the line, inside the corridor"),
        Role::NearShortDetour => ("off_route", "a detour shorter than the limit"),
        Role::NearWildFix => ("off_route", "single fixes far away"),
        Role::NearNoFix => ("off_route", "the terminal has no fix and repeats a place"),
        Role::Clean | Role::Exceeds | Role::GoesOff | Role::OffRoute => return,
    };
    truth.near_misses.push(NearMiss {
        rule: rule.into(),
        subject: subject.into(),
        device: device.into(),
        why: why.into(),
    });
}
