//! Short references and raw bytes.

use crate::dto::common::{DeviceRef, NamedRef, Place, SubjectRef};
use crate::dto::words::SubjectKind;
use crate::view::cover::covered;
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{DeviceId, GridId, OfficeId, SubjectId};
use model::register::{Device, Subject, SubjectDetails};

pub(crate) fn subject_of(subject: &Subject) -> SubjectRef {
    SubjectRef {
        id: subject.id.0,
        kind: SubjectKind::of(&subject.details),
        code: subject.code.clone(),
        name: subject.name.clone(),
        plate: plate(subject).map(str::to_owned),
    }
}

pub(crate) fn plate(subject: &Subject) -> Option<&str> {
    match &subject.details {
        SubjectDetails::Truck { plate, .. } => Some(plate),
        _ => None,
    }
}

pub(crate) fn subject(facts: &Facts, id: SubjectId) -> Option<SubjectRef> {
    facts.subjects.get(&id).map(|row| subject_of(row))
}

pub(crate) fn device_of(device: &Device) -> DeviceRef {
    DeviceRef { id: device.id.0, code: device.code.clone(), name: device.name.clone() }
}

pub(crate) fn device(facts: &Facts, id: DeviceId) -> Option<DeviceRef> {
    facts.devices.get(&id).map(|row| device_of(row))
}

pub(crate) fn office(facts: &Facts, id: OfficeId) -> Option<NamedRef> {
    facts.offices.get(&id).map(|row| NamedRef { id: row.id.0, code: row.code.clone(), name: row.name.clone() })
}

pub(crate) fn grid(facts: &Facts, id: GridId) -> Option<NamedRef> {
    facts.grids.get(&id).map(|row| NamedRef { id: row.id.0, code: row.code.clone(), name: row.name.clone() })
}

pub(crate) fn places(line: &[Wgs84]) -> Vec<Place> {
    line.iter().map(|place| Place::from(*place)).collect()
}

/// Raw bytes for a person: hex of the first [`RAW_SHOWN`], and the same as text when all of it is printable. Secrets in
/// them are covered, see [`crate::view::cover`]: who may look at frames may not speak as the device.
pub(crate) fn raw(bytes: &[u8]) -> (String, Option<String>) {
    let shown = &covered(bytes.get(..RAW_SHOWN).unwrap_or(bytes));
    let hex = hex(shown);
    // A cut may fall inside a character.
    let text = match std::str::from_utf8(shown) {
        Ok(text) => Some(text),
        Err(error) if shown.len() < bytes.len() && error.valid_up_to() + 4 > shown.len() => {
            shown.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok())
        }
        Err(_) => None,
    };
    // A topic stands before its payload with a zero byte between them; on two lines it reads as what it is.
    let text = text.map(|text| text.replacen('\0', "\n", 1));
    let printable = |text: &String| text.chars().all(|c| !c.is_control() || matches!(c, '\r' | '\n' | '\t'));
    (hex, text.filter(printable))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(hex, "{byte:02x}").expect("a string takes all");
    }
    hex
}

/// Bytes of a frame that a list shows.
pub(crate) const RAW_SHOWN: usize = 512;

/// Lower-case search text, or `None` when nothing is asked.
pub(crate) fn needle(text: Option<&str>) -> Option<String> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| text.chars().take(64).collect::<String>().to_lowercase())
}

/// Whether one of the texts has the needle in it.
pub(crate) fn found<'a>(needle: &str, texts: impl IntoIterator<Item = &'a str>) -> bool {
    texts.into_iter().any(|text| text.to_lowercase().contains(needle))
}

/// The texts by which a person may look for a subject.
pub(crate) fn subject_texts(subject: &Subject) -> Vec<&str> {
    let mut texts = vec![subject.name.as_str(), subject.code.as_str()];
    match &subject.details {
        SubjectDetails::Restaurant { address, licence, .. } => texts.extend([address.as_str(), licence.as_str()]),
        SubjectDetails::Site { address, builder, .. } => texts.extend([address.as_str(), builder.as_str()]),
        SubjectDetails::Truck { plate, company, .. } => texts.extend([plate.as_str(), company.as_str()]),
        SubjectDetails::Gate { .. } | SubjectDetails::DisposalSite { .. } => {}
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_bytes_show_as_text_only_when_they_are_text() {
        assert_eq!(raw(b"##ok\r\n"), ("23236f6b0d0a".into(), Some("##ok\r\n".into())));
        assert_eq!(raw(b"PW=secret;MN=1").1.as_deref(), Some("PW=******;MN=1"));
        assert_eq!(raw(&[0x7e, 0x02, 0xff]).1, None);
        assert_eq!(raw(b"cam/onvif-ej/x\0{}").1.as_deref(), Some("cam/onvif-ej/x\n{}"));
        assert_eq!(raw(b"a\0b\0c").1, None);
        let long = "油".repeat(300);
        let (hex, text) = raw(long.as_bytes());
        assert_eq!((hex.len(), text.map(|text| text.chars().count())), (1024, Some(170)));
    }
}
