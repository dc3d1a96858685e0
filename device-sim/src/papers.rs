//! The papers of a made-up district as a TOML file for `lantian apply`: areas, notices, night permits, cleaning records, manifests,
//! maintenance, open hours, the background station. What rules ask about has rows on both sides: restaurants cleaned in time and
//! overdue, a notice that is over and one in force, a site with a night permit and sites without.

use crate::district::{District, at_m};
use anyhow::{Context, Result};
use model::time::{EventTime, local_day, local_day_text};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Papers without a natural date hold from this day on.
const SINCE: &str = "2026-01-01";

/// Writes `papers.toml` into `out`; records are dated back from `today`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(district: &District, today: EventTime, out: &Path) -> Result<()> {
    let day = local_day(today);
    let mut file = Map::new();
    file.insert("area".into(), Value::Array(areas()));
    file.insert("notice".into(), Value::Array(notices(district, day)));
    file.insert("night_permit".into(), Value::Array(night_permits(district, day)));
    file.insert("cleaning".into(), Value::Array(cleanings(district, day)));
    file.insert("manifest".into(), Value::Array(manifests(district, day)));
    file.insert("maintenance".into(), Value::Array(maintenances(district, day)));
    file.insert("schedule".into(), Value::Array(schedules()));
    file.insert("background".into(), Value::Array(backgrounds(district)));
    file.retain(|_, rows| rows.as_array().is_some_and(|rows| !rows.is_empty()));
    std::fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
    let text = toml::to_string(&Value::Object(file)).context("write the papers as TOML")?;
    std::fs::write(out.join("papers.toml"), text).with_context(|| format!("write into {}", out.display()))
}

fn moment(day: i64, time: &str) -> String {
    format!("{}T{time}:00+08:00", local_day_text(day))
}

fn window(from_hour: u16, to_hour: u16) -> Value {
    json!({"from_minute": from_hour * 60, "to_minute": to_hour * 60})
}

/// In the middle of blocks but for the speed zone, so that no permitted corridor, which runs along the streets, is in a no-go area.
fn areas() -> Vec<Value> {
    let square = |east: f64, north: f64, half: f64| -> Vec<model::geo::Wgs84> {
        [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
            .iter()
            .map(|(e, n)| at_m(east + e * half, north + n * half))
            .collect()
    };
    let circle = |east: f64, north: f64, radius: f64| json!({"centre": at_m(east, north), "radius_m": radius});
    vec![
        json!({"code": "no-go-1", "name": "合成学校禁行区", "purpose": "no_go", "outline": square(7_500.0, 7_500.0, 350.0),
            "windows": [{"weekdays": [1, 2, 3, 4, 5], "from_minute": 390, "to_minute": 1140}], "valid_from": SINCE}),
        json!({"code": "no-go-2", "name": "合成湿地禁行区", "purpose": "no_go", "outline": square(2_500.0, 1_500.0, 300.0),
            "valid_from": SINCE}),
        json!({"code": "parking-1", "name": "合成渣土车停车场", "purpose": "parking",
            "outline": square(5_500.0, 500.0, 200.0), "valid_from": SINCE}),
        json!({"code": "temporary-1", "name": "合成临时堆放点", "purpose": "temporary_dump",
            "circle": circle(3_500.0, 6_500.0, 150.0), "valid_from": SINCE}),
        json!({"code": "transfer-1", "name": "合成中转站", "purpose": "transfer",
            "circle": circle(9_500.0, 2_500.0, 150.0), "valid_from": SINCE}),
        json!({"code": "speed-1", "name": "合成隧道限速区", "purpose": "speed", "circle": circle(5_000.0, 4_000.0, 250.0),
            "speed_limit_kmh": 60.0, "valid_from": SINCE}),
        json!({"code": "sensitive-1", "name": "合成医院周边", "purpose": "sensitive",
            "circle": circle(1_500.0, 4_500.0, 600.0), "valid_from": SINCE}),
    ]
}

fn notices(district: &District, day: i64) -> Vec<Value> {
    let over = json!({"code": "示范预警-1", "level": "orange", "stops": ["earthwork", "muck_transport"],
        "source": "合成通知：启动重污染天气橙色预警", "valid_from": moment(day - 12, "08:00"), "valid_to": moment(day - 9, "20:00")});
    let Some(site) = district.sites.last() else { return vec![over] };
    let grid = crate::registers::grid_of(site.place);
    vec![
        over,
        json!({"code": "示范管控-2", "level": "yellow", "grids": [grid], "stops": ["earthwork"],
            "source": "合成通知：单个网格土方作业管控", "valid_from": moment(day - 1, "08:00")}),
    ]
}

fn night_permits(district: &District, day: i64) -> Vec<Value> {
    let row = |code: &str, site: &str, from: i64, to: i64| {
        json!({"code": code, "site": site, "windows": [window(22, 2)], "issuer": "示范区行政审批局", "reason": "混凝土连续浇筑",
            "valid_from": local_day_text(from), "valid_to": local_day_text(to)})
    };
    let mut all = Vec::new();
    if let Some(site) = district.sites.first() {
        all.push(row("示范夜施-001", &site.code, day - 30, day - 25));
        all.push(row("示范夜施-002", &site.code, day - 1, day + 6));
    }
    all
}

/// The newest record of each restaurant, and older ones of a few. Every eighth is overdue by any period.
fn cleanings(district: &District, day: i64) -> Vec<Value> {
    let mut all = Vec::new();
    for (r, n) in district.restaurants.iter().zip(0_i64..) {
        let mut record = |days: i64, parts: &[&str], by: &str| {
            all.push(
                json!({"subject": r.code, "cleaned_at": moment(day - days, "09:30"), "parts": parts, "cleaned_by": by}),
            );
        };
        let ago = if n % 8 == 5 { 120 + n % 30 } else { 2 + n * 7 % 24 };
        record(ago, &["hood", "duct", "purifier"], "合成清洗服务部");
        if n % 5 == 0 {
            record(ago + 30, &["hood", "purifier"], "合成清洗服务部");
            record(ago + 60, &["hood", "duct", "purifier", "fan"], "店内自洗");
        }
    }
    all
}

/// Loads of the days before, whole but for the last, which was never unloaded.
fn manifests(district: &District, day: i64) -> Vec<Value> {
    let mut all = Vec::new();
    for (t, n) in district.trucks.iter().zip(0_i64..).take(6) {
        let (site, dump) = (district.sites.get(t.site), district.disposal_sites.get(t.disposal));
        let (Some(site), Some(dump)) = (site, dump) else { continue };
        let mut row = json!({"code": format!("示范联单-{:04}", n + 1), "source": if n % 3 == 2 { "gps" } else { "driver" },
            "truck": t.code, "site": site.code, "disposal_site": dump.code, "permit": format!("permit-{}", t.code),
            "loaded_at": moment(day - 2, &format!("{:02}:10", 9 + n)), "volume_m3": 12.5});
        if n < 5
            && let Some(fields) = row.as_object_mut()
        {
            fields.insert("unloaded_at".into(), json!(moment(day - 2, &format!("{:02}:55", 9 + n))));
        }
        all.push(row);
    }
    all
}

fn maintenances(district: &District, day: i64) -> Vec<Value> {
    let past = |field: &str, code: &str, why: &str| json!({field: code, "valid_from": moment(day - 7, "09:00"), "valid_to": moment(day - 7, "11:30"), "why": why});
    let device = district.restaurants.first().map(|r| past("device", &r.device, "更换传感器探头"));
    let site = district.sites.first().map(|s| past("subject", &s.code, "仪器检定"));
    device.into_iter().chain(site).collect()
}

fn schedules() -> Vec<Value> {
    vec![
        json!({"subject_kind": "restaurant", "open": [window(6, 23)], "peaks": [window(11, 13), window(17, 20)],
            "valid_from": SINCE}),
        json!({"subject_kind": "site", "open": [window(6, 22)], "valid_from": SINCE}),
    ]
}

/// There is no station in the made-up district: the first site's monitor stands in for one.
fn backgrounds(district: &District) -> Vec<Value> {
    let row = |device: &str| json!({"quantity": "pm10", "device": device, "source": "示范：以 1 号工地仪器代替县级背景站", "valid_from": SINCE});
    district.sites.first().map(|site| row(&site.dust_device)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::district::Size;

    #[test]
    fn papers_have_rows_on_both_sides_of_what_rules_ask() {
        let district = District::generate(Size { seed: 1, restaurants: 30, sites: 3, trucks: 11 });
        let folder = tempfile::tempdir().unwrap();
        let today = EventTime(model::time::parse_rfc3339("2026-11-23T10:00:00+08:00").unwrap());
        write(&district, today, folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("papers.toml")).unwrap();
        let file: Value = toml::from_str(&text).unwrap();
        let rows = |kind: &str| file[kind].as_array().map_or(0, Vec::len);
        assert_eq!((rows("area"), rows("notice"), rows("night_permit"), rows("manifest")), (7, 2, 2, 6));
        let newest = |code: &str| {
            let records = file["cleaning"].as_array().into_iter().flatten();
            records
                .filter(|row| row["subject"] == code)
                .filter_map(|row| row["cleaned_at"].as_str())
                .max()
                .map(str::to_owned)
        };
        let overdue = district.restaurants.iter().filter(|r| newest(&r.code).unwrap().as_str() < "2026-08-25").count();
        assert_eq!(overdue, 4);
        let unfinished = file["manifest"].as_array().unwrap().iter().filter(|row| row.get("unloaded_at").is_none());
        assert_eq!(unfinished.count(), 1);
    }

    #[test]
    fn no_permitted_corridor_runs_through_a_no_go_area() {
        let district = District::generate(Size { seed: 1, restaurants: 1, sites: 6, trucks: 60 });
        let no_go = areas().into_iter().filter(|row| row["purpose"] == "no_go");
        let rings: Vec<Vec<model::geo::Wgs84>> =
            no_go.map(|row| serde_json::from_value(row["outline"].clone()).unwrap()).collect();
        for corner in rings.iter().flatten() {
            for truck in &district.trucks {
                let apart = corner.distance_to_line_m(&truck.corridor).unwrap();
                assert!(apart > crate::district::CORRIDOR_HALF_WIDTH_M, "{} {apart}", truck.code);
            }
        }
    }
}
