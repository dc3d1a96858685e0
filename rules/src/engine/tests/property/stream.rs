//! Random lives of a restaurant's logger and a truck's tracker, with what they first said wrong and corrected later.

use super::super::world::{FUME, LOGGER, MINUTE, RESTAURANT, START, TRACKER, TRUCK};
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, RecordKind, Statistic, Value};
use proptest::prelude::*;

/// One record; `wrong`: what was said of it first.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) device: DeviceId,
    pub(super) subject: SubjectId,
    pub(super) kind: RecordKind,
    /// After [`START`].
    pub(super) at: i64,
    pub(super) body: Body,
    pub(super) wrong: Option<Body>,
}

/// What happens besides.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// The next version of a rule goes live.
    Version { rule: usize, edit: usize },
    /// We were away.
    Outage { length: i64 },
}

/// Readings by event time, no two of one device at one time, and what happens at journal times.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) readings: Vec<Reading>,
    pub(super) events: Vec<(i64, Event)>,
}

impl Life {
    pub(super) fn end(&self) -> i64 {
        self.readings.last().map_or(0, |reading| reading.at)
    }
}

#[derive(Debug, Clone)]
struct Minute {
    level: f64,
    flag: Flag,
    fan: bool,
    purifier: bool,
    pause: i64,
    jitter: i64,
    wrong: Option<f64>,
}

#[derive(Debug, Clone)]
struct Stage {
    aside: f64,
    fixed: bool,
    speed: f64,
    load: f64,
    cover: f64,
    bed: f64,
    pause: i64,
    jitter: i64,
    repeat: usize,
    wrong: Option<f64>,
}

fn minute() -> impl Strategy<Value = Minute> {
    let level = || prop_oneof![Just(0.5), Just(1.9), Just(2.5), Just(7.0)];
    let flag = prop_oneof![9 => Just(Flag::Normal), 1 => Just(Flag::Calibration)];
    let wrong = prop::option::weighted(0.15, level());
    let pause = prop_oneof![8 => Just(0i64), 1 => 1..8i64];
    let states = (prop::bool::weighted(0.9), prop::bool::weighted(0.6));
    (level(), flag, states, pause, 0..50_000i64, wrong).prop_map(
        |(level, flag, (fan, purifier), pause, jitter, wrong)| Minute {
            level,
            flag,
            fan,
            purifier,
            pause,
            jitter,
            wrong,
        },
    )
}

fn stage() -> impl Strategy<Value = Stage> {
    let aside = || prop_oneof![3 => Just(5.0), 1 => Just(40.0), 3 => Just(200.0), 1 => Just(9_000.0)];
    let wrong = prop::option::weighted(0.15, aside());
    let pause = prop_oneof![8 => Just(0i64), 1 => 1..8i64];
    let one = |share: f64| prop::bool::weighted(share).prop_map(|on| if on { 1.0 } else { 0.0 });
    let speed = prop_oneof![3 => Just(36.0), 1 => Just(75.0), 2 => Just(0.0)];
    let truck = (speed, prop_oneof![Just(0.0), Just(3.0)], one(0.3), one(0.2));
    (aside(), prop::bool::weighted(0.95), truck, pause, 0..9_000i64, 1..4usize, wrong).prop_map(
        |(aside, fixed, (speed, load, cover, bed), pause, jitter, repeat, wrong)| Stage {
            aside,
            fixed,
            speed,
            load,
            cover,
            bed,
            pause,
            jitter,
            repeat,
            wrong,
        },
    )
}

pub(super) fn life() -> impl Strategy<Value = Life> {
    let version =
        (20..90i64, 0..4usize, 0..2usize).prop_map(|(at, rule, edit)| (at * MINUTE, Event::Version { rule, edit }));
    let outage =
        (5..100i64, 1..10i64).prop_map(|(at, length)| (at * MINUTE, Event::Outage { length: length * MINUTE }));
    let events = (prop::collection::vec(version, 0..3), prop::collection::vec(outage, 0..2));
    let minutes = prop::collection::vec(minute(), 10..40);
    let stages = prop::collection::vec(stage(), 5..25);
    (minutes, stages, events).prop_map(|(minutes, stages, (versions, outages))| {
        let mut readings = kitchen(minutes);
        readings.extend(haul(stages));
        readings.sort_by_key(|reading| reading.at);
        let mut events: Vec<(i64, Event)> = versions.into_iter().chain(outages).collect();
        events.sort_by_key(|(at, _)| *at);
        Life { readings, events }
    })
}

fn kitchen(minutes: Vec<Minute>) -> Vec<Reading> {
    let mut now = 0;
    let told = minutes.into_iter().map(|minute| {
        now += 1 + minute.pause;
        let body = |fume: f64| {
            let on = |on: bool| if on { 1.0 } else { 0.0 };
            let mean = |quantity, value, flag| Value { quantity, statistic: Statistic::Mean, flag, value };
            let values = vec![
                mean(FUME, fume, minute.flag),
                mean(Quantity::PURIFIER_CURRENT, on(minute.purifier) * 2.5, Flag::Normal),
                mean(Quantity::PURIFIER_ON, on(minute.purifier), Flag::Normal),
                mean(Quantity::FAN_ON, on(minute.fan), Flag::Normal),
            ];
            Body { values, ..Body::default() }
        };
        Reading {
            device: LOGGER,
            subject: RESTAURANT,
            kind: RecordKind::Minute,
            at: now * MINUTE + minute.jitter,
            body: body(minute.level),
            wrong: minute.wrong.map(body),
        }
    });
    told.collect()
}

fn haul(stages: Vec<Stage>) -> Vec<Reading> {
    let mut all = Vec::new();
    let mut step = 0i64;
    for stage in stages {
        step += stage.pause * 3;
        for _ in 0..stage.repeat {
            step += 1;
            let body = |aside: f64| {
                #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
                let lon = 113.50 + step as f64 * 200.0 / 91_300.0;
                let place = Wgs84 { lon, lat: 34.80 + aside / 111_195.0 };
                let (speed_kmh, fixed) = (stage.speed, stage.fixed);
                let fix = Fix { place, speed_kmh, heading_deg: 90, altitude_m: 0, fixed, status: 0, alarm: 0 };
                let instant =
                    |quantity, value| Value { quantity, statistic: Statistic::Instant, flag: Flag::Normal, value };
                let values = vec![
                    instant(Quantity::LOAD_STATE, stage.load),
                    instant(Quantity::COVER_OPEN, stage.cover),
                    instant(Quantity::BED_LIFTED, stage.bed),
                    instant(Quantity::IGNITION, 1.0),
                ];
                Body { values, fix: Some(fix), ..Body::default() }
            };
            all.push(Reading {
                device: TRACKER,
                subject: TRUCK,
                kind: RecordKind::Position,
                at: step * 20_000 + stage.jitter,
                body: body(stage.aside),
                wrong: stage.wrong.map(body),
            });
        }
    }
    all
}

/// A time of the life as one of the world.
pub(super) const fn absolute(at: i64) -> i64 {
    START + at
}
