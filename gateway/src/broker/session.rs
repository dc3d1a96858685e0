//! One connection to a broker, from CONNECT to its end. Whatever becomes durable after that end is acknowledged on no
//! connection: the channel it would come by has gone.

use super::wire::{self, Incoming};
use super::{BrokerConfig, BrokerVersion};
use crate::budget::Share;
use crate::edge::Edge;
use crate::intake::{Intake, Publish, Say, Taken};
use crate::limits::Seat;
use crate::metrics;
use bytes::{Buf, Bytes, BytesMut};
use model::envelope::Position;
use model::id::DeviceId;
use model::principal::Principal;
use model::seams::{AppendError, Committed};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Batches on their way to the journal; then nothing more is read.
const BATCHES_MAX: usize = 64;
/// First size of the read buffer; it grows to the longest packet.
const READ_BYTES: usize = 16 * 1024;
/// CONNACK and SUBACK must come within this, and a write must be taken.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long a stop waits for appends on their way.
const GOODBYE_MAX: Duration = Duration::from_secs(5);
const SUBSCRIBE_ID: u16 = 1;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error("we stop")]
    Stopping,
    #[error("the broker refuses us: {0}")]
    Refused(String),
    #[error("the broker closed the connection: {0}")]
    Closed(String),
    #[error("the broker did not answer in time")]
    Silent,
    #[error("the journal takes nothing: {0}")]
    Append(String),
    #[error("bridge {0} is not there, or is switched off")]
    NoBridge(String),
    #[error("{0}")]
    Wire(#[from] wire::Unreadable),
    #[error("{0}")]
    Io(String),
}

impl End {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Refused(_) => "refused",
            Self::Closed(_) => "closed",
            Self::Silent => "silent",
            Self::Append(_) => "append",
            Self::NoBridge(_) => "no_bridge",
            Self::Wire(_) => "malformed",
            Self::Io(_) => "io",
        }
    }
}

/// What one read brought.
#[derive(Default)]
struct Batch {
    number: u64,
    since: Option<Instant>,
    /// In the order of the PUBLISH packets, those that want an answer.
    pkids: Vec<u16>,
    owners: Vec<(DeviceId, Option<u64>)>,
    share: Option<Share>,
    result: Outcome,
}

/// What became of a batch.
#[derive(Default)]
enum Outcome {
    #[default]
    Waits,
    Durable(Committed),
    /// There was nothing to append.
    Empty,
}

type Done = (u64, Result<Committed, AppendError>);

pub(super) struct Session<'a, T> {
    config: &'a BrokerConfig,
    edge: &'a Edge,
    principal: Arc<Principal>,
    revision: u64,
    intake: Intake,
    writer: WriteHalf<T>,
    out: BytesMut,
    batches: VecDeque<Batch>,
    next_batch: u64,
    /// Bytes of a message that is too long, still to come.
    skip: usize,
    heard: Instant,
    pinged: Instant,
}

impl<'a, T: AsyncRead + AsyncWrite + Send> Session<'a, T> {
    /// Runs to the end. `subscribed` is called once, with whether the broker had kept our session.
    pub(super) async fn run(
        config: &'a BrokerConfig,
        edge: &'a Edge,
        stream: T,
        stop: &CancellationToken,
        subscribed: impl FnOnce(bool),
    ) -> End {
        let Some(principal) = edge.directory.bridge(&config.bridge) else {
            return End::NoBridge(config.bridge.clone());
        };
        let (mut reader, writer) = tokio::io::split(stream);
        let now = Instant::now();
        let intake = intake_of(config, edge, &principal);
        let mut session = Self {
            config,
            edge,
            revision: edge.directory.revision(),
            principal,
            intake,
            writer,
            out: BytesMut::new(),
            batches: VecDeque::new(),
            next_batch: 0,
            skip: 0,
            heard: now,
            pinged: now,
        };
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        let end = match session.open(&mut reader, &mut buffer).await {
            Ok(present) => {
                subscribed(present);
                session.drive(&mut reader, &mut buffer, stop).await
            }
            Err(end) => end,
        };
        session.intake.close(edge.clock.now());
        end
    }

    /// CONNECT, SUBSCRIBE. True: the broker had kept our session.
    async fn open(&mut self, reader: &mut ReadHalf<T>, buffer: &mut BytesMut) -> Result<bool, End> {
        wire::connect(self.config, &mut self.out)?;
        self.flush().await?;
        let present = match self.answer(reader, buffer).await? {
            Incoming::Connected { session_present } => session_present,
            Incoming::Refused(why) => return Err(End::Refused(why)),
            other => return Err(End::Closed(format!("{other:?} instead of CONNACK"))),
        };
        wire::subscribe(self.config, SUBSCRIBE_ID, &mut self.out)?;
        self.flush().await?;
        Ok(present)
    }

    async fn answer(&mut self, reader: &mut ReadHalf<T>, buffer: &mut BytesMut) -> Result<Incoming, End> {
        loop {
            if let Some(packet) = wire::next(self.config, buffer)? {
                return Ok(packet);
            }
            match timeout(ANSWER_MAX, reader.read_buf(buffer)).await {
                Err(_) => return Err(End::Silent),
                Ok(Ok(0)) => return Err(End::Closed("before CONNACK".into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(End::Io(error.to_string())),
            }
        }
    }

    async fn drive(&mut self, reader: &mut ReadHalf<T>, buffer: &mut BytesMut, stop: &CancellationToken) -> End {
        // As many as there can be batches in flight, so that a completion always finds room.
        let (done, mut completions) = mpsc::channel::<Done>(BATCHES_MAX);
        let mut changes = self.edge.changes.clone();
        let mut looks = tokio::time::interval(Duration::from_secs(1));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // A session that was kept may send before its SUBACK.
        let mut end = self.packets(buffer, &done).await;
        while end.is_ok() {
            let room = self.batches.len() < BATCHES_MAX;
            let wake = self.intake.wake();
            // Every branch is cancel-safe: a token, a channel, a watch, a notice, a timer, one read.
            end = tokio::select! {
                biased;
                () = stop.cancelled() => Err(End::Stopping),
                Some((number, result)) = completions.recv() => self.on_done(number, result),
                Ok(()) = changes.changed() => self.on_change(),
                () = wake.notified() => {
                    let says = self.intake.turn(self.edge.clock.now());
                    self.say(says);
                    Ok(())
                }
                _ = looks.tick() => self.look(),
                read = reader.read_buf(buffer), if room => match read {
                    Ok(0) => Err(End::Closed("without a word".into())),
                    Ok(_) => {
                        self.heard = Instant::now();
                        self.packets(buffer, &done).await
                    }
                    Err(error) => Err(End::Io(error.to_string())),
                },
            };
            if let Err(failed) = self.flush().await {
                end = end.and(Err(failed));
            }
        }
        match end {
            Err(End::Stopping) => self.goodbye(&mut completions).await,
            Err(end) => end,
            Ok(()) => End::Stopping,
        }
    }

    /// What is on its way is still acknowledged, or the broker would give it again.
    async fn goodbye(&mut self, completions: &mut mpsc::Receiver<Done>) -> End {
        let deadline = Instant::now() + GOODBYE_MAX;
        while !self.batches.is_empty() {
            let Ok(Some((number, result))) = tokio::time::timeout_at(deadline, completions.recv()).await else { break };
            if self.on_done(number, result).is_err() {
                break;
            }
        }
        wire::disconnect(&mut self.out);
        // The broker may be gone already.
        self.flush().await.ok();
        End::Stopping
    }

    /// Handles the packets in the buffer; those of one read are one append.
    async fn packets(&mut self, buffer: &mut BytesMut, done: &mpsc::Sender<Done>) -> Result<(), End> {
        let received = self.edge.clock.now();
        let mut batch = Batch::default();
        let mut envelopes = Vec::new();
        let mut bytes = 0;
        loop {
            self.pass_over(buffer);
            let packet = if self.skip > 0 { None } else { wire::next(self.config, buffer)? };
            let Some(packet) = packet else { break };
            match packet {
                Incoming::Oversize { topic, pkid, qos, bytes } => {
                    self.intake.oversize(&topic, bytes, received);
                    self.skip = bytes;
                    if qos == 1 {
                        batch.pkids.push(pkid);
                    }
                }
                Incoming::Publish { topic, payload, pkid, qos } => {
                    if qos > 1 {
                        return Err(End::Closed("QoS 2 came though 1 was asked for".into()));
                    }
                    ::metrics::counter!(metrics::BROKER_MESSAGES_TOTAL).increment(1);
                    let taken = self.take(&topic, &payload, received);
                    for entry in taken.entries {
                        bytes += entry.envelope.raw.len() + 64;
                        batch.owners.push((entry.envelope.device, entry.carrier));
                        envelopes.push(entry.envelope);
                    }
                    self.say(taken.say);
                    if qos == 1 {
                        batch.pkids.push(pkid);
                    }
                }
                Incoming::Subscribed(Some(why)) | Incoming::Refused(why) => return Err(End::Refused(why)),
                Incoming::Disconnected(why) => return Err(End::Closed(why)),
                Incoming::Connected { .. } => return Err(End::Closed("a second CONNACK".into())),
                Incoming::Subscribed(None) | Incoming::Alive => {}
            }
        }
        // Room for the rest of a long packet; a read would make room for a few bytes only.
        if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
            buffer.reserve(READ_BYTES);
        }
        if batch.pkids.is_empty() && envelopes.is_empty() {
            return Ok(());
        }
        self.next_batch += 1;
        batch.number = self.next_batch;
        if envelopes.is_empty() {
            batch.result = Outcome::Empty;
            self.batches.push_back(batch);
            self.release();
            return Ok(());
        }
        let Ok(share) = timeout(self.config.append_timeout, self.edge.budget.take(bytes)).await else {
            return Err(End::Append("too much is on its way already".into()));
        };
        batch.share = Some(share);
        batch.since = Some(Instant::now());
        let (number, done) = (batch.number, done.clone());
        self.batches.push_back(batch);
        let tell = move |result| {
            // Full or closed: the connection has ended, and nobody is told.
            done.try_send((number, result)).ok();
        };
        self.edge.inlet.accept(envelopes, Box::new(tell));
        Ok(())
    }

    fn pass_over(&mut self, buffer: &mut BytesMut) {
        let now = self.skip.min(buffer.len());
        buffer.advance(now);
        self.skip -= now;
    }

    fn take(&mut self, topic: &Bytes, payload: &Bytes, received: model::time::IngestTime) -> Taken {
        let text = std::str::from_utf8(topic).unwrap_or_default();
        let stripped = text.strip_prefix(self.config.strip.as_str()).unwrap_or(text);
        self.intake.take_any(Publish { topic: stripped, payload, received })
    }

    fn on_done(&mut self, number: u64, result: Result<Committed, AppendError>) -> Result<(), End> {
        let committed = result.map_err(|error| End::Append(error.to_string()))?;
        if let Some(batch) = self.batches.iter_mut().find(|batch| batch.number == number) {
            batch.result = Outcome::Durable(committed);
        }
        self.release();
        Ok(())
    }

    /// Acknowledges what is durable, in order.
    fn release(&mut self) {
        let now = self.edge.clock.now();
        while let Some(batch) = self.batches.pop_front_if(|batch| !matches!(batch.result, Outcome::Waits)) {
            let first = match batch.result {
                Outcome::Durable(committed) => committed.first,
                Outcome::Waits | Outcome::Empty => Position::default(),
            };
            for ((device, carrier), offset) in batch.owners.into_iter().zip(0..) {
                let at = Position { partition: first.partition, seq: first.seq + offset };
                match carrier {
                    None => self.edge.wire.acknowledged(device, at, now),
                    Some(carrier) => {
                        let says = self.intake.durable(carrier, at, now);
                        self.say(says);
                    }
                }
            }
            for pkid in batch.pkids {
                wire::puback(pkid, &mut self.out);
                ::metrics::counter!(metrics::BROKER_ACKNOWLEDGED_TOTAL).increment(1);
            }
        }
    }

    fn say(&mut self, says: Vec<Say>) {
        let version: BrokerVersion = self.config.version;
        for Say { topic, payload, own } in says {
            // An answer whose topic names no device has nobody here to be for.
            if !own {
                let topic = format!("{}{topic}", self.config.strip);
                if let Err(error) = wire::publish(version, &topic, &payload, &mut self.out) {
                    tracing::debug!(%error, "failed to write an answer for a broker");
                }
            }
        }
    }

    /// The bridge's grants may have changed; without it nothing may be taken.
    fn on_change(&mut self) -> Result<(), End> {
        let revision = self.edge.directory.revision();
        if revision == self.revision {
            return Ok(());
        }
        self.revision = revision;
        let name = &self.config.bridge;
        let principal = self.edge.directory.bridge(name).ok_or_else(|| End::NoBridge(name.clone()))?;
        if *principal != *self.principal {
            self.intake.close(self.edge.clock.now());
            self.intake = intake_of(self.config, self.edge, &principal);
            self.principal = principal;
        }
        Ok(())
    }

    /// Deadlines and pings, and what sessions behind modems send again.
    fn look(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let clock = self.edge.clock.now();
        if self.intake.next_time().is_some_and(|due| due <= clock) {
            let says = self.intake.turn(clock);
            self.say(says);
        }
        let stalled =
            self.batches.front().and_then(|batch| batch.since).map(|since| since + self.config.append_timeout);
        if stalled.is_some_and(|deadline| deadline <= now) {
            return Err(End::Append("it does not answer".into()));
        }
        // While nothing is read the silence is ours.
        if self.batches.len() >= BATCHES_MAX {
            self.heard = now;
        }
        if now - self.heard > self.config.keep_alive * 3 / 2 {
            return Err(End::Silent);
        }
        if now - self.pinged >= self.config.keep_alive / 2 {
            self.pinged = now;
            wire::ping(&mut self.out);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = timeout(ANSWER_MAX, async {
            self.writer.write_all(&self.out).await?;
            self.writer.flush().await
        });
        match written.await {
            Err(_) => Err(End::Silent),
            Ok(Err(error)) => Err(End::Io(error.to_string())),
            Ok(Ok(())) => {
                self.out.clear();
                Ok(())
            }
        }
    }
}

fn intake_of(config: &BrokerConfig, edge: &Edge, principal: &Arc<Principal>) -> Intake {
    let peer = format!("broker {}", config.name);
    // A broker is nobody's address.
    let seat = Seat::nowhere(&edge.limits);
    Intake::new(edge.clone(), Arc::clone(principal), edge.online.next_connection(), peer, seat)
}
