//! A truck's trips: loaded at a site, washed, covered, along its corridor, unloaded, and back. A state machine over its fixes and
//! over what the gate tells of its exits; one sheet for each trip. It raises no episode: what is wrong with a trip is its rules'.
//! What it finds besides are facts for rules over several trucks: stops outside every known place.
//!
//! | phase | begins | ends |
//! |---|---|---|
//! | at a site | inside its outline | two fixes outside: a trip, if it was loaded there; without a load sensor perhaps one |
//! | hauling | with the trip | bed up at rest, or the load gone for two fixes; without a load sensor two minutes at rest at a dump |
//! | unloading | where the load goes | it drives off |
//! | returning | then | inside a site or parking ground, after an hour, or with the next trip |
//!
//! A load that is there for one fix is a wrong bit. After twelve hours without an unloading a trip is over.

pub(crate) mod machine;
mod sheet;

use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader as Toml};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{FactKind, Judge, Key, Observation, Output, Reads, Scene};
use crate::engine::machine::Stretch;
use crate::explain::{JudgedState, NotJudged, Operand};
use machine::Trips;
use model::quantity::Quantity;
use model::record::{RecordKind, Statistic};
use model::trip::TripSheet;
use std::sync::Arc;

pub(crate) const TRIP: KindRow = KindRow { code: "trip", read: |root, found| Some(read(root, found)) };

/// The numbers of a trip.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TripTerms {
    pub(crate) accuracy_m: f64,
    pub(crate) rest_kmh: f64,
    pub(crate) speed_max_kmh: f64,
    pub(crate) state_ms: i64,
    /// Farther from the line than half the corridor's width and this is a deviation.
    pub(crate) margin_m: f64,
    /// A stop outside every known place is told to other rules when it lasted so long.
    pub(crate) stop_ms: i64,
}

impl TripTerms {
    pub(crate) fn read(at: &mut Toml<'_>, found: &mut Findings<'_>) -> Self {
        Self {
            accuracy_m: at.number("accuracy_m", 30.0, 0.0..=90.0, found),
            rest_kmh: at.number("rest_kmh", 5.0, 0.0..=20.0, found),
            speed_max_kmh: at.number("speed_max_kmh", 150.0, 20.0..=500.0, found),
            state_ms: at.duration("state_for", 10 * MINUTE, 1_000..=6 * 60 * MINUTE, found),
            margin_m: at.number("margin_m", 20.0, 0.0..=5_000.0, found),
            stop_ms: at.duration("stop", 3 * MINUTE, MINUTE..=24 * 60 * MINUTE, found),
        }
    }

    /// What a rule that follows trips reads.
    pub(crate) fn reads() -> Reads {
        Reads { fixes: true, ..Reads::default() }
            .kind(RecordKind::Position)
            .kind(RecordKind::State)
            .kind(RecordKind::Instant)
            .statistic(Statistic::Instant)
            .quantity(Quantity::LOAD_STATE)
            .quantity(Quantity::COVER_OPEN)
            .quantity(Quantity::BED_LIFTED)
            .fact(FactKind::PassedGate)
    }
}

#[derive(Debug)]
struct TripDesign(TripTerms);

fn read(root: &mut Toml<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let terms = TripTerms::read(&mut at, found);
    at.finish(found);
    Arc::new(TripDesign(terms))
}

impl Design for TripDesign {
    fn key(&self) -> Key {
        Key::Subject
    }

    fn reads(&self) -> Reads {
        TripTerms::reads()
    }

    fn lookback_ms(&self) -> i64 {
        machine::HAUL_MS
    }

    fn unit(&self) -> &'static str {
        ""
    }

    fn sentence(&self) -> String {
        "按工地装载、冲洗、密闭、线路、卸货、返回逐趟生成趟次单，不产生报警".to_owned()
    }

    fn judge(self: Arc<Self>, _version: u32) -> Box<dyn Judge> {
        Box::new(TripJudge { design: self, trips: Trips::default() })
    }
}

#[derive(Debug, Clone)]
struct TripJudge {
    design: Arc<TripDesign>,
    trips: Trips,
}

impl Judge for TripJudge {
    fn plan(&mut self, scene: &Scene<'_>) -> bool {
        self.trips.plan(scene)
    }

    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        self.trips.step(&self.design.0, seen, scene, out);
    }

    fn standing(&self, _scene: &Scene<'_>, _into: &mut Vec<Stretch>) {}

    fn lasts(&self, _scene: &Scene<'_>) -> usize {
        0
    }

    fn halt(&mut self, _out: &mut Output) {
        self.trips.forget_phase();
    }

    fn why(&self, _scene: &Scene<'_>, into: &mut Vec<Operand>) {
        into.push(Operand {
            name: format!("trip: {}", self.trips.phase()),
            value: None,
            unit: String::new(),
            threshold: None,
            holds: None,
            as_of: None,
            reason: None,
        });
    }

    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        (None, JudgedState::NotJudged { reason: NotJudged::NoData })
    }

    fn sheets(&self) -> Vec<Arc<TripSheet>> {
        self.trips.sheets()
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        self.trips.write(w);
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.trips.read(r)
    }
}

const MINUTE: i64 = 60_000;

#[cfg(test)]
mod tests;
