//! Rows of files ⇄ register objects. In files objects refer to each other by code and times are text; a [`RawRow`]
//! remembers where each field stood, so that every problem is told with file, line and key or column.
//!
//! Same object = same code (manifests: code and source; limits: quantity, region, standard, class, subject kind and start;
//! installations: device, subject, point and start; cleaning records, maintenance, schedules and background stations: what they
//! are about and when).

use crate::error::Problem;
use crate::object::all_of;
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::register::{Manifest, Object, SubjectDetails};
use model::time::{EventTime, LocalStamp, parse_rfc3339};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A row as it stood in a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRow {
    pub(crate) kind: &'static str,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) fields: Map<String, Value>,
    /// Field path → line, where a field has a line of its own.
    pub(crate) lines: BTreeMap<String, u32>,
    /// Field path → column's name, for CSV.
    pub(crate) columns: BTreeMap<String, String>,
}

impl RawRow {
    /// A problem of a field, told at the closest place that is known.
    pub(crate) fn problem(&self, field: &str, message: impl Into<String>) -> Problem {
        let mut path = field;
        let mut line = None;
        let mut place = None;
        loop {
            line = line.or_else(|| self.lines.get(path).copied());
            place = place.or_else(|| self.columns.get(path).cloned());
            let Some(end) = path.rfind(['.', '[']) else { break };
            path = path.get(..end).unwrap_or_default();
        }
        let place = place.unwrap_or_else(|| field.to_owned());
        Problem::new(place, message).in_file(&self.file, line.unwrap_or(self.line))
    }
}

/// Where codes of each kind lead: ids of the registers, and negative ones of the rows.
struct Codes(BTreeMap<(&'static str, String), i64>);

impl Codes {
    fn of(facts: &Facts) -> Self {
        let mut codes = BTreeMap::new();
        for row in facts.offices.values() {
            codes.insert(("office", row.code.clone()), row.id.0);
        }
        for row in facts.grids.values() {
            codes.insert(("grid", row.code.clone()), row.id.0);
        }
        for row in facts.subjects.values() {
            codes.insert(("subject", row.code.clone()), row.id.0);
            if let SubjectDetails::Truck { plate, .. } = &row.details {
                codes.entry(("subject", plate.clone())).or_insert(row.id.0);
            }
        }
        for row in facts.permits.values() {
            codes.insert(("permit", row.code.clone()), row.id.0);
        }
        for row in facts.devices.values() {
            codes.insert(("device", row.code.clone()), row.id.0);
        }
        codes.extend(facts.areas.values().map(|row| (("area", row.code.clone()), row.id.0)));
        codes.extend(facts.notices.values().map(|row| (("notice", row.code.clone()), row.id.0)));
        codes.extend(facts.night_permits.values().map(|row| (("night_permit", row.code.clone()), row.id.0)));
        let sourced = |row: &Manifest| format!("{} {}", row.code, row.source.code());
        codes.extend(facts.manifests.values().map(|row| (("manifest", sourced(row)), row.id.0)));
        Self(codes)
    }

    fn name(facts: &Facts, kind: &str, id: i64) -> Option<String> {
        Some(match kind {
            "office" => facts.offices.get(&model::id::OfficeId(id))?.code.clone(),
            "grid" => facts.grids.get(&model::id::GridId(id))?.code.clone(),
            "device" => facts.devices.get(&model::id::DeviceId(id))?.code.clone(),
            "permit" => facts.permits.get(&model::id::PermitId(id))?.code.clone(),
            _ => facts.subjects.get(&model::id::SubjectId(id))?.code.clone(),
        })
    }
}

/// Fields of a kind that refer to others: path and the kind referred to.
fn references(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "office" => &[("parent", "office")],
        "grid" => &[("office", "office")],
        "subject" => &[("grid", "grid"), ("details.site", "subject")],
        "permit" => &[("trucks", "subject"), ("site", "subject"), ("disposal_site", "subject")],
        "installation" | "maintenance" => &[("device", "device"), ("subject", "subject")],
        "notice" => &[("grids", "grid")],
        "night_permit" => &[("site", "subject")],
        "cleaning" | "schedule" => &[("subject", "subject")],
        "manifest" => &[("truck", "subject"), ("site", "subject"), ("disposal_site", "subject"), ("permit", "permit")],
        "background" => &[("device", "device")],
        _ => &[],
    }
}

/// Visits each time of a row with its path.
fn each_time(fields: &mut Map<String, Value>, mut visit: impl FnMut(&str, &mut Value)) {
    for field in ["valid_from", "valid_to", "cleaned_at", "loaded_at", "unloaded_at"] {
        if let Some(slot) = fields.get_mut(field) {
            visit(field, slot);
        }
    }
    let spans = fields.get_mut("suspensions").and_then(Value::as_array_mut);
    for (index, span) in spans.into_iter().flatten().enumerate() {
        for field in ["from", "to"] {
            if let Some(slot) = span.get_mut(field) {
                visit(&format!("suspensions[{index}].{field}"), slot);
            }
        }
    }
}

/// What a row of a kind with codes is known by.
fn code_of(row: &RawRow) -> Option<String> {
    let code = row.fields.get("code").and_then(Value::as_str)?;
    let source = row.fields.get("source").and_then(Value::as_str).filter(|_| row.kind == "manifest");
    Some(source.map_or_else(|| code.to_owned(), |source| format!("{code} {source}")))
}

/// Turns rows into objects, in order; `None` where a row has a problem.
pub(crate) fn to_objects(rows: &[RawRow], facts: &Facts, problems: &mut Vec<Problem>) -> Vec<Option<Object>> {
    let mut codes = Codes::of(facts);
    let mut ids = Vec::new();
    let mut first: BTreeMap<(&str, String), &RawRow> = BTreeMap::new();
    for (id, row) in (1_i64..).zip(rows) {
        let Some(code) = code_of(row) else {
            ids.push(-id);
            continue;
        };
        if let Some(other) = first.insert((row.kind, code.clone()), row) {
            let told = format!("{code} stands already in {} line {}; keep one of them", other.file, other.line);
            problems.push(row.problem("code", told));
        }
        let own = *codes.0.entry((row.kind, code)).or_insert(-id);
        ids.push(own);
        if let Some(plate) = get(&row.fields, "details.plate").and_then(Value::as_str) {
            codes.0.entry(("subject", plate.to_owned())).or_insert(own);
        }
    }
    rows.iter().zip(ids).map(|(row, id)| to_object(row, id, &codes, facts, problems)).collect()
}

fn to_object(row: &RawRow, id: i64, codes: &Codes, facts: &Facts, problems: &mut Vec<Problem>) -> Option<Object> {
    let told = problems.len();
    let mut fields = row.fields.clone();
    if fields.remove("id").is_some() {
        problems.push(row.problem("id", "ids are given by the ledger; leave it out"));
    }
    for (path, kind) in references(row.kind) {
        let Some(slot) = get_mut(&mut fields, path) else { continue };
        resolve(row, path, kind, slot, codes, problems);
    }
    each_time(&mut fields, |path, slot| match slot.as_str().and_then(read_time) {
        Some(time) => *slot = json!(time.as_ms()),
        None => problems.push(row.problem(path, "write a date as 2026-01-31 or a time as 2026-01-31T08:00:00+08:00")),
    });
    if !matches!(row.kind, "profile" | "calendar" | "rule") {
        fields.insert("id".into(), json!(id));
    }
    if problems.len() > told {
        return None;
    }
    let object = match row.kind {
        "office" => read(row, fields, problems).map(Object::Office),
        "grid" => read(row, fields, problems).map(Object::Grid),
        "subject" => read(row, fields, problems).map(Object::Subject),
        "permit" => read(row, fields, problems).map(Object::Permit),
        "limit" => read(row, fields, problems).map(Object::Limit),
        "profile" => read(row, fields, problems).map(Object::Profile),
        "device" => read(row, fields, problems).map(Object::Device),
        "installation" => read(row, fields, problems).map(Object::Installation),
        "calendar" => read(row, fields, problems).map(Object::Calendar),
        "area" => read(row, fields, problems).map(Object::Area),
        "notice" => read(row, fields, problems).map(Object::Notice),
        "night_permit" => read(row, fields, problems).map(Object::NightPermit),
        "cleaning" => read(row, fields, problems).map(Object::Cleaning),
        "manifest" => read(row, fields, problems).map(Object::Manifest),
        "maintenance" => read(row, fields, problems).map(Object::Maintenance),
        "schedule" => read(row, fields, problems).map(Object::Schedule),
        "background" => read(row, fields, problems).map(Object::Background),
        _ => read(row, fields, problems).map(Object::Rule),
    }?;
    Some(known_by_content(object, facts))
}

/// What has no code: the row about the same thing at the same time is the same object.
fn known_by_content(mut object: Object, facts: &Facts) -> Object {
    match &mut object {
        Object::Limit(row) => {
            let same = facts.limits.values().find(|old| {
                (&old.quantity, &old.region, &old.standard) == (&row.quantity, &row.region, &row.standard)
                    && (&old.class, &old.subject_kind, old.valid_from)
                        == (&row.class, &row.subject_kind, row.valid_from)
            });
            row.id = same.map_or(row.id, |old| old.id);
        }
        Object::Installation(row) => {
            let same = facts
                .installations_of(row.device)
                .find(|old| (old.subject, &old.point, old.valid_from) == (row.subject, &row.point, row.valid_from));
            row.id = same.map_or(row.id, |old| old.id);
        }
        Object::Cleaning(row) => {
            let same = facts
                .cleanings_of(row.subject)
                .find(|old| (old.cleaned_at, &old.parts) == (row.cleaned_at, &row.parts));
            row.id = same.map_or(row.id, |old| old.id);
        }
        Object::Maintenance(row) => {
            let same = facts
                .maintenances
                .values()
                .find(|old| (old.device, old.subject, old.valid_from) == (row.device, row.subject, row.valid_from));
            row.id = same.map_or(row.id, |old| old.id);
        }
        Object::Schedule(row) => {
            let same = facts.schedules.values().find(|old| {
                (old.subject, &old.subject_kind, old.valid_from) == (row.subject, &row.subject_kind, row.valid_from)
            });
            row.id = same.map_or(row.id, |old| old.id);
        }
        Object::Background(row) => {
            let same = facts.backgrounds.values().find(|old| {
                (&old.quantity, old.device, &old.region, old.valid_from)
                    == (&row.quantity, row.device, &row.region, row.valid_from)
            });
            row.id = same.map_or(row.id, |old| old.id);
        }
        _ => {}
    }
    object
}

fn resolve(row: &RawRow, path: &str, kind: &'static str, slot: &mut Value, codes: &Codes, problems: &mut Vec<Problem>) {
    match slot {
        Value::String(code) => {
            if let Some(id) = codes.0.get(&(kind, code.clone())) {
                *slot = json!(id);
            } else {
                let told =
                    format!("there is no {kind} {code:?} in the registers or in these files; write a known code");
                problems.push(row.problem(path, told));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                resolve(row, &format!("{path}[{index}]"), kind, item, codes, problems);
            }
        }
        _ => problems.push(row.problem(path, format!("write the code of a {kind} in quotes"))),
    }
}

fn read<T: DeserializeOwned>(row: &RawRow, fields: Map<String, Value>, problems: &mut Vec<Problem>) -> Option<T> {
    serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { "" } else { &path };
            problems.push(row.problem(path, error.inner().to_string()));
        })
        .ok()
}

/// A date (Beijing midnight) or an RFC 3339 time.
pub(crate) fn read_time(text: &str) -> Option<EventTime> {
    let text = text.trim();
    if let Some(ms) = parse_rfc3339(text) {
        return Some(EventTime(ms));
    }
    let date = text.replace('/', "-");
    let mut parts = date.split('-').map(str::parse::<u16>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if parts.next().is_some() || year < 1970 {
        return None;
    }
    let stamp = LocalStamp::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?, 0, 0, 0, 0)?;
    Some(stamp.at_offset(model::time::BEIJING_OFFSET_MINUTES))
}

/// An object as files write it: codes instead of ids, times as text, no nulls.
pub(crate) fn to_fields(object: &Object, facts: &Facts) -> Map<String, Value> {
    let value = serde_json::to_value(object).unwrap_or_default();
    let Some(Value::Object(mut fields)) = value.get("row").cloned() else { return Map::new() };
    fields.remove("id");
    for (path, kind) in references(crate::object::ObjectKey::of(object).kind) {
        let Some(slot) = get_mut(&mut fields, path) else { continue };
        let name =
            |id: &Value| id.as_i64().and_then(|id| Codes::name(facts, kind, id)).map_or(Value::Null, Value::String);
        let named = match &*slot {
            Value::Array(ids) => Value::Array(ids.iter().map(name).collect()),
            id => name(id),
        };
        *slot = named;
    }
    each_time(&mut fields, |_, slot| {
        if let Some(ms) = slot.as_i64() {
            *slot = Value::String(EventTime(ms).to_rfc3339());
        }
    });
    without_nulls(&mut fields);
    fields
}

fn without_nulls(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| !value.is_null());
    for value in fields.values_mut() {
        match value {
            Value::Object(inner) => without_nulls(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(without_nulls),
            _ => {}
        }
    }
}

pub(crate) fn get<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((first, rest)) => get(fields.get(first)?.as_object()?, rest),
        None => fields.get(path),
    }
}

fn get_mut<'a>(fields: &'a mut Map<String, Value>, path: &str) -> Option<&'a mut Value> {
    match path.split_once('.') {
        Some((first, rest)) => get_mut(fields.get_mut(first)?.as_object_mut()?, rest),
        None => fields.get_mut(path),
    }
}

/// Sets a field by path, making the tables on the way.
pub(crate) fn set(fields: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        Some((first, rest)) => {
            let inner = fields.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                set(inner, rest, value);
            }
        }
        None => drop(fields.insert(path.to_owned(), value)),
    }
}

/// The objects of a kind by code, for rows that change only some fields.
pub(crate) fn by_code(facts: &Facts, kind: &str) -> BTreeMap<String, Object> {
    let named = |object: Object| match &object {
        Object::Subject(row) => Some((row.code.clone(), object)),
        Object::Permit(row) => Some((row.code.clone(), object)),
        Object::Device(row) => Some((row.code.clone(), object)),
        Object::NightPermit(row) => Some((row.code.clone(), object)),
        Object::Manifest(row) => Some((format!("{} {}", row.code, row.source.code()), object)),
        _ => None,
    };
    all_of(facts, kind).into_iter().filter_map(named).collect()
}

/// `mqtt`, `HJ212`, `jt/t 808`, `Modbus` … as people write them.
pub(crate) fn read_protocol(text: &str) -> Option<ProtocolKind> {
    let plain: String = text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.as_str() {
        "mqtt" => Some(ProtocolKind::Mqtt),
        "hj212" | "hjt212" => Some(ProtocolKind::Hj212),
        "jt808" | "jtt808" => Some(ProtocolKind::Jt808),
        "modbus" | "modbustcp" => Some(ProtocolKind::Modbus),
        _ => None,
    }
}
