//! One connection's task. It is one future that is polled when anything happens: bytes came, the inlet answered, mail
//! for the client lies in its session, the timer rang, somebody ended it. Each poll does all there is to do and writes
//! once, so that a thousand PUBACKs may leave in one system call.
//!
//! ```text
//! socket ─▶ buffer ─▶ packets ─▶ batch ─▶ inlet        (one batch for all PUBLISH packets of a read)
//! socket ◀─ out ◀─ answers in order ◀─ completion
//!               ◀─ deliveries ◀─ session's queue
//! ```

mod clocks;
mod commands;
mod outgoing;

use super::closing::Closing;
use super::codec::{self, DecodeError, Version, Will};
use super::hub::{Hub, Route};
use super::inbound::Resolved;
use super::index::Matched;
use super::metrics;
use super::session::{Done, Kick, Message, Port, Session, lock};
use crate::budget::Share;
use crate::intake::Intake;
use crate::limits::Seat;
use ::metrics::counter;
use bytes::{Bytes, BytesMut};
use commands::Commanded;
use model::envelope::{Envelope, Position, ProtocolKind};
use model::id::DeviceId;
use model::principal::Principal;
use model::seams::{AppendError, Committed, Refusal};
use model::verdict::RefusalReason;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Most `QoS` 1 and 2 messages of a client without an answer: our receive maximum.
pub(super) const WINDOW: usize = 64;
pub(super) const WINDOW_U16: u16 = 64;
/// Most messages of any `QoS` on their way to the journal.
const ENVELOPES_MAX: usize = 1_024;
/// Most `QoS` 1 and 2 messages to a client without an answer, whatever it says it takes.
const DELIVERY_WINDOW_MAX: usize = 64;
/// Deliveries stop when so much is waiting to be written, reading stops at twice that.
const OUT_BYTES_MAX: usize = 64 * 1024;
/// First size of a read buffer, and the size above which an idle one is given back.
const BUFFER_BYTES: usize = 2 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;
/// The timer looks at everything at least this often.
const TICK_MAX: Duration = Duration::from_secs(30);
const TICK_PENDING: Duration = Duration::from_secs(1);
/// How long the last words may take.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
const SAMPLE_BYTES_MAX: usize = 512;

pub(super) struct Start<S> {
    pub(super) hub: Arc<Hub>,
    pub(super) stream: S,
    pub(super) buffer: BytesMut,
    pub(super) out: BytesMut,
    pub(super) peer: String,
    pub(super) seat: Arc<Seat>,
    pub(super) id: u64,
    pub(super) device: Option<DeviceId>,
    pub(super) principal: Arc<Principal>,
    pub(super) session: Arc<Session>,
    pub(super) resumed: bool,
    pub(super) port: Arc<Port>,
    /// One and a half of what the client said.
    pub(super) keep_alive: Option<Duration>,
    pub(super) version: Version,
    pub(super) receive_maximum: u16,
    pub(super) packet_bytes_max: u32,
    pub(super) expiry_s: u32,
    pub(super) will: Option<Will>,
    /// Ends this connection alone, or with the front.
    pub(super) cut: CancellationToken,
    /// Ends the front.
    pub(super) stop: CancellationToken,
}

/// The answer to one PUBLISH, in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) pkid: u16,
    pub(super) qos: u8,
    pub(super) reason: u8,
    /// The device of its envelope; `None`: nothing was appended for it.
    pub(super) device: Option<DeviceId>,
    /// The session behind a modem that waits for the envelope.
    pub(super) carrier: Option<u64>,
}

/// What is done with a message once it is durable.
pub(super) struct After {
    pub(super) message: Arc<Message>,
    pub(super) matched: Arc<Matched>,
}

#[derive(Default)]
pub(super) struct Batch {
    number: u64,
    pub(super) answers: Vec<Answer>,
    pub(super) after: Vec<After>,
    pub(super) envelopes: Vec<Envelope>,
    pub(super) bytes: usize,
    counted: usize,
    share: Option<Share>,
    since: Option<Instant>,
    result: Option<Result<Option<Committed>, AppendError>>,
}

type WaitingShare = Pin<Box<dyn Future<Output = Share> + Send>>;

pub(super) struct Connection<S> {
    stream: S,
    pub(super) hub: Arc<Hub>,
    pub(super) principal: Arc<Principal>,
    pub(super) session: Arc<Session>,
    port: Arc<Port>,
    pub(super) version: Version,
    pub(super) id: u64,
    device: Option<DeviceId>,
    pub(super) peer: String,
    pub(super) seat: Arc<Seat>,
    keep_alive: Option<Duration>,
    receive_maximum: usize,
    packet_bytes_max: u32,
    pub(super) expiry_s: u32,
    will: Option<Will>,
    cut: CancellationToken,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    stop: CancellationToken,

    buffer: BytesMut,
    /// No whole packet is left in the buffer.
    starved: bool,
    pub(super) out: BytesMut,
    /// PUBLISH packets of the read in work.
    pub(super) current: Batch,
    batches: VecDeque<Batch>,
    next_batch: u64,
    done: Vec<Done>,
    waiting: Option<(WaitingShare, Batch)>,
    /// `QoS` 1 and 2 without an answer, and all envelopes on their way.
    pub(super) unanswered: usize,
    pub(super) underway: usize,
    window_full: bool,
    /// Look into the session's queue even without mail.
    pub(super) pull: bool,
    /// When bytes came last.
    heard: Instant,
    /// A packet has begun and not ended.
    partial_since: Option<Instant>,
    /// Its device has sent more than its limit: nothing is read until then.
    paused_until: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    rings: Instant,
    revision: u64,
    pub(super) topics: Vec<Resolved>,
    pub(super) next_topic: usize,
    /// Devices that commands are sent to over this connection.
    pub(super) commanded: Vec<Commanded>,
    pub(super) aliases: Vec<Option<Bytes>>,
    /// For topics of others' conventions, once one was used.
    pub(super) intake: Option<Box<Intake>>,
    /// Rings when a session behind a modem has something to look at.
    pub(super) intake_woken: Option<Pin<Box<OwnedNotified>>>,
    /// Rings while one of them waits for an answer.
    pub(super) intake_due: Option<Pin<Box<Sleep>>>,
    /// It counts among the fan-out's clients.
    pub(super) routed: bool,
    /// The stream may hold bytes back.
    unflushed: bool,
    closing: Option<Closing>,
}

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    pub(super) fn new(start: Start<S>) -> Self {
        let now = Instant::now();
        let rings = now + start.keep_alive.unwrap_or(TICK_MAX).min(TICK_MAX);
        let mut connection = Self {
            cancelled: Box::pin(start.cut.clone().cancelled_owned()),
            revision: 0, // so that a change since the CONNECT is seen with the first packet
            hub: start.hub,
            stream: start.stream,
            principal: start.principal,
            session: start.session,
            port: start.port,
            version: start.version,
            id: start.id,
            device: start.device,
            peer: start.peer,
            seat: start.seat,
            keep_alive: start.keep_alive,
            receive_maximum: usize::from(start.receive_maximum).min(DELIVERY_WINDOW_MAX),
            packet_bytes_max: start.packet_bytes_max,
            expiry_s: start.expiry_s,
            will: start.will,
            cut: start.cut,
            stop: start.stop,
            buffer: start.buffer,
            starved: false,
            out: start.out,
            current: Batch::default(),
            batches: VecDeque::new(),
            next_batch: 0,
            done: Vec::new(),
            waiting: None,
            unanswered: 0,
            underway: 0,
            window_full: false,
            pull: true,
            heard: now,
            partial_since: None,
            paused_until: None,
            timer: Box::pin(tokio::time::sleep_until(rings)),
            rings,
            topics: Vec::new(),
            next_topic: 0,
            commanded: Vec::new(),
            aliases: Vec::new(),
            intake: None,
            intake_woken: None,
            intake_due: None,
            routed: false,
            unflushed: false,
            closing: None,
        };
        if let Some(device) = connection.device.and_then(|id| connection.hub.edge.directory.device(id)) {
            connection.attach(&device);
        }
        if start.resumed {
            let pull = connection.pull_terms();
            lock(&connection.session.state).resend(pull, &mut connection.out);
        }
        connection
    }

    /// Serves the client to the end.
    pub(super) async fn run(mut self) {
        let closing = std::future::poll_fn(|cx| self.poll(cx)).await;
        counter!(metrics::CLOSED_TOTAL, "why" => closing.word()).increment(1);
        tracing::debug!(connection = self.id, peer = %self.peer, why = closing.word(), "mqtt connection closed");
        self.detach_all();
        if let Some(device) = self.device {
            self.hub.edge.online.leave(device, self.id);
            self.hub.edge.wire.disconnected(device, self.id, self.hub.edge.clock.now());
        }
        if let Some(mut intake) = self.intake.take() {
            intake.close(self.hub.edge.clock.now());
        }
        if self.routed {
            self.hub.routed().fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
        let will = self.will.take().filter(|_| closing.will());
        self.hub.detach(&self.principal, &self.session, &self.port, will);
        if let (Version::V5, Some(reason)) = (self.version, closing.reason()) {
            codec::disconnect(&mut self.out, reason);
        }
        let (stream, out) = (&mut self.stream, &self.out);
        let goodbye = tokio::time::timeout(GOODBYE_MAX, async {
            stream.write_all(out).await?;
            stream.shutdown().await
        });
        // The client may be gone already.
        goodbye.await.ok();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Closing> {
        self.port.register(cx.waker());
        loop {
            let mut progress = self.settle();
            self.watch(cx);
            progress |= self.admit_waiting(cx);
            if let Some(closing) = self.closing {
                let drained = self.batches.is_empty() && self.waiting.is_none();
                if drained || !closing.drains() {
                    return Poll::Ready(closing);
                }
            } else {
                progress |= self.take_in(cx);
                progress |= self.deliver();
                progress |= self.closing.is_some();
            }
            progress |= self.write(cx);
            if !progress {
                return Poll::Pending;
            }
        }
    }

    pub(super) fn close(&mut self, closing: Closing) {
        if self.closing.is_none() || !closing.drains() {
            self.closing = Some(closing);
        }
    }

    /// Somebody else's wishes and the timer.
    fn watch(&mut self, cx: &mut Context<'_>) {
        if self.closing.is_none() {
            match self.port.kicked() {
                Some(Kick::TakenOver | Kick::Discarded) => self.close(Closing::TakenOver),
                None => {}
            }
            self.watch_intake(cx);
            if self.port.take_look() {
                self.check_credential();
            }
            if self.port.take_orders() {
                self.send_commands();
            }
            if self.cut.is_cancelled() || self.cancelled.as_mut().poll(cx).is_ready() {
                let closing = if self.stop.is_cancelled() { Closing::Stopping } else { Closing::TakenOver };
                self.close(closing);
            }
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            self.ring();
        }
    }

    fn check_credential(&mut self) {
        let revision = self.hub.edge.directory.revision();
        if revision != self.revision {
            self.revision = revision;
            if !self.hub.edge.directory.still_admitted(&self.principal) {
                self.close(Closing::Revoked);
            }
        }
    }

    fn may_read(&self) -> bool {
        self.waiting.is_none()
            && self.paused_until.is_none()
            && self.unanswered < WINDOW
            && self.underway < ENVELOPES_MAX
            && self.out.len() < 2 * OUT_BYTES_MAX
    }

    /// Reads and handles packets as far as the windows allow. What was read together is appended together.
    fn take_in(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while self.closing.is_none() {
            if !self.may_read() {
                if !self.window_full && self.unanswered >= WINDOW {
                    self.window_full = true;
                    counter!(metrics::WINDOW_FULL_TOTAL).increment(1);
                }
                break;
            }
            self.window_full = false;
            if !self.starved {
                progress |= self.packets();
                continue;
            }
            match self.read(cx) {
                Poll::Ready(true) => progress = true,
                Poll::Ready(false) | Poll::Pending => break,
            }
            self.starved = false;
        }
        self.submit();
        progress
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let wanted = codec::wanted(&self.buffer, self.hub.config.packet_bytes_max).unwrap_or(0);
        let missing = wanted.saturating_sub(self.buffer.len()).min(READ_BYTES_MAX);
        if self.buffer.capacity() - self.buffer.len() < missing.max(256) {
            self.buffer.reserve(missing.max(BUFFER_BYTES));
        }
        // The future holds nothing between two polls, so it may be made anew each time.
        let read = std::pin::pin!(self.stream.read_buf(&mut self.buffer)).poll(cx);
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => {
                self.close(Closing::Lost);
                Poll::Ready(false)
            }
            Poll::Ready(Ok(_)) => {
                self.heard = Instant::now();
                self.check_credential();
                Poll::Ready(true)
            }
        }
    }

    /// Handles the packets in the buffer. True: there was one.
    fn packets(&mut self) -> bool {
        let received = self.hub.edge.clock.now();
        let mut progress = false;
        while self.closing.is_none() && self.may_read() {
            match codec::next(self.version, &mut self.buffer, self.hub.config.packet_bytes_max) {
                Ok(Some(packet)) => {
                    progress = true;
                    self.partial_since = None;
                    self.on_packet(packet, received);
                }
                Ok(None) => {
                    self.starved = true;
                    if !self.buffer.is_empty() && self.partial_since.is_none() {
                        self.partial_since = Some(Instant::now());
                    }
                    break;
                }
                Err(error) => self.on_bad_bytes(&error),
            }
        }
        progress
    }

    fn on_bad_bytes(&mut self, error: &DecodeError) {
        let (refusal, closing, detail) = match error {
            DecodeError::Oversize(bytes) => {
                (RefusalReason::Oversize, Closing::Oversize, format!("a packet of {bytes} bytes"))
            }
            DecodeError::Malformed(detail) => (RefusalReason::Malformed, Closing::Malformed, detail.clone()),
            DecodeError::Protocol(detail) => (RefusalReason::Malformed, Closing::Protocol, (*detail).to_owned()),
            DecodeError::Version => (RefusalReason::Malformed, Closing::Protocol, "version".to_owned()),
        };
        let sample = self.buffer.get(..self.buffer.len().min(SAMPLE_BYTES_MAX)).unwrap_or_default();
        let sample = Bytes::copy_from_slice(sample);
        self.refuse(refusal, closing.word(), detail, sample, self.device);
        self.close(closing);
    }

    pub(super) fn refuse(
        &mut self,
        reason: RefusalReason,
        why: &'static str,
        detail: String,
        sample: Bytes,
        device: Option<DeviceId>,
    ) {
        counter!(metrics::REFUSED_TOTAL, "why" => why).increment(1);
        self.seat.rubbish(sample.len());
        if self.seat.is_banned() {
            self.close(Closing::Banned);
        }
        self.hub.edge.doorstep.refused(Refusal {
            at: self.hub.edge.clock.now(),
            protocol: ProtocolKind::Mqtt,
            device: device.or(self.device),
            peer: self.peer.clone(),
            reason,
            detail,
            sample,
        });
    }

    /// Hands the read's messages to the inlet.
    pub(super) fn submit(&mut self) {
        if self.current.answers.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.current);
        batch.number = self.next_batch;
        self.next_batch += 1;
        if batch.envelopes.is_empty() {
            batch.result = Some(Ok(None));
            self.batches.push_back(batch);
            return;
        }
        batch.counted = batch.envelopes.len();
        if let Some(share) = self.hub.edge.budget.try_take(batch.bytes) {
            self.append(batch, share);
        } else {
            counter!(metrics::BUDGET_WAIT_TOTAL).increment(1);
            let (budget, bytes) = (Arc::clone(&self.hub.edge.budget), batch.bytes);
            self.waiting = Some((Box::pin(async move { budget.take(bytes).await }), batch));
        }
    }

    fn append(&mut self, mut batch: Batch, share: Share) {
        let now = Instant::now();
        batch.share = Some(share);
        batch.since = Some(now);
        let envelopes = std::mem::take(&mut batch.envelopes);
        let (port, number) = (Arc::clone(&self.port), batch.number);
        self.batches.push_back(batch);
        self.hub.edge.inlet.accept(envelopes, Box::new(move |result| port.done(Done { batch: number, result })));
        let look = now + self.hub.config.append_timeout;
        if self.rings > look {
            self.rings = look;
            self.timer.as_mut().reset(look);
        }
    }

    fn admit_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((share, _)) = &mut self.waiting else { return false };
        let Poll::Ready(share) = share.as_mut().poll(cx) else { return false };
        if let Some((_, batch)) = self.waiting.take() {
            self.append(batch, share);
        }
        true
    }

    /// Takes the inlet's answers and writes PUBACK and PUBREC in the order of the PUBLISH packets.
    fn settle(&mut self) -> bool {
        self.port.take_done(&mut self.done);
        let mut progress = !self.done.is_empty();
        for Done { batch: number, result } in self.done.drain(..) {
            if let Some(batch) = self.batches.iter_mut().find(|batch| batch.number == number) {
                batch.result = Some(result.map(Some));
            }
        }
        while let Some(result) = self.batches.front_mut().and_then(|batch| batch.result.take()) {
            progress = true;
            let Some(batch) = self.batches.pop_front() else { break };
            match result {
                Ok(committed) => self.acknowledge(batch, committed),
                Err(error) => {
                    self.batches.clear();
                    self.close(if error == AppendError::DiskFull { Closing::DiskFull } else { Closing::Stalled });
                    break;
                }
            }
        }
        progress
    }

    fn acknowledge(&mut self, batch: Batch, committed: Option<Committed>) {
        self.underway = self.underway.saturating_sub(batch.counted);
        let now = self.hub.edge.clock.now();
        let first = committed.map_or_else(Position::default, |committed| committed.first);
        let mut offset = 0;
        let mut acknowledged = 0;
        let mut exactly = Vec::new();
        for answer in &batch.answers {
            match answer.qos {
                1 => codec::puback(&mut self.out, answer.pkid, answer.reason),
                2 => {
                    codec::pubrec(&mut self.out, answer.pkid, answer.reason);
                    if answer.reason < 0x80 {
                        exactly.push(answer.pkid);
                    }
                }
                _ => {}
            }
            acknowledged += u64::from(answer.qos > 0);
            self.unanswered = self.unanswered.saturating_sub(usize::from(answer.qos > 0));
            if let Some(device) = answer.device {
                let at = Position { partition: first.partition, seq: first.seq + offset };
                offset += 1;
                match answer.carrier {
                    None => self.hub.edge.wire.acknowledged(device, at, now),
                    Some(carrier) => self.carried_is_durable(carrier, at, now),
                }
            }
        }
        self.hub.meters.acknowledged.increment(acknowledged);
        if !exactly.is_empty() {
            lock(&self.session.state).received.extend(exactly);
            self.hub.persist.session(&self.session);
        }
        for After { message, matched } in batch.after {
            self.hub.publish(&message, &matched, Route::Device);
        }
    }
}
