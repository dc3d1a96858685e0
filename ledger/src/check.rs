//! What an edit must be: codes, references, ranges, uniqueness. Pure; tells every problem, each with what to write instead.

use crate::directory::normal;
use crate::error::Problem;
use crate::object::{ObjectKey, label};
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::geo::Wgs84;
use model::modbus::Endpoint;
use model::quantity::Quantity;
use model::register::{
    Calendar, Device, DeviceProfile, Grid, Installation, Limit, ModbusPoll, Object, Office, Register, RegisterKind,
    RuleVersion, Subject, SubjectDetails,
};
use model::time::EventTime;
use std::collections::{BTreeMap, BTreeSet};

mod bounds;
mod downlink;
mod permit;
mod registers;

use permit::{permit, windows};

const POINTS_MAX: usize = 5_000;

/// Collects the problems of one object.
struct Told<'a> {
    index: usize,
    problems: &'a mut Vec<Problem>,
}

impl Told<'_> {
    fn bad(&mut self, field: &str, message: impl Into<String>) {
        let dot = if field.is_empty() || field.starts_with('[') { "" } else { "." };
        self.problems.push(Problem::new(format!("[{}]{dot}{field}", self.index), message));
    }

    fn must(&mut self, right: bool, field: &str, message: &str) {
        if !right {
            self.bad(field, message);
        }
    }
}

/// A positive id must be known; new objects have id 0 or a negative one.
pub(crate) fn known_id(object: &Object, facts: &Facts, index: usize, problems: &mut Vec<Problem>) {
    let key = ObjectKey::of(object);
    let new = key.key.parse::<i64>().is_ok_and(|id| id <= 0);
    if matches!(key.kind, "profile" | "calendar" | "rule") || new || key.find(facts).is_some() {
        return;
    }
    Told { index, problems }.bad("id", format!("there is no {} {}; use id 0 for a new one", key.kind, key.key));
}

/// Checks the changed objects of a batch against the registers as they would be.
pub(crate) fn batch(objects: &[(usize, &Object)], before: &Facts, after: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, object) in objects {
        let mut told = Told { index: *index, problems: &mut problems };
        let key = ObjectKey::of(object);
        told.must(seen.insert(key), "", "the same object stands in the batch twice; keep one of them");
        match object {
            Object::Office(row) => office(row, after, &mut told),
            Object::Grid(row) => grid(row, after, &mut told),
            Object::Subject(row) => subject(row, before, after, &mut told),
            Object::Permit(row) => permit(row, after, &mut told),
            Object::Limit(row) => limit(row, &mut told),
            Object::Profile(row) => profile(row, after, &mut told),
            Object::Device(row) => device(row, before, after, &mut told),
            Object::Installation(row) => installation(row, after, &mut told),
            Object::Calendar(row) => calendar(row, &mut told),
            Object::Rule(row) => rule(row, before, &mut told),
            Object::Area(row) => registers::area(row, &mut told),
            Object::Notice(row) => registers::notice(row, after, &mut told),
            Object::NightPermit(row) => registers::night_permit(row, after, &mut told),
            Object::Cleaning(row) => registers::cleaning(row, after, &mut told),
            Object::Manifest(row) => registers::manifest(row, after, &mut told),
            Object::Maintenance(row) => registers::maintenance(row, after, &mut told),
            Object::Schedule(row) => registers::schedule(row, after, &mut told),
            Object::Background(row) => registers::background(row, after, &mut told),
        }
    }
    for (index, object) in objects {
        bounds::bounded(object, &mut Told { index: *index, problems: &mut problems });
    }
    unique(objects, after, &mut problems);
    registers::unique_manifests(objects, after, &mut problems);
    overlaps(objects, after, &mut problems);
    problems.sort_by_key(|problem| {
        problem.place.trim_start_matches('[').split(']').next().and_then(|i| i.parse::<usize>().ok())
    });
    problems
}

/// `[a-z0-9][a-z0-9-]{0,47}`
pub(crate) fn is_device_code(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=48).contains(&code.len()) && code.chars().all(plain) && !code.starts_with('-')
}

fn code(text: &str, told: &mut Told<'_>) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let right = (1..=64).contains(&text.chars().count()) && text.chars().all(plain);
    told.must(right, "code", "write 1 to 64 letters, digits, - _ . or / without spaces");
}

fn name(text: &str, told: &mut Told<'_>) {
    let right = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text;
    told.must(right, "name", "write 1 to 200 characters without spaces at the ends");
}

fn place(point: Wgs84, field: &str, told: &mut Told<'_>) {
    if Wgs84::new(point.lon, point.lat).is_none() {
        told.bad(field, "write [longitude, latitude] in degrees, WGS-84");
    } else if (73.0..136.0).contains(&point.lat) || ((3.0..54.0).contains(&point.lon) && point.lat > 54.0) {
        told.bad(field, "longitude and latitude look swapped; write [longitude, latitude]");
    }
}

fn outline(points: &[Wgs84], told: &mut Told<'_>) {
    let right = points.is_empty() || (3..=POINTS_MAX).contains(&points.len());
    told.must(right, "outline", "write at least 3 points, or none; the first is not repeated at the end");
    for (index, point) in points.iter().enumerate() {
        place(*point, &format!("outline[{index}]"), told);
    }
}

fn span(from: EventTime, to: Option<EventTime>, told: &mut Told<'_>) {
    told.must(to.is_none_or(|to| from < to), "valid_to", "must be after valid_from; leave it out for no end");
}

fn office(row: &Office, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    name(&row.name, told);
    let mut above = row.parent;
    for _ in 0..64 {
        let Some(id) = above else { return };
        let Some(parent) = facts.offices.get(&id) else {
            return told.bad("parent", format!("there is no office {id}; write a known one or leave it out"));
        };
        if id == row.id {
            return told.bad("parent", "an office cannot be above itself");
        }
        above = parent.parent;
    }
    told.bad("parent", "more than 64 offices above each other, or a circle");
}

fn grid(row: &Grid, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    name(&row.name, told);
    told.must(facts.offices.contains_key(&row.office), "office", "there is no such office; write a known one");
    outline(&row.outline, told);
}

fn subject(row: &Subject, before: &Facts, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    name(&row.name, told);
    told.must(
        row.grid.is_none_or(|id| facts.grids.contains_key(&id)),
        "grid",
        "there is no such grid; write a known one",
    );
    if let Some(point) = row.place {
        place(point, "place", told);
    }
    if let Some(old) = before.subjects.get(&row.id)
        && old.details.kind() != row.details.kind()
    {
        told.bad("details.kind", format!("it is a {}; make a new subject instead", old.details.kind()));
    }
    match &row.details {
        SubjectDetails::Restaurant { size_class, stoves, .. } => {
            let known = size_class.as_deref().is_none_or(|class| matches!(class, "small" | "medium" | "large"));
            told.must(known, "details.size_class", "write small, medium or large, or leave it out");
            let right = stoves.is_none_or(|n| n > 0.0 && n <= 200.0);
            told.must(right, "details.stoves", "write a number above 0, at most 200");
        }
        SubjectDetails::Site { stage, outline: points, .. } => {
            let stages = ["earthwork", "foundation", "structure", "finishing"];
            let known = stage.as_deref().is_none_or(|stage| stages.contains(&stage));
            told.must(known, "details.stage", "write earthwork, foundation, structure or finishing, or leave it out");
            outline(points, told);
        }
        SubjectDetails::Gate { site } => is_a(*site, "site", "details.site", facts, told),
        SubjectDetails::DisposalSite { outline: points, capacity_m3 } => {
            outline(points, told);
            let right = capacity_m3.is_none_or(|m3| m3 > 0.0 && m3.is_finite());
            told.must(right, "details.capacity_m3", "write a number above 0");
        }
        SubjectDetails::Truck { plate, load_t, .. } => {
            let right = (2..=16).contains(&plate.chars().count()) && plate.chars().all(char::is_alphanumeric);
            told.must(right, "details.plate", "write the plate without spaces or dots: 豫A12345");
            told.must(
                load_t.is_none_or(|t| t > 0.0 && t <= 200.0),
                "details.load_t",
                "write tonnes above 0, at most 200",
            );
        }
    }
}

fn is_a(id: model::id::SubjectId, kind: &str, field: &str, facts: &Facts, told: &mut Told<'_>) {
    match facts.subjects.get(&id) {
        None => told.bad(field, format!("there is no subject {id}; write a known {kind}")),
        Some(row) if row.details.kind() != kind => {
            told.bad(field, format!("{} is a {}; write a {kind}", row.code, row.details.kind()));
        }
        Some(_) => {}
    }
}

fn limit(row: &Limit, told: &mut Told<'_>) {
    match Quantity::from_code(&row.quantity).and_then(Quantity::spec) {
        None => told.bad("quantity", format!("{:?} is no quantity; write one such as fume, pm10", row.quantity)),
        Some(spec) => match row.unit.convert(row.value, spec.unit) {
            None => told.bad(
                "unit",
                format!("{} is not measured in {}; write {}", row.quantity, row.unit.code(), spec.unit.code()),
            ),
            Some(value) if !(spec.min..=spec.max).contains(&value) => {
                told.bad(
                    "value",
                    format!("is {value} {}; possible are {} to {}", spec.unit.code(), spec.min, spec.max),
                );
            }
            Some(_) => {}
        },
    }
    told.must(!row.standard.trim().is_empty(), "standard", "write the standard's number, such as GB 18483-2001");
    let kind = matches!(row.subject_kind.as_str(), "" | "restaurant" | "site" | "gate" | "disposal_site" | "truck");
    told.must(kind, "subject_kind", "write restaurant, site, gate, disposal_site or truck, or leave it out");
    told.must(
        !row.verified || !row.source.trim().is_empty(),
        "source",
        "a verified limit names the page it was compared with",
    );
    span(row.valid_from, row.valid_to, told);
}

fn profile(row: &DeviceProfile, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    name(&row.name, told);
    told.must(row.offset_minutes.abs() <= 14 * 60, "offset_minutes", "write minutes from -840 to 840; Beijing is 480");
    told.must((1..=86_400).contains(&row.expected_interval_s), "expected_interval_s", "write seconds, 1 to 86400");
    if let Some(policy) = &row.downlink {
        downlink::policy(row, policy, told);
    }
    let mut codes = BTreeSet::new();
    for (index, factor) in row.factors.iter().enumerate() {
        let field = |name: &str| format!("factors[{index}].{name}");
        told.must(!factor.code.trim().is_empty(), &field("code"), "write the code as the device sends it");
        let new = codes.insert((factor.code.to_lowercase(), factor.statistic));
        told.must(new, &field("code"), "this code stands in the profile twice; keep one");
        match Quantity::from_code(&factor.quantity).and_then(Quantity::spec) {
            None => {
                told.bad(&field("quantity"), format!("{:?} is no quantity; write one such as fume", factor.quantity));
            }
            Some(spec) if !factor.unit.same_dimension(spec.unit) => {
                let text =
                    format!("{} cannot become {}; write its unit on the wire", factor.unit.code(), spec.unit.code());
                told.bad(&field("unit"), text);
            }
            Some(_) => {}
        }
        told.must(factor.scale.is_finite() && factor.scale != 0.0, &field("scale"), "write a number other than 0");
        told.must(factor.offset.is_finite(), &field("offset"), "write a number");
        let ordered = factor.min.zip(factor.max).is_none_or(|(min, max)| min < max);
        told.must(ordered, &field("max"), "must be above min");
    }
    let modbus = row.protocol == ProtocolKind::Modbus;
    told.must(
        modbus != row.registers.is_empty(),
        "registers",
        "a Modbus profile lists its registers, another has none",
    );
    for (index, register) in row.registers.iter().enumerate() {
        let field = |name: &str| format!("registers[{index}].{name}");
        let known = codes.iter().any(|(code, _)| *code == register.code.to_lowercase());
        let text = register.kind == RegisterKind::Text;
        told.must(known || text, &field("code"), "there is no factor of this code in the profile; add it");
        told.must((1..=4).contains(&register.function), &field("function"), "write 1, 2, 3 or 4");
        let bits = register.function <= 2;
        let bit_kind = register.kind == RegisterKind::Bit;
        told.must(!bits || bit_kind, &field("kind"), "coils and discrete inputs are of kind bit");
        let bit_right =
            if bit_kind && !bits { register.bit.is_some_and(|bit| bit < 16) } else { register.bit.is_none() };
        told.must(bit_right, &field("bit"), "write 0 to 15 for kind bit in a register, else leave it out");
        register_form(register, &field, told);
    }
    let mqtt = row.protocol == ProtocolKind::Mqtt;
    told.must(mqtt || row.events.is_empty(), "events", "only an MQTT profile has rows for a camera's events");
    for (index, rule) in row.events.iter().enumerate() {
        let field = |name: &str| format!("events[{index}].{name}");
        let topic = rule.topic.trim_end_matches("/*");
        let plain = !topic.is_empty() && !topic.contains(['*', '&', ':', '+', '#']);
        told.must(
            plain,
            &field("topic"),
            "write the levels without namespaces: RuleEngine/Recognition/LicensePlate, or RuleEngine/*",
        );
        told.must(!rule.event.trim().is_empty(), &field("event"), "write what it is: vehicle_exit, wash …");
        told.must(rule.when.iter().all(|when| !when.is.is_empty()), &field("when"), "list the values under is");
    }
    if let Some(truck) = &row.truck {
        told.must(row.protocol == ProtocolKind::Jt808, "truck", "only a JT/T 808 profile has this table");
        for (state, bits) in [("cover_open", truck.cover_open), ("bed_lifted", truck.bed_lifted)] {
            let Some(bits) = bits else { continue };
            let field = |name: &str| format!("truck.{state}.{name}");
            told.must((1..=32).contains(&bits.width), &field("width"), "write 1 to 32 bits");
            told.must(bits.yes != bits.no, &field("no"), "yes and no are two values");
            told.must(bits.tag.is_none() || bits.item.is_some(), &field("tag"), "name the item that the tag is in");
        }
    }
    let used = facts.devices.values().find(|device| device.profile == row.code && device.protocol != row.protocol);
    if let Some(device) = used {
        told.bad("protocol", format!("device {} uses this profile with {}", device.code, device.protocol.code()));
    }
}

/// Addresses, masks and ranges that make sense.
fn register_form(register: &Register, field: &dyn Fn(&str) -> String, told: &mut Told<'_>) {
    match register.wire_address() {
        None => told.bad(&field("address"), "this number is not one of the table; see base"),
        Some(address) => {
            let end = u32::from(address) + u32::from(register.width());
            told.must(end <= 65_536, &field("address"), "the value ends behind address 65535");
        }
    }
    let text = register.kind == RegisterKind::Text;
    let length_right = if text {
        register.length.is_some_and(|length| (1..=125).contains(&length))
    } else {
        register.length.is_none()
    };
    told.must(length_right, &field("length"), "write 1 to 125 registers for kind text, else leave it out");
    let whole = !matches!(
        register.kind,
        RegisterKind::Bit | RegisterKind::F16 | RegisterKind::F32 | RegisterKind::F64 | RegisterKind::Text
    );
    told.must(
        register.mask.is_none_or(|mask| whole && mask != 0),
        &field("mask"),
        "write bits of an integer kind, not 0",
    );
    let ordered = register.valid.is_none_or(|(least, most)| least <= most);
    told.must(ordered, &field("valid"), "write [least, most]");
}

fn device(row: &Device, before: &Facts, facts: &Facts, told: &mut Told<'_>) {
    told.must(is_device_code(&row.code), "code", "write small letters, digits and -, at most 48, not first a -");
    let identity = row.identity.as_str();
    match row.protocol {
        ProtocolKind::Jt808 => {
            let right = (5..=20).contains(&identity.len()) && identity.chars().all(|c| c.is_ascii_digit());
            told.must(right, "identity", "write the terminal's phone: 5 to 20 digits");
        }
        ProtocolKind::Hj212 => {
            let right = (1..=32).contains(&identity.len()) && identity.chars().all(|c| c.is_ascii_alphanumeric());
            told.must(right, "identity", "write the MN: 1 to 32 letters and digits");
        }
        ProtocolKind::Mqtt | ProtocolKind::Modbus => {
            let right = (1..=64).contains(&identity.len()) && identity.chars().all(|c| c.is_ascii_graphic());
            told.must(right, "identity", "write 1 to 64 ASCII characters without spaces");
        }
    }
    if let Some(old) = before.devices.get(&row.id)
        && (old.protocol != row.protocol || old.code != row.code)
    {
        told.bad("code", "code and protocol of a device never change; make a new device and install it");
    }
    match facts.profiles.get(&row.profile) {
        None => told.bad("profile", format!("there is no profile {:?}; apply it first", row.profile)),
        Some(profile) if profile.protocol != row.protocol => {
            let (has, wants) = (profile.protocol.code(), row.protocol.code());
            told.bad("profile", format!("{} is for {has}, the device speaks {wants}", row.profile));
        }
        Some(_) => {}
    }
    let modbus = row.protocol == ProtocolKind::Modbus;
    told.must(modbus == row.poll.is_some(), "poll", "a Modbus device says whom to poll, another has no poll");
    if let Some(poll) = &row.poll {
        polled(row, poll, facts, told);
        told.must((100..=3_600_000).contains(&poll.interval_ms), "poll.interval_ms", "write 100 to 3600000");
        told.must((50..=60_000).contains(&poll.timeout_ms), "poll.timeout_ms", "write 50 to 60000");
        told.must(poll.max_gap <= 120, "poll.max_gap", "write at most 120");
        told.must(poll.registers.is_empty(), "poll.registers", "registers stand in the profile; leave it out");
    }
}

/// Where a slave is polled. What belongs to a bus is the same for all slaves on it.
fn polled(row: &Device, poll: &ModbusPoll, facts: &Facts, told: &mut Told<'_>) {
    told.must((1..=125).contains(&poll.max_registers), "poll.max_registers", "write 1 to 125");
    told.must(poll.retries <= 5, "poll.retries", "write at most 5");
    told.must(poll.busy_retries <= 10, "poll.busy_retries", "write at most 10");
    for (field, ms) in [
        ("poll.busy_wait_ms", poll.busy_wait_ms),
        ("poll.connect_pause_ms", poll.connect_pause_ms),
        ("poll.pause_ms", poll.pause_ms),
    ] {
        told.must(ms <= 10_000, field, "write at most 10000");
    }
    let endpoint = match poll.address.parse::<Endpoint>() {
        Ok(endpoint) => endpoint,
        Err(error) => return told.bad("poll.address", error.to_string()),
    };
    let modem = match &endpoint {
        Endpoint::Dtu(identity) => Some(identity),
        _ => None,
    };
    if let Some(packet) = &poll.dtu {
        told.must(modem.is_some(), "poll.dtu", "only a device at dtu://… has it");
        for (field, why) in packet.problems(modem.map_or("", String::as_str)) {
            told.must(modem.is_none(), &format!("poll.dtu.{field}"), why);
        }
    }
    if modem.is_none() && endpoint.serial_path().is_none() {
        return;
    }
    for other in facts.devices.values().filter(|other| other.id != row.id) {
        let Some(theirs) = &other.poll else { continue };
        let Ok(at) = theirs.address.parse::<Endpoint>() else { continue };
        if at == endpoint && modem.is_some() && theirs.dtu != poll.dtu {
            return told
                .bad("poll.dtu", format!("{} is behind the same modem and says otherwise of its packet", other.code));
        }
        let shared = at != endpoint && at.serial_path().is_some() && at.serial_path() == endpoint.serial_path();
        if shared {
            return told
                .bad("poll.address", format!("{} is on the same port as {at}; write the same speed", other.code));
        }
    }
}

fn installation(row: &Installation, facts: &Facts, told: &mut Told<'_>) {
    told.must(facts.devices.contains_key(&row.device), "device", "there is no such device; write a known one");
    told.must(facts.subjects.contains_key(&row.subject), "subject", "there is no such subject; write a known one");
    span(row.valid_from, row.valid_to, told);
}

fn calendar(row: &Calendar, told: &mut Told<'_>) {
    code(&row.code, told);
    told.must(!row.hours.is_empty(), "hours", "write at least one working window");
    windows(&row.hours, "hours", told);
    let holiday = row.hours.iter().any(|window| window.weekdays.contains(&model::register::windows::HOLIDAY));
    told.must(!holiday, "hours", "no working day is a holiday; write days 1 to 7");
    for (field, dates) in [("holidays", &row.holidays), ("workdays", &row.workdays)] {
        for (index, date) in dates.iter().enumerate() {
            let right = date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok();
            told.must(right, &format!("{field}[{index}]"), "write a date as 2026-10-01");
        }
    }
    if let Some(both) = row.holidays.iter().find(|date| row.workdays.contains(date)) {
        told.bad("workdays", format!("{both} is a holiday too; keep it in one list"));
    }
}

fn rule(row: &RuleVersion, before: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    told.must(!row.code.contains('/'), "code", "a rule's code names its file: write it without /");
    told.must(row.text.len() <= 65_536, "text", "a rule has at most 65536 bytes");
    let next = before.rules.get(&row.code).map_or(1, |old| old.version + 1);
    told.must(row.version == next, "version", &format!("the next version is {next}"));
}

/// Codes, identities and plates are unique; of two, the changed one is told.
fn unique(objects: &[(usize, &Object)], facts: &Facts, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<(&str, String), Vec<ObjectKey>> = BTreeMap::new();
    for kind in ["office", "grid", "subject", "permit", "device", "area", "notice", "night_permit"] {
        if !objects.iter().any(|(_, object)| ObjectKey::of(object).kind == kind) {
            continue;
        }
        for object in crate::object::all_of(facts, kind) {
            for name in names(&object) {
                owners.entry(name).or_default().push(ObjectKey::of(&object));
            }
        }
    }
    for (index, object) in objects {
        let key = ObjectKey::of(object);
        for (field, name) in names(object) {
            let rivals = owners.get(&(field, name.clone()));
            let Some(rival) = rivals.and_then(|keys| keys.iter().find(|other| **other != key)) else { continue };
            let other = rival.find(facts).map(|other| label(&other, facts)).unwrap_or_default();
            let mut told = Told { index: *index, problems };
            let field = field.split(' ').next_back().unwrap_or(field);
            told.bad(field, format!("{name} is taken by {} {other}; write another", rival.kind));
        }
    }
}

/// What must be unique about an object: (space and field, text).
fn names(object: &Object) -> Vec<(&'static str, String)> {
    match object {
        Object::Office(row) => vec![("office code", row.code.clone())],
        Object::Grid(row) => vec![("grid code", row.code.clone())],
        Object::Permit(row) => vec![("permit code", row.code.clone())],
        Object::Area(row) => vec![("area code", row.code.clone())],
        Object::Notice(row) => vec![("notice code", row.code.clone())],
        Object::NightPermit(row) => vec![("night_permit code", row.code.clone())],
        Object::Subject(row) => {
            let mut names = vec![("subject code", row.code.clone())];
            if let (SubjectDetails::Truck { plate, .. }, true) = (&row.details, row.active) {
                names.push(("truck details.plate", plate.clone()));
            }
            names
        }
        Object::Device(row) => {
            let space = match row.protocol {
                ProtocolKind::Mqtt => "mqtt identity",
                ProtocolKind::Hj212 => "hj212 identity",
                ProtocolKind::Jt808 => "jt808 identity",
                ProtocolKind::Modbus => "modbus identity",
            };
            vec![("device code", row.code.clone()), (space, normal(row.protocol, &row.identity).to_owned())]
        }
        _ => Vec::new(),
    }
}

fn meet(a: (EventTime, Option<EventTime>), b: (EventTime, Option<EventTime>)) -> bool {
    a.1.is_none_or(|end| b.0 < end) && b.1.is_none_or(|end| a.0 < end)
}

/// A device is at one place at a time; one limit holds for one thing at a time.
fn overlaps(objects: &[(usize, &Object)], facts: &Facts, problems: &mut Vec<Problem>) {
    for (index, object) in objects {
        let mut told = Told { index: *index, problems };
        match object {
            Object::Installation(row) => {
                let rival = facts.installations_of(row.device).find(|other| {
                    other.id != row.id && meet((row.valid_from, row.valid_to), (other.valid_from, other.valid_to))
                });
                if let Some(rival) = rival {
                    let subject = facts.subjects.get(&rival.subject).map_or("?", |subject| &subject.code);
                    told.bad(
                        "valid_from",
                        format!("the device is installed at {subject} at that time; end that first"),
                    );
                }
            }
            Object::Limit(row) if !row.retired => {
                let key = |limit: &Limit| {
                    let region = (limit.region.clone(), limit.standard.clone());
                    (limit.quantity.clone(), region, limit.class.clone(), limit.subject_kind.clone())
                };
                let rival = facts.limits.values().find(|other| {
                    other.id != row.id
                        && !other.retired
                        && key(other) == key(row)
                        && meet((row.valid_from, row.valid_to), (other.valid_from, other.valid_to))
                });
                if let Some(rival) = rival {
                    told.bad(
                        "valid_from",
                        format!("limit {} holds for the same at that time; end or retire it", rival.id),
                    );
                }
            }
            _ => {}
        }
    }
}
