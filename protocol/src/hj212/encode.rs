//! Writing frames: uplinks for simulators, answers for a platform.

use super::check::crc;
use super::message::Message;
use std::fmt::Write as _;

/// The head fields of an uplink; `None` leaves the field out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head<'a> {
    pub qn: Option<&'a str>,
    pub st: Option<&'a str>,
    pub cn: Option<&'a str>,
    pub pw: Option<&'a str>,
    pub mn: Option<&'a str>,
    pub flag: Option<u8>,
    /// `PNUM`, `PNO`
    pub packet: Option<(u32, u32)>,
}

/// A whole frame around a data segment: length, check, line end.
pub fn frame(segment: &str) -> Vec<u8> {
    format!("##{:04}{segment}{:04X}\r\n", segment.len(), crc(segment.as_bytes())).into_bytes()
}

/// A frame from head and data; `data` is what stands between the `&&`.
pub fn encode(head: &Head<'_>, data: &str) -> Vec<u8> {
    frame(&segment(head, data))
}

fn segment(head: &Head<'_>, data: &str) -> String {
    let mut text = String::with_capacity(96 + data.len());
    let pairs = [("QN", head.qn), ("ST", head.st), ("CN", head.cn), ("PW", head.pw), ("MN", head.mn)];
    for (key, value) in pairs.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))) {
        text.extend([key, "=", value, ";"]);
    }
    if let Some(flag) = head.flag {
        write!(text, "Flag={flag};").ok(); // a String takes everything
    }
    if let Some((total, number)) = head.packet {
        write!(text, "PNUM={total};PNO={number};").ok(); // as above
    }
    text.extend(["CP=&&", data, "&&"]);
    text
}

/// The platform's answer to an uplink (`9014` to data, `9013` to a notice): the request's QN, MN and version, ST 91.
pub fn answer(command: &str, request: &Message<'_>, password: &str) -> Vec<u8> {
    let head = Head {
        qn: request.qn,
        st: Some("91"),
        cn: Some(command),
        pw: Some(password),
        mn: request.mn,
        flag: Some(request.flag.map_or(4, |flag| flag & 0xFC)),
        packet: None,
    };
    encode(&head, "")
}
