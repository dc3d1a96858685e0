//! Settled records as line protocol, for Grafana and its kin:
//!
//! ```text
//! minute,device=ylwb0001,slot=2,subject=r-0042,subject_kind=restaurant fume_mean=0.61,fume_max=0.9 1700000000000
//! ```
//! | part | from |
//! |---|---|
//! | measurement | the record's kind: `instant minute hour day position state event` |
//! | tags | device and subject by code (by number when no name is known), the subject's kind, the slot unless 0 |
//! | field `Q_S` | value of quantity Q, statistic S, in the quantity's unit |
//! | field `Q_S_flag` | its flag, unless normal; always on a revised record, so that an old flag does not stay |
//! | position | `latitude longitude speed_kmh heading_deg altitude_m fixed status alarm` (WGS-84) |
//! | event | `what plate end_ms pictures` and `attribute_…` |
//! | time | the event time, milliseconds |
//!
//! A revised record has the same tags and time and writes over the old fields; a value that the revision no longer has
//! stays, since `InfluxDB` merges fields. Tag values are cleaned of control characters and backslashes, which the format
//! cannot carry everywhere.

use crate::projections::Names;
use model::quantity::{QUANTITIES, Quantity};
use model::record::{Fix, Flag, Happening, RecordKind, SettledRecord, Statistic, Value};
use model::verdict::Verdict;
use std::io::Write as _;

/// Lines of a batch, one after the other, with the record each came from.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// End of each line (behind its newline) and the index of its record.
    ends: Vec<(usize, usize)>,
}

impl Lines {
    /// Writes all records. Those that cannot be a point are returned by index: no field, or a time `InfluxDB` has no place for.
    pub(super) fn write(records: &[SettledRecord], names: &dyn Names) -> (Self, Vec<usize>) {
        let mut lines =
            Self { bytes: Vec::with_capacity(records.len() * 160), ends: Vec::with_capacity(records.len()) };
        let mut left = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let start = lines.bytes.len();
            if write_record(&mut lines.bytes, record, names) {
                lines.ends.push((lines.bytes.len(), index));
            } else {
                lines.bytes.truncate(start);
                left.push(index);
            }
        }
        (lines, left)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of the lines `from .. to`.
    pub(super) fn slice(&self, from: usize, to: usize) -> &[u8] {
        let end_of = |line: usize| line.checked_sub(1).and_then(|line| self.ends.get(line)).map_or(0, |(end, _)| *end);
        self.bytes.get(end_of(from)..end_of(to)).unwrap_or_default()
    }

    /// Which record line `line` was written from.
    pub(super) fn record_of(&self, line: usize) -> Option<usize> {
        self.ends.get(line).map(|(_, index)| *index)
    }
}

/// False, with rubbish in `out`, when the record cannot be a point.
fn write_record(out: &mut Vec<u8>, record: &SettledRecord, names: &dyn Names) -> bool {
    if !(TIME_MS_MIN..=TIME_MS_MAX).contains(&record.key.at.as_ms()) {
        return false;
    }
    out.extend_from_slice(kind_code(record.key.kind).as_bytes());
    out.extend_from_slice(b",device=");
    match names.device(record.key.device) {
        Some(code) if !code.is_empty() => put_tag(out, &code),
        _ => put_number(out, record.key.device.0),
    }
    if record.key.slot != 0 {
        out.extend_from_slice(b",slot=");
        put_number(out, i64::from(record.key.slot));
    }
    if let Some(subject) = record.subject {
        out.extend_from_slice(b",subject=");
        match names.subject(subject) {
            Some(name) if !name.code.is_empty() => {
                put_tag(out, &name.code);
                out.extend_from_slice(b",subject_kind=");
                put_tag(out, name.kind);
            }
            _ => put_number(out, subject.0),
        }
    }
    let mut fields = Fields { out, any: false };
    for value in &record.body.values {
        fields.value(value, names, record.verdict == Verdict::Revised);
    }
    if let Some(fix) = &record.body.fix {
        fields.fix(fix);
    }
    if let Some(happening) = &record.body.happening {
        fields.happening(happening);
    }
    let any = fields.any;
    out.push(b' ');
    put_number(out, record.key.at.as_ms());
    out.push(b'\n');
    any
}

/// Writes ` a=1,b=2`.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    any: bool,
}

impl Fields<'_> {
    fn separate(&mut self) {
        self.out.push(if self.any { b',' } else { b' ' });
        self.any = true;
    }

    fn key(&mut self, key: &str) {
        self.separate();
        put_tag(self.out, key);
        self.out.push(b'=');
    }

    fn value(&mut self, value: &Value, names: &dyn Names, revised: bool) {
        if value.value.is_finite() {
            self.quantity(value, names);
            self.out.push(b'=');
            // Writing to memory cannot fail.
            write!(self.out, "{}", value.value).ok();
        }
        if value.flag != Flag::Normal || revised {
            self.quantity(value, names);
            self.out.extend_from_slice(b"_flag=");
            put_string(self.out, flag_code(value.flag));
        }
    }

    fn quantity(&mut self, value: &Value, names: &dyn Names) {
        self.separate();
        match builtin_code(value.quantity) {
            Some(code) => self.out.extend_from_slice(code.as_bytes()),
            None => match names.quantity(value.quantity) {
                Some(code) if !code.is_empty() => put_tag(self.out, &code),
                _ => {
                    self.out.extend_from_slice(b"quantity");
                    put_number(self.out, i64::from(value.quantity.0));
                }
            },
        }
        self.out.push(b'_');
        self.out.extend_from_slice(statistic_code(value.statistic).as_bytes());
    }

    fn float(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.key(key);
            write!(self.out, "{value}").ok();
        }
    }

    fn integer(&mut self, key: &str, value: i64) {
        self.key(key);
        put_number(self.out, value);
        self.out.push(b'i');
    }

    fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        put_string(self.out, value);
    }

    fn fix(&mut self, fix: &Fix) {
        self.float("latitude", fix.place.lat);
        self.float("longitude", fix.place.lon);
        self.float("speed_kmh", fix.speed_kmh);
        self.integer("heading_deg", i64::from(fix.heading_deg));
        self.integer("altitude_m", i64::from(fix.altitude_m));
        self.key("fixed");
        self.out.extend_from_slice(if fix.fixed { b"true" } else { b"false" });
        self.integer("status", i64::from(fix.status));
        self.integer("alarm", i64::from(fix.alarm));
    }

    fn happening(&mut self, happening: &Happening) {
        self.string("what", &happening.what);
        if let Some(end) = happening.end {
            self.integer("end_ms", end.as_ms());
        }
        if let Some(plate) = &happening.plate {
            self.string("plate", plate);
        }
        self.integer("pictures", i64::try_from(happening.pictures.len()).unwrap_or(i64::MAX));
        for (name, value) in happening.attributes.iter().take(ATTRIBUTES_MAX) {
            self.string(&format!("attribute_{name}"), value);
        }
    }
}

/// A tag value or a key: comma, equals sign and blank are escaped.
fn put_tag(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b',' | b'=' | b' ' => out.extend_from_slice(&[b'\\', byte]),
            b'\\' => out.push(b'/'),
            0..=0x1f | 0x7f => out.push(b'_'),
            _ => out.push(byte),
        }
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut end = text.len().min(STRING_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for byte in text.bytes().take(end) {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f | 0x7f => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn put_number(out: &mut Vec<u8>, number: i64) {
    // Writing to memory cannot fail.
    write!(out, "{number}").ok();
}

/// By number, since the table is walked for every value.
fn builtin_code(quantity: Quantity) -> Option<&'static str> {
    static CODES: std::sync::LazyLock<Vec<Option<&'static str>>> = std::sync::LazyLock::new(|| {
        let last = QUANTITIES.iter().map(|spec| spec.quantity.0).max().unwrap_or(0);
        (0..=last).map(|number| Quantity(number).spec().map(|spec| spec.code)).collect()
    });
    CODES.get(usize::from(quantity.0)).copied().flatten()
}

pub(super) const fn kind_code(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Instant => "instant",
        RecordKind::Minute => "minute",
        RecordKind::Hour => "hour",
        RecordKind::Day => "day",
        RecordKind::Position => "position",
        RecordKind::State => "state",
        RecordKind::Event => "event",
    }
}

const fn statistic_code(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Instant => "instant",
        Statistic::Mean => "mean",
        Statistic::Min => "min",
        Statistic::Max => "max",
        Statistic::Total => "total",
    }
}

const fn flag_code(flag: Flag) -> &'static str {
    match flag {
        Flag::Normal => "normal",
        Flag::Stopped => "stopped",
        Flag::Maintenance => "maintenance",
        Flag::Manual => "manual",
        Flag::Fault => "fault",
        Flag::Calibration => "calibration",
        Flag::OverRange => "over_range",
        Flag::LinkBroken => "link_broken",
        Flag::Unknown => "unknown",
        Flag::Impossible => "impossible",
    }
}

/// `InfluxDB` counts nanoseconds in an `i64`, less its two ends.
const TIME_MS_MAX: i64 = (i64::MAX - 1) / 1_000_000;
const TIME_MS_MIN: i64 = -TIME_MS_MAX;
const STRING_BYTES_MAX: usize = 4096;
const ATTRIBUTES_MAX: usize = 32;
