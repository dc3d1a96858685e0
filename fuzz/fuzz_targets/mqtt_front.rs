//! Any bytes, cut by a byte of their own, are the same packets as uncut for the front's codec, in both versions of MQTT: as the start of a
//! connection and within one. The buffer never holds more than the longest packet.
#![no_main]

use bytes::BytesMut;
use front::codec::{DecodeError, Incoming, Version, connect, next, wanted};
use libfuzzer_sys::fuzz_target;

#[path = "../../gateway/src/mqtt"]
mod front {
    #[allow(dead_code, reason = "the writing half is not for input")]
    pub(crate) mod codec;
}

const PACKET_BYTES_MAX: usize = 1_024;

/// What the stream says until it ends or is refused.
fn packets(version: Option<Version>, bytes: &[u8], cut: usize) -> (Vec<Incoming>, Option<DecodeError>) {
    let (mut buffer, mut told) = (BytesMut::new(), Vec::new());
    let mut version = version;
    for chunk in bytes.chunks(cut) {
        buffer.extend_from_slice(chunk);
        loop {
            let step = match version {
                None => connect(&mut buffer, PACKET_BYTES_MAX).map(|seen| {
                    version = seen.map(|seen| seen.version);
                    version.map(|_| None)
                }),
                Some(version) => next(version, &mut buffer, PACKET_BYTES_MAX).map(|seen| seen.map(Some)),
            };
            match step {
                Ok(Some(packet)) => told.extend(packet),
                Ok(None) => break,
                Err(error) => return (told, Some(error)),
            }
        }
        assert!(wanted(&buffer, PACKET_BYTES_MAX).is_none_or(|total| total <= PACKET_BYTES_MAX && buffer.len() < total));
        assert!(buffer.len() <= PACKET_BYTES_MAX);
    }
    (told, None)
}

fn run(bytes: &[u8]) {
    let Some(([mode, cut], bytes)) = bytes.split_first_chunk::<2>() else { return };
    let version = [None, Some(Version::V4), Some(Version::V5)][usize::from(mode % 3)];
    let (cut, whole) = (packets(version, bytes, usize::from(*cut).max(1)), packets(version, bytes, 1 << 20));
    assert_eq!(cut.0, whole.0);
    assert_eq!(cut.1.is_some(), whole.1.is_some());
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
