//! A truck's tracker: a fix every 20 s along a way, with load, cover, bed and ignition. Without edits a lawful trip at
//! night: loaded at site 1, washed, covered, along the permitted route, unloaded at the disposal site, and back.

use super::dice::Dice;
use super::district::{self, ROUTE, logger};
use super::story::{Said, Story, fix, instant};
use model::quantity::Quantity;
use model::record::RecordKind;

/// What the tracker says at one moment.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "`fixed` is the wire's word")]
pub struct Fixed {
    /// Seconds since the way began, and of the story.
    pub since_s: i64,
    pub at_s: i64,
    /// Metres.
    pub east: f64,
    pub north: f64,
    pub speed: f64,
    pub fixed: bool,
    /// 0 empty, 3 full.
    pub load: f64,
    pub cover_open: f64,
    pub bed_lifted: f64,
    pub ignition: f64,
    pub sent: bool,
    pub delay_ms: i64,
}

/// One part of a way.
#[derive(Debug, Clone, Copy)]
pub enum Leg {
    /// Straight to a place, at km/h.
    Drive((f64, f64), f64),
    /// Standing, seconds.
    Stand(i64),
    Load(f64),
    Cover(f64),
    Bed(f64),
    Ignition(f64),
}

pub const FIX_S: i64 = 20;

impl Story {
    /// Fixes of a truck from the second `at_s` on, at `from`. Gives the second at which it ends.
    pub fn way(
        &mut self,
        truck: i64,
        at_s: i64,
        from: (f64, f64),
        legs: &[Leg],
        mut edit: impl FnMut(&mut Fixed, &mut Dice),
    ) -> i64 {
        let mut now = Fixed {
            since_s: 0,
            at_s,
            east: from.0,
            north: from.1,
            speed: 0.0,
            fixed: true,
            load: 0.0,
            cover_open: 0.0,
            bed_lifted: 0.0,
            ignition: 1.0,
            sent: true,
            delay_ms: 0,
        };
        let mut place = from;
        for leg in legs {
            match *leg {
                Leg::Load(load) => now.load = load,
                Leg::Cover(open) => now.cover_open = open,
                Leg::Bed(lifted) => now.bed_lifted = lifted,
                Leg::Ignition(on) => now.ignition = on,
                Leg::Stand(seconds) => {
                    for _ in 0..seconds / FIX_S {
                        self.tell_fix(truck, &mut now, place, 0.0, &mut edit);
                    }
                }
                Leg::Drive(to, speed) => {
                    let step = speed / 3.6 * float(FIX_S);
                    loop {
                        let (de, dn) = (to.0 - place.0, to.1 - place.1);
                        let left = de.hypot(dn);
                        if left <= step {
                            place = to;
                            break;
                        }
                        place = (place.0 + de / left * step, place.1 + dn / left * step);
                        self.tell_fix(truck, &mut now, place, speed, &mut edit);
                    }
                }
            }
        }
        now.at_s
    }

    fn tell_fix(
        &mut self,
        truck: i64,
        now: &mut Fixed,
        place: (f64, f64),
        speed: f64,
        edit: &mut impl FnMut(&mut Fixed, &mut Dice),
    ) {
        let mut said = now.clone();
        // A receiver in the open: a few metres.
        (said.east, said.north) = (place.0 + self.dice.real(-4.0, 4.0), place.1 + self.dice.real(-4.0, 4.0));
        said.speed = if speed > 0.0 { speed + self.dice.real(-2.0, 2.0) } else { 0.0 };
        said.delay_ms = self.dice.whole(200, 3_000);
        edit(&mut said, &mut self.dice);
        now.since_s += FIX_S;
        now.at_s += FIX_S;
        if !said.sent {
            return;
        }
        let body = fix(
            district::place(said.east, said.north),
            (said.speed * 10.0).round() / 10.0,
            said.fixed,
            vec![
                instant(Quantity::LOAD_STATE, said.load),
                instant(Quantity::COVER_OPEN, said.cover_open),
                instant(Quantity::BED_LIFTED, said.bed_lifted),
                instant(Quantity::IGNITION, said.ignition),
            ],
        );
        let at_ms = said.at_s * 1_000;
        self.say(Said {
            device: logger(truck),
            subject: truck,
            kind: RecordKind::Position,
            slot: 0,
            at_ms,
            arrives_ms: at_ms + said.delay_ms,
            revises: false,
            body,
        });
    }

    /// A lawful trip that begins with loading at the minute `at`; without the gate's events. Gives the second of its end.
    pub fn trip(&mut self, truck: i64, at: i64, edit: impl FnMut(&mut Fixed, &mut Dice)) -> i64 {
        self.way(truck, at * 60, ROUTE[0], &lawful_trip(), edit)
    }
}

/// Loads ten minutes, drives 10 km in a quarter of an hour, unloads five minutes, drives back.
pub fn lawful_trip() -> [Leg; 16] {
    [
        Leg::Cover(1.0),
        Leg::Stand(600),
        Leg::Load(3.0),
        Leg::Cover(0.0),
        Leg::Stand(120),
        Leg::Drive(ROUTE[1], 40.0),
        Leg::Drive(ROUTE[2], 40.0),
        Leg::Cover(1.0),
        Leg::Stand(60),
        Leg::Bed(1.0),
        Leg::Stand(120),
        Leg::Load(0.0),
        Leg::Bed(0.0),
        Leg::Cover(0.0),
        Leg::Drive(ROUTE[1], 45.0),
        Leg::Drive(ROUTE[0], 45.0),
    ]
}

/// When the truck passes the gate on its lawful trip, seconds after the trip's begin.
pub const EXIT_S: i64 = 720;

#[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
pub fn float(number: i64) -> f64 {
    number as f64
}
