//! A site's dust and noise logger and its gate: camera and washer. Without edits a lawful day.

use super::dice::Dice;
use super::district::{GATE, camera, logger, plate, washer};
use super::story::{MINUTE, Said, Story, event, mean, values};
use model::quantity::Quantity;
use model::record::{Flag, RecordKind};

/// What the dust logger says of one minute.
#[derive(Debug, Clone)]
pub struct Air {
    /// µg/m³
    pub tsp: f64,
    pub pm10: f64,
    pub pm25: f64,
    /// dB(A)
    pub noise: f64,
    /// m/s
    pub wind: f64,
    pub flag: Flag,
    pub sent: bool,
    pub delay_ms: i64,
}

impl Story {
    /// Minutes `from..to` of a site: works 07:00 to 19:00, quiet at night.
    pub fn air(&mut self, site: i64, from: i64, to: i64, mut edit: impl FnMut(i64, &mut Air, &mut Dice)) {
        for at in from..to {
            let works = (420..1_140).contains(&at.rem_euclid(1_440));
            let mut air = Air {
                tsp: self.dice.real(150.0, 220.0),
                pm10: self.dice.real(60.0, 75.0),
                pm25: self.dice.real(25.0, 35.0),
                noise: if works { self.dice.real(58.0, 64.0) } else { self.dice.real(42.0, 48.0) },
                wind: self.dice.real(0.8, 2.4),
                flag: Flag::Normal,
                sent: true,
                delay_ms: MINUTE + self.dice.whole(500, 3_000),
            };
            edit(at, &mut air, &mut self.dice);
            if !air.sent {
                continue;
            }
            let one = |quantity, value: f64| mean(quantity, (value * 10.0).round() / 10.0, air.flag);
            let body = values(vec![
                one(Quantity::TSP, air.tsp),
                one(Quantity::PM10, air.pm10),
                one(Quantity::PM25, air.pm25),
                one(Quantity::NOISE, air.noise),
                one(Quantity::TEMPERATURE, 8.0),
                one(Quantity::WIND_SPEED, air.wind),
            ]);
            let at_ms = at * MINUTE;
            self.say(Said {
                device: logger(site),
                subject: site,
                kind: RecordKind::Minute,
                slot: 0,
                at_ms,
                arrives_ms: at_ms + air.delay_ms,
                revises: false,
                body,
            });
        }
    }

    /// An event of a gate's camera or washer at a second of the story.
    pub fn at_gate(&mut self, device: i64, gate: i64, at_s: i64, body: model::record::Body) {
        let at_ms = at_s * 1_000;
        let wait = body.happening.as_ref().and_then(|h| h.end).map_or(0, |end| end.0 - self.base - at_ms);
        let arrives_ms = at_ms + wait + self.dice.whole(300, 4_000);
        let (kind, slot) = (RecordKind::Event, u32::try_from(self.said.len()).unwrap_or(0));
        self.say(Said { device, subject: gate, kind, slot, at_ms, arrives_ms, revises: false, body });
    }

    /// A wash at gate 1 that begins at a second and lasts `seconds`.
    pub fn wash(&mut self, at_s: i64, seconds: i64) {
        let end = self.base + (at_s + seconds) * 1_000;
        self.at_gate(washer(GATE), GATE, at_s, event("wash", Some(end), None, &[]));
    }

    /// A truck leaves by gate 1, seen by the camera.
    pub fn exit(&mut self, at_s: i64, truck: i64, attributes: &[(&str, &str)]) {
        self.at_gate(camera(GATE), GATE, at_s, event("vehicle_exit", None, Some(&plate(truck)), attributes));
    }

    /// A vehicle with any plate.
    pub fn exit_of(&mut self, at_s: i64, plate: Option<&str>, attributes: &[(&str, &str)]) {
        self.at_gate(camera(GATE), GATE, at_s, event("vehicle_exit", None, plate, attributes));
    }

    pub fn entry(&mut self, at_s: i64, truck: i64) {
        self.at_gate(camera(GATE), GATE, at_s, event("vehicle_entry", None, Some(&plate(truck)), &[]));
    }
}
