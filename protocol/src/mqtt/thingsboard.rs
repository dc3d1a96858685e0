//! What a ThingsBoard gateway publishes on `v1/gateway/…`: one document for several devices, taken apart into the part of
//! each, which is a document of [`super::payload`] of its own. Parts are runs of the text, not copies.
//!
//! ```json
//! {"Device A":[{"ts":1763800000000,"values":{"fume":1.2}}],"Device B":[{"ts":1763800000000,"values":{"fume":0.3}}]}
//! {"Device A":{"firmware":"2.1"}}
//! {"device":"Device A"}
//! ```

use super::json::{Fault, Kind, Reader};
use super::payload::{Problem, ProblemCode};
use std::borrow::Cow;
use std::ops::Range;

/// Most devices of one document.
pub const DEVICES_MAX: usize = 256;

/// One device's part: its name and where its document stands in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    pub device: Cow<'a, str>,
    pub range: Range<usize>,
}

/// The parts of a telemetry or attributes document.
///
/// # Errors
/// Text that is no JSON object of devices, with where; more than [`DEVICES_MAX`].
pub fn parts(payload: &[u8]) -> Result<Vec<Part<'_>>, Problem> {
    let text = utf8(payload)?;
    let mut reader = Reader::new(text);
    read_parts(&mut reader).map_err(|code| at(code, &reader))
}

/// The device of a `connect` or `disconnect`.
///
/// # Errors
/// No JSON object with a text `device`, with where.
pub fn device(payload: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let text = utf8(payload)?;
    let mut reader = Reader::new(text);
    match read_device(&mut reader) {
        Ok(Some(name)) => Ok(name),
        Ok(None) => Err(at(ProblemCode::NoRecord, &reader)),
        Err(code) => Err(at(code, &reader)),
    }
}

fn utf8(payload: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(payload).map_err(|error| Problem {
        code: ProblemCode::NotUtf8,
        place: String::new(),
        offset: error.valid_up_to(),
    })
}

fn at(code: ProblemCode, reader: &Reader<'_>) -> Problem {
    Problem { code, place: String::new(), offset: reader.offset() }
}

fn read_parts<'a>(reader: &mut Reader<'a>) -> Result<Vec<Part<'a>>, ProblemCode> {
    let mut parts = Vec::new();
    let mut another = reader.begin(b'{').map_err(code)?;
    while another {
        let device = reader.key().map_err(code)?;
        // What comes first tells where it begins.
        reader.kind().map_err(code)?;
        let start = reader.offset();
        reader.skip().map_err(code)?;
        if parts.len() >= DEVICES_MAX {
            return Err(ProblemCode::TooManyRecords);
        }
        parts.push(Part { device, range: start..reader.offset() });
        another = reader.more(b'{').map_err(code)?;
    }
    reader.end().map_err(code)?;
    if parts.is_empty() { Err(ProblemCode::NoRecord) } else { Ok(parts) }
}

fn read_device<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, ProblemCode> {
    let mut name = None;
    let mut another = reader.begin(b'{').map_err(code)?;
    while another {
        let key = reader.key().map_err(code)?;
        if key == "device" && reader.kind().map_err(code)? == Kind::Text {
            name = Some(reader.text_value().map_err(code)?);
        } else {
            reader.skip().map_err(code)?;
        }
        another = reader.more(b'{').map_err(code)?;
    }
    reader.end().map_err(code)?;
    Ok(name)
}

const fn code(fault: Fault) -> ProblemCode {
    match fault {
        Fault::Syntax => ProblemCode::NotJson,
        Fault::Ends => ProblemCode::Truncated,
        Fault::TooDeep => ProblemCode::TooDeep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::payload;
    use proptest::prelude::*;

    #[test]
    fn each_devices_part_is_a_document_of_its_own() {
        let text = br#" {"A": [{"ts":1763800000000,"values":{"fume":1.2}}], "B\u0020": {"x":1} } "#;
        let found = parts(text).unwrap();
        let names: Vec<_> = found.iter().map(|part| &*part.device).collect();
        assert_eq!(names, ["A", "B "]);
        let first = payload::read(&text[found[0].range.clone()]).unwrap();
        assert_eq!(first.readings[0].at, payload::When::At(1_763_800_000_000));
        assert_eq!(&text[found[1].range.clone()], br#"{"x":1}"#);
    }

    #[test]
    fn connects_name_their_device() {
        assert_eq!(device(br#"{"type":"x","device":"A"}"#).unwrap(), "A");
        assert_eq!(device(b"{}").unwrap_err().code, ProblemCode::NoRecord);
        assert_eq!(device(br#"{"device":"#).unwrap_err().code, ProblemCode::Truncated);
    }

    #[test]
    fn what_is_no_object_of_devices_says_why() {
        assert_eq!(parts(b"[]").unwrap_err().code, ProblemCode::NotJson);
        assert_eq!(parts(b"{}").unwrap_err().code, ProblemCode::NoRecord);
        assert_eq!(parts(br#"{"A":[1}"#).unwrap_err().code, ProblemCode::NotJson);
        assert_eq!(parts(&[b'{', 0xFF]).unwrap_err().code, ProblemCode::NotUtf8);
        let many: Vec<_> = (0..=DEVICES_MAX).map(|n| format!("\"{n}\":[]")).collect();
        let many = format!("{{{}}}", many.join(","));
        assert_eq!(parts(many.as_bytes()).unwrap_err().code, ProblemCode::TooManyRecords);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in r#"[\[\]{}",:0-9a-c ]{0,60}"#) {
            for part in parts(text.as_bytes()).unwrap_or_default() {
                prop_assert!(text.get(part.range).is_some());
            }
            device(text.as_bytes()).ok();
        }
    }
}
