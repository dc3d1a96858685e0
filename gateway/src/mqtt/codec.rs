//! MQTT 3.1.1 and 5 packets as the front sees them: the only module that knows the codec crate. Every packet is framed
//! here first (length, type, flags), so that a decoder is never given more or less than one whole packet.
//!
//! CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, properties, CONNACK and outgoing PUBLISH go through rumqttc's codecs.
//! PUBLISH from a client is cut out of the read buffer without a copy, and packets of a few bytes are read and written
//! here. Known gaps of those codecs that this file closes: an MQTT 5 DISCONNECT of no or one byte, AUTH, flags.

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::mqttbytes as b4;
use rumqttc::v5::mqttbytes::v5 as p5;

mod write;
pub(crate) use write::{
    Announce, Outgoing, connack_granted, connack_refused, disconnect, pingresp, puback, pubcomp, publish_out, pubrec,
    pubrel, suback, unsuback,
};

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

#[cfg(test)]
mod tests;
