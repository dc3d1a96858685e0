//! What a terminal tells that is neither a position nor a measurement: media, pass-through bytes, the driver's card, its own attributes
//! and parameters.
//!
//! A medium goes into the blob store under its SHA-256, which the event names; one that is a picture by its bytes is among the event's
//! pictures. A driver's identity-card number is left in the raw frame.

use super::report;
use bytes::Bytes;
use model::blob::{BlobId, Media as Kind};
use protocol::jt808::{
    Attributes, Driver, Media, MediaEvent, MediaForm, Message, ParameterValue, Parameters, Passthrough, Position, gbk,
};
use sha2::{Digest, Sha256};
use std::fmt::{Display, Write as _};

/// An event before it has a key.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) what: &'static str,
    /// Tells apart two of a kind at one time.
    pub(super) which: String,
    /// On the terminal's clock; `None`: it happened when it was received.
    pub(super) time_bcd: Option<[u8; 6]>,
    pub(super) place: Option<&'a Position<'a>>,
    /// Sorted by name.
    pub(super) attributes: Vec<(String, String)>,
    /// Reference to a picture.
    pub(super) picture: Option<String>,
    /// What goes into the blob store.
    pub(super) blob: Option<Bytes>,
    pub(super) remarks: Vec<(&'static str, String)>,
}

/// Bytes shown of pass-through data; all are in the raw frame.
pub(super) const SHOWN_BYTES_MAX: usize = 128;
/// Parameters shown of one answer.
const PARAMETERS_MAX: usize = 128;
const TEXT_CHARS_MAX: usize = 128;

/// `None` for messages that tell nothing of the kind.
pub(super) fn of<'a>(message: &'a Message<'_>) -> Option<Told<'a>> {
    let mut told = match message {
        Message::MediaEvent(head) => {
            let (which, attributes) = (head.id.to_string(), media_head(head));
            Told { what: "media_event", which, attributes, ..Told::default() }
        }
        Message::Media(media) => of_media(media),
        Message::PassthroughUp(passthrough) => of_passthrough(passthrough),
        Message::Driver(driver) => of_driver(driver),
        Message::Attributes(attributes) => of_attributes(attributes),
        Message::Parameters(parameters) => of_parameters(parameters),
        Message::CanBatch(batch) => report::of_can(batch),
        Message::Compressed(block) => report::of_compressed(block.data),
        Message::UpgradeResult(result) => report::of_upgrade(result),
        _ => return None,
    };
    told.attributes.sort();
    Some(told)
}

pub(super) fn pair(name: &str, value: &dyn Display) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn media_head(head: &MediaEvent) -> Vec<(String, String)> {
    let word = |words: &[&str], code: u8| {
        words.get(usize::from(code)).map_or_else(|| code.to_string(), |word| (*word).to_owned())
    };
    vec![
        pair("media_id", &head.id),
        pair("medium", &word(&["picture", "audio", "video"], head.kind)),
        pair("format", &word(&["jpeg", "tif", "mp3", "wav", "wmv"], head.format)),
        pair("trigger", &head.event),
        pair("channel", &head.channel),
    ]
}

fn of_media<'a>(media: &'a Media<'_>) -> Told<'a> {
    let mut attributes = media_head(&media.head);
    let id = BlobId(Sha256::digest(media.data).into());
    attributes.push(pair("bytes", &media.data.len()));
    attributes.push(pair("sha256", &id));
    let is_picture = Kind::of(media.data).is_picture();
    let mut remarks = Vec::new();
    if media.head.kind == 0 && !is_picture {
        remarks.push(("no_picture", format!("0x{}", hex(media.data.get(..4).unwrap_or(media.data)))));
    }
    let place = match &media.form {
        MediaForm::Place(position) => Some(position),
        MediaForm::Packet { .. } => None,
    };
    let time_bcd = place.map(|position| position.time_bcd);
    Told {
        what: "media",
        which: media.head.id.to_string(),
        time_bcd,
        place,
        attributes,
        picture: is_picture.then(|| id.reference()),
        blob: (!media.data.is_empty()).then(|| Bytes::copy_from_slice(media.data)),
        remarks,
    }
}

fn of_passthrough<'a>(passthrough: &Passthrough<'_>) -> Told<'a> {
    let data = passthrough.data;
    let shown = data.get(..SHOWN_BYTES_MAX).unwrap_or(data);
    let attributes = vec![
        pair("type", &format!("0x{:02X}", passthrough.kind)),
        pair("bytes", &data.len()),
        pair("data", &hex(shown)),
        pair("sha256", &hex(&Sha256::digest(data))),
    ];
    let which = attributes.iter().fold(String::new(), |which, (_, value)| which + value + "/");
    Told { what: "passthrough", which, attributes, ..Told::default() }
}

fn of_driver<'a>(driver: &Driver<'_>) -> Told<'a> {
    let status = match driver.status {
        1 => "in".to_owned(),
        2 => "out".to_owned(),
        other => other.to_string(),
    };
    let mut attributes = vec![pair("card", &status)];
    attributes.extend(driver.result.map(|result| pair("result", &result)));
    if let Some(card) = &driver.card {
        attributes.push(pair("name", &text(card.name)));
        attributes.push(pair("licence", &text(card.licence)));
        attributes.push(pair("office", &text(card.office)));
        attributes.push(pair("valid_until", &hex(&card.valid_until_bcd)));
    }
    Told { what: "driver_card", which: status, time_bcd: Some(driver.time_bcd), attributes, ..Told::default() }
}

fn of_attributes<'a>(attributes: &Attributes<'_>) -> Told<'a> {
    let attributes = vec![
        pair("kind", &format!("0x{:04X}", attributes.kind)),
        pair("maker", &text(attributes.maker)),
        pair("model", &text(attributes.model)),
        pair("terminal_id", &text(attributes.terminal_id)),
        pair("iccid", &hex(&attributes.iccid)),
        pair("hardware", &text(attributes.hardware)),
        pair("firmware", &text(attributes.firmware)),
        pair("gnss", &format!("0x{:02X}", attributes.gnss)),
        pair("radio", &format!("0x{:02X}", attributes.radio)),
    ];
    Told { what: "terminal_attributes", attributes, ..Told::default() }
}

fn of_parameters<'a>(parameters: &Parameters<'_>) -> Told<'a> {
    let mut attributes = vec![pair("count", &parameters.list.len())];
    for parameter in parameters.list.iter().take(PARAMETERS_MAX) {
        let value = match parameter.read() {
            ParameterValue::Dword(number) => number.to_string(),
            ParameterValue::Word(number) => number.to_string(),
            ParameterValue::Byte(number) => number.to_string(),
            ParameterValue::Text(bytes) => text(bytes),
            ParameterValue::Bytes(bytes) => hex(bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes)),
        };
        attributes.push(pair(&format!("0x{:04X}", parameter.id), &value));
    }
    let which = parameters.serial.to_string();
    Told { what: "terminal_parameters", which, attributes, ..Told::default() }
}

/// Without the padding at either end.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = gbk(bytes);
    let padding = |sign: char| sign.is_whitespace() || sign.is_control();
    text.trim_matches(padding).chars().filter(|sign| !sign.is_control()).take(TEXT_CHARS_MAX).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
