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

/// Frames sent and not yet answered.
const WINDOW: usize = 20;
/// A device sends again what was not answered for so long.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

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
    outstanding: VecDeque<Sent>,
}

/// A frame that was not answered yet.
#[derive(Debug, Clone)]
struct Sent {
    number: u64,
    frame: Bytes,
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
            outstanding: VecDeque::new(),
        }
    }

    pub async fn send(&mut self, payload: &Payload, tally: &Tally) -> Result<()> {
        let frames = self.dialect.frames(payload)?;
        let count = frames.len();
        for (at, (number, frame)) in frames.into_iter().enumerate() {
            while self.outstanding.len() >= WINDOW {
                self.step(ANSWER_WAIT, tally).await;
            }
            self.outstanding.push_back(Sent { number, frame: frame.clone(), is_last: at + 1 == count });
            if self.stream.is_some() && self.ready {
                self.write(&frame).await;
            } else {
                self.step(Duration::ZERO, tally).await;
            }
        }
        Ok(())
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
            // Nobody answered: as a real device does, begin anew and send again.
            Err(_) if time >= ANSWER_WAIT => self.lose(),
            Err(_) => {}
        }
    }

    async fn connect(&mut self) {
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
        for sent in self.outstanding.clone() {
            self.write(&sent.frame).await;
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
        let until = tokio::time::Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return;
            }
            if self.stream.is_none() && self.outstanding.is_empty() {
                tokio::time::sleep(left).await;
                return;
            }
            self.step(left.min(Duration::from_secs(5)), tally).await;
        }
    }

    pub async fn drain(&mut self, time: Duration, tally: &Tally) -> Result<()> {
        let until = tokio::time::Instant::now() + time;
        while !self.outstanding.is_empty() {
            if tokio::time::Instant::now() >= until {
                bail!("{} frames were not answered in {} s", self.outstanding.len(), time.as_secs());
            }
            self.step(Duration::from_millis(500), tally).await;
        }
        Ok(())
    }
}
