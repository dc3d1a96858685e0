//! What the codec file promises.

use super::*;
use proptest::prelude::*;

const MAX: usize = 4096;

fn read(version: Version, bytes: &[u8]) -> Result<Option<Incoming>, DecodeError> {
    next(version, &mut BytesMut::from(bytes), MAX)
}

#[test]
fn a_disconnect_of_any_length_is_read_in_version_5() {
    let plain = Incoming::Disconnect { reason: 0, session_expiry_s: None };
    assert_eq!(read(Version::V5, &[0xE0, 0]), Ok(Some(plain.clone())));
    assert_eq!(read(Version::V4, &[0xE0, 0]), Ok(Some(plain)));
    let with_will = Incoming::Disconnect { reason: 4, session_expiry_s: None };
    assert_eq!(read(Version::V5, &[0xE0, 1, 4]), Ok(Some(with_will)));
    let expiry = Incoming::Disconnect { reason: 0, session_expiry_s: Some(9) };
    assert_eq!(read(Version::V5, &[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9]), Ok(Some(expiry)));
}

#[test]
fn a_packet_is_refused_by_its_length_before_it_is_there() {
    assert_eq!(read(Version::V4, &[0x30, 0xFF, 0x7F]), Err(DecodeError::Oversize(16_386)));
    assert!(matches!(read(Version::V4, &[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), Err(DecodeError::Malformed(_))));
    assert_eq!(wanted(&[0x30, 10, 0], MAX), Some(12));
}

#[test]
fn reserved_flags_and_foreign_packets_are_refused() {
    for bytes in [&[0x36_u8, 2, 0, 0][..], &[0x60, 2, 0, 1], &[0x80, 2, 0, 1], &[0x00, 0], &[0xC1, 0]] {
        assert!(matches!(read(Version::V4, bytes), Err(DecodeError::Malformed(_))), "{bytes:?}");
    }
    for bytes in [&[0x10_u8, 0][..], &[0x20, 2, 0, 0], &[0xD0, 0]] {
        assert!(matches!(read(Version::V5, bytes), Err(DecodeError::Protocol(_))), "{bytes:?}");
    }
    assert_eq!(read(Version::V5, &[0xF0, 2, 0x18, 0]), Ok(Some(Incoming::Auth)));
    assert!(read(Version::V4, &[0xF0, 0]).is_err());
}

#[test]
fn older_and_newer_protocol_levels_are_told_apart_from_garbage() {
    let level = |level: u8| [0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0, 0, 0];
    assert_eq!(connect(&mut BytesMut::from(&level(3)[..]), MAX), Err(DecodeError::Version));
    assert_eq!(connect(&mut BytesMut::from(&level(6)[..]), MAX), Err(DecodeError::Version));
    assert!(connect(&mut BytesMut::from(&level(4)[..]), MAX).unwrap().is_some());
    assert!(matches!(connect(&mut BytesMut::from(&b"GET / HTTP/1.1"[..]), MAX), Err(DecodeError::Malformed(_))));
}

fn publish_bytes(version: Version, message: &Outgoing<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    assert!(publish_out(&mut out, version, message, u32::MAX));
    out
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        drop(read(Version::V4, &bytes));
        drop(read(Version::V5, &bytes));
        drop(connect(&mut BytesMut::from(&bytes[..]), MAX));
    }

    #[test]
    fn any_body_behind_a_right_header_is_answered_without_panic(
        first in prop::sample::select(vec![0x10_u8, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0]),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
        bytes.extend_from_slice(&body);
        for version in [Version::V4, Version::V5] {
            let mut buffer = BytesMut::from(&bytes[..]);
            if next(version, &mut buffer, MAX).is_ok_and(|packet| packet.is_some()) {
                prop_assert!(buffer.is_empty());
            }
        }
        drop(connect(&mut BytesMut::from(&bytes[..]), MAX));
    }

    #[test]
    fn any_body_behind_a_connect_head_is_answered_without_panic(
        level in 4_u8..=5, body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = vec![0x10, u8::try_from(body.len() + 7).unwrap(), 0, 4, b'M', b'Q', b'T', b'T', level];
        bytes.extend_from_slice(&body);
        drop(connect(&mut BytesMut::from(&bytes[..]), MAX));
    }

    /// What is written to a client reads back, whole and in any pieces.
    #[test]
    fn a_publish_reads_back(
        qos in 0_u8..3, retain: bool, payload in proptest::collection::vec(any::<u8>(), 0..300),
        expiry in proptest::option::of(1_u32..1000), rich: bool, split in 1_usize..20,
    ) {
        let properties = Properties { content_type: Some("json".into()), user: vec![("a".into(), "b".into())], ..Properties::default() };
        let (topic, payload) = (Bytes::from_static(b"lantian/v1/a/event"), Bytes::from(payload));
        for version in [Version::V4, Version::V5] {
            let message = Outgoing {
                dup: false, qos, retain, pkid: u16::from(qos > 0) * 7, topic: &topic, payload: &payload,
                expiry_s: expiry, subscription_ids: &[], properties: rich.then_some(&properties),
            };
            let bytes = publish_bytes(version, &message);
            let mut buffer = BytesMut::new();
            let mut found = None;
            for piece in bytes.chunks(split) {
                prop_assert!(found.is_none());
                buffer.extend_from_slice(piece);
                found = next(version, &mut buffer, MAX).unwrap();
            }
            let Some(Incoming::Publish(found)) = found else { panic!("no publish") };
            prop_assert_eq!((found.qos, found.retain, found.pkid), (qos, retain, message.pkid));
            prop_assert_eq!(&found.payload, &payload);
            prop_assert_eq!(&found.topic, &topic);
            if version == Version::V5 {
                prop_assert_eq!(found.expiry_s, expiry);
                prop_assert_eq!(found.properties.as_deref(), rich.then_some(&properties));
            }
        }
    }
}
