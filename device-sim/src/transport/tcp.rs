//! What HJ 212 and JT/T 808 devices have in common: frames over TCP, each answered by its number, sent again when the
//! connection was lost before the answer came.

use super::Payload;
use crate::fleet::Tally;
use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Frames sent and not yet answered.
const WINDOW: usize = 20;
/// A device sends again what was not answered for so long, three times; then it begins anew.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
const SENDS_MAX: u32 = 4;
/// Between the loss of a connection and the next.
const RECONNECT_WAIT: Duration = Duration::from_millis(500);

/// Longer than a platform waits before it asks again.
const LATE: Duration = Duration::from_secs(12);

/// The protocol's part of a link.
pub trait Dialect: Send {
    /// What to say first on a new connection; empty: nothing.
    fn hello(&mut self) -> Vec<Bytes>;
    /// The frames of a payload, each with the number its answer will carry.
    fn frames(&mut self, payload: &Payload) -> Result<Vec<(u64, Bytes)>>;
    /// Takes what has arrived; returns what it means.
    fn read(&mut self, input: &mut BytesMut) -> Vec<Heard>;
    /// A sign of life, when one is due.
    fn beat(&mut self, _now: Instant) -> Option<Bytes> {
        None
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The frame of this number is stored.
    Answer(u64),
    /// Send this back at once.
    Reply(Bytes),
    /// Send this back when the platform has given up waiting.
    Late(Bytes),
    /// The greeting is over; data may be sent.
    Ready,
    /// The server will not have us.
    Refused(String),
}

#[derive(Debug)]
pub struct FrameLink<D> {
    target: String,
    dialect: D,
    stream: Option<TcpStream>,
    ready: bool,
    greets: bool,
    input: BytesMut,
    /// Built when they are first written, so that numbers stand in the order of the wire.
    waiting: VecDeque<Payload>,
    outstanding: VecDeque<Sent>,
    answer_wait: Duration,
    lost: Option<Instant>,
}

#[derive(Debug)]
struct Sent {
    number: u64,
    frame: Bytes,
    at: Instant,
    sends: u32,
    /// The last of its payload: when it is answered, the payload is.
    is_last: bool,
}

impl<D: Dialect> FrameLink<D> {
    pub fn new(target: &str, dialect: D) -> Self {
        Self {
            target: target.to_owned(),
            dialect,
            stream: None,
            ready: false,
            greets: false,
            input: BytesMut::new(),
            waiting: VecDeque::new(),
            outstanding: VecDeque::new(),
            answer_wait: ANSWER_WAIT,
            lost: None,
        }
    }

    /// Another time to wait for an answer.
    #[must_use]
    pub const fn with_answer_wait(mut self, wait: Duration) -> Self {
        self.answer_wait = wait;
        self
    }

    pub async fn send(&mut self, payload: &Payload, tally: &Tally) -> Result<()> {
        while self.outstanding.len() + self.waiting.len() >= WINDOW {
            self.step(self.answer_wait, tally).await;
        }
        self.waiting.push_back(payload.clone());
        if self.stream.is_none() {
            self.step(Duration::ZERO, tally).await;
        }
        self.flush().await
    }

    /// Writes what waits, once data may flow.
    async fn flush(&mut self) -> Result<()> {
        while self.stream.is_some()
            && self.ready
            && let Some(payload) = self.waiting.pop_front()
        {
            let frames = self.dialect.frames(&payload)?;
            let count = frames.len();
            for (at, (number, frame)) in frames.into_iter().enumerate() {
                let is_last = at + 1 == count;
                self.outstanding.push_back(Sent {
                    number,
                    frame: frame.clone(),
                    at: Instant::now(),
                    sends: 1,
                    is_last,
                });
                self.write(&frame).await;
            }
        }
        Ok(())
    }

    /// Sends again what was not answered in time; too often means that the link is broken.
    async fn repeat_late(&mut self) {
        if !self.ready || self.stream.is_none() {
            return;
        }
        let now = Instant::now();
        let late = self.outstanding.iter_mut().find(|sent| now.duration_since(sent.at) >= self.answer_wait);
        let Some(sent) = late else { return };
        if sent.sends >= SENDS_MAX {
            self.lose();
            return;
        }
        (sent.at, sent.sends) = (now, sent.sends + 1);
        let frame = sent.frame.clone();
        self.write(&frame).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream
            && stream.write_all(bytes).await.is_err()
        {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.stream = None;
        self.ready = false;
        self.input.clear();
        self.lost = Some(Instant::now());
    }

    /// Connects when there is no connection, and reads for at most `time`.
    async fn step(&mut self, time: Duration, tally: &Tally) {
        if self.stream.is_none() {
            self.connect().await;
        }
        let Some(stream) = &mut self.stream else { return };
        // read_buf is cancel-safe.
        match tokio::time::timeout(time, stream.read_buf(&mut self.input)).await {
            Ok(Ok(0) | Err(_)) => self.lose(),
            Ok(Ok(_)) => self.heard(tally).await,
            Err(_) => {}
        }
        self.repeat_late().await;
        if self.ready
            && let Some(beat) = self.dialect.beat(Instant::now())
        {
            self.write(&beat).await;
        }
    }

    async fn connect(&mut self) {
        if let Some(lost) = self.lost.take() {
            tokio::time::sleep_until(lost + RECONNECT_WAIT).await;
        }
        match TcpStream::connect(&self.target).await {
            Ok(stream) => {
                stream.set_nodelay(true).ok(); // only makes it slower
                self.stream = Some(stream);
            }
            Err(error) => {
                tracing::debug!(%error, target = %self.target, "connection refused");
                tokio::time::sleep(Duration::from_secs(1)).await;
                return;
            }
        }
        let hello = self.dialect.hello();
        self.greets = !hello.is_empty();
        for frame in hello {
            self.write(&frame).await;
        }
        if !self.greets {
            self.open().await;
        }
    }

    /// Data may flow: sends what was not answered before.
    async fn open(&mut self) {
        self.ready = true;
        let again: Vec<Bytes> = self.outstanding.iter().map(|sent| sent.frame.clone()).collect();
        for sent in &mut self.outstanding {
            (sent.at, sent.sends) = (Instant::now(), 1);
        }
        for frame in again {
            self.write(&frame).await;
        }
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "a payload is not of this link");
        }
    }

    async fn heard(&mut self, tally: &Tally) {
        for heard in self.dialect.read(&mut self.input) {
            match heard {
                Heard::Answer(number) => {
                    if let Some(at) = self.outstanding.iter().position(|sent| sent.number == number)
                        && self.outstanding.remove(at).is_some_and(|sent| sent.is_last)
                    {
                        tally.acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Heard::Reply(bytes) => self.write(&bytes).await,
                Heard::Late(bytes) => {
                    tokio::time::sleep(LATE).await;
                    self.write(&bytes).await;
                }
                Heard::Ready => self.open().await,
                Heard::Refused(why) => {
                    tracing::warn!(why, "refused by the server");
                    self.lose();
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
            }
        }
    }

    pub async fn idle(&mut self, time: Duration, tally: &Tally) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if self.stream.is_none() && self.outstanding.is_empty() && self.waiting.is_empty() {
                tokio::time::sleep(left).await;
                return;
            }
            self.step(left.min(self.answer_wait / 4), tally).await;
        }
    }

    pub async fn drain(&mut self, time: Duration, tally: &Tally) -> Result<()> {
        let until = Instant::now() + time;
        while !self.outstanding.is_empty() || !self.waiting.is_empty() {
            if Instant::now() >= until {
                let unanswered = self.outstanding.len() + self.waiting.len();
                bail!("{unanswered} frames were not answered in {} s", time.as_secs());
            }
            self.step(Duration::from_millis(500), tally).await;
        }
        Ok(())
    }
}
