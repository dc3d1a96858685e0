//! The judge of one gate. Each finding is a moment: it begins and ends with the exit.

use super::passing::{Exit, Passing, Washed};
use super::{GateDesign, What};
use crate::engine::codec::{Reader, Writer};
use crate::engine::geo::plate;
use crate::engine::judge::{GroupKey, Judge, Observation, Output, Scene};
use crate::engine::machine::Stretch;
use crate::explain::{JudgedState, NotJudged, Operand};
use model::id::SubjectId;
use model::register::SubjectDetails;
use model::time::EventTime;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(super) struct GateJudge {
    design: Arc<GateDesign>,
    version: u32,
    passing: Passing,
    /// Of the atlas, as it was planned with.
    planned: (u64, u64),
    last: Option<Last>,
}

/// The last exit, for explanations.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: i64,
    /// `None`: not judged.
    found: Option<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    is_over: bool,
    value: f64,
    threshold: f64,
}

impl GateJudge {
    pub(super) fn new(design: Arc<GateDesign>, version: u32) -> Self {
        Self { design, version, passing: Passing::default(), planned: (0, 0), last: None }
    }

    /// `None`: not judged.
    fn look(&self, exit: &Exit, washed: &Washed, scene: &Scene<'_>) -> Option<Found> {
        let design = &self.design;
        let truck = scene.atlas.truck(&exit.plate);
        let is_truck = truck.is_some() || exit.is_truck == Some(true);
        match design.what {
            _ if !is_truck || exit.is_truck == Some(false) => None,
            What::NotWashed => {
                let is_known = exit.is_clean.is_some() || washed.count > 0 || has_washer(scene, exit.at);
                let is_over = washed.count == 0 && exit.is_clean != Some(true);
                let value = washed.seconds.unwrap_or(design.seconds_min);
                is_known.then_some(Found { is_over, value, threshold: design.seconds_min })
            }
            What::TooShort => {
                let value = washed.seconds.filter(|_| washed.count > 0)?;
                Some(Found { is_over: value < design.seconds_min, value, threshold: design.seconds_min })
            }
            What::Unlicensed => {
                let is_sure = exit.confidence.is_none_or(|sure| sure >= design.confidence_min);
                if !plate::is_plate(&exit.plate) || !is_sure || exit.is_loaded == Some(false) {
                    return None;
                }
                let is_over = match truck {
                    Some(truck) => !is_permitted(truck, exit.at, scene),
                    None if scene.atlas.is_misreading(&exit.plate) => return None,
                    None => true,
                };
                Some(Found { is_over, value: f64::from(u8::from(is_over)), threshold: 0.0 })
            }
        }
    }
}

impl Judge for GateJudge {
    fn plan(&mut self, scene: &Scene<'_>) -> bool {
        let now = (scene.atlas.trucks_known, scene.atlas.permits_known);
        let before = std::mem::replace(&mut self.planned, now);
        self.design.what == What::Unlicensed && before != now
    }

    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        let Some((exit, washed)) = self.passing.take(seen, self.design.before_ms, self.design.seconds_min) else {
            return;
        };
        let found = self.look(&exit, &washed, scene);
        self.last = Some(Last { at: exit.at, found });
        if let Some(found) = found.filter(|found| found.is_over) {
            out.stretches.push(Stretch {
                start: exit.at,
                end: Some(exit.at),
                trigger: exit.at,
                extreme: found.value,
                extreme_at: exit.at,
                threshold: found.threshold,
                limit: 0,
                permit: 0,
                place: None,
                version: self.version,
                evidence: [washed.seq, exit.seq, exit.seq],
                subject: 0,
                device: exit.device,
                lane: lane(&exit.plate),
            });
        }
    }

    fn standing(&self, _scene: &Scene<'_>, _into: &mut Vec<Stretch>) {}

    fn lasts(&self, _scene: &Scene<'_>) -> usize {
        0
    }

    fn halt(&mut self, _out: &mut Output) {}

    fn why(&self, _scene: &Scene<'_>, into: &mut Vec<Operand>) {
        let Some(last) = self.last else { return };
        into.push(Operand {
            name: match self.design.what {
                What::NotWashed | What::TooShort => "washed before the exit",
                What::Unlicensed => "plate without a valid permit",
            }
            .to_owned(),
            value: last.found.map(|found| found.value),
            unit: if self.design.what == What::Unlicensed { "" } else { "s" }.to_owned(),
            threshold: last.found.map(|found| found.threshold),
            holds: last.found.map(|found| found.is_over),
            as_of: Some(EventTime(last.at)),
            reason: last.found.is_none().then_some(NotJudged::NoData),
        });
    }

    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        let not = JudgedState::NotJudged { reason: NotJudged::NoData };
        let Some(last) = self.last else { return (None, not) };
        let state = last.found.map_or(not, |found| JudgedState::Judged {
            value: found.value,
            threshold: found.threshold,
            limit: None,
            permit: None,
            over: found.is_over,
            in_episode: false,
        });
        (Some(last.at), state)
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        self.passing.write(w);
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.passing = Passing::read(r)?;
        Some(())
    }
}

fn site(scene: &Scene<'_>) -> Option<SubjectId> {
    let GroupKey::Gate(gate) = scene.group else { return None };
    match scene.facts.subjects.get(gate)?.details {
        SubjectDetails::Gate { site } => Some(site),
        _ => None,
    }
}

/// A permit of the truck for this gate's site, valid and not suspended. Its hours are another rule's.
fn is_permitted(truck: SubjectId, at: i64, scene: &Scene<'_>) -> bool {
    let (site, at) = (site(scene), EventTime(at));
    scene
        .facts
        .permits_of(truck)
        .any(|permit| (permit.site.is_none() || permit.site == site) && permit.is_valid(at) && !permit.is_suspended(at))
}

/// Whether a washer that is switched on and not under maintenance was installed here.
fn has_washer(scene: &Scene<'_>, at: i64) -> bool {
    let GroupKey::Gate(gate) = scene.group else { return false };
    let at = EventTime(at);
    let rows = scene.facts.installations.values().filter(|row| row.subject == *gate);
    let mut here = rows.filter(|row| row.valid_from <= at && row.valid_to.is_none_or(|end| at < end));
    here.any(|row| {
        let washes = |profile: &model::register::DeviceProfile| {
            profile.code.contains("washer") || profile.factors.iter().any(|factor| factor.quantity.starts_with("wash"))
        };
        scene.facts.devices.get(&row.device).is_some_and(|device| device.enabled)
            && scene.facts.profile_of(row.device).is_some_and(|profile| washes(profile))
            && scene.facts.maintenance_at(Some(row.device), Some(*gate), at).is_none()
    })
}

/// FNV-1a: the same number for a plate in every run.
fn lane(plate: &str) -> u64 {
    plate.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
