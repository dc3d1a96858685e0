//! An HJ 212-2017 data logger: numbers its frames by time, asks for an answer to each (Flag bit A), obeys commands.

use super::tcp::{Dialect, Heard};
use super::{Payload, Person};
use crate::obey::Manners;
use crate::obey::hj212::{Obedient, stamp};
use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};
use model::time::{Clock, SystemClock};
use protocol::hj212::{Event, Framer, Head, Message, Parts, cn, encode};
use std::sync::Arc;

const FRAME_BYTES_MAX: usize = 4096;

#[derive(Debug)]
pub struct Logger {
    own: Obedient,
    framer: Framer,
    last_number: u64,
}

impl Logger {
    /// One that obeys and remembers nothing.
    pub fn new(mn: &str, password: &str) -> Self {
        let own = Obedient::new(mn, password, Manners::Obey, crate::obey::no_memory());
        Self { own, framer: Framer::new(FRAME_BYTES_MAX), last_number: 0 }
    }

    pub fn of(who: &Person<'_>) -> Self {
        let own = Obedient::new(&who.secret.identity, &who.secret.secret, who.manners, Arc::clone(&who.memory));
        Self { own, framer: Framer::new(FRAME_BYTES_MAX), last_number: 0 }
    }
}

impl Dialect for Logger {
    fn hello(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    fn frames(&mut self, payload: &Payload) -> Result<Vec<(u64, Bytes)>> {
        let Payload::Hj212 { cn, at_ms, items } = payload else { bail!("HJ 212 sends data segments") };
        let (time, ms) = (stamp(*at_ms), at_ms.rem_euclid(1_000));
        // A number no other frame of this logger has: the data time, moved on when it was used before.
        let wanted = format!("{time}{ms:03}").parse::<u64>().unwrap_or(0);
        let number = if wanted > self.last_number { wanted } else { self.last_number + 1 };
        self.last_number = number;
        let (qn, command) = (format!("{number:017}"), cn.to_string());
        let head = Head {
            qn: Some(&qn),
            st: Some("22"),
            cn: Some(&command),
            pw: Some(&self.own.password),
            mn: Some(&self.own.mn),
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
                continue;
            }
            for frame in self.own.obey(&message, SystemClock.now().as_ms()) {
                let late = self.own.manners == Manners::Late;
                heard.push(if late { Heard::Late(frame.into()) } else { Heard::Reply(frame.into()) });
            }
        }
        heard
    }
}
