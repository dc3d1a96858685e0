//! What a terminal reports besides where it is: bus data (0x0705), recorder data (0x0700), a waybill (0x0701), what the driver pressed or
//! answered (0x0301 – 0x0303), passengers (0x1005), the result of an upgrade (0x0108), a compressed block (0x0901). Each is one event;
//! what is shown of it is bounded, all of it is in the raw frame.

use super::happening::{SHOWN_BYTES_MAX, Told, hex, pair, text};
use flate2::read::MultiGzDecoder;
use protocol::jt808::{CanBatch, UpgradeResult};
use sha2::{Digest, Sha256};
use std::io::Read;

/// Frames of the bus that are shown.
const CAN_FRAMES_MAX: usize = 64;
/// A block is never inflated beyond this; a bomb costs its first bytes.
const INFLATED_BYTES_MAX: u64 = 64 << 10;

/// Messages that the codec leaves as bytes and that are read here.
pub(super) const fn is_known(id: u16) -> bool {
    matches!(id, 0x0301 | 0x0302 | 0x0303 | 0x0700 | 0x0701 | 0x1005)
}

/// `None`: it is too short for its kind.
pub(super) fn of<'a>(id: u16, body: &[u8]) -> Option<Told<'a>> {
    let (what, mut attributes) = match id {
        0x0301 => ("terminal_event", vec![pair("event", body.first()?)]),
        0x0302 => ("question_answered", vec![pair("serial", &word(body)?), pair("answer", body.get(2)?)]),
        0x0303 => ("information_wanted", vec![pair("type", body.first()?), pair("wanted", body.get(1)?)]),
        0x0700 => {
            let mut list = vec![pair("serial", &word(body)?), pair("command", &format!("0x{:02X}", body.get(2)?))];
            list.extend(bytes_of(body.get(3..)?));
            ("recorder_data", list)
        }
        0x0701 => {
            let length = u32::from_be_bytes(*body.first_chunk()?);
            let content = body.get(4..)?;
            let found = u32::try_from(content.len()).unwrap_or(u32::MAX);
            let mut list = vec![pair("text", &text(content)), pair("sha256", &hex(&Sha256::digest(content)))];
            if length != found {
                list.push(pair("length_declared", &length));
            }
            ("waybill", list)
        }
        0x1005 => {
            let count = |at| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
            ("passengers", vec![pair("on", &count(12)?), pair("off", &count(14)?)])
        }
        _ => return None,
    };
    attributes.sort();
    Some(Told { what, which: hex(&Sha256::digest(body)), attributes, ..Told::default() })
}

/// Two of them in one millisecond are told apart by what they say.
pub(super) fn of_can<'a>(batch: &CanBatch) -> Told<'a> {
    let mut attributes = vec![pair("count", &batch.frames.len()), pair("time", &hex(&batch.time_bcd))];
    for (number, frame) in batch.frames.iter().take(CAN_FRAMES_MAX).enumerate() {
        attributes.push(pair(&format!("frame_{number:02}"), &format!("{:08X} {}", frame.id, hex(&frame.data))));
    }
    let which = attributes.iter().fold(String::new(), |which, (_, value)| which + value + "/");
    Told { what: "can_data", which, attributes, ..Told::default() }
}

pub(super) fn of_upgrade<'a>(result: &UpgradeResult) -> Told<'a> {
    let attributes = vec![pair("type", &result.kind), pair("result", &result.result)];
    Told { what: "upgrade_result", attributes, ..Told::default() }
}

/// What is in it has no form by the standard: its first bytes and its hash are told.
pub(super) fn of_compressed<'a>(block: &[u8]) -> Told<'a> {
    // By the standard a length of four bytes precedes the block; terminals leave it out.
    let packed = match block.strip_prefix(&GZIP) {
        Some(_) => block,
        None => block.get(4..).unwrap_or_default(),
    };
    let mut inflated = Vec::new();
    let outcome = MultiGzDecoder::new(packed).take(INFLATED_BYTES_MAX + 1).read_to_end(&mut inflated);
    let too_large = inflated.len() as u64 > INFLATED_BYTES_MAX;
    let mut remarks = Vec::new();
    let mut attributes = vec![pair("packed_bytes", &block.len())];
    if too_large {
        metrics::counter!(crate::metrics::SETTLE_INFLATE_REFUSED_TOTAL).increment(1);
        remarks.push(("inflated_too_large", format!("more than {INFLATED_BYTES_MAX} bytes")));
    } else if let Err(error) = outcome {
        remarks.push(("not_gzip", error.to_string()));
    } else {
        attributes.extend(bytes_of(&inflated));
    }
    let which = hex(&Sha256::digest(block));
    Told { what: "compressed", which, attributes, remarks, ..Told::default() }
}

fn bytes_of(data: &[u8]) -> [(String, String); 3] {
    let shown = data.get(..SHOWN_BYTES_MAX).unwrap_or(data);
    [pair("bytes", &data.len()), pair("data", &hex(shown)), pair("sha256", &hex(&Sha256::digest(data)))]
}

fn word(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|two| u16::from_be_bytes(*two))
}

const GZIP: [u8; 2] = [0x1F, 0x8B];

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn packed(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn attribute<'t>(told: &'t Told<'_>, name: &str) -> &'t str {
        told.attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    #[test]
    fn a_compressed_block_is_read_with_and_without_its_length() {
        let block = packed(b"position");
        let with_length = [&u32::try_from(block.len()).unwrap().to_be_bytes()[..], &block].concat();
        for block in [block, with_length] {
            let told = of_compressed(&block);
            assert_eq!((attribute(&told, "bytes"), attribute(&told, "data")), ("8", "706f736974696f6e"));
            assert!(told.remarks.is_empty());
        }
    }

    #[test]
    fn a_zip_bomb_is_never_inflated_beyond_its_bound() {
        let bomb = packed(&vec![0; 32 << 20]);
        assert!(bomb.len() < 40_000, "a thousandfold: {}", bomb.len());
        let told = of_compressed(&bomb);
        assert_eq!(told.remarks[0].0, "inflated_too_large");
        assert_eq!(attribute(&told, "data"), "");
        // Many blocks one behind the other are one block.
        let told = of_compressed(&packed(&vec![0; 40_000]).repeat(1_000));
        assert_eq!(told.remarks[0].0, "inflated_too_large");
    }

    #[test]
    fn a_waybill_is_its_text_and_recorder_data_its_command() {
        let told = of(0x0701, &[0, 0, 0, 4, 0xD4, 0xCB, 0xB5, 0xA5]).unwrap();
        assert_eq!((told.what, attribute(&told, "text")), ("waybill", "运单"));
        let told = of(0x0700, &[0, 9, 0x08, 1, 2]).unwrap();
        assert_eq!((attribute(&told, "command"), attribute(&told, "data")), ("0x08", "0102"));
    }

    proptest! {
        #[test]
        fn no_body_is_too_short_or_too_odd(id in prop::sample::select(vec![0x0301_u16, 0x0302, 0x0303, 0x0700, 0x0701, 0x1005]), body: Vec<u8>) {
            of(id, &body);
            of_compressed(&body);
        }
    }
}
