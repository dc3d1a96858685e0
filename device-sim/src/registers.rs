//! The registers of a district as one TOML file for `lantian apply`: offices, grids, subjects, permits, devices and where
//! they are installed. Profiles come from the shipped library.

use crate::district::{CORRIDOR_HALF_WIDTH_M, District, EXTENT_KM, Site, SlaveWire, Wire, at_m};
use crate::transport::modbus::{DUST_UNIT, HEARTBEAT, WASHER_UNIT};
use anyhow::{Context, Result};
use model::geo::Wgs84;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Everything is installed and permitted from this day on.
const SINCE: &str = "2026-01-01";
/// Blocks per grid cell, east-west and north-south.
const CELL_KM: u32 = 3;

/// Whether the platform serves modems that dial in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modems {
    None,
    DialIn,
}

/// Writes `district.toml` into `out`, which is made when missing.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(district: &District, modbus_first_port: u16, modems: Modems, out: &Path) -> Result<()> {
    let mut file = Map::new();
    file.insert("office".into(), Value::Array(offices()));
    file.insert("grid".into(), Value::Array(grids()));
    file.insert("subject".into(), Value::Array(subjects(district)));
    file.insert("permit".into(), Value::Array(permits(district)));
    let (devices, installations) = devices(district, modbus_first_port, modems)?;
    file.insert("device".into(), Value::Array(devices));
    file.insert("installation".into(), Value::Array(installations));
    std::fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
    let text = toml::to_string(&Value::Object(file)).context("write the registers as TOML")?;
    std::fs::write(out.join("district.toml"), text).with_context(|| format!("write into {}", out.display()))
}

fn offices() -> Vec<Value> {
    let mut all = vec![json!({"code": "bureau", "name": "示范区城市管理局"})];
    all.extend(
        (1..=3).map(|n| json!({"code": format!("squadron-{n}"), "name": format!("执法{n}中队"), "parent": "bureau"})),
    );
    all
}

fn cells() -> (u32, u32) {
    (EXTENT_KM.0.div_ceil(CELL_KM), EXTENT_KM.1.div_ceil(CELL_KM))
}

fn grid_code(column: u32, row: u32) -> String {
    // Six digits of the region, three each of street, community and grid (GB/T 47678.3 lengths); a made-up region.
    format!("999999{:03}{:03}{:03}", column + 1, row + 1, 1)
}

/// The cell a place lies in.
pub(crate) fn grid_of(place: Wgs84) -> String {
    let (east, north) = place.offset_m(crate::district::ORIGIN);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the district")]
    let cell = |m: f64, cells: u32| ((m / (f64::from(CELL_KM) * 1000.0)).max(0.0) as u32).min(cells - 1);
    let (columns, rows) = cells();
    grid_code(cell(east, columns), cell(north, rows))
}

fn grids() -> Vec<Value> {
    let (columns, rows) = cells();
    let side = f64::from(CELL_KM) * 1000.0;
    let mut all = Vec::new();
    for column in 0..columns {
        for row in 0..rows {
            let (east, north) = (f64::from(column) * side, f64::from(row) * side);
            let corners = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)];
            let outline: Vec<Wgs84> = corners.iter().map(|(e, n)| at_m(east + e, north + n)).collect();
            all.push(json!({
                "code": grid_code(column, row),
                "name": format!("示范{}-{}网格", column + 1, row + 1),
                "office": format!("squadron-{}", (column + row) % 3 + 1),
                "outline": outline,
            }));
        }
    }
    all
}

fn subjects(district: &District) -> Vec<Value> {
    let mut all = Vec::new();
    for r in &district.restaurants {
        all.push(json!({
            "code": r.code, "name": r.name, "place": r.place, "grid": grid_of(r.place),
            "details": {"kind": "restaurant", "size_class": r.size_class},
        }));
    }
    for s in &district.sites {
        all.push(json!({
            "code": s.code, "name": s.name, "place": s.place, "grid": grid_of(s.place),
            "details": {"kind": "site", "stage": "earthwork", "outline": s.outline},
        }));
        all.push(json!({
            "code": s.gate, "name": format!("{} 1 号门", s.name), "place": s.place, "grid": grid_of(s.place),
            "details": {"kind": "gate", "site": s.code},
        }));
    }
    for d in &district.disposal_sites {
        all.push(json!({
            "code": d.code, "name": d.name, "place": d.place, "grid": grid_of(d.place),
            "details": {"kind": "disposal_site", "outline": d.outline},
        }));
    }
    for t in &district.trucks {
        // A truck's cases go to the office of the site it hauls for.
        let grid = t.corridor.first().map(|place| grid_of(*place));
        all.push(json!({
            "code": t.code, "name": t.plate, "grid": grid,
            "details": {"kind": "truck", "plate": t.plate, "plate_colour": "黄", "company": "示范运输"},
        }));
    }
    all.into_iter().map(without_nulls).collect()
}

fn permits(district: &District) -> Vec<Value> {
    let site = |i: usize| district.sites.get(i).map(|s| s.code.clone());
    let dump = |i: usize| district.disposal_sites.get(i).map(|d| d.code.clone());
    district
        .trucks
        .iter()
        .map(|t| {
            without_nulls(json!({
                "code": format!("permit-{}", t.code),
                "trucks": [t.code],
                "site": site(t.site),
                "disposal_site": dump(t.disposal),
                "corridor": t.corridor,
                "corridor_half_width_m": CORRIDOR_HALF_WIDTH_M,
                "valid_from": SINCE,
            }))
        })
        .collect()
}

fn devices(district: &District, modbus_first_port: u16, modems: Modems) -> Result<(Vec<Value>, Vec<Value>)> {
    let (mut devices, mut installations) = (Vec::new(), Vec::new());
    let mut add = |code: &str, profile: &str, protocol: &str, identity: &str, subject: &str, poll: Option<Value>| {
        devices.push(without_nulls(json!({
            "code": code, "profile": profile, "protocol": protocol, "identity": identity, "vendor": "示范厂商", "poll": poll,
        })));
        installations.push(json!({"device": code, "subject": subject, "valid_from": SINCE}));
    };
    for r in &district.restaurants {
        let (profile, protocol) =
            if r.wire == Wire::Mqtt { ("fume-mqtt", "mqtt") } else { ("fume-hj212-generic", "hj212") };
        add(&r.device, profile, protocol, &r.identity, &r.code, None);
    }
    for (n, s) in district.sites.iter().enumerate() {
        add(&s.dust_device, "dust-hj212-ug", "hj212", &s.dust_identity, &s.code, None);
        add(&s.camera_device, "gate-camera-mqtt", "mqtt", &s.camera_device, &s.gate, None);
        let port =
            modbus_first_port.checked_add(u16::try_from(n).context("too many sites")?).context("too many sites")?;
        add(
            &s.washer_device,
            "washer-modbus",
            "modbus",
            &s.washer_device,
            &s.gate,
            Some(poll(s, WASHER_UNIT, port, modems)),
        );
        if s.slave_wire == SlaveWire::Modem && modems == Modems::DialIn {
            let poll = poll(s, DUST_UNIT, port, modems);
            add(&s.second_dust_device, "dust-modbus", "modbus", &s.second_dust_device, &s.code, Some(poll));
        }
    }
    for t in &district.trucks {
        let (profile, protocol) = if t.wire == Wire::Mqtt { ("truck-mqtt", "mqtt") } else { ("truck-jt808", "jt808") };
        add(&t.device, profile, protocol, &t.identity, &t.code, None);
    }
    Ok((devices, installations))
}

/// Where a site's slave is polled; a bad line is asked again within the poll.
fn poll(site: &Site, unit: u8, port: u16, modems: Modems) -> Value {
    match (site.slave_wire, modems) {
        (SlaveWire::Tcp, _) => json!({"address": format!("127.0.0.1:{port}"), "unit": unit, "interval_ms": 5000}),
        (SlaveWire::Modem, Modems::DialIn) => json!({
            "address": format!("dtu://{}", site.modem), "unit": unit, "interval_ms": 5000, "timeout_ms": 1000, "pause_ms": 50,
            "retries": 1, "busy_retries": 2, "busy_wait_ms": 100, "dtu": {"form": "line", "heartbeat": HEARTBEAT},
        }),
        (SlaveWire::RtuOverTcp | SlaveWire::Modem, _) => json!({
            "address": format!("rtu+tcp://127.0.0.1:{port}"), "unit": unit, "interval_ms": 5000, "timeout_ms": 1000, "pause_ms": 50,
            "retries": 1, "busy_retries": 2, "busy_wait_ms": 100,
        }),
    }
}

/// TOML has no null: what is not known is left out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::district::Size;

    #[test]
    fn every_reference_leads_somewhere() {
        let district = District::generate(Size { seed: 1, restaurants: 30, sites: 3, trucks: 11 });
        let folder = tempfile::tempdir().unwrap();
        write(&district, 15_020, Modems::DialIn, folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("district.toml")).unwrap();
        let file: Value = toml::from_str(&text).unwrap();
        let codes = |kind: &str| -> Vec<String> {
            file[kind].as_array().unwrap().iter().filter_map(|row| row["code"].as_str().map(str::to_owned)).collect()
        };
        let (subjects, devices, grids) = (codes("subject"), codes("device"), codes("grid"));
        for row in file["installation"].as_array().unwrap() {
            assert!(devices.contains(&row["device"].as_str().unwrap().to_owned()));
            assert!(subjects.contains(&row["subject"].as_str().unwrap().to_owned()));
        }
        for row in file["subject"].as_array().unwrap() {
            assert!(row["grid"].as_str().is_none_or(|grid| grids.contains(&grid.to_owned())), "{row}");
        }
    }
}
