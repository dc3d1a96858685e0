//! Raw clients: the smallest thing that speaks each wire, so that a test sees every byte of an answer.

use anyhow::{Context, Result, bail, ensure};
use bytes::{BufMut, BytesMut};
use protocol::hj212::Head;
use protocol::jt808::{
    Authenticate, Event, Framer, Message, Packet, Phone, Position, Register, RegisterForm, Version, encode, encode_raw,
    time_bcd,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANSWER: Duration = Duration::from_secs(10);

/// MQTT 3.1.1 by hand.
#[derive(Debug)]
pub(crate) struct Mqtt {
    stream: TcpStream,
    next_id: u16,
}

impl Mqtt {
    pub(crate) async fn connect(address: &str, client: &str, user: &str, password: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut body = BytesMut::new();
        put_text(&mut body, "MQTT");
        body.put_slice(&[4, 0b1100_0010, 0, 60]);
        for text in [client, user, password] {
            put_text(&mut body, text);
        }
        stream.write_all(&packet(0x10, &body)).await?;
        let mut answer = [0; 4];
        read(&mut stream, &mut answer).await.context("read CONNACK")?;
        ensure!(answer[..2] == [0x20, 2] && answer[3] == 0, "CONNACK {answer:02x?}");
        Ok(Self { stream, next_id: 1 })
    }

    /// Sends a PUBLISH of QoS 1 and returns its packet id.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<u16> {
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let mut body = BytesMut::new();
        put_text(&mut body, topic);
        body.put_u16(id);
        body.put_slice(payload);
        self.stream.write_all(&packet(0x32, &body)).await?;
        Ok(id)
    }

    /// The packet id of the next PUBACK.
    pub(crate) async fn acknowledged(&mut self) -> Result<u16> {
        let mut answer = [0; 4];
        read(&mut self.stream, &mut answer).await.context("read PUBACK")?;
        ensure!(answer[..2] == [0x40, 2], "PUBACK expected, got {answer:02x?}");
        Ok(u16::from_be_bytes([answer[2], answer[3]]))
    }

    /// The code of the SUBACK to one filter.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> Result<u8> {
        let mut body = BytesMut::new();
        body.put_u16(9);
        put_text(&mut body, filter);
        body.put_u8(1);
        self.stream.write_all(&packet(0x82, &body)).await?;
        let mut answer = [0; 5];
        read(&mut self.stream, &mut answer).await.context("read SUBACK")?;
        ensure!(answer[..2] == [0x90, 3], "SUBACK expected, got {answer:02x?}");
        Ok(answer[4])
    }

    /// Whether the server ends the connection within `limit`.
    pub(crate) async fn is_closed(&mut self, limit: Duration) -> bool {
        let mut left = Vec::new();
        tokio::time::timeout(limit, self.stream.read_to_end(&mut left)).await.is_ok()
    }

    /// Publishes and waits for the PUBACK.
    pub(crate) async fn say(&mut self, topic: &str, payload: &str) -> Result<()> {
        let id = self.publish(topic, payload.as_bytes()).await?;
        let answered = self.acknowledged().await?;
        ensure!(answered == id, "PUBACK of {answered}, {id} expected");
        Ok(())
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u16(u16::try_from(text.len()).unwrap_or(0));
    out.put_slice(text.as_bytes());
}

fn packet(head: u8, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u8(head);
    let mut left = body.len();
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or(0);
        left >>= 7;
        out.put_u8(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    out.put_slice(body);
    out
}

async fn read(stream: &mut TcpStream, into: &mut [u8]) -> Result<()> {
    match tokio::time::timeout(ANSWER, stream.read_exact(into)).await {
        Err(_) => bail!("no answer within {} s", ANSWER.as_secs()),
        Ok(read) => {
            read?;
            Ok(())
        }
    }
}

/// A JT/T 808 terminal of 2013 by hand.
#[derive(Debug)]
pub(crate) struct Terminal {
    stream: TcpStream,
    phone: Phone,
    serial: u16,
}

impl Terminal {
    /// Registers and authenticates.
    pub(crate) async fn connect(address: &str, phone: &str) -> Result<Self> {
        let phone = Phone::from_digits(phone, Version::V2013).context("a phone")?;
        let mut terminal = Self { stream: TcpStream::connect(address).await?, phone, serial: 0 };
        let register = Register {
            form: RegisterForm::V2013,
            province: 41,
            city: 100,
            maker: b"MAKER",
            model: b"M",
            terminal_id: b"T1",
            plate_colour: 2,
            plate: b"X",
        };
        let answer = terminal.ask(&Message::Register(register)).await?;
        ensure!(answer.get(..2) == Some(&[0x81, 0x00]) && answer.get(14) == Some(&0), "0x8100: {answer:02x?}");
        let code = answer.get(15..answer.len() - 1).unwrap_or_default().to_vec();
        terminal.confirmed(&Message::Authenticate(Authenticate { code: &code, imei: &[], software: &[] })).await?;
        Ok(terminal)
    }

    /// Reports a fix at that time (year of the century, month, day, hour, minute, second; device's clock).
    pub(crate) async fn report(&mut self, time: (u8, u8, u8, u8, u8, u8)) -> Result<()> {
        let (year, month, day, hour, minute, second) = time;
        let position = Position {
            alarm: 0,
            status: 3,
            lat_e6: 34_800_000,
            lon_e6: 113_550_000,
            altitude_m: 110,
            speed_dkmh: 300,
            course_degree: 90,
            time_bcd: time_bcd((2000 + u16::from(year), month, day, hour, minute, second, 0)),
            items: Vec::new(),
        };
        self.confirmed(&Message::Position(position)).await
    }

    async fn confirmed(&mut self, message: &Message<'_>) -> Result<()> {
        let answer = self.ask(message).await?;
        ensure!(answer.get(..2) == Some(&[0x80, 0x01]) && answer.get(16) == Some(&0), "0x8001: {answer:02x?}");
        Ok(())
    }

    /// Sends a message and returns the un-escaped next frame: header, body, check.
    pub(crate) async fn ask(&mut self, message: &Message<'_>) -> Result<Vec<u8>> {
        let frame = encode(Version::V2013, &self.phone, self.serial, message);
        self.serial = self.serial.wrapping_add(1);
        self.stream.write_all(&frame).await?;
        self.heard().await
    }

    /// Sends one sub-packet of a message whose first has this serial.
    pub(crate) async fn packet(&mut self, id: u16, first: u16, place: Packet, part: &[u8]) -> Result<()> {
        let serial = first.wrapping_add(place.number - 1);
        let frame = encode_raw(Version::V2013, &self.phone, serial, Some(place), id, part);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The un-escaped next frame: header, body, check.
    pub(crate) async fn heard(&mut self) -> Result<Vec<u8>> {
        let mut framer = Framer::new();
        loop {
            let mut byte = [0];
            read(&mut self.stream, &mut byte).await.context("read an answer")?;
            framer.push(&byte);
            if let Some(Event::Frame { raw, .. }) = framer.next_event() {
                return Ok(raw.to_vec());
            }
        }
    }
}

/// What comes within `limit`; empty: nothing, or the connection was closed.
pub(crate) async fn whatever_comes(stream: &mut TcpStream, limit: Duration) -> Vec<u8> {
    let mut all = Vec::new();
    let reading = async {
        let mut part = [0; 4096];
        while let Ok(count) = stream.read(&mut part).await {
            if count == 0 {
                break;
            }
            all.extend_from_slice(part.get(..count).unwrap_or_default());
        }
    };
    tokio::time::timeout(limit, reading).await.ok(); // the time being over is one of the two ends
    all
}

/// An HJ 212 real-time frame that wants an answer.
pub(crate) fn hj212_frame(mn: &str, password: &str, qn: &str, data: &str) -> Vec<u8> {
    let head = Head {
        qn: Some(qn),
        st: Some("22"),
        cn: Some("2011"),
        pw: Some(password),
        mn: Some(mn),
        flag: Some(5),
        packet: None,
    };
    protocol::hj212::encode(&head, data)
}

/// Sends bytes and returns what is answered within a second.
pub(crate) async fn ask(address: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    Ok(whatever_comes(&mut stream, Duration::from_secs(1)).await)
}
