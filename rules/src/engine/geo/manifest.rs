//! Manifests (联单) that no trip answers: somebody signed a load, and the truck's track shows none from that site to that disposal
//! site around that time. Told when `after` has passed since the loading, and only of a truck that was heard since. Driver and
//! track may each sign one manifest of one load; a trip answers one of each.

use super::trip::TripTerms;
use super::trip::machine::Trips;
use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader as Toml};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{GroupKey, Judge, Key, Observation, Output, Reads, Scene};
use crate::engine::machine::Stretch;
use crate::explain::{JudgedState, NotJudged, Operand};
use model::register::{Manifest, ManifestSource};
use model::time::EventTime;
use model::trip::{TripPlace, TripSheet};
use std::sync::Arc;

pub(crate) const MANIFEST_UNMATCHED: KindRow =
    KindRow { code: "manifest_unmatched", read: |root, found| Some(read(root, found)) };

#[derive(Debug)]
struct ManifestDesign {
    terms: TripTerms,
    after_ms: i64,
    /// A manifest may say another time of loading, by so much.
    apart_ms: i64,
}

fn read(root: &mut Toml<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let terms = TripTerms::read(&mut at, found);
    let after_ms = at.duration("after", 24 * HOUR, HOUR..=60 * HOUR, found);
    let apart_ms = at.duration("apart", HOUR, HOUR / 60..=12 * HOUR, found);
    at.finish(found);
    Arc::new(ManifestDesign { terms, after_ms, apart_ms })
}

impl Design for ManifestDesign {
    fn key(&self) -> Key {
        Key::Subject
    }

    fn reads(&self) -> Reads {
        TripTerms::reads()
    }

    fn lookback_ms(&self) -> i64 {
        self.after_ms
    }

    fn unit(&self) -> &'static str {
        "h"
    }

    fn sentence(&self) -> String {
        format!("联单登记装载 {} 小时后仍没有与之相符的趟次", self.after_ms / HOUR)
    }

    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge> {
        let (trips, manifests) = (Trips::default(), Arc::default());
        Box::new(Matching { design: self, version, trips, manifests, decided: i64::MIN, heard: (i64::MIN, 0) })
    }
}

#[derive(Debug, Clone)]
struct Matching {
    design: Arc<ManifestDesign>,
    version: u32,
    trips: Trips,
    manifests: Arc<[Arc<Manifest>]>,
    /// Those that were due before this event time are final.
    decided: i64,
    /// The newest observation and its journal number.
    heard: (i64, u64),
}

impl Matching {
    fn due_of(&self, manifest: &Manifest) -> i64 {
        manifest.loaded_at.0.saturating_add(self.design.after_ms)
    }

    /// Those due in `from..=to` that no trip answers.
    fn unmatched(&self, from: i64, to: i64) -> Vec<Stretch> {
        let in_time = |manifest: &&Arc<Manifest>| {
            let due = self.due_of(manifest);
            from <= due && due <= to && self.heard.0 > manifest.loaded_at.0
        };
        if !self.manifests.iter().any(|manifest| in_time(&manifest)) {
            return Vec::new();
        }
        let trips = self.trips.sheets();
        let mut found = Vec::new();
        for source in ManifestSource::ALL {
            let mut free: Vec<&TripSheet> = trips.iter().map(AsRef::as_ref).collect();
            // Also those that are not due take their trip from others.
            for manifest in self.manifests.iter().filter(|manifest| manifest.source == source) {
                let near = |trip: &&TripSheet| {
                    let apart = |at: i64| (manifest.loaded_at.0 - at).abs();
                    apart(trip.loaded.0).min(apart(trip.left.0))
                };
                let best = (0..free.len())
                    .filter(|place| free.get(*place).is_some_and(|trip| self.answers(manifest, trip)))
                    .min_by_key(|place| free.get(*place).map(near));
                match best {
                    Some(place) => drop(free.remove(place)),
                    None if in_time(&manifest) => found.push(self.stretch(manifest)),
                    None => {}
                }
            }
        }
        found.sort_by_key(|stretch| (stretch.start, stretch.lane));
        found
    }

    fn answers(&self, manifest: &Manifest, trip: &TripSheet) -> bool {
        let loading = trip.segments.first().map_or(trip.left.0, |first| first.from.0);
        let (from, to) = (loading - self.design.apart_ms, trip.left.0 + self.design.apart_ms);
        let is_then = (from..=to).contains(&manifest.loaded_at.0);
        let is_from = manifest.site.is_none_or(|site| site == trip.site);
        let is_to = match (&trip.unloading, manifest.disposal_site) {
            (Some(unloading), Some(dump)) => unloading.at == TripPlace::DisposalSite(dump),
            (Some(unloading), None) => unloading.is_permitted,
            (None, _) => false,
        };
        is_then && is_from && is_to
    }

    fn stretch(&self, manifest: &Manifest) -> Stretch {
        #[expect(clippy::cast_precision_loss, reason = "some hours")]
        let hours = self.design.after_ms as f64 / HOUR as f64;
        Stretch {
            start: manifest.loaded_at.0,
            end: Some(self.due_of(manifest)),
            trigger: manifest.loaded_at.0,
            extreme: hours,
            extreme_at: manifest.loaded_at.0,
            threshold: hours,
            limit: 0,
            permit: manifest.permit.map_or(0, |permit| permit.0),
            place: None,
            version: self.version,
            evidence: [self.heard.1; 3],
            subject: 0,
            device: 0,
            lane: manifest.id.0.cast_unsigned(),
        }
    }
}

impl Judge for Matching {
    fn plan(&mut self, scene: &Scene<'_>) -> bool {
        let manifests: Arc<[Arc<Manifest>]> = match scene.group {
            GroupKey::Subject(truck) => scene.facts.manifests_of(*truck).cloned().collect(),
            _ => Arc::default(),
        };
        let is_same = self.manifests == manifests;
        self.manifests = manifests;
        self.trips.plan(scene) || !is_same
    }

    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        // What the rule `trip` tells of stops is told once.
        let mut unheard = Output::default();
        self.trips.step(&self.design.terms, seen, scene, &mut unheard);
        if seen.fact.is_none() {
            self.heard = (seen.at, seen.seq);
        }
        if self.decided < seen.at {
            out.stretches.extend(self.unmatched(self.decided, seen.at - 1));
            self.decided = seen.at;
        }
    }

    fn standing(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>) {
        into.extend(self.unmatched(self.decided, scene.now));
    }

    fn lasts(&self, scene: &Scene<'_>) -> usize {
        let is_due = |manifest: &&Arc<Manifest>| (self.decided..=scene.now).contains(&self.due_of(manifest));
        self.manifests.iter().filter(is_due).count()
    }

    fn due(&self, scene: &Scene<'_>) -> i64 {
        let next = self.manifests.iter().map(|manifest| self.due_of(manifest)).filter(|due| *due > scene.now);
        next.min().unwrap_or(i64::MAX)
    }

    fn frontier(&self, scene: &Scene<'_>) -> i64 {
        scene.now
    }

    fn halt(&mut self, _out: &mut Output) {
        self.trips.forget_phase();
    }

    fn why(&self, scene: &Scene<'_>, into: &mut Vec<Operand>) {
        let count = self.unmatched(self.decided, scene.now).len();
        #[expect(clippy::cast_precision_loss, reason = "some manifests")]
        let value = count as f64;
        into.push(Operand {
            name: "manifests without a trip".to_owned(),
            value: Some(value),
            unit: String::new(),
            threshold: Some(0.0),
            holds: Some(count > 0),
            as_of: (self.heard.0 != i64::MIN).then_some(EventTime(self.heard.0)),
            reason: None,
        });
    }

    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        (None, JudgedState::NotJudged { reason: NotJudged::NoData })
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        self.trips.write(w);
        w.signed(self.decided);
        w.signed(self.heard.0);
        w.unsigned(self.heard.1);
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.trips.read(r)?;
        self.decided = r.signed()?;
        self.heard = (r.signed()?, r.unsigned()?);
        Some(())
    }
}

const HOUR: i64 = 3_600_000;
