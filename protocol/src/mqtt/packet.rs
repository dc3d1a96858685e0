//! MQTT 3.1.1 and 5 packets of a client, walked once for two readers: [`read`] gives the packet and its explanation, byte by
//! byte. It is for looking at devices (the lab, the explainer), where the offset of a fault matters more than speed; the
//! gateway's front has a codec of its own. Never fails: what cannot be read is named at its byte.
//!
//! ```text
//! 32 0f  00 06 76 31 2f …  00 01  7b …       PUBLISH QoS 1, remaining length, topic, packet id, payload
//! ```

use super::payload;
use super::topic::{Topic, check_filter, check_name};
use super::walk::{Walk, label};
use crate::explain::{Direction, Explanation, Label};

/// How the first bytes of a stream end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// More bytes are needed.
    More,
    /// A packet of so many bytes.
    Packet(usize),
    /// No packet: a remaining length of more than four bytes.
    Malformed,
    /// Longer than the limit.
    Oversize(usize),
}

/// The length of the packet that the bytes begin with. Refuses on length before the packet is there.
pub fn cut(bytes: &[u8], max: usize) -> Cut {
    let mut length = 0_usize;
    for place in 0..4_usize {
        let Some(byte) = bytes.get(1 + place) else { return Cut::More };
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let total = 2 + place + length;
            return if total > max {
                Cut::Oversize(total)
            } else if total > bytes.len() {
                Cut::More
            } else {
                Cut::Packet(total)
            };
        }
    }
    Cut::Malformed
}

/// Whether the bytes are exactly one packet that a client may send.
pub fn looks_like_packet(bytes: &[u8]) -> bool {
    let kind = bytes.first().map_or(0, |first| first >> 4);
    matches!(kind, 1..=14)
        && matches!(cut(bytes, bytes.len()), Cut::Packet(total) if total == bytes.len())
        && read(bytes, None).explanation.all_troubles().all(|(_, trouble)| !trouble.fatal)
}

/// Which edition a connection speaks, as its CONNECT said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    V311,
    V5,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    /// PUBACK, PUBREC, PUBREL, PUBCOMP by the number of their type (4 to 7).
    Answer {
        kind: u8,
        id: u16,
    },
    Subscribe {
        id: u16,
        filters: Vec<(&'a str, u8)>,
    },
    Unsubscribe {
        id: u16,
    },
    Ping,
    Disconnect,
    /// Anything else, by the number of its type.
    Other(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect<'a> {
    pub level: Option<Level>,
    /// Clean session in 3.1.1, clean start in 5.
    pub clean: bool,
    pub keep_alive_s: u16,
    pub client_id: &'a str,
    pub username: Option<&'a str>,
    pub password: Option<&'a [u8]>,
    /// Version 5: seconds; without it the session ends with the connection.
    pub session_expiry_s: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    pub dup: bool,
    pub qos: u8,
    pub retain: bool,
    pub topic: &'a str,
    /// 0 at quality of service 0.
    pub id: u16,
    pub payload: &'a [u8],
    /// Where the payload begins in the packet.
    pub payload_at: usize,
}

/// A packet and what its bytes say.
#[derive(Debug, Clone)]
pub struct Read<'a> {
    /// `None` when it could not be read to its end.
    pub packet: Option<Packet<'a>>,
    pub explanation: Explanation,
}

/// Reads one packet (as [`cut`] gives it). `level` as the connection's CONNECT said; `None`: not known, read as 3.1.1
/// unless the packet itself says otherwise.
pub fn read(bytes: &[u8], level: Option<Level>) -> Read<'_> {
    let mut walk = Walk::new(bytes);
    let kind = bytes.first().map_or(0, |first| first >> 4);
    let packet = packet(&mut walk, kind, level);
    if packet.is_some() {
        walk.trailing();
    } else {
        walk.rest("unread", label("未能读取", "not read"));
    }
    let answers_up = matches!(kind, 4..=7);
    let direction = match kind {
        1 | 8 | 10 | 12 => Direction::Up,
        2 | 9 | 11 | 13 => Direction::Down,
        _ => Direction::Either,
    };
    let level = match &packet {
        Some(Packet::Connect(connect)) => connect.level,
        _ => level,
    };
    let standard = match level {
        Some(Level::V5) => "MQTT 5.0",
        Some(Level::V311) => "MQTT 3.1.1",
        None => "MQTT",
    };
    let answer = packet.as_ref().filter(|_| !answers_up).and_then(answer_to);
    let (spans, troubles) = walk.end();
    Read { packet, explanation: Explanation { standard, title: title(kind), direction, spans, troubles, answer } }
}

/// What a payload of `telemetry`, `event`, `status` or `reply` says, on its own.
pub fn read_payload(bytes: &[u8]) -> Explanation {
    let mut walk = Walk::new(bytes);
    walk.rest("payload", label("载荷", "payload"));
    explain_json(&mut walk, bytes, 0);
    let (spans, troubles) = walk.end();
    let title = label("MQTT 或 HTTP 上报的数据", "data of MQTT or HTTP");
    Explanation { standard: "JSON", title, direction: Direction::Up, spans, troubles, answer: None }
}

fn answer_to(packet: &Packet<'_>) -> Option<Label> {
    Some(match packet {
        Packet::Connect(_) => label("CONNACK 连接应答", "CONNACK"),
        Packet::Publish(Publish { qos: 1, .. }) => label("PUBACK 发布应答", "PUBACK"),
        Packet::Publish(Publish { qos: 2, .. }) => label("PUBREC 发布收到", "PUBREC"),
        Packet::Subscribe { .. } => label("SUBACK 订阅应答", "SUBACK"),
        Packet::Unsubscribe { .. } => label("UNSUBACK 退订应答", "UNSUBACK"),
        Packet::Ping => label("PINGRESP 心跳应答", "PINGRESP"),
        _ => return None,
    })
}

const fn title(kind: u8) -> Label {
    let (zh, en) = match kind {
        1 => ("CONNECT 连接", "CONNECT"),
        2 => ("CONNACK 连接应答", "CONNACK"),
        3 => ("PUBLISH 发布", "PUBLISH"),
        4 => ("PUBACK 发布应答", "PUBACK"),
        5 => ("PUBREC 发布收到", "PUBREC"),
        6 => ("PUBREL 发布释放", "PUBREL"),
        7 => ("PUBCOMP 发布完成", "PUBCOMP"),
        8 => ("SUBSCRIBE 订阅", "SUBSCRIBE"),
        9 => ("SUBACK 订阅应答", "SUBACK"),
        10 => ("UNSUBSCRIBE 退订", "UNSUBSCRIBE"),
        11 => ("UNSUBACK 退订应答", "UNSUBACK"),
        12 => ("PINGREQ 心跳", "PINGREQ"),
        13 => ("PINGRESP 心跳应答", "PINGRESP"),
        14 => ("DISCONNECT 断开", "DISCONNECT"),
        15 => ("AUTH 认证", "AUTH"),
        _ => ("不是 MQTT 报文", "no MQTT packet"),
    };
    label(zh, en)
}

fn packet<'a>(walk: &mut Walk<'a>, kind: u8, level: Option<Level>) -> Option<Packet<'a>> {
    let first = walk.u8("first", label("报文类型与标志", "type and flags"), "MQTT-2.2")?;
    let flags = first & 15;
    walk.value(format!("0x{first:02x} · {}", title(kind).en.split(' ').next().unwrap_or_default()));
    let wanted = match kind {
        6 | 8 | 10 => Some(2),
        3 => None,
        _ => Some(0),
    };
    if kind == 0 || wanted.is_some_and(|wanted| wanted != flags) || (kind == 3 && flags & 6 == 6) {
        walk.fatal("flags_reserved", label("标志位不允许", "flags that are not allowed"), format!("0x{first:02x}"));
    }
    walk.varint("remaining_length", label("剩余长度", "remaining length"), "MQTT-2.2.3")?;
    match kind {
        1 => connect(walk).map(Packet::Connect),
        3 => publish(walk, flags, level).map(Packet::Publish),
        4..=7 => {
            let id = packet_id(walk)?;
            if level == Some(Level::V5) && walk.left() > 0 {
                walk.u8("reason", label("原因码", "reason"), "")?;
                properties(walk)?;
            }
            Some(Packet::Answer { kind, id })
        }
        8 => {
            let id = packet_id(walk)?;
            if level == Some(Level::V5) {
                properties(walk)?;
            }
            let mut filters = Vec::new();
            while walk.left() > 0 {
                let filter = walk.text("filter", label("主题过滤器", "topic filter"), "MQTT-4.7")?;
                if let Err(problem) = check_filter(filter) {
                    walk.fatal("filter_bad", label("主题过滤器不合规", "a bad topic filter"), problem.to_string());
                }
                let options = walk.u8("options", label("订阅选项", "options"), "")?;
                filters.push((filter, options & 3));
            }
            if filters.is_empty() {
                walk.whole("no_filter", label("没有主题过滤器", "no topic filter"), String::new());
            }
            Some(Packet::Subscribe { id, filters })
        }
        10 => {
            let id = packet_id(walk)?;
            if level == Some(Level::V5) {
                properties(walk)?;
            }
            while walk.left() > 0 {
                walk.text("filter", label("主题过滤器", "topic filter"), "MQTT-4.7")?;
            }
            Some(Packet::Unsubscribe { id })
        }
        12 => Some(Packet::Ping),
        14 => {
            if walk.left() > 0 {
                walk.u8("reason", label("原因码", "reason"), "")?;
            }
            if walk.left() > 0 {
                properties(walk)?;
            }
            Some(Packet::Disconnect)
        }
        kind => {
            walk.rest("body", label("报文内容", "body"));
            Some(Packet::Other(kind))
        }
    }
}

fn packet_id(walk: &mut Walk<'_>) -> Option<u16> {
    let id = walk.u16("packet_id", label("报文标识符", "packet id"), "MQTT-2.3.1")?;
    if id == 0 {
        walk.fatal("packet_id_zero", label("报文标识符为 0", "packet id 0"), String::new());
    }
    Some(id)
}

fn connect<'a>(walk: &mut Walk<'a>) -> Option<Connect<'a>> {
    let name = walk.text("protocol_name", label("协议名", "protocol name"), "MQTT-3.1.2-1")?;
    if name != "MQTT" {
        walk.fatal("protocol_name_bad", label("协议名应为 MQTT", "the name must be MQTT"), name.to_owned());
    }
    let number = walk.u8("level", label("协议级别", "protocol level"), "MQTT-3.1.2-2")?;
    let level = match number {
        4 => Some(Level::V311),
        5 => Some(Level::V5),
        _ => {
            walk.fatal(
                "level_unknown",
                label("不支持的协议级别", "a level that is not spoken here"),
                number.to_string(),
            );
            None
        }
    };
    walk.value(match level {
        Some(Level::V311) => "4 · MQTT 3.1.1".to_owned(),
        Some(Level::V5) => "5 · MQTT 5.0".to_owned(),
        None => number.to_string(),
    });
    let flags = walk.u8("connect_flags", label("连接标志", "connect flags"), "MQTT-3.1.2.3")?;
    let has = |bit: u8| flags >> bit & 1 == 1;
    walk.value(format!(
        "0x{flags:02x}{}{}{}{}",
        if has(1) { " · clean" } else { "" },
        if has(2) { " · will" } else { "" },
        if has(7) { " · username" } else { "" },
        if has(6) { " · password" } else { "" },
    ));
    if has(0) || flags & 0x18 == 0x18 {
        walk.fatal("connect_flags_reserved", label("连接标志不允许", "reserved flags"), String::new());
    }
    let keep_alive_s = walk.u16("keep_alive", label("保持连接", "keep alive"), "MQTT-3.1.2.10")?;
    walk.unit("s");
    let mut session_expiry_s = None;
    if level == Some(Level::V5) {
        session_expiry_s = properties(walk)?.session_expiry_s;
    }
    let client_id = walk.text("client_id", label("客户端标识符", "client id"), "MQTT-3.1.3-3")?;
    if has(2) {
        if level == Some(Level::V5) {
            properties(walk)?;
        }
        walk.text("will_topic", label("遗嘱主题", "will topic"), "")?;
        walk.binary("will", label("遗嘱消息", "will"), "")?;
    }
    let username = if has(7) { Some(walk.text("username", label("用户名", "user name"), "")?) } else { None };
    let password = if has(6) { Some(walk.binary("password", label("密码", "password"), "")?) } else { None };
    if password.is_some() {
        walk.value("******".to_owned());
    }
    Some(Connect { level, clean: has(1), keep_alive_s, client_id, username, password, session_expiry_s })
}

fn publish<'a>(walk: &mut Walk<'a>, flags: u8, level: Option<Level>) -> Option<Publish<'a>> {
    let (dup, qos, retain) = (flags & 8 != 0, flags >> 1 & 3, flags & 1 == 1);
    let topic = walk.text("topic", label("主题", "topic"), "MQTT-3.3.2.1")?;
    if let Err(problem) = check_name(topic).map_err(|problem| problem.to_string()) {
        walk.fatal("topic_bad", label("主题不合规", "a bad topic"), problem);
    }
    let id = if qos > 0 { packet_id(walk)? } else { 0 };
    if level == Some(Level::V5) {
        properties(walk)?;
    }
    let payload_at = walk.at();
    let payload = walk.rest("payload", label("载荷", "payload"));
    if Topic::parse(topic).is_some_and(Topic::is_json) {
        explain_json(walk, payload, payload_at);
    } else if Topic::parse(topic).is_some() {
        walk.members(payload, payload_at);
    }
    Some(Publish { dup, qos, retain, topic, id, payload, payload_at })
}

/// Names the members of a JSON payload, and what the reader finds wrong with them.
fn explain_json(walk: &mut Walk<'_>, payload: &[u8], at: usize) {
    walk.members(payload, at);
    let problems = match payload::read(payload) {
        Ok(document) => document.problems,
        Err(problem) => vec![problem],
    };
    for problem in problems {
        let fatal = matches!(
            problem.code,
            payload::ProblemCode::NotUtf8 | payload::ProblemCode::NotJson | payload::ProblemCode::Truncated
        );
        walk.trouble_at(at + problem.offset, problem.code.word(), problem.code.label(), problem.place, fatal);
    }
}

/// What is read of version 5's properties.
#[derive(Default)]
struct Properties {
    session_expiry_s: Option<u32>,
}

/// Properties of version 5.
fn properties(walk: &mut Walk<'_>) -> Option<Properties> {
    let len = walk.varint("properties_length", label("属性长度", "length of the properties"), "MQTT-2.2.2")?;
    let bytes = walk.take(len, "properties", label("属性", "properties"), "MQTT-2.2.2.2")?;
    // The session expiry is the only one that matters here; it is looked for where properties are of known width.
    let mut rest = bytes;
    while let Some((id, tail)) = rest.split_first() {
        let width = match id {
            0x11 => {
                let session_expiry_s = tail.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
                return Some(Properties { session_expiry_s });
            }
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => 1,
            0x13 | 0x21..=0x23 => 2,
            0x02 | 0x18 | 0x27 => 4,
            0x26 => {
                let first = 2 + usize::from(u16::from_be_bytes(*tail.first_chunk::<2>()?));
                let second = tail.get(first..)?;
                first + 2 + usize::from(u16::from_be_bytes(*second.first_chunk::<2>()?))
            }
            0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => {
                2 + usize::from(u16::from_be_bytes(*tail.first_chunk::<2>()?))
            }
            _ => break,
        };
        rest = tail.get(width..)?;
    }
    Some(Properties::default())
}

#[cfg(test)]
mod tests;
