//! Packets of a client in both versions, as one. rumqttc's codecs read and write them.

use super::{BrokerConfig, BrokerVersion};
use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes as mqttbytes5;
use rumqttc::v5::mqttbytes::v5;

/// Our receive maximum, where the broker can be told.
pub(super) const RECEIVE_MAXIMUM: u16 = 256;

/// What a broker says, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    Connected {
        session_present: bool,
    },
    /// In words.
    Refused(String),
    Publish {
        topic: Bytes,
        payload: Bytes,
        pkid: u16,
        qos: u8,
    },
    /// `Some`: why a filter was refused.
    Subscribed(Option<String>),
    Disconnected(String),
    /// An answer to a ping, or what needs none.
    Alive,
    /// A message longer than the limit, of which only the beginning is there: so many bytes are to be passed over.
    Oversize {
        topic: String,
        pkid: u16,
        qos: u8,
        bytes: usize,
    },
}

/// Bytes that are no packet, or one that a broker must not send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent what cannot be read: {0}")]
pub(super) struct Unreadable(pub(super) String);

pub(super) fn connect(config: &BrokerConfig, out: &mut BytesMut) -> Result<(), Unreadable> {
    let keep_alive = u16::try_from(config.keep_alive.as_secs()).unwrap_or(u16::MAX);
    let login = config.username.as_ref().map(|user| (user.clone(), config.password.clone().unwrap_or_default()));
    let packet_bytes_max = u32::try_from(config.packet_bytes_max).unwrap_or(u32::MAX);
    match config.version {
        BrokerVersion::V3 => {
            let mut connect = v4::Connect::new(&config.client_id);
            connect.keep_alive = keep_alive;
            connect.clean_session = false;
            connect.login = login.map(|(user, password)| v4::Login::new(user, password));
            connect.write(out).map(drop).map_err(|error| Unreadable(error.to_string()))
        }
        BrokerVersion::V5 => {
            let mut properties = v5::ConnectProperties::new();
            properties.session_expiry_interval = Some(config.session_expiry_s);
            properties.receive_maximum = Some(RECEIVE_MAXIMUM);
            properties.max_packet_size = Some(packet_bytes_max);
            let client_id = config.client_id.clone();
            let connect = v5::Connect { keep_alive, client_id, clean_start: false, properties: Some(properties) };
            let login = login.map(|(username, password)| v5::Login { username, password });
            let packet = v5::Packet::Connect(connect, None, login);
            packet.write(out, None).map(drop).map_err(|error| Unreadable(error.to_string()))
        }
    }
}

pub(super) fn subscribe(config: &BrokerConfig, pkid: u16, out: &mut BytesMut) -> Result<(), Unreadable> {
    let written = match config.version {
        BrokerVersion::V3 => {
            let filter = |path: &String| v4::SubscribeFilter::new(path.clone(), mqttbytes::QoS::AtLeastOnce);
            let mut subscribe = v4::Subscribe::new_many(config.filters.iter().map(filter));
            subscribe.pkid = pkid;
            subscribe.write(out).map(drop).map_err(|error| error.to_string())
        }
        BrokerVersion::V5 => {
            let filter = |path: &String| v5::Filter::new(path, mqttbytes5::QoS::AtLeastOnce);
            let mut subscribe = v5::Subscribe::new_many(config.filters.iter().map(filter), None);
            subscribe.pkid = pkid;
            v5::Packet::Subscribe(subscribe).write(out, None).map(drop).map_err(|error| error.to_string())
        }
    };
    written.map_err(Unreadable)
}

/// The same four bytes in both versions.
pub(super) fn puback(pkid: u16, out: &mut BytesMut) {
    let [high, low] = pkid.to_be_bytes();
    out.extend_from_slice(&[0x40, 2, high, low]);
}

pub(super) fn ping(out: &mut BytesMut) {
    out.extend_from_slice(&[0xC0, 0]);
}

pub(super) fn disconnect(out: &mut BytesMut) {
    out.extend_from_slice(&[0xE0, 0]);
}

/// A message to a device, at `QoS` 0: what it answers is sent again by the device when it misses it.
pub(super) fn publish(
    version: BrokerVersion,
    topic: &str,
    payload: &Bytes,
    out: &mut BytesMut,
) -> Result<(), Unreadable> {
    let written = match version {
        BrokerVersion::V3 => {
            let publish = v4::Publish::new(topic, mqttbytes::QoS::AtMostOnce, payload.to_vec());
            publish.write(out).map(drop).map_err(|error| error.to_string())
        }
        BrokerVersion::V5 => {
            let publish = v5::Publish::new(topic, mqttbytes5::QoS::AtMostOnce, payload.clone(), None);
            v5::Packet::Publish(publish).write(out, None).map(drop).map_err(|error| error.to_string())
        }
    };
    written.map_err(Unreadable)
}

/// The next whole packet, if there is one.
pub(super) fn next(config: &BrokerConfig, buffer: &mut BytesMut) -> Result<Option<Incoming>, Unreadable> {
    match oversize(buffer, config.packet_bytes_max) {
        Size::Fits => {}
        Size::Unknown => return Ok(None),
        Size::Over(oversize) => return Ok(Some(oversize)),
    }
    match config.version {
        BrokerVersion::V3 => match v4::Packet::read(buffer, config.packet_bytes_max) {
            Ok(packet) => of_v3(packet).map(Some),
            Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(Unreadable(error.to_string())),
        },
        BrokerVersion::V5 => {
            // A DISCONNECT without a reason has no body, which the codec refuses.
            if buffer.starts_with(&[0xE0, 0]) {
                return Ok(Some(Incoming::Disconnected("without a reason".into())));
            }
            let limit = u32::try_from(config.packet_bytes_max).ok();
            match v5::Packet::read(buffer, limit) {
                Ok(packet) => of_v5(packet).map(Some),
                Err(mqttbytes5::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(Unreadable(error.to_string())),
            }
        }
    }
}

enum Size {
    Fits,
    /// More bytes are needed to tell.
    Unknown,
    Over(Incoming),
}

/// A message beyond the limit would come again at each connection for ever, so it is told by its beginning and passed over.
fn oversize(buffer: &[u8], max: usize) -> Size {
    const TOPIC_BYTES_MAX: usize = 1_024;
    let Some(first) = buffer.first().filter(|first| *first >> 4 == 3) else { return Size::Fits };
    let qos = first >> 1 & 3;
    let (mut length, mut at) = (0_usize, 1);
    loop {
        let Some(byte) = buffer.get(at) else { return Size::Unknown };
        if at > 4 {
            // No length of the standard; the codec says so.
            return Size::Fits;
        }
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let bytes = at + length;
    if bytes <= max {
        return Size::Fits;
    }
    let Some(topic_bytes) = buffer.get(at..).and_then(|rest| rest.first_chunk()) else { return Size::Unknown };
    let topic_bytes = usize::from(u16::from_be_bytes(*topic_bytes)).min(TOPIC_BYTES_MAX);
    let rest = buffer.get(at + 2..).unwrap_or_default();
    let Some((topic, rest)) = rest.split_at_checked(topic_bytes) else { return Size::Unknown };
    let topic = String::from_utf8_lossy(topic).into_owned();
    let Some(pkid) = rest.first_chunk() else { return Size::Unknown };
    Size::Over(Incoming::Oversize { topic, pkid: u16::from_be_bytes(*pkid), qos, bytes })
}

fn of_v3(packet: v4::Packet) -> Result<Incoming, Unreadable> {
    Ok(match packet {
        v4::Packet::ConnAck(ack) if ack.code == v4::ConnectReturnCode::Success => {
            Incoming::Connected { session_present: ack.session_present }
        }
        v4::Packet::ConnAck(ack) => Incoming::Refused(format!("{:?}", ack.code)),
        v4::Packet::Publish(publish) => Incoming::Publish {
            topic: Bytes::from(publish.topic.into_bytes()),
            payload: publish.payload,
            pkid: publish.pkid,
            qos: publish.qos as u8,
        },
        v4::Packet::SubAck(ack) => {
            let refused = ack.return_codes.contains(&v4::SubscribeReasonCode::Failure);
            Incoming::Subscribed(refused.then(|| "a filter was refused".to_owned()))
        }
        v4::Packet::Disconnect => Incoming::Disconnected("without a reason".into()),
        v4::Packet::PingResp | v4::Packet::UnsubAck(_) | v4::Packet::PubAck(_) => Incoming::Alive,
        other => return Err(Unreadable(format!("{:?}", std::mem::discriminant(&other)))),
    })
}

fn of_v5(packet: v5::Packet) -> Result<Incoming, Unreadable> {
    Ok(match packet {
        v5::Packet::ConnAck(ack) if ack.code == v5::ConnectReturnCode::Success => {
            Incoming::Connected { session_present: ack.session_present }
        }
        v5::Packet::ConnAck(ack) => Incoming::Refused(format!("{:?}", ack.code)),
        v5::Packet::Publish(publish) => Incoming::Publish {
            topic: publish.topic,
            payload: publish.payload,
            pkid: publish.pkid,
            qos: publish.qos as u8,
        },
        v5::Packet::SubAck(ack) => {
            let bad = ack.return_codes.iter().find(|code| !matches!(code, v5::SubscribeReasonCode::Success(_)));
            Incoming::Subscribed(bad.map(|code| format!("a filter was refused: {code:?}")))
        }
        v5::Packet::Disconnect(disconnect) => Incoming::Disconnected(format!("{:?}", disconnect.reason_code)),
        v5::Packet::PingResp(_) | v5::Packet::UnsubAck(_) | v5::Packet::PubAck(_) => Incoming::Alive,
        other => return Err(Unreadable(format!("{:?}", std::mem::discriminant(&other)))),
    })
}
