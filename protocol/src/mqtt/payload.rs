//! What a device says in JSON on `telemetry`, `event`, `status` and `reply`, read without copying. One document holds one
//! record or a batch of them, each in one of these forms (they may be mixed):
//!
//! ```json
//! {"fume":1.2,"fan_on":true}
//! {"ts":1763800000000,"values":{"fume":1.2,"pm":{"value":0.3,"flag":"C"}}}
//! {"ts":"2026-11-22T08:00:00+08:00","position":{"lon":113.6,"lat":34.8,"speed_kmh":41,"heading_deg":90,"fixed":true}}
//! {"ts":1763800000000,"event":"vehicle_exit","end":1763800012000,"plate":"豫A·12345","pictures":["a.jpg"],"gate":2}
//! ```
//!
//! `ts` is UTC milliseconds or RFC 3339 with an offset; seconds are told apart by their size and refused. `device` names the device of a record when a gateway speaks for
//! several. What cannot be used is a [`Problem`] with its place; the rest of the record is used. Only text that is no JSON,
//! or no record at all, makes the whole document unreadable. Not a number and infinity cannot be written in JSON;
//! `1e999` is a problem of its field.

mod problem;

pub use problem::{Problem, ProblemCode};

use super::json::{Fault, Kind, Reader};
use super::stamp::rfc3339_ms;
use std::borrow::Cow;
use std::fmt;

/// Most records of one document.
pub const RECORDS_MAX: usize = 10_000;
/// Most fields of one record.
pub const FIELDS_MAX: usize = 512;
/// Longest name of a field in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text value in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Most pictures of one event.
pub const PICTURES_MAX: usize = 16;
/// Most problems that are listed; further ones are only counted.
pub const PROBLEMS_MAX: usize = 64;

/// A time further ahead of receipt is quarantined.
pub const AHEAD_MS_MAX: i64 = 5 * 60_000;
/// A time further behind receipt is quarantined.
pub const BEHIND_MS_MAX: i64 = 400 * 86_400_000;

/// How a payload came, where it is answered at once.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'c> {
    pub received_ms: i64,
    /// Names of the pictures beside it.
    pub parts: &'c [&'c str],
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document<'a> {
    pub readings: Vec<Reading<'a>>,
    pub problems: Vec<Problem>,
    /// Problems beyond [`PROBLEMS_MAX`].
    pub problems_unlisted: usize,
}

/// One record as the device wrote it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading<'a> {
    pub at: When,
    /// The device the record is about, when it says so.
    pub device: Option<Cow<'a, str>>,
    /// In the order written; of two with one name the first, the other is a problem.
    pub values: Vec<Field<'a>>,
    pub position: Option<Position>,
    pub event: Option<Event<'a>>,
}

/// The `ts` of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    #[default]
    Absent,
    /// UTC milliseconds.
    At(i64),
    /// Present, but no time; a problem says where.
    Unreadable,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field<'a> {
    pub name: Cow<'a, str>,
    pub value: Scalar<'a>,
    /// As sent; HJ 212's letters are expected.
    pub flag: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// Always finite.
    Number(f64),
    Bool(bool),
    Text(Cow<'a, str>),
    Null,
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Bool(bool) => bool.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Null => f.write_str("null"),
        }
    }
}

/// A place on the earth, as sent; ranges of longitude and latitude are checked here, nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    pub lon: f64,
    pub lat: f64,
    pub speed_kmh: Option<f64>,
    pub heading_deg: Option<f64>,
    pub altitude_m: Option<f64>,
    /// Absent: not said.
    pub fixed: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// `vehicle_exit`, `wash` …
    pub what: Cow<'a, str>,
    pub end: When,
    pub plate: Option<Cow<'a, str>>,
    pub pictures: Vec<Cow<'a, str>>,
    /// The record's other members, in the order written.
    pub attributes: Vec<(Cow<'a, str>, Scalar<'a>)>,
}

/// Reads a payload.
///
/// # Errors
/// The one problem that makes the document unreadable as a whole.
pub fn read(payload: &[u8]) -> Result<Document<'_>, Problem> {
    read_with(payload, None)
}

/// [`read`], naming also what settle will not use: times far from receipt, pictures that are nowhere.
///
/// # Errors
/// As [`read`].
pub fn read_arrived<'a>(payload: &'a [u8], arrival: Arrival<'a>) -> Result<Document<'a>, Problem> {
    read_with(payload, Some(arrival))
}

/// Whether a picture is given by its address.
pub fn is_address(picture: &str) -> bool {
    let scheme = picture.split_once("://").map(|(scheme, rest)| (scheme, !rest.is_empty()));
    scheme.is_some_and(|(scheme, rest)| {
        rest && scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn read_with<'a>(payload: &'a [u8], arrival: Option<Arrival<'a>>) -> Result<Document<'a>, Problem> {
    let text = std::str::from_utf8(payload).map_err(|error| Problem {
        code: ProblemCode::NotUtf8,
        place: String::new(),
        offset: error.valid_up_to(),
    })?;
    let mut parser = Parser { reader: Reader::new(text), document: Document::default(), index: None, arrival };
    let whole = parser.document().and_then(|()| parser.reader.end());
    match whole {
        Ok(()) if parser.document.readings.is_empty() && parser.document.problems.is_empty() => {
            Err(Problem { code: ProblemCode::NoRecord, place: String::new(), offset: 0 })
        }
        Ok(()) => Ok(parser.document),
        Err(fault) => {
            let code = match fault {
                Fault::Syntax => ProblemCode::NotJson,
                Fault::Ends => ProblemCode::Truncated,
                Fault::TooDeep => ProblemCode::TooDeep,
            };
            let place = parser.index.map_or_else(String::new, |index| format!("[{index}]"));
            Err(Problem { code, place, offset: parser.reader.offset() })
        }
    }
}

struct Parser<'a> {
    reader: Reader<'a>,
    document: Document<'a>,
    /// The record in work, in a batch.
    index: Option<usize>,
    arrival: Option<Arrival<'a>>,
}

/// Members that only mean something together with `event`.
#[derive(Default)]
struct EventParts<'a> {
    what: Option<Cow<'a, str>>,
    end: When,
    plate: Option<Cow<'a, str>>,
    pictures: Vec<Cow<'a, str>>,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<(), Fault> {
        match self.reader.kind()? {
            Kind::Object => self.record(),
            Kind::Array => self.batch(),
            _ => {
                self.problem(ProblemCode::NoRecord, &[]);
                self.reader.skip()
            }
        }
    }

    fn batch(&mut self) -> Result<(), Fault> {
        let mut index = 0;
        let mut another = self.reader.begin(b'[')?;
        while another {
            self.index = Some(index);
            if index >= RECORDS_MAX {
                if index == RECORDS_MAX {
                    self.problem(ProblemCode::TooManyRecords, &[]);
                }
                self.reader.skip()?;
            } else if self.reader.kind()? == Kind::Object {
                self.record()?;
            } else {
                self.problem(ProblemCode::NoRecord, &[]);
                self.reader.skip()?;
            }
            index += 1;
            another = self.reader.more(b'[')?;
        }
        self.index = None;
        Ok(())
    }

    fn record(&mut self) -> Result<(), Fault> {
        let mut reading = Reading::default();
        let mut parts = EventParts::default();
        // Members outside `values`: fields of a plain record, attributes of an event.
        let mut loose: Vec<Field<'a>> = Vec::new();
        let start = self.reader.offset();
        let mut another = self.reader.begin(b'{')?;
        while another {
            let key = self.reader.key()?;
            let kind = self.reader.kind()?;
            match (&*key, kind) {
                ("ts", _) => {
                    let offset = self.reader.offset();
                    reading.at = self.time("ts", kind)?;
                    self.look_at_time(reading.at, offset);
                }
                ("values", Kind::Object) => self.fields(&mut reading.values)?,
                ("position", Kind::Object) => reading.position = self.position()?,
                ("device", Kind::Text) => reading.device = self.bounded_text(&["device"])?,
                ("event", Kind::Text) => parts.what = self.bounded_text(&["event"])?,
                ("end", Kind::Number | Kind::Text) => parts.end = self.time("end", kind)?,
                ("plate", Kind::Text) => parts.plate = self.bounded_text(&["plate"])?,
                ("pictures", Kind::Array) => self.pictures(&mut parts.pictures)?,
                _ => self.field(key, &[], &mut loose)?,
            }
            another = self.reader.more(b'{')?;
        }
        self.finish(reading, parts, loose, start);
        Ok(())
    }

    fn finish(&mut self, mut reading: Reading<'a>, parts: EventParts<'a>, loose: Vec<Field<'a>>, start: usize) {
        if let Some(what) = parts.what {
            if what.trim().is_empty() {
                self.problem_at(ProblemCode::EventUnnamed, &["event"], start);
            }
            let begin = match (reading.at, self.arrival) {
                (When::At(ms), _) => Some(ms),
                (When::Absent, Some(arrival)) => Some(arrival.received_ms),
                _ => None,
            };
            if let (Some(begin), When::At(end)) = (begin, parts.end)
                && end < begin
            {
                self.problem_at(ProblemCode::EndBeforeStart, &["end"], start);
            }
            let attributes = loose.into_iter().map(|field| (field.name, field.value)).collect();
            let EventParts { end, plate, pictures, .. } = parts;
            reading.event = Some(Event { what, end, plate, pictures, attributes });
        } else {
            if reading.values.is_empty() {
                reading.values = loose;
            } else {
                reading.values.extend(loose);
            }
            if let Some(plate) = parts.plate {
                reading.values.push(Field { name: Cow::Borrowed("plate"), value: Scalar::Text(plate), flag: None });
            }
            self.drop_duplicates(&mut reading.values, start);
        }
        if reading.values.is_empty() && reading.position.is_none() && reading.event.is_none() {
            self.problem_at(ProblemCode::NoRecord, &[], start);
        } else {
            self.document.readings.push(reading);
        }
    }

    fn drop_duplicates(&mut self, fields: &mut Vec<Field<'a>>, offset: usize) {
        let mut index = 1;
        while let Some(field) = fields.get(index) {
            let twice = fields.iter().take(index).any(|earlier| earlier.name == field.name);
            if twice {
                let field = fields.remove(index);
                self.problem_at(ProblemCode::DuplicateName, &[&field.name], offset);
            } else {
                index += 1;
            }
        }
    }

    fn fields(&mut self, into: &mut Vec<Field<'a>>) -> Result<(), Fault> {
        let mut another = self.reader.begin(b'{')?;
        if another && into.capacity() == 0 {
            into.reserve(8);
        }
        while another {
            let key = self.reader.key()?;
            self.field(key, &["values"], into)?;
            another = self.reader.more(b'{')?;
        }
        Ok(())
    }

    fn field(&mut self, name: Cow<'a, str>, within: &[&str], into: &mut Vec<Field<'a>>) -> Result<(), Fault> {
        let offset = self.reader.offset();
        let mut place: Vec<&str> = Vec::new();
        let refused = if name.len() > NAME_BYTES_MAX {
            Some(ProblemCode::NameTooLong)
        } else if into.len() >= FIELDS_MAX {
            Some(ProblemCode::TooManyFields)
        } else {
            None
        };
        if let Some(code) = refused {
            place.extend(within);
            place.push(cut(&name));
            self.problem_at(code, &place, offset);
            return self.reader.skip();
        }
        let (value, flag) = match self.reader.kind()? {
            Kind::Object => self.flagged()?,
            _ => (self.scalar()?, None),
        };
        if flag.as_deref().is_some_and(|flag| !is_flag(flag)) {
            place.extend(within);
            place.push(&name);
            self.problem_at(ProblemCode::FlagUnknown, &place, offset);
            place.clear();
        }
        match value {
            Ok(value) => into.push(Field { name, value, flag }),
            Err(code) => {
                place.extend(within);
                place.push(&name);
                self.problem_at(code, &place, offset);
            }
        }
        Ok(())
    }

    /// `{"value":1.2,"flag":"C"}`
    #[expect(clippy::type_complexity, reason = "value and flag of one field, named by the caller")]
    fn flagged(&mut self) -> Result<(Result<Scalar<'a>, ProblemCode>, Option<Cow<'a, str>>), Fault> {
        let (mut value, mut flag) = (Err(ProblemCode::NotAValue), None);
        let mut another = self.reader.begin(b'{')?;
        while another {
            let key = self.reader.key()?;
            match (&*key, self.reader.kind()?) {
                ("value", _) => value = self.scalar()?,
                ("flag", Kind::Text) => {
                    let text = self.reader.text_value()?;
                    flag = Some(if text.len() <= 16 { text } else { NO_FLAG });
                }
                ("flag", kind) if kind != Kind::Null => {
                    flag = Some(NO_FLAG);
                    self.reader.skip()?;
                }
                _ => self.reader.skip()?,
            }
            another = self.reader.more(b'{')?;
        }
        Ok((value, flag))
    }

    fn scalar(&mut self) -> Result<Result<Scalar<'a>, ProblemCode>, Fault> {
        Ok(match self.reader.kind()? {
            Kind::Number => finite(self.reader.number_text()?).map(Scalar::Number),
            Kind::Bool => Ok(Scalar::Bool(self.reader.bool_value()?)),
            Kind::Text => {
                let text = self.reader.text_value()?;
                if text.len() > TEXT_BYTES_MAX { Err(ProblemCode::TextTooLong) } else { Ok(Scalar::Text(text)) }
            }
            Kind::Null => {
                self.reader.null()?;
                Ok(Scalar::Null)
            }
            Kind::Object | Kind::Array => {
                self.reader.skip()?;
                Err(ProblemCode::NotAValue)
            }
        })
    }

    fn time(&mut self, name: &str, kind: Kind) -> Result<When, Fault> {
        let offset = self.reader.offset();
        let at = match kind {
            Kind::Number => {
                let ms = whole_ms(self.reader.number_text()?);
                if ms.is_some_and(|ms| SECONDS.contains(&ms)) {
                    self.problem_at(ProblemCode::TimeInSeconds, &[name], offset);
                    return Ok(When::Unreadable);
                }
                ms
            }
            Kind::Text => rfc3339_ms(&self.reader.text_value()?),
            Kind::Null => {
                self.reader.null()?;
                return Ok(When::Absent);
            }
            _ => {
                self.reader.skip()?;
                None
            }
        };
        Ok(at.map_or_else(
            || {
                self.problem_at(ProblemCode::TimeUnreadable, &[name], offset);
                When::Unreadable
            },
            When::At,
        ))
    }

    /// Names an event time that settle will quarantine.
    fn look_at_time(&mut self, at: When, offset: usize) {
        let (When::At(ms), Some(arrival)) = (at, self.arrival) else { return };
        let ahead_ms = ms.saturating_sub(arrival.received_ms);
        if ahead_ms > AHEAD_MS_MAX {
            self.problem_at(ProblemCode::TimeFarFuture, &["ts"], offset);
        } else if ahead_ms < -BEHIND_MS_MAX {
            self.problem_at(ProblemCode::TimeFarPast, &["ts"], offset);
        }
    }

    fn position(&mut self) -> Result<Option<Position>, Fault> {
        let offset = self.reader.offset();
        let [mut lon, mut lat, mut speed_kmh, mut heading_deg, mut altitude_m] = [None; 5];
        let mut fixed = None;
        let mut another = self.reader.begin(b'{')?;
        while another {
            let key = self.reader.key()?;
            let slot = match &*key {
                "lon" => Some(&mut lon),
                "lat" => Some(&mut lat),
                "speed_kmh" => Some(&mut speed_kmh),
                "heading_deg" => Some(&mut heading_deg),
                "altitude_m" => Some(&mut altitude_m),
                _ => None,
            };
            let member = self.reader.offset();
            match (slot, self.reader.kind()?) {
                (Some(slot), Kind::Number) => match finite(self.reader.number_text()?) {
                    Ok(number) => *slot = Some(number),
                    Err(code) => self.problem_at(code, &["position", &key], member),
                },
                (None, Kind::Bool) if key == "fixed" => fixed = Some(self.reader.bool_value()?),
                (Some(_), Kind::Null) | (None, _) => self.reader.skip()?,
                (Some(_), _) => {
                    self.reader.skip()?;
                    self.problem_at(ProblemCode::NotAValue, &["position", cut(&key)], member);
                }
            }
            another = self.reader.more(b'{')?;
        }
        let place = lon.zip(lat).filter(|(lon, lat)| lon.abs() <= 180.0 && lat.abs() <= 90.0);
        let Some((lon, lat)) = place else {
            self.problem_at(ProblemCode::PositionUnusable, &["position"], offset);
            return Ok(None);
        };
        Ok(Some(Position { lon, lat, speed_kmh, heading_deg, altitude_m, fixed }))
    }

    fn pictures(&mut self, into: &mut Vec<Cow<'a, str>>) -> Result<(), Fault> {
        let mut another = self.reader.begin(b'[')?;
        while another {
            let offset = self.reader.offset();
            if self.reader.kind()? == Kind::Text {
                let text = self.reader.text_value()?;
                if text.len() > TEXT_BYTES_MAX {
                    self.problem_at(ProblemCode::TextTooLong, &["pictures"], offset);
                } else if into.len() >= PICTURES_MAX {
                    self.problem_at(ProblemCode::TooManyPictures, &["pictures"], offset);
                } else {
                    if self.arrival.is_some_and(|came| !is_address(&text) && !came.parts.contains(&&*text)) {
                        self.problem_at(ProblemCode::PictureUnusable, &["pictures"], offset);
                    }
                    into.push(text);
                }
            } else {
                self.reader.skip()?;
                self.problem_at(ProblemCode::NotAValue, &["pictures"], offset);
            }
            another = self.reader.more(b'[')?;
        }
        Ok(())
    }

    fn bounded_text(&mut self, place: &[&str]) -> Result<Option<Cow<'a, str>>, Fault> {
        let offset = self.reader.offset();
        let text = self.reader.text_value()?;
        if text.len() > TEXT_BYTES_MAX {
            self.problem_at(ProblemCode::TextTooLong, place, offset);
            return Ok(None);
        }
        Ok(Some(text))
    }

    fn problem(&mut self, code: ProblemCode, place: &[&str]) {
        self.problem_at(code, place, self.reader.offset());
    }

    fn problem_at(&mut self, code: ProblemCode, place: &[&str], offset: usize) {
        if self.document.problems.len() >= PROBLEMS_MAX {
            self.document.problems_unlisted += 1;
            return;
        }
        let mut text = self.index.map_or_else(String::new, |index| format!("[{index}]"));
        for word in place {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(word);
        }
        self.document.problems.push(Problem { code, place: text, offset });
    }
}

/// In the place of a flag that is none.
const NO_FLAG: Cow<'static, str> = Cow::Borrowed("?");

/// A letter of HJ 212 first, or nothing.
fn is_flag(flag: &str) -> bool {
    flag.bytes().next().is_none_or(|letter| b"NFMSDCTB".contains(&letter.to_ascii_uppercase()))
}

/// Numbers that are seconds of the years 2001 to 2286, and as milliseconds would be of the spring of 1970.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..10_000_000_000;

/// At most [`NAME_BYTES_MAX`] bytes of a name, for a problem's place.
fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default()
}

fn finite(text: &str) -> Result<f64, ProblemCode> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(ProblemCode::NumberOutOfRange)
}

/// Milliseconds, also when written as `1.7638e12` or with a fraction of a millisecond.
fn whole_ms(text: &str) -> Option<i64> {
    if let Ok(ms) = text.parse::<i64>() {
        return Some(ms);
    }
    let number = text.parse::<f64>().ok().filter(|number| number.abs() < 9.0e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "within 2^53, checked above")]
    Some(number.floor() as i64)
}

#[cfg(test)]
mod tests;
