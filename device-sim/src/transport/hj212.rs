//! An HJ 212-2017 data logger: numbers its frames by time, asks for an answer to each (Flag bit A).

use super::Payload;
use super::tcp::{Dialect, Heard};
use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::hj212::{Event, Framer, Head, Message, Parts, cn, encode};

const FRAME_BYTES_MAX: usize = 4096;

#[derive(Debug)]
pub struct Logger {
    mn: String,
    password: String,
    framer: Framer,
    last_number: u64,
}

impl Logger {
    pub fn new(mn: &str, password: &str) -> Self {
        Self { mn: mn.to_owned(), password: password.to_owned(), framer: Framer::new(FRAME_BYTES_MAX), last_number: 0 }
    }
}

/// `YYYYMMDDhhmmss` and milliseconds on a clock in Beijing.
fn stamp(at_ms: i64) -> (String, u16) {
    let (y, mo, d, h, mi, s, ms) =
        LocalStamp::of(EventTime(at_ms), BEIJING_OFFSET_MINUTES).fields().unwrap_or((2000, 1, 1, 0, 0, 0, 0));
    (format!("{y:04}{mo:02}{d:02}{h:02}{mi:02}{s:02}"), ms)
}

impl Dialect for Logger {
    fn hello(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    fn frames(&mut self, payload: &Payload) -> Result<Vec<(u64, Bytes)>> {
        let Payload::Hj212 { cn, at_ms, items } = payload else { bail!("HJ 212 sends data segments") };
        let (time, ms) = stamp(*at_ms);
        // A number no other frame of this logger has: the data time, moved on when it was used before.
        let wanted = format!("{time}{ms:03}").parse::<u64>().unwrap_or(0);
        let number = if wanted > self.last_number { wanted } else { self.last_number + 1 };
        self.last_number = number;
        let (qn, command) = (format!("{number:017}"), cn.to_string());
        let head = Head {
            qn: Some(&qn),
            st: Some("22"),
            cn: Some(&command),
            pw: Some(&self.password),
            mn: Some(&self.mn),
            flag: Some(5),
            packet: None,
        };
        Ok(vec![(number, encode(&head, &format!("DataTime={time};{items}")).into())])
    }

    fn read(&mut self, input: &mut BytesMut) -> Vec<Heard> {
        self.framer.push(&input.split());
        let mut heard = Vec::new();
        while let Some(event) = self.framer.next_event() {
            let Event::Frame { raw, .. } = event else { continue };
            let parts = Parts::split(&raw);
            let text = parts.text();
            let (message, _) = Message::parse(&text);
            if message.cn == Some(cn::DATA_ACK)
                && let Some(number) = message.qn.and_then(|qn| qn.parse().ok())
            {
                heard.push(Heard::Answer(number));
            }
        }
        heard
    }
}
