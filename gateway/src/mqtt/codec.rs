//! MQTT 3.1.1 and 5 packets as the front sees them: the only file that knows the codec crate. Every packet is framed
//! here first (length, type, flags), so that a decoder is never given more or less than one whole packet.
//!
//! CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, properties, CONNACK and outgoing PUBLISH go through rumqttc's codecs.
//! PUBLISH from a client is cut out of the read buffer without a copy, and packets of a few bytes are read and written
//! here. Known gaps of those codecs that this file closes: an MQTT 5 DISCONNECT of no or one byte, AUTH, flags.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rumqttc::mqttbytes as b4;
use rumqttc::v5::mqttbytes as b5;
use rumqttc::v5::mqttbytes::v5 as p5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V5,
}

/// Reason codes of MQTT 5 that this front sends.
pub(crate) mod reason {
    pub(crate) const WITH_WILL: u8 = 0x04;
    pub(crate) const NO_SUBSCRIPTION: u8 = 0x11;
    pub(crate) const MALFORMED: u8 = 0x81;
    pub(crate) const PROTOCOL: u8 = 0x82;
    pub(crate) const CLIENT_ID: u8 = 0x85;
    pub(crate) const BAD_SECRET: u8 = 0x86;
    pub(crate) const NOT_AUTHORISED: u8 = 0x87;
    pub(crate) const UNAVAILABLE: u8 = 0x88;
    pub(crate) const BUSY: u8 = 0x89;
    pub(crate) const SHUTTING_DOWN: u8 = 0x8B;
    pub(crate) const BAD_METHOD: u8 = 0x8C;
    pub(crate) const KEEP_ALIVE: u8 = 0x8D;
    pub(crate) const TAKEN_OVER: u8 = 0x8E;
    pub(crate) const FILTER_INVALID: u8 = 0x8F;
    pub(crate) const TOPIC_INVALID: u8 = 0x90;
    pub(crate) const ID_NOT_FOUND: u8 = 0x92;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x93;
    pub(crate) const ALIAS_INVALID: u8 = 0x94;
    pub(crate) const TOO_LARGE: u8 = 0x95;
    pub(crate) const QUOTA: u8 = 0x97;
    pub(crate) const NO_SHARED: u8 = 0x9E;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Not a packet of this protocol.
    Malformed(String),
    /// A packet longer than the limit, seen from its header alone.
    Oversize(usize),
    /// Well formed and not allowed here.
    Protocol(&'static str),
    /// CONNECT for a protocol version that is not spoken here.
    Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    pub(crate) clean_start: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) will: Option<Will>,
    /// Seconds; 3.1.1: 0 for a clean session, else without end.
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) packet_bytes_max: u32,
    /// Extended authentication was asked for.
    pub(crate) authentication: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) delay_s: u32,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) properties: Option<Box<Properties>>,
}

/// Properties that are carried from publisher to subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Properties {
    pub(crate) payload_format: Option<u8>,
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation: Option<Bytes>,
    pub(crate) user: Vec<(String, String)>,
}

impl Properties {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) dup: bool,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    /// Not checked to be a topic; empty when only the alias is given.
    pub(crate) topic: Bytes,
    /// 0 at `QoS` 0.
    pub(crate) pkid: u16,
    pub(crate) payload: Bytes,
    pub(crate) alias: Option<u16>,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) properties: Option<Box<Properties>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) path: String,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retained: RetainHandling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    Always,
    IfNew,
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    Publish(Publish),
    PubAck {
        pkid: u16,
    },
    /// `failed`: the receiver refused it, no PUBREL follows.
    PubRec {
        pkid: u16,
        failed: bool,
    },
    PubRel {
        pkid: u16,
    },
    PubComp {
        pkid: u16,
    },
    Subscribe {
        pkid: u16,
        filters: Vec<Filter>,
        id: Option<u32>,
    },
    Unsubscribe {
        pkid: u16,
        filters: Vec<String>,
    },
    PingReq,
    Disconnect {
        reason: u8,
        session_expiry_s: Option<u32>,
    },
    Auth,
}

struct Header {
    first: u8,
    /// Length of the fixed header.
    skip: usize,
    total: usize,
}

/// The fixed header, when it is whole. Refuses on length before the packet is there.
fn header(bytes: &[u8], max: usize) -> Result<Option<Header>, DecodeError> {
    let Some(first) = bytes.first().copied() else { return Ok(None) };
    let mut length = 0_usize;
    for place in 0..4_usize {
        let Some(byte) = bytes.get(1 + place).copied() else { return Ok(None) };
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            let skip = 2 + place;
            let total = skip + length;
            if total > max {
                return Err(DecodeError::Oversize(total));
            }
            return Ok(Some(Header { first, skip, total }));
        }
    }
    Err(DecodeError::Malformed("remaining length of more than four bytes".into()))
}

/// Takes CONNECT off the buffer. `None`: not whole yet.
pub(crate) fn connect(buffer: &mut BytesMut, max: usize) -> Result<Option<Connect>, DecodeError> {
    if buffer.first().is_some_and(|first| *first != 0x10) {
        return Err(DecodeError::Malformed("the first packet is not CONNECT".into()));
    }
    let Some(header) = header(buffer, max)? else { return Ok(None) };
    if buffer.len() < header.total {
        return Ok(None);
    }
    let mut packet = buffer.split_to(header.total);
    let body = packet.get(header.skip..).unwrap_or_default();
    match body {
        [0, 4, b'M', b'Q', b'T', b'T', 4, flags, ..] => {
            check_connect_flags(*flags)?;
            match b4::v4::Packet::read(&mut packet, max).map_err(|error| malformed(&error))? {
                b4::v4::Packet::Connect(connect) => Ok(Some(connect_v4(connect))),
                _ => Err(DecodeError::Protocol("CONNECT was expected")),
            }
        }
        [0, 4, b'M', b'Q', b'T', b'T', 5, flags, ..] => {
            check_connect_flags(*flags)?;
            let limit = u32::try_from(max).ok();
            match p5::Packet::read(&mut packet, limit).map_err(|error| malformed(&error))? {
                p5::Packet::Connect(connect, will, login) => Ok(Some(connect_v5(connect, will, login)?)),
                _ => Err(DecodeError::Protocol("CONNECT was expected")),
            }
        }
        [0, 4, b'M', b'Q', b'T', b'T', _, ..] | [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => {
            Err(DecodeError::Version)
        }
        _ => Err(DecodeError::Malformed("CONNECT without a protocol name".into())),
    }
}

fn check_connect_flags(flags: u8) -> Result<(), DecodeError> {
    if flags & 1 == 1 || flags & 0x18 == 0x18 {
        return Err(DecodeError::Malformed("CONNECT with reserved flags".into()));
    }
    Ok(())
}

fn malformed(error: &dyn std::fmt::Display) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}

fn connect_v4(connect: b4::v4::Connect) -> Connect {
    let will = connect.last_will.map(|will| Will {
        topic: will.topic,
        payload: will.message,
        qos: will.qos as u8,
        retain: will.retain,
        delay_s: 0,
        expiry_s: None,
        properties: None,
    });
    let (username, password) = connect.login.map_or((None, None), |login| (Some(login.username), Some(login.password)));
    Connect {
        version: Version::V4,
        client_id: connect.client_id,
        clean_start: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        username: username.filter(|name| !name.is_empty()),
        password,
        will,
        session_expiry_s: if connect.clean_session { 0 } else { u32::MAX },
        receive_maximum: u16::MAX,
        packet_bytes_max: u32::MAX,
        authentication: false,
    }
}

fn connect_v5(
    connect: p5::Connect,
    will: Option<p5::LastWill>,
    login: Option<p5::Login>,
) -> Result<Connect, DecodeError> {
    let properties = connect.properties.unwrap_or_default();
    if properties.receive_maximum == Some(0) || properties.max_packet_size == Some(0) {
        return Err(DecodeError::Protocol("a maximum of zero in CONNECT"));
    }
    let will = will.map(will_v5).transpose()?;
    let (username, password) = login.map_or((None, None), |login| (Some(login.username), Some(login.password)));
    Ok(Connect {
        version: Version::V5,
        client_id: connect.client_id,
        clean_start: connect.clean_start,
        keep_alive_s: connect.keep_alive,
        username: username.filter(|name| !name.is_empty()),
        password,
        will,
        session_expiry_s: properties.session_expiry_interval.unwrap_or(0),
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes_max: properties.max_packet_size.unwrap_or(u32::MAX),
        authentication: properties.authentication_method.is_some(),
    })
}

fn will_v5(will: p5::LastWill) -> Result<Will, DecodeError> {
    let topic = String::from_utf8(will.topic.to_vec())
        .map_err(|error| DecodeError::Malformed(format!("will topic: {error}")))?;
    let given = will.properties;
    let properties = given.as_ref().map(|given| Properties {
        payload_format: given.payload_format_indicator,
        content_type: given.content_type.clone(),
        response_topic: given.response_topic.clone(),
        correlation: given.correlation_data.clone(),
        user: given.user_properties.clone(),
    });
    Ok(Will {
        topic,
        payload: will.message,
        qos: will.qos as u8,
        retain: will.retain,
        delay_s: given.as_ref().and_then(|given| given.delay_interval).unwrap_or(0),
        expiry_s: given.as_ref().and_then(|given| given.message_expiry_interval),
        properties: properties.filter(|properties| !properties.is_empty()).map(Box::new),
    })
}

/// Takes the next packet off the buffer. `None`: not whole yet; [`wanted`] says how many bytes it needs.
pub(crate) fn next(version: Version, buffer: &mut BytesMut, max: usize) -> Result<Option<Incoming>, DecodeError> {
    let Some(header) = header(buffer, max)? else { return Ok(None) };
    check_flags(header.first)?;
    if buffer.len() < header.total {
        return Ok(None);
    }
    let packet = buffer.split_to(header.total);
    match header.first >> 4 {
        3 => {
            let mut body = packet.freeze();
            body.advance(header.skip);
            publish(version, header.first, body).map(|publish| Some(Incoming::Publish(publish)))
        }
        kind @ 4..=7 => answer(kind, packet.get(header.skip..).unwrap_or_default()).map(Some),
        12 => Ok(Some(Incoming::PingReq)),
        14 => disconnect_in(version, packet, header.skip, max).map(Some),
        15 if version == Version::V5 => Ok(Some(Incoming::Auth)),
        8 | 10 => match version {
            Version::V4 => requests_v4(packet, max).map(Some),
            Version::V5 => requests_v5(packet, max).map(Some),
        },
        1 => Err(DecodeError::Protocol("a second CONNECT")),
        _ => Err(DecodeError::Protocol("a packet that only a server sends")),
    }
}

/// Whole length of the packet at the buffer's start, once its header is there.
pub(crate) fn wanted(buffer: &[u8], max: usize) -> Option<usize> {
    header(buffer, max).ok().flatten().map(|header| header.total)
}

fn check_flags(first: u8) -> Result<(), DecodeError> {
    let right = match first >> 4 {
        3 => first & 0b0110 != 0b0110,
        6 | 8 | 10 => first & 0x0F == 0b0010,
        0 => false,
        _ => first.trailing_zeros() >= 4,
    };
    if right { Ok(()) } else { Err(DecodeError::Malformed(format!("first byte {first:02X}"))) }
}

fn publish(version: Version, first: u8, mut body: Bytes) -> Result<Publish, DecodeError> {
    let short = || DecodeError::Malformed("PUBLISH ends early".into());
    let qos = first >> 1 & 0b11;
    if body.len() < 2 {
        return Err(short());
    }
    let topic_length = usize::from(body.get_u16());
    if body.len() < topic_length {
        return Err(short());
    }
    let topic = body.split_to(topic_length);
    let mut pkid = 0;
    if qos > 0 {
        if body.len() < 2 {
            return Err(short());
        }
        pkid = body.get_u16();
        if pkid == 0 {
            return Err(DecodeError::Malformed("packet id 0".into()));
        }
    }
    let mut publish = Publish {
        dup: first & 0b1000 != 0,
        qos,
        retain: first & 1 == 1,
        topic,
        pkid,
        payload: Bytes::new(),
        alias: None,
        expiry_s: None,
        properties: None,
    };
    if version == Version::V5 {
        match body.first() {
            None => return Err(short()),
            Some(0) => body.advance(1),
            Some(_) => publish_properties(&mut body, &mut publish)?,
        }
    }
    publish.payload = body;
    Ok(publish)
}

fn publish_properties(body: &mut Bytes, publish: &mut Publish) -> Result<(), DecodeError> {
    let given = p5::PublishProperties::read(body).map_err(|error| malformed(&error))?.unwrap_or_default();
    if !given.subscription_identifiers.is_empty() {
        return Err(DecodeError::Protocol("a client sent a subscription identifier in PUBLISH"));
    }
    publish.alias = given.topic_alias;
    publish.expiry_s = given.message_expiry_interval;
    let properties = Properties {
        payload_format: given.payload_format_indicator,
        content_type: given.content_type,
        response_topic: given.response_topic,
        correlation: given.correlation_data,
        user: given.user_properties,
    };
    publish.properties = Some(properties).filter(|properties| !properties.is_empty()).map(Box::new);
    Ok(())
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP: packet id, in version 5 perhaps a reason and properties that say nothing here.
fn answer(kind: u8, body: &[u8]) -> Result<Incoming, DecodeError> {
    let [high, low, rest @ ..] = body else {
        return Err(DecodeError::Malformed("an answer without a packet id".into()));
    };
    let pkid = u16::from_be_bytes([*high, *low]);
    if pkid == 0 {
        return Err(DecodeError::Malformed("packet id 0".into()));
    }
    let failed = rest.first().is_some_and(|code| *code >= 0x80);
    Ok(match kind {
        4 => Incoming::PubAck { pkid },
        5 => Incoming::PubRec { pkid, failed },
        6 => Incoming::PubRel { pkid },
        _ => Incoming::PubComp { pkid },
    })
}

fn disconnect_in(version: Version, mut packet: BytesMut, skip: usize, max: usize) -> Result<Incoming, DecodeError> {
    let body = packet.get(skip..).unwrap_or_default();
    match (version, body) {
        (Version::V4, _) | (Version::V5, []) => Ok(Incoming::Disconnect { reason: 0, session_expiry_s: None }),
        (Version::V5, [reason]) => Ok(Incoming::Disconnect { reason: *reason, session_expiry_s: None }),
        (Version::V5, _) => {
            match p5::Packet::read(&mut packet, u32::try_from(max).ok()).map_err(|error| malformed(&error))? {
                p5::Packet::Disconnect(disconnect) => Ok(Incoming::Disconnect {
                    reason: disconnect.reason_code as u8,
                    session_expiry_s: disconnect.properties.and_then(|given| given.session_expiry_interval),
                }),
                _ => Err(DecodeError::Protocol("DISCONNECT was expected")),
            }
        }
    }
}

fn requests_v4(mut packet: BytesMut, max: usize) -> Result<Incoming, DecodeError> {
    match b4::v4::Packet::read(&mut packet, max).map_err(|error| malformed(&error))? {
        b4::v4::Packet::Subscribe(subscribe) => {
            let filters = subscribe
                .filters
                .into_iter()
                .map(|filter| Filter {
                    path: filter.path,
                    qos: filter.qos as u8,
                    no_local: false,
                    retain_as_published: false,
                    retained: RetainHandling::Always,
                })
                .collect();
            checked_subscribe(subscribe.pkid, filters, None)
        }
        b4::v4::Packet::Unsubscribe(unsubscribe) => checked_unsubscribe(unsubscribe.pkid, unsubscribe.topics),
        _ => Err(DecodeError::Protocol("unexpected packet")),
    }
}

fn requests_v5(mut packet: BytesMut, max: usize) -> Result<Incoming, DecodeError> {
    match p5::Packet::read(&mut packet, u32::try_from(max).ok()).map_err(|error| malformed(&error))? {
        p5::Packet::Subscribe(subscribe) => {
            let id = match subscribe.properties.and_then(|given| given.id) {
                Some(0) => return Err(DecodeError::Protocol("subscription identifier 0")),
                id => id.and_then(|id| u32::try_from(id).ok()),
            };
            let filters = subscribe
                .filters
                .into_iter()
                .map(|filter| Filter {
                    path: filter.path,
                    qos: filter.qos as u8,
                    no_local: filter.nolocal,
                    retain_as_published: filter.preserve_retain,
                    retained: match filter.retain_forward_rule {
                        p5::RetainForwardRule::OnEverySubscribe => RetainHandling::Always,
                        p5::RetainForwardRule::OnNewSubscribe => RetainHandling::IfNew,
                        p5::RetainForwardRule::Never => RetainHandling::Never,
                    },
                })
                .collect();
            checked_subscribe(subscribe.pkid, filters, id)
        }
        p5::Packet::Unsubscribe(unsubscribe) => checked_unsubscribe(unsubscribe.pkid, unsubscribe.filters),
        _ => Err(DecodeError::Protocol("unexpected packet")),
    }
}

fn checked_subscribe(pkid: u16, filters: Vec<Filter>, id: Option<u32>) -> Result<Incoming, DecodeError> {
    if pkid == 0 || filters.is_empty() {
        return Err(DecodeError::Malformed("SUBSCRIBE without packet id or filter".into()));
    }
    Ok(Incoming::Subscribe { pkid, filters, id })
}

fn checked_unsubscribe(pkid: u16, filters: Vec<String>) -> Result<Incoming, DecodeError> {
    if pkid == 0 || filters.is_empty() {
        return Err(DecodeError::Malformed("UNSUBSCRIBE without packet id or filter".into()));
    }
    Ok(Incoming::Unsubscribe { pkid, filters })
}

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

#[cfg(test)]
mod tests;
