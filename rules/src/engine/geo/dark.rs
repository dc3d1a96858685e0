//! Offline while moving: a truck that drove when it was last heard says nothing for longer than `longer_than`, our own outages
//! not counted, and is heard again elsewhere. So it is certain when it is told; a silence that lasts is `device-offline`'s. What
//! a blind zone kept and sends later takes it back. A silence that begins in a site, a disposal site or a depot, or with the
//! ignition off, is a parked truck.

use super::plane::apart_m;
use super::walk::{Going, Step, Walk, read_place, seconds, write_place};
use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader as Toml};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{Judge, Key, Observation, Output, Reads, Scene};
use crate::engine::machine::Stretch;
use crate::explain::{JudgedState, NotJudged, Operand};
use model::envelope::ProtocolKind;
use model::geo::Wgs84;
use model::quantity::Quantity;
use model::record::{Flag, RecordKind, Statistic};
use model::time::EventTime;
use std::sync::Arc;

pub(crate) const OFFLINE_MOVING: KindRow =
    KindRow { code: "offline_moving", read: |root, found| Some(read(root, found)) };

#[derive(Debug, Clone, PartialEq)]
struct DarkDesign {
    longer_than_ms: i64,
    /// Heard again nearer than this, it did not go.
    moved_min_m: f64,
    rest_kmh: f64,
    speed_max_kmh: f64,
    accuracy_m: f64,
}

fn read(root: &mut Toml<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let design = DarkDesign {
        longer_than_ms: at.duration("longer_than", 10 * MINUTE, MINUTE..=24 * 60 * MINUTE, found),
        moved_min_m: at.number("moved_min_m", 300.0, 0.0..=10_000.0, found),
        rest_kmh: at.number("rest_kmh", 3.0, 0.0..=20.0, found),
        speed_max_kmh: at.number("speed_max_kmh", 150.0, 20.0..=500.0, found),
        accuracy_m: at.number("accuracy_m", 30.0, 0.0..=90.0, found),
    };
    at.finish(found);
    Arc::new(design)
}

impl Design for DarkDesign {
    fn key(&self) -> Key {
        Key::Subject
    }

    fn reads(&self) -> Reads {
        Reads { fixes: true, outages: true, ..Reads::default() }
            .kind(RecordKind::Position)
            .statistic(Statistic::Instant)
            .quantity(Quantity::IGNITION)
    }

    fn lookback_ms(&self) -> i64 {
        self.longer_than_ms
    }

    fn unit(&self) -> &'static str {
        "s"
    }

    fn sentence(&self) -> String {
        format!("行驶中失联超过 {} 分钟（本系统中断除外），恢复时位置已变", self.longer_than_ms / MINUTE)
    }

    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge> {
        Box::new(Dark {
            design: self,
            version,
            walk: Walk::default(),
            last: None,
            heard: i64::MIN,
            seq: 0,
            places: 0,
        })
    }
}

#[derive(Debug, Clone)]
struct Dark {
    design: Arc<DarkDesign>,
    version: u32,
    walk: Walk,
    last: Option<Last>,
    /// Event time of the last observation, and the journal number of it.
    heard: i64,
    seq: u64,
    places: u64,
}

/// Where it was when it was last heard with a fix.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Last {
    at: i64,
    place: Wgs84,
    /// It drove on a road, the ignition not off.
    is_driving: bool,
    protocol: ProtocolKind,
}

impl Dark {
    /// How long it was silent through no fault of ours, if that is too long.
    fn silence_ms(&self, until: i64, scene: &Scene<'_>) -> Option<(Last, i64)> {
        let last = self.last.filter(|last| last.is_driving && last.at == self.heard)?;
        let ours = scene.outages.within(last.protocol, last.at, until);
        let silent = until.saturating_sub(last.at).saturating_sub(ours);
        (silent > self.design.longer_than_ms).then_some((last, silent))
    }

    fn stretch(&self, last: &Last, seen: &Observation, silent_ms: i64) -> Stretch {
        Stretch {
            start: last.at,
            end: Some(seen.at),
            trigger: last.at,
            extreme: seconds(silent_ms),
            extreme_at: seen.at,
            threshold: seconds(self.design.longer_than_ms),
            limit: 0,
            permit: 0,
            place: Some(last.place),
            version: self.version,
            evidence: [self.seq, seen.seq, seen.seq],
            subject: 0,
            device: 0,
            lane: 0,
        }
    }

    fn is_driving(&self, going: &Going, seen: &Observation, scene: &Scene<'_>) -> bool {
        let ignition = seen.value(Quantity::IGNITION, Statistic::Instant);
        let is_off = ignition.is_some_and(|value| value.flag == Flag::Normal && value.value < 0.5);
        let mut is_home = false;
        scene.atlas.zones.near(going.place, |zone, metres| {
            is_home |= zone.kind.is_known_stop() && metres <= self.design.accuracy_m && zone.holds_at(going.at);
        });
        going.speed_kmh > self.design.rest_kmh && !is_off && !is_home
    }
}

impl Judge for Dark {
    fn plan(&mut self, scene: &Scene<'_>) -> bool {
        std::mem::replace(&mut self.places, scene.atlas.places) != scene.atlas.places
    }

    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output) {
        let going = match seen.fix.as_ref().map(|fix| self.walk.step(seen.at, fix, self.design.speed_max_kmh)) {
            Some(Step::Good(going)) => Some(going),
            _ => None,
        };
        if let Some((last, silent)) = self.silence_ms(seen.at, scene)
            && let Some(going) = going
            && apart_m(last.place, going.place) >= self.design.moved_min_m
        {
            out.stretches.push(self.stretch(&last, seen, silent));
        }
        if let Some(going) = going {
            let is_driving = self.is_driving(&going, seen, scene);
            self.last = Some(Last { at: seen.at, place: going.place, is_driving, protocol: seen.protocol });
        }
        (self.heard, self.seq) = (seen.at, seen.seq);
    }

    fn standing(&self, _scene: &Scene<'_>, _into: &mut Vec<Stretch>) {}

    fn lasts(&self, _scene: &Scene<'_>) -> usize {
        0
    }

    fn halt(&mut self, _out: &mut Output) {
        self.last = None;
    }

    fn why(&self, scene: &Scene<'_>, into: &mut Vec<Operand>) {
        let silent = self.last.map(|last| seconds(scene.now.saturating_sub(last.at).max(0)));
        into.push(Operand {
            name: "silent since it was last heard driving".to_owned(),
            value: silent,
            unit: "s".to_owned(),
            threshold: Some(seconds(self.design.longer_than_ms)),
            holds: Some(self.silence_ms(scene.now, scene).is_some()),
            as_of: self.last.map(|last| EventTime(last.at)),
            reason: self.last.is_none().then_some(NotJudged::NoFix),
        });
    }

    fn state(&self, scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        let Some(last) = self.last else { return (None, JudgedState::NotJudged { reason: NotJudged::NoFix }) };
        let is_over = self.silence_ms(scene.now, scene).is_some();
        let state = JudgedState::Judged {
            value: seconds(scene.now.saturating_sub(last.at).max(0)),
            threshold: seconds(self.design.longer_than_ms),
            limit: None,
            permit: None,
            over: is_over,
            in_episode: false,
        };
        (Some(last.at), state)
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        self.walk.write(w);
        w.signed(self.heard);
        w.unsigned(self.seq);
        w.flag(self.last.is_some());
        if let Some(last) = self.last {
            w.signed(last.at);
            write_place(last.place, w);
            w.flag(last.is_driving);
            w.0.push(last.protocol as u8);
        }
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.walk = Walk::read(r)?;
        self.heard = r.signed()?;
        self.seq = r.unsigned()?;
        self.last = None;
        if r.flag()? {
            let (at, place, is_driving, number) = (r.signed()?, read_place(r)?, r.flag()?, r.byte()?);
            let protocol = ProtocolKind::ALL.into_iter().find(|kind| *kind as u8 == number)?;
            self.last = Some(Last { at, place, is_driving, protocol });
        }
        Some(())
    }
}

const MINUTE: i64 = 60_000;

#[cfg(test)]
mod tests {
    use crate::engine::geo::testing::{Corner, NIGHT, value};
    use model::quantity::Quantity;

    const RULE: &str = "truck-offline-moving";

    fn drive(corner: &mut Corner, seconds: std::ops::Range<i64>, from_m: f64, kmh: f64, ignition: f64) {
        let mut east = from_m;
        for second in seconds.step_by(20) {
            corner.say(second, east, 0.0, kmh, &[value(Quantity::IGNITION, ignition)]);
            east += kmh / 3.6 * 20.0;
        }
    }

    fn gap(seconds: i64, again_m: f64, ignition: f64) -> Corner {
        let mut corner = Corner::of_truck();
        drive(&mut corner, 0..200, 1_000.0, 30.0, ignition);
        drive(&mut corner, 180 + seconds..400 + seconds, again_m, 30.0, 1.0);
        corner
    }

    #[test]
    fn a_truck_that_drives_unheard_for_more_than_ten_minutes_is_found_when_it_is_elsewhere() {
        assert_eq!(gap(1_200, 6_000.0, 1.0).spans(RULE), [(180, Some(1_380))]);
        assert!(gap(600, 6_000.0, 1.0).spans(RULE).is_empty(), "ten minutes of tunnel");
        assert!(gap(1_200, 2_600.0, 1.0).spans(RULE).is_empty(), "heard again where it was");
        assert!(gap(1_200, 6_000.0, 0.0).spans(RULE).is_empty(), "the ignition was off");
        let mut ours = gap(1_200, 6_000.0, 1.0);
        ours.outages.add(None, NIGHT + 300_000, NIGHT + 1_000_000);
        assert!(ours.spans(RULE).is_empty(), "we did not listen");
    }

    #[test]
    fn a_silence_that_begins_in_a_known_place_is_a_parked_truck() {
        let mut home = Corner::of_truck();
        drive(&mut home, 0..160, -100.0, 6.0, 1.0);
        drive(&mut home, 1_500..1_700, 2_000.0, 30.0, 1.0);
        assert!(home.spans(RULE).is_empty());
    }
}
