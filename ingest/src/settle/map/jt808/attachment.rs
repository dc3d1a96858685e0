//! A file of an alarm that has come whole over the connection of attachments: the gateway has put its bytes into the blob store and
//! journals what it is called, so that the event is there when the terminal is told that the file is complete.

use super::happening::pair;
use crate::settle::draft::{Decoded, Draft, Fault};
use crate::settle::hash;
use crate::settle::profile::Profile;
use model::blob::Attachment;
use model::envelope::Envelope;
use model::record::{Happening, RecordKey, RecordKind};
use model::time::EventTime;
use protocol::jt808::bcd_time;

const WHAT: &str = "alarm_attachment";

pub fn decode<'p>(envelope: &Envelope, profile: &'p Profile) -> Decoded<'p> {
    let Ok(file) = serde_json::from_slice::<Attachment>(&envelope.raw) else {
        return Decoded::Unreadable(Fault::not_understood("not an attachment"));
    };
    let slot = hash::slot(WHAT, Some(&format!("{}/{}", file.alarm, file.name)));
    // An alarm without a real time happened when its file came.
    let time = bcd(&file.time).and_then(|bcd| super::instant(bcd, profile));
    let at = time.unwrap_or(EventTime(envelope.received.0));
    let mut draft = Draft::new(RecordKey { device: envelope.device, kind: RecordKind::Event, slot, at });
    let kind = match file.kind {
        0 => "picture".to_owned(),
        1 => "audio".to_owned(),
        2 => "video".to_owned(),
        3 => "text".to_owned(),
        other => other.to_string(),
    };
    let mut attributes = vec![
        pair("alarm_id", &file.alarm),
        pair("bytes", &file.bytes),
        pair("file", &file.name),
        pair("medium", &kind),
        pair("sha256", &file.blob),
    ];
    attributes.sort();
    draft.happening = Some(Box::new(Happening {
        what: WHAT.to_owned(),
        end: None,
        plate: None,
        attributes,
        pictures: file.is_picture.then(|| file.blob.reference()).into_iter().collect(),
    }));
    Decoded::Drafts(vec![draft])
}

/// Six bytes out of twelve digits.
fn bcd(digits: &str) -> Option<[u8; 6]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != 6 || !rest.is_empty() {
        return None;
    }
    let mut out = [0; 6];
    for (byte, pair) in out.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    bcd_time(&out).map(|_| out)
}
