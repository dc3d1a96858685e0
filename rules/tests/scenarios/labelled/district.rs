//! The small district all scenarios happen in, as register edits in JSON, so that a register may gain fields. Profiles,
//! limits and rules are the shipped ones; limit rows that ship retired are put in force, as a person would who has the print.
//!
//! The map, metres east and north of the origin: site 1 at (0, 0), its permitted route along y = 0 to (6000, 0) and north to
//! the disposal site at (6000, 4000); site 2 at (0, 3000); a parking place at (-3000, 0).

use model::facts::Facts;
use model::geo::Wgs84;
use model::register::{Object, Revision};
use model::time::IngestTime;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

pub const RESTAURANT: i64 = 101;
/// A small one next door.
pub const RESTAURANT_2: i64 = 102;
pub const SITE: i64 = 201;
pub const SITE_2: i64 = 202;
pub const GATE: i64 = 211;
pub const GATE_2: i64 = 212;
pub const DISPOSAL: i64 = 301;
pub const DISPOSAL_2: i64 = 302;
pub const TRUCK: i64 = 401;
pub const TRUCK_2: i64 = 402;
pub const TRUCK_3: i64 = 403;
/// Nobody permitted it anything.
pub const TRUCK_FREE: i64 = 409;

/// The fume logger of a restaurant, the dust logger of a site, the tracker of a truck.
pub const fn logger(subject: i64) -> i64 {
    1_000 + subject
}
pub const fn camera(gate: i64) -> i64 {
    2_000 + gate
}
pub const fn washer(gate: i64) -> i64 {
    3_000 + gate
}
/// A device in store, to be installed when another is replaced.
pub const SPARE_LOGGER: i64 = 1_900;

pub fn plate(truck: i64) -> String {
    format!("豫A{truck:05}")
}

/// The place so many metres east and north of the origin.
pub fn place(east: f64, north: f64) -> Wgs84 {
    Wgs84 {
        lon: ORIGIN.0 + east / (METRES_A_DEGREE * ORIGIN.1.to_radians().cos()),
        lat: ORIGIN.1 + north / METRES_A_DEGREE,
    }
}

const ORIGIN: (f64, f64) = (113.50, 34.80);
const METRES_A_DEGREE: f64 = 111_195.08;

pub const SITE_AT: (f64, f64) = (0.0, 0.0);
pub const SITE_2_AT: (f64, f64) = (0.0, 3_000.0);
pub const DISPOSAL_AT: (f64, f64) = (6_000.0, 4_000.0);
pub const DISPOSAL_2_AT: (f64, f64) = (-6_000.0, -4_000.0);
pub const PARKING_AT: (f64, f64) = (-3_000.0, 0.0);
pub const ROUTE: [(f64, f64); 3] = [SITE_AT, (6_000.0, 0.0), DISPOSAL_AT];
pub const HALF_WIDTH_M: f64 = 30.0;

fn around((east, north): (f64, f64), half_m: f64) -> Value {
    let corner = |de: f64, dn: f64| lon_lat((east + de * half_m, north + dn * half_m));
    json!([corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)])
}

fn lon_lat((east, north): (f64, f64)) -> Value {
    let place = place(east, north);
    json!([place.lon, place.lat])
}

fn subject(id: i64, name: &str, at: Option<(f64, f64)>, details: &Value) -> Value {
    json!({"object": "subject", "row": {"id": id, "code": format!("s{id}"), "name": name, "place": at.map(lon_lat), "details": details}})
}

pub fn site(id: i64, stage: &str) -> Value {
    let at = if id == SITE { SITE_AT } else { SITE_2_AT };
    subject(id, "工地", Some(at), &json!({"kind": "site", "stage": stage, "outline": around(at, 100.0)}))
}

pub fn restaurant(id: i64, size_class: &str, stoves: f64) -> Value {
    subject(
        id,
        "饭店",
        Some((500.0, 500.0)),
        &json!({"kind": "restaurant", "size_class": size_class, "stoves": stoves}),
    )
}

pub fn device(id: i64, profile: &str, protocol: &str, enabled: bool) -> Value {
    json!({"object": "device", "row": {"id": id, "code": format!("d{id}"), "protocol": protocol, "identity": format!("i{id}"),
        "profile": profile, "enabled": enabled}})
}

/// `from` and `to` are milliseconds since 1970.
pub fn installation(id: i64, device: i64, subject: i64, from: i64, to: Option<i64>) -> Value {
    json!({"object": "installation", "row": {"id": id, "device": device, "subject": subject, "point": "p", "valid_from": from, "valid_to": to}})
}

/// The permit of trucks 1 and 2 (and of those named) from site 1 to the disposal site, at night.
pub fn permit(id: i64, trucks: &[i64], edit: impl FnOnce(&mut Value)) -> Value {
    let mut row = json!({"id": id, "code": format!("p{id}"), "trucks": trucks, "site": SITE, "disposal_site": DISPOSAL,
        "corridor": ROUTE.map(lon_lat), "corridor_half_width_m": HALF_WIDTH_M,
        "windows": [{"from_minute": 20 * 60, "to_minute": 6 * 60}], "valid_from": 0});
    edit(&mut row);
    json!({"object": "permit", "row": row})
}

pub fn limit(id: i64, row: &Value) -> Value {
    let mut row = row.clone();
    row["id"] = json!(id);
    json!({"object": "limit", "row": row})
}

fn registers() -> Vec<Value> {
    let mut all = vec![
        restaurant(RESTAURANT, "medium", 4.0),
        restaurant(RESTAURANT_2, "small", 2.0),
        site(SITE, "earthwork"),
        site(SITE_2, "structure"),
        subject(GATE, "大门", Some(SITE_AT), &json!({"kind": "gate", "site": SITE})),
        subject(GATE_2, "大门", Some(SITE_2_AT), &json!({"kind": "gate", "site": SITE_2})),
        subject(
            DISPOSAL,
            "消纳场",
            Some(DISPOSAL_AT),
            &json!({"kind": "disposal_site", "outline": around(DISPOSAL_AT, 150.0)}),
        ),
        subject(
            DISPOSAL_2,
            "消纳场",
            Some(DISPOSAL_2_AT),
            &json!({"kind": "disposal_site", "outline": around(DISPOSAL_2_AT, 150.0)}),
        ),
    ];
    for truck in [TRUCK, TRUCK_2, TRUCK_3, TRUCK_FREE] {
        all.push(subject(
            truck,
            "渣土车",
            None,
            &json!({"kind": "truck", "plate": plate(truck), "plate_colour": "黄", "company": "甲"}),
        ));
    }
    let fume = [RESTAURANT, RESTAURANT_2].map(|id| (logger(id), id, "fume-hj212-generic", "hj212"));
    let dust = [SITE, SITE_2].map(|id| (logger(id), id, "dust-hj212-ug", "hj212"));
    let trackers = [TRUCK, TRUCK_2, TRUCK_3, TRUCK_FREE].map(|id| (logger(id), id, "truck-jt808", "jt808"));
    let cameras = [GATE, GATE_2].map(|id| (camera(id), id, "gate-camera-mqtt", "mqtt"));
    let washers = [GATE, GATE_2].map(|id| (washer(id), id, "washer-modbus", "modbus"));
    let rows = fume.into_iter().chain(dust).chain(trackers).chain(cameras).chain(washers);
    for (id, subject, profile, protocol) in rows {
        all.push(device(id, profile, protocol, true));
        all.push(installation(id, id, subject, 0, None));
    }
    all.push(device(SPARE_LOGGER, "fume-hj212-generic", "hj212", true));
    all.push(permit(1, &[TRUCK, TRUCK_2], |_| ()));
    all
}

/// The shipped files, read once.
#[derive(Debug)]
pub struct Library {
    rules: BTreeMap<String, String>,
    rows: Vec<Value>,
}

impl Library {
    pub fn shipped() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library");
        let read =
            |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut rules = BTreeMap::new();
        let mut rows = Vec::new();
        for entry in std::fs::read_dir(folder.join("rules")).expect("read the library") {
            let path = entry.expect("read the library").path();
            if path.extension().is_some_and(|ending| ending == "toml")
                && let Some(code) = path.file_stem().and_then(|stem| stem.to_str())
                // `rule.test.toml` holds the rule's own tests.
                && !code.contains('.')
            {
                rules.insert(code.to_owned(), read(&path));
            }
        }
        for file in ["profiles-fume", "profiles-site", "profiles-truck"] {
            for row in tables(&read(&folder.join(format!("{file}.toml"))), "profile") {
                rows.push(json!({"object": "profile", "row": row}));
            }
        }
        rows.extend(registers());
        for (id, mut row) in (1..).zip(tables(&read(&folder.join("limits.toml")), "limit")) {
            let fallback = row["quantity"] == "fume";
            let henan = row["region"] == "河南省";
            row["region"] = json!("");
            row["retired"] = json!(fallback && henan);
            row["valid_to"] = Value::Null;
            rows.push(limit(id, &row));
        }
        Self { rules, rows }
    }

    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    pub fn has(&self, rule: &str) -> bool {
        self.rules.contains_key(rule)
    }

    /// The registers with all rules live, before a story begins.
    pub fn facts(&self) -> &'static Facts {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        FACTS.get_or_init(|| {
            let mut facts = Facts::default();
            for row in &self.rows {
                put(&mut facts, row, 0);
            }
            for (code, text) in &self.rules {
                let rule = json!({"code": code, "version": 1, "text": text, "active": true});
                put(&mut facts, &json!({"object": "rule", "row": rule}), 0);
            }
            facts
        })
    }
}

/// Applies an edit and gives the revision.
pub fn put(facts: &mut Facts, object: &Value, at: i64) -> Revision {
    let object: Object = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
    let revision = Revision { number: facts.revision + 1, at: IngestTime(at), author: "story".into(), object };
    facts.apply(&revision);
    revision
}

/// The tables `[[key]]` of a file, dates as milliseconds since 1970 at their midnight in Beijing.
fn tables(text: &str, key: &str) -> Vec<Value> {
    let file: toml::Table = text.parse().expect("the library is TOML");
    let rows = file.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    rows.iter().map(json_of).collect()
}

fn json_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => {
            let midnight = model::time::parse_rfc3339(&format!("{date}T00:00:00+08:00"));
            json!(midnight.expect("the library's dates are days"))
        }
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json_of(value))).collect(),
        toml::Value::Array(rows) => rows.iter().map(json_of).collect(),
        other => serde_json::to_value(other).expect("a TOML value is JSON"),
    }
}
