//! A made-up district, 合成示范区, at the coordinates of 郑州高新区: a grid of streets one kilometre apart, restaurants
//! along them, construction sites with a gate each, two disposal sites, and trucks with a permitted corridor along the
//! streets. Everything follows from the seed.

use crate::noise::{mix, uniform};
use model::geo::Wgs84;

/// How the MN of every fume monitor on HJ 212 begins.
pub const FUME_MN: &str = "4101LTFUME";
/// How the phone of every truck on JT/T 808 begins.
pub const TRUCK_PHONE: &str = "0139";

/// How large, and which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub seed: u64,
    pub restaurants: u32,
    pub sites: u32,
    pub trucks: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Mqtt,
    Hj212,
    Jt808,
    Modbus,
}

/// A site's line of Modbus slaves, a third of the sites each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlaveWire {
    Tcp,
    RtuOverTcp,
    /// Dials in, where modems are served; else as behind a serial server.
    Modem,
}

#[derive(Debug, Clone)]
pub struct Restaurant {
    pub code: String,
    pub name: String,
    pub place: Wgs84,
    pub size_class: &'static str,
    pub device: String,
    pub identity: String,
    pub wire: Wire,
}

#[derive(Debug, Clone)]
pub struct Site {
    pub code: String,
    pub name: String,
    pub place: Wgs84,
    pub outline: Vec<Wgs84>,
    pub gate: String,
    pub dust_device: String,
    pub dust_identity: String,
    pub washer_device: String,
    /// How the washer is polled.
    pub slave_wire: SlaveWire,
    /// What the site's modem says of itself, when it has one.
    pub modem: String,
    /// The instrument behind the modem.
    pub second_dust_device: String,
    pub camera_device: String,
}

#[derive(Debug, Clone)]
pub struct DisposalSite {
    pub code: String,
    pub name: String,
    pub outline: Vec<Wgs84>,
    pub place: Wgs84,
}

#[derive(Debug, Clone)]
pub struct Truck {
    pub code: String,
    pub plate: String,
    pub device: String,
    pub identity: String,
    pub wire: Wire,
    pub site: usize,
    pub disposal: usize,
    pub corridor: Vec<Wgs84>,
}

#[derive(Debug, Clone)]
pub struct District {
    pub size: Size,
    pub restaurants: Vec<Restaurant>,
    pub sites: Vec<Site>,
    pub disposal_sites: Vec<DisposalSite>,
    pub trucks: Vec<Truck>,
}

/// South-west corner of the district.
pub const ORIGIN: Wgs84 = Wgs84 { lon: 113.480, lat: 34.770 };
/// Kilometres east-west and north-south.
pub const EXTENT_KM: (u32, u32) = (11, 9);
/// Half the width of a permitted corridor, metres.
pub const CORRIDOR_HALF_WIDTH_M: f64 = 60.0;
pub const DISTRICT_NAME: &str = "合成示范区";

/// `east` and `north` metres from the south-west corner.
pub fn at_m(east: f64, north: f64) -> Wgs84 {
    const M_PER_DEGREE: f64 = 111_195.08;
    Wgs84 {
        lon: ORIGIN.lon + east / (M_PER_DEGREE * ORIGIN.lat.to_radians().cos()),
        lat: ORIGIN.lat + north / M_PER_DEGREE,
    }
}

fn square(centre: (f64, f64), half_m: f64) -> Vec<Wgs84> {
    [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
        .iter()
        .map(|(e, n)| at_m(centre.0 + e * half_m, centre.1 + n * half_m))
        .collect()
}

/// One of `0..n`, from noise.
fn pick(n: u32, parts: &[u64]) -> u32 {
    u32::try_from(mix(parts) % u64::from(n.max(1))).unwrap_or(0)
}

impl District {
    pub fn generate(size: Size) -> Self {
        let disposal: Vec<(f64, f64)> = vec![(500.0, 8_500.0), (10_500.0, 500.0)];
        let site_places: Vec<(f64, f64)> = (0..size.sites).map(|i| site_place(size.seed, i)).collect();
        Self {
            size,
            restaurants: (0..size.restaurants).map(|i| restaurant(size.seed, i)).collect(),
            sites: site_places.iter().zip(0..).map(|(place, i)| site(*place, i)).collect(),
            disposal_sites: disposal
                .iter()
                .zip(1..)
                .map(|(place, i)| DisposalSite {
                    code: format!("dump-{i:02}"),
                    name: format!("合成消纳场 {i} 号"),
                    outline: square(*place, 250.0),
                    place: at_m(place.0, place.1),
                })
                .collect(),
            trucks: (0..size.trucks).map(|i| truck(size.seed, i, &site_places, &disposal)).collect(),
        }
    }
}

fn restaurant(seed: u64, i: u32) -> Restaurant {
    let n = i + 1;
    let draw = |what: u64| uniform(&[seed, 1, u64::from(i), what]);
    let along = draw(0) * f64::from(EXTENT_KM.0) * 1000.0;
    let street = f64::from(pick(EXTENT_KM.1, &[seed, 2, u64::from(i)])) * 1000.0;
    let wire = if i.is_multiple_of(2) { Wire::Mqtt } else { Wire::Hj212 };
    let device = format!("fume-{n:04}");
    Restaurant {
        code: format!("r-{n:04}"),
        name: format!("示范餐饮 {n:04} 号店"),
        place: at_m(along, street + 40.0 + draw(1) * 60.0),
        size_class: ["small", "medium", "large"][usize::try_from(pick(3, &[seed, 3, u64::from(i)])).unwrap_or(0)],
        identity: if wire == Wire::Mqtt { device.clone() } else { format!("{FUME_MN}{n:014}") },
        device,
        wire,
    }
}

fn site_place(seed: u64, i: u32) -> (f64, f64) {
    // In the middle of a block, spread over the district, never at the border where the disposal sites are.
    let column = 1 + (i * 3 + pick(2, &[seed, 4, u64::from(i)])) % (EXTENT_KM.0 - 2);
    let row = 2 + (i * 2 + i / 3) % (EXTENT_KM.1 - 4);
    (f64::from(column) * 1000.0 + 500.0, f64::from(row) * 1000.0 + 500.0)
}

fn site(place: (f64, f64), i: u32) -> Site {
    let n = i + 1;
    Site {
        code: format!("s-{n:03}"),
        name: format!("示范工地 {n:03} 号"),
        place: at_m(place.0, place.1),
        outline: square(place, 120.0),
        gate: format!("s-{n:03}-g1"),
        dust_device: format!("dust-{n:03}"),
        dust_identity: format!("4101LTDUST{n:014}"),
        washer_device: format!("washer-{n:03}"),
        slave_wire: [SlaveWire::Tcp, SlaveWire::RtuOverTcp, SlaveWire::Modem]
            [usize::try_from(i % 3).unwrap_or_default()],
        modem: format!("86{n:013}"),
        second_dust_device: format!("dust-rtu-{n:03}"),
        camera_device: format!("camera-{n:03}"),
    }
}

fn truck(seed: u64, i: u32, sites: &[(f64, f64)], disposal: &[(f64, f64)]) -> Truck {
    let n = i + 1;
    let site = usize::try_from(pick(u32::try_from(sites.len()).unwrap_or(1), &[seed, 5, u64::from(i)])).unwrap_or(0);
    let dump = usize::try_from(pick(2, &[seed, 6, u64::from(i)])).unwrap_or(0);
    let from = sites.get(site).copied().unwrap_or((5_500.0, 4_500.0));
    let to = disposal.get(dump).copied().unwrap_or((500.0, 8_500.0));
    // A tenth of the trucks report by MQTT.
    let wire = if i % 10 == 9 { Wire::Mqtt } else { Wire::Jt808 };
    let device = format!("truck-{n:04}");
    Truck {
        code: format!("t-{n:04}"),
        plate: format!("豫AX{n:04}"),
        identity: if wire == Wire::Mqtt { device.clone() } else { format!("{TRUCK_PHONE}{n:08}") },
        device,
        wire,
        site,
        disposal: dump,
        corridor: along_streets(from, to),
    }
}

/// From a site in the middle of a block to the street south of it, along it, then along the street east of the target.
fn along_streets(from: (f64, f64), to: (f64, f64)) -> Vec<Wgs84> {
    let street = (from.1 / 1000.0).floor() * 1000.0;
    let avenue = (to.0 / 1000.0).floor() * 1000.0 + if to.0 > from.0 { 0.0 } else { 1000.0 };
    let mut line = vec![from, (from.0, street), (avenue, street), (avenue, to.1), to];
    line.dedup();
    line.into_iter().map(|(e, n)| at_m(e, n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_district() {
        let size = Size { seed: 3, restaurants: 20, sites: 4, trucks: 11 };
        let (one, two) = (District::generate(size), District::generate(size));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        assert_eq!(one.trucks.iter().filter(|t| t.wire == Wire::Mqtt).count(), 1);
        for truck in &one.trucks {
            assert!(truck.corridor.len() >= 4, "{truck:?}");
            assert_eq!(truck.identity.len(), if truck.wire == Wire::Jt808 { 12 } else { 10 });
        }
    }
}
