//! Bytes that the clients of this bench say, and connections from an address of one's choice.

use anyhow::{Context, Result};
use protocol::hj212::Head;
use protocol::jt808::{Authenticate, Message, Phone, Version, encode};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};

/// Connects from an address of the loopback network: 127.`net`.x.y.
pub(super) async fn connect(to: &str, net: u8, number: u32) -> Result<TcpStream> {
    let to: SocketAddr = to.parse().context("read an address")?;
    let [_, _, high, low] = number.saturating_add(1).to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, net, high, low)), 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    out.extend(text.as_bytes());
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![head];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or(0);
        left >>= 7;
        out.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

pub(super) fn mqtt_connect(client: &str, user: &str, password: &str, keep_alive_s: u16) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend([4, 0b1100_0010]);
    body.extend(keep_alive_s.to_be_bytes());
    for one in [client, user, password] {
        text(&mut body, one);
    }
    packet(0x10, &body)
}

pub(super) fn mqtt_publish(topic: &str, id: u16, payload: &str) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    body.extend(id.to_be_bytes());
    body.extend(payload.as_bytes());
    packet(0x32, &body)
}

pub(super) fn hj212_report(mn: &str, password: &str, number: u32) -> Vec<u8> {
    let qn = format!("20261001080{:03}{:03}", number / 1_000 % 1_000, number % 1_000);
    let head = Head {
        qn: Some(&qn),
        st: Some("22"),
        cn: Some("2011"),
        pw: Some(password),
        mn: Some(mn),
        flag: Some(5),
        packet: None,
    };
    protocol::hj212::encode(&head, "DataTime=20261001080000;ga0501-Rtd=0.8,ga0501-Flag=N")
}

pub(super) fn jt808_authenticate(phone: &str, code: &str) -> Result<Vec<u8>> {
    let phone = Phone::from_digits(phone, Version::V2013).with_context(|| format!("{phone} is no phone"))?;
    let message = Message::Authenticate(Authenticate { code: code.as_bytes(), imei: b"", software: b"" });
    Ok(encode(Version::V2013, &phone, 1, &message))
}
