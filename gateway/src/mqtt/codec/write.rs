//! Packets to a client, written into its output buffer.

use super::{Properties, Version};
use bytes::{BufMut, Bytes, BytesMut};
use rumqttc::v5::mqttbytes as b5;
use rumqttc::v5::mqttbytes::v5 as p5;

/// What CONNACK of version 5 announces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announce {
    pub(crate) session_expiry_s: Option<u32>,
    pub(crate) receive_maximum: u16,
    pub(crate) packet_bytes_max: u32,
    pub(crate) topic_alias_max: u16,
    pub(crate) assigned_client_id: Option<String>,
    pub(crate) server_keep_alive_s: Option<u16>,
}

pub(crate) fn connack_granted(out: &mut BytesMut, version: Version, session_present: bool, announce: Announce) {
    if version == Version::V4 {
        out.put_slice(&[0x20, 2, u8::from(session_present), 0]);
        return;
    }
    let properties = p5::ConnAckProperties {
        session_expiry_interval: announce.session_expiry_s,
        receive_max: Some(announce.receive_maximum),
        max_qos: None,
        retain_available: Some(1),
        max_packet_size: Some(announce.packet_bytes_max),
        assigned_client_identifier: announce.assigned_client_id,
        topic_alias_max: Some(announce.topic_alias_max),
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: Some(1),
        subscription_identifiers_available: Some(1),
        shared_subscription_available: Some(0),
        server_keep_alive: announce.server_keep_alive_s,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    };
    let packet = p5::ConnAck { session_present, code: p5::ConnectReturnCode::Success, properties: Some(properties) };
    packet.write(out).expect("CONNACK is far below the largest packet");
}

/// CONNACK that refuses: the code of 3.1.1 or the reason of 5.
pub(crate) fn connack_refused(out: &mut BytesMut, version: Version, code_v4: u8, reason_v5: u8) {
    match version {
        Version::V4 => out.put_slice(&[0x20, 2, 0, code_v4]),
        Version::V5 => out.put_slice(&[0x20, 3, 0, reason_v5, 0]),
    }
}

fn short_answer(out: &mut BytesMut, first: u8, pkid: u16, reason: u8) {
    let [high, low] = pkid.to_be_bytes();
    if reason == 0 {
        out.put_slice(&[first, 2, high, low]);
    } else {
        out.put_slice(&[first, 3, high, low, reason]);
    }
}

/// `reason` must be 0 in version 3.1.1, here and in the three below.
pub(crate) fn puback(out: &mut BytesMut, pkid: u16, reason: u8) {
    short_answer(out, 0x40, pkid, reason);
}

pub(crate) fn pubrec(out: &mut BytesMut, pkid: u16, reason: u8) {
    short_answer(out, 0x50, pkid, reason);
}

pub(crate) fn pubrel(out: &mut BytesMut, pkid: u16) {
    short_answer(out, 0x62, pkid, 0);
}

pub(crate) fn pubcomp(out: &mut BytesMut, pkid: u16, reason: u8) {
    short_answer(out, 0x70, pkid, reason);
}

pub(crate) fn pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xD0, 0]);
}

pub(crate) fn suback(out: &mut BytesMut, version: Version, pkid: u16, codes: &[u8]) {
    codes_answer(out, 0x90, version, pkid, codes);
}

/// 3.1.1 has no codes in UNSUBACK.
pub(crate) fn unsuback(out: &mut BytesMut, version: Version, pkid: u16, codes: &[u8]) {
    codes_answer(out, 0xB0, version, pkid, if version == Version::V4 { &[] } else { codes });
}

fn codes_answer(out: &mut BytesMut, first: u8, version: Version, pkid: u16, codes: &[u8]) {
    let properties = usize::from(version == Version::V5);
    out.put_u8(first);
    put_length(out, 2 + properties + codes.len());
    out.put_u16(pkid);
    if version == Version::V5 {
        out.put_u8(0);
    }
    out.put_slice(codes);
}

fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let digit = u8::try_from(length % 128).unwrap_or(0);
        length /= 128;
        if length == 0 {
            out.put_u8(digit);
            return;
        }
        out.put_u8(digit | 0x80);
    }
}

/// Version 5 only: 3.1.1 has no DISCONNECT from the server.
pub(crate) fn disconnect(out: &mut BytesMut, reason: u8) {
    out.put_slice(&[0xE0, 2, reason, 0]);
}

/// A PUBLISH to a client.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) dup: bool,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) pkid: u16,
    pub(crate) topic: &'a Bytes,
    pub(crate) payload: &'a Bytes,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) subscription_ids: &'a [u32],
    pub(crate) properties: Option<&'a Properties>,
}

/// Writes the PUBLISH unless it would be longer than the client takes; false: left out.
pub(crate) fn publish_out(out: &mut BytesMut, version: Version, message: &Outgoing<'_>, max: u32) -> bool {
    let plain = message.expiry_s.is_none() && message.subscription_ids.is_empty() && message.properties.is_none();
    if version == Version::V4 || plain {
        return publish_plain(out, version, message, max);
    }
    let carried = message.properties.cloned().unwrap_or_default();
    let packet = p5::Publish {
        dup: message.dup,
        qos: b5::qos(message.qos).unwrap_or_default(),
        retain: message.retain,
        topic: message.topic.clone(),
        pkid: message.pkid,
        payload: message.payload.clone(),
        properties: Some(p5::PublishProperties {
            payload_format_indicator: carried.payload_format,
            message_expiry_interval: message.expiry_s,
            topic_alias: None,
            response_topic: carried.response_topic,
            correlation_data: carried.correlation,
            user_properties: carried.user,
            subscription_identifiers: message
                .subscription_ids
                .iter()
                .filter_map(|id| usize::try_from(*id).ok())
                .collect(),
            content_type: carried.content_type,
        }),
    };
    if packet.size() > usize::try_from(max).unwrap_or(usize::MAX) {
        return false;
    }
    let before = out.len();
    if packet.write(out).is_err() {
        out.truncate(before);
        return false;
    }
    true
}

fn publish_plain(out: &mut BytesMut, version: Version, message: &Outgoing<'_>, max: u32) -> bool {
    let id = if message.qos > 0 { 2 } else { 0 };
    let length = 2 + message.topic.len() + id + usize::from(version == Version::V5) + message.payload.len();
    let (Ok(topic_length), Ok(total)) = (u16::try_from(message.topic.len()), u32::try_from(length + 5)) else {
        return false;
    };
    if total > max || length > 268_435_455 {
        return false;
    }
    out.reserve(length + 5);
    out.put_u8(0x30 | u8::from(message.dup) << 3 | message.qos << 1 | u8::from(message.retain));
    put_length(out, length);
    out.put_u16(topic_length);
    out.put_slice(message.topic);
    if message.qos > 0 {
        out.put_u16(message.pkid);
    }
    if version == Version::V5 {
        out.put_u8(0);
    }
    out.put_slice(message.payload);
    true
}
