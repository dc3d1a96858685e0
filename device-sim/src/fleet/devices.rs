//! The members of a fleet: which payloads each sends at a moment, over which link.

use super::{Options, Secrets};
use crate::district::{District, Wire};
use crate::noise::mix;
use crate::obey::{Memory, no_memory};
use crate::plan::Plan;
use crate::rtu::LineFaults;
use crate::scene;
use crate::signal::{self, Reading};
use crate::transport::{Link, Payload, Person, Targets};
use anyhow::{Context, Result};
use std::fmt::Write;
use std::sync::Arc;

/// One device, ready to run.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) interval_ms: i64,
    pub(super) key: u64,
    pub(super) link: Link,
    kind: Kind,
    /// Trucks take pictures.
    has_camera: bool,
    district: Arc<District>,
    plan: Arc<Plan>,
}

/// Between two pictures of a truck.
const PICTURE_EVERY_MS: i64 = 1_800_000;
const PICTURE_EVERY_DEMO_MS: i64 = 60_000;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fume(usize),
    Dust(usize),
    Washer(usize),
    Camera(usize),
    Truck(usize),
}

/// All devices of the district that have a secret, and the washers, which need none.
pub(super) fn members(
    district: &Arc<District>,
    plan: &Arc<Plan>,
    secrets: &Secrets,
    options: &Options,
) -> Result<Vec<Member>> {
    let link = |wire, name: &str, memory| {
        let who = Person {
            name,
            secret: secrets.get(name).with_context(|| format!("no credential for device {name}"))?,
            manners: options.manners,
            memory,
        };
        crate::transport::connect(wire, &who, &options.targets)
    };
    let mut members = Vec::new();
    let mut add = |name: &str, interval_s: i64, kind: Kind, link: Link| {
        members.push(Member {
            name: name.to_owned(),
            interval_ms: interval_s * 1000,
            key: mix(&[district.size.seed, 40, u64::try_from(members.len()).unwrap_or(0)]),
            link,
            kind,
            has_camera: options.pictures,
            district: Arc::clone(district),
            plan: Arc::clone(plan),
        });
    };
    let reading_s = plan.judging.reading_interval_s;
    for (i, restaurant) in district.restaurants.iter().enumerate() {
        let link = link(restaurant.wire, &restaurant.device, fume_memory(plan, i))?;
        add(&restaurant.device, reading_s, Kind::Fume(i), link);
    }
    for (i, site) in district.sites.iter().enumerate() {
        add(
            &site.dust_device,
            reading_s,
            Kind::Dust(i),
            link(Wire::Hj212, &site.dust_device, dust_memory(district, i))?,
        );
        add(&site.camera_device, 60, Kind::Camera(i), link(Wire::Mqtt, &site.camera_device, no_memory())?);
        let washer = crate::transport::modbus::Washer::new(Arc::clone(district), i);
        add(&site.washer_device, 1, Kind::Washer(i), Link::Modbus(washer));
    }
    for (i, truck) in district.trucks.iter().enumerate() {
        let link = link(truck.wire, &truck.device, no_memory())?;
        add(&truck.device, plan.judging.fix_interval_s, Kind::Truck(i), link);
    }
    Ok(members)
}

/// Means of the minutes and hours that a fume monitor measured, whether they were sent or not.
fn fume_memory(plan: &Arc<Plan>, index: usize) -> Memory {
    let plan = Arc::clone(plan);
    Arc::new(move |cn, at_ms| {
        let readings: Vec<f64> = steps(cn)
            .filter_map(|step| Some(signal::fume(&plan, index, at_ms + step * 10_000)?.values.first()?.1))
            .collect();
        mean("a34041", &readings)
    })
}

fn dust_memory(district: &Arc<District>, index: usize) -> Memory {
    let district = Arc::clone(district);
    Arc::new(move |cn, at_ms| {
        let readings: Vec<f64> = steps(cn)
            .filter_map(|step| Some(signal::dust(&district, index, at_ms + step * 10_000).values.first()?.1))
            .collect();
        mean("a34002", &readings)
    })
}

/// Ten seconds each, over the period of a command's data.
fn steps(cn: u16) -> std::ops::Range<i64> {
    if cn == 2061 { 0..360 } else { 0..6 }
}

fn mean(code: &str, readings: &[f64]) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred readings")]
    let mean = readings.iter().sum::<f64>() / readings.len().max(1) as f64;
    let (low, high) = readings.iter().fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(*one), high.max(*one)));
    (!readings.is_empty())
        .then(|| format!("{code}-Min={low:.3},{code}-Avg={mean:.3},{code}-Max={high:.3},{code}-Flag=N"))
}

impl Member {
    pub(super) fn leaves_ms(&self, event_ms: i64) -> i64 {
        match self.kind {
            Kind::Fume(i) => self.plan.fume.get(i).map_or(event_ms, |own| own.leaves_ms(event_ms)),
            _ => event_ms,
        }
    }

    /// What the device says of this moment; nothing when it is off or nothing happened.
    pub(super) fn payloads(&self, at_ms: i64) -> Vec<Payload> {
        match self.kind {
            Kind::Fume(i) => {
                let Some(reading) = signal::fume(&self.plan, i, at_ms) else { return Vec::new() };
                let mqtt = self.district.restaurants.get(i).is_some_and(|r| r.wire == Wire::Mqtt);
                if mqtt {
                    return vec![self.json(at_ms, &reading)];
                }
                let mut all = vec![hj212(at_ms, &reading, fume_factor)];
                if self.plan.judging.reading_interval_s == 60 {
                    all.push(hj212_minute(at_ms, &reading));
                }
                all
            }
            Kind::Dust(i) => vec![hj212(at_ms, &signal::dust(&self.district, i, at_ms), dust_factor)],
            Kind::Washer(_) => vec![Payload::Polled { at_ms }],
            Kind::Camera(i) => signal::vehicle_exit(&self.district, i, at_ms)
                .map(|plate| Payload::Json {
                    topic: format!("lantian/v1/{}/event", self.name),
                    text: format!(r#"{{"ts":{at_ms},"event":"vehicle_exit","plate":"{plate}","washed":true}}"#),
                })
                .into_iter()
                .collect(),
            Kind::Truck(i) => self.position(i, at_ms).into_iter().chain(self.pictures(i, at_ms)).collect(),
        }
    }

    fn json(&self, at_ms: i64, reading: &Reading) -> Payload {
        let mut text = format!(r#"{{"ts":{at_ms},"values":{{"#);
        for (number, (code, value)) in reading.values.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match reading.flag.filter(|_| number == 0) {
                Some(flag) => write!(text, r#"{comma}"{code}":{{"value":{value},"flag":"{flag}"}}"#),
                None => write!(text, r#"{comma}"{code}":{value}"#),
            }
            .ok(); // writing to a String cannot go wrong
        }
        text.push_str("}}");
        Payload::Json { topic: format!("lantian/v1/{}/telemetry", self.name), text }
    }

    fn position(&self, index: usize, at_ms: i64) -> Option<Payload> {
        let (truck, own) = (self.district.trucks.get(index)?, self.plan.trucks.get(index)?);
        let (place, speed_kmh, heading_deg, fixed) = own.reported(at_ms);
        if truck.wire == Wire::Mqtt {
            let (lon, lat) = (place.lon, place.lat);
            return Some(Payload::Json {
                topic: format!("lantian/v1/{}/telemetry", self.name),
                text: format!(
                    r#"{{"ts":{at_ms},"position":{{"lon":{lon:.6},"lat":{lat:.6},"speed_kmh":{speed_kmh:.1},"heading_deg":{heading_deg},"fixed":{fixed}}}}}"#
                ),
            });
        }
        Some(Payload::Position { place, speed_kmh, heading_deg, fixed, at_ms })
    }

    /// Now and then what a truck's camera sees; every third truck's driver takes a telephone instead.
    fn pictures(&self, index: usize, at_ms: i64) -> Option<Payload> {
        let (truck, own) = (self.district.trucks.get(index)?, self.plan.trucks.get(index)?);
        let every_ms = if self.plan.judging.is_demonstration() { PICTURE_EVERY_DEMO_MS } else { PICTURE_EVERY_MS };
        let turn = at_ms.div_euclid(self.interval_ms);
        let turns = (every_ms / self.interval_ms).max(1);
        let phase = i64::try_from(self.key % turns.unsigned_abs()).unwrap_or(0);
        if !self.has_camera || truck.wire != Wire::Jt808 || turn.rem_euclid(turns) != phase {
            return None;
        }
        let (place, speed_kmh, heading_deg, _) = own.reported(at_ms);
        // In the second of a position there is one already.
        let at_ms = at_ms + 1_000;
        if index.is_multiple_of(3) {
            return Some(Payload::Alarm { place, speed_kmh, heading_deg, at_ms });
        }
        Some(Payload::Picture { place, speed_kmh, heading_deg, at_ms, jpeg: scene::picture(self.key, at_ms) })
    }

    /// Washers listen, or their modems dial; everybody else dials when it has something to say.
    pub(super) async fn listen(&self, targets: &Targets, faults: LineFaults) -> Result<()> {
        if let (Link::Modbus(washer), Kind::Washer(i)) = (&self.link, self.kind) {
            let port = targets.modbus_first_port + u16::try_from(i).context("too many washers")?;
            let address = format!("{}:{port}", targets.modbus_host).parse().context("read the washers' address")?;
            washer.serve(address, targets.dtu.as_deref(), faults).await?;
        }
        Ok(())
    }
}

/// Real-time data (CN 2011) with the instrument's factor codes.
fn hj212(at_ms: i64, reading: &Reading, factor: fn(&str) -> Option<(&'static str, f64)>) -> Payload {
    let mut items = String::new();
    for (number, (code, value)) in reading.values.iter().enumerate() {
        let Some((name, scale)) = factor(code) else { continue };
        let flag = reading.flag.filter(|_| number == 0).unwrap_or('N');
        let shown = (value * scale * 1000.0).round() / 1000.0;
        write!(items, "{}{name}-Rtd={shown},{name}-Flag={flag}", if items.is_empty() { "" } else { ";" }).ok(); // a String
    }
    Payload::Hj212 { cn: 2011, at_ms, items }
}

/// Minute statistics (CN 2051) of the minute that begins at `at_ms`: the fume alone, the reading as its mean.
fn hj212_minute(at_ms: i64, reading: &Reading) -> Payload {
    let mean = reading.values.first().map_or(0.0, |(_, value)| *value);
    let flag = reading.flag.unwrap_or('N');
    let (low, high) = ((mean * 970.0).round() / 1000.0, (mean * 1030.0).round() / 1000.0);
    let items = format!("a34041-Min={low},a34041-Avg={mean},a34041-Max={high},a34041-Flag={flag}");
    Payload::Hj212 { cn: 2051, at_ms, items }
}

/// Factor codes of fume monitors as seen in the field, and the factor from the canonical unit to the wire's.
fn fume_factor(code: &str) -> Option<(&'static str, f64)> {
    Some(match code {
        "fume" => ("a34041", 1.0),
        "particulate" => ("a34000", 1.0),
        "nmhc" => ("a24088", 1.0),
        "fan_current" => ("ga2001", 1.0),
        "purifier_current" => ("ga0601", 1.0),
        "flue_temperature" => ("a01012", 1.0),
        _ => return None,
    })
}

/// Factor codes of HJ 212-2017 annex B; this make writes µg/m³.
fn dust_factor(code: &str) -> Option<(&'static str, f64)> {
    Some(match code {
        "pm10" => ("a34002", 1.0),
        "pm25" => ("a34004", 1.0),
        "tsp" => ("a34001", 1.0),
        "noise" => ("LA", 1.0),
        "temperature" => ("a01001", 1.0),
        "humidity" => ("a01002", 1.0),
        "wind_speed" => ("a01007", 1.0),
        "wind_direction" => ("a01008", 1.0),
        _ => return None,
    })
}
