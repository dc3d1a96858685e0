//! An HJ 212-2017 data logger: numbers its frames by time, asks for an answer to each (Flag bit A), and does what the
//! platform asks as far as a logger without an instrument can.

use super::Payload;
use super::tcp::{Dialect, Heard};
use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::explain::Direction;
use protocol::hj212::{
    Command, Event, ExeRtn, Framer, Head, Kind, Message, Parts, QnRtn, Reply, cn, direction, encode, reply_data,
};

const FRAME_BYTES_MAX: usize = 4096;

#[derive(Debug)]
pub struct Logger {
    mn: String,
    password: String,
    framer: Framer,
    last_number: u64,
    /// Real-time interval as the platform set it, seconds.
    interval_s: u32,
}

impl Logger {
    pub fn new(mn: &str, password: &str) -> Self {
        Self {
            mn: mn.to_owned(),
            password: password.to_owned(),
            framer: Framer::new(FRAME_BYTES_MAX),
            last_number: 0,
            interval_s: 60,
        }
    }

    fn head<'a>(&'a self, qn: &'a str, st: &'a str, command: &'a str, flag: u8) -> Head<'a> {
        Head {
            qn: Some(qn),
            st: Some(st),
            cn: Some(command),
            pw: Some(&self.password),
            mn: Some(&self.mn),
            flag: Some(flag),
            packet: None,
        }
    }

    /// What a request of the platform brings: 9011, what it asks for, 9012; a notice 9013.
    fn obey(&mut self, message: &Message<'_>) -> Vec<Bytes> {
        let (Some(qn), Some(command)) = (message.qn, message.cn) else { return Vec::new() };
        let down = Command::find(command).and_then(|command| command.down);
        let say = |logger: &Self, reply: Reply| {
            let (cn, data) = reply_data(reply);
            Bytes::from(encode(&logger.head(qn, "91", cn, 4), &data))
        };
        match down.map(|down| down.kind) {
            Some(Kind::Notice) => vec![say(self, Reply::NoticeTaken)],
            Some(Kind::Request) => {
                let ready = say(self, Reply::Request(Some(QnRtn::Ready)));
                let (upload, result) = match command {
                    "1000" | "1012" | "1072" => (None, ExeRtn::Done),
                    "1062" => {
                        self.interval_s =
                            message.plain("RtdInterval").and_then(|s| s.parse().ok()).unwrap_or(self.interval_s);
                        (None, ExeRtn::Done)
                    }
                    "1061" => (Some(format!("RtdInterval={}", self.interval_s)), ExeRtn::Done),
                    // There is no instrument behind this logger, and no memory of what it sent.
                    _ => (None, ExeRtn::NoData),
                };
                let upload = upload.map(|data| Bytes::from(encode(&self.head(qn, "22", command, 5), &data)));
                let mut answers = vec![ready];
                answers.extend(upload);
                answers.push(say(self, Reply::Result(Some(result))));
                answers
            }
            Some(_) => Vec::new(),
            None => vec![say(self, Reply::Request(Some(QnRtn::CnWrong)))],
        }
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
            } else if message.mn == Some(&*self.mn) && direction(&message) == Direction::Down {
                heard.extend(self.obey(&message).into_iter().map(Heard::Reply));
            }
        }
        heard
    }
}
