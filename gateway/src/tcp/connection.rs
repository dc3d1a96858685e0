//! The loop of one connection: reads, hands batches to the inlet, releases answers in order, and watches the clocks.

use super::TcpConfig;
use super::session::{Actions, CloseReason, Session};
use crate::budget::Share;
use crate::edge::Edge;
use crate::limits::{Pace, Seat};
use crate::metrics;
use model::envelope::Envelope;
use model::id::DeviceId;
use model::seams::{AppendError, Committed};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// First size of a read buffer: a frame fits, and thousands of quiet connections cost little. One that fills it gets the larger one.
const READ_BYTES: usize = 512;
const READ_BYTES_MAX: usize = 4 * 1024;
/// The wall clock may be set back; then the session is asked again after so long.
const RING_MS_MAX: i64 = 60_000;
/// A session is asked no more often than this.
const RING_MS_MIN: i64 = 20;
/// No frame is so long: more without the end of one is rubbish.
const UNFRAMED_BYTES_MAX: usize = 32 * 1024;
/// Devices whose allowance a connection remembers; beyond it the oldest is asked for again.
const PACES_MAX: usize = 64;

type Done = (u64, Result<Committed, AppendError>);

/// A batch that the inlet has and has not confirmed.
struct Batch {
    number: u64,
    since: Instant,
    frames: usize,
    result: Option<Committed>,
    _share: Share,
}

struct Connection<T, S> {
    session: S,
    edge: Edge,
    config: TcpConfig,
    label: &'static str,
    writer: WriteHalf<T>,
    batches: VecDeque<Batch>,
    next_batch: u64,
    outstanding: usize,
    starved: bool,
    established: bool,
    /// Bytes read before a device got in.
    strange: u64,
    opened: Instant,
    last_frame: Instant,
    partial_since: Option<Instant>,
    seat: Arc<Seat>,
    /// Bytes since the last whole frame.
    unframed: usize,
    paces: VecDeque<(DeviceId, Arc<Pace>)>,
    /// A device of it has sent more than its limit: nothing is read until then.
    paused_until: Option<Instant>,
    done: mpsc::Sender<Done>,
}

/// What reaches a connection from elsewhere.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Another connection takes this one's place.
    pub cut: CancellationToken,
    /// The session has something to look at, see [`Session::on_wake`].
    pub wake: Arc<Notify>,
    /// Its place among the connections of its address.
    pub seat: Arc<Seat>,
    /// The listener is full and nobody has got in here.
    pub crowded_out: CancellationToken,
    /// The listener stops.
    pub cancel: CancellationToken,
}

/// Runs a connection to its end and tells why it ended. On `cancel` it reads no more, answers what becomes durable
/// within the append timeout, and closes.
pub async fn run<T, S>(stream: T, session: S, edge: Edge, config: TcpConfig, signals: Signals) -> CloseReason
where
    T: AsyncRead + AsyncWrite + Send,
    S: Session,
{
    let (mut reader, writer) = tokio::io::split(stream);
    // As many as there can be batches in flight, so that a completion always finds room.
    let (done, mut completions) = mpsc::channel(config.window_frames.max(1));
    let now = Instant::now();
    let mut connection = Connection {
        label: session.protocol().code(),
        session,
        edge,
        config,
        writer,
        batches: VecDeque::new(),
        next_batch: 0,
        outstanding: 0,
        starved: false,
        established: false,
        strange: 0,
        opened: now,
        last_frame: now,
        partial_since: None,
        seat: Arc::clone(&signals.seat),
        unframed: 0,
        paces: VecDeque::new(),
        paused_until: None,
        done,
    };
    let reason = connection.drive(&mut reader, &mut completions, &signals).await;
    let now = connection.edge.clock.now();
    connection.session.on_close(now);
    // The peer may be gone already.
    timeout(config.write_timeout, connection.writer.shutdown()).await.ok();
    reason
}

impl<T: AsyncRead + AsyncWrite + Send, S: Session> Connection<T, S> {
    async fn drive(
        &mut self,
        reader: &mut ReadHalf<T>,
        completions: &mut mpsc::Receiver<Done>,
        signals: &Signals,
    ) -> CloseReason {
        let Signals { cut, wake, cancel, crowded_out, seat: _ } = signals;
        let mut changes = self.edge.changes.clone();
        let mut buffer = vec![0_u8; READ_BYTES];
        // A peer that has said all may still wait for its answers.
        let mut ended = false;
        loop {
            let stopping = cancel.is_cancelled();
            let waited_for = !self.batches.is_empty() || (self.session.waits() && !stopping);
            if !waited_for && (stopping || ended) {
                return if ended { CloseReason::Peer } else { CloseReason::Stopping };
            }
            let rings = self.rings();
            let room = !self.starved && self.outstanding < self.config.window_frames && self.paused_until.is_none();
            // Every branch is cancel-safe: a token, a channel, a notice, a watch, a timer, one read.
            let step = tokio::select! {
                biased;
                () = cut.cancelled() => Err(CloseReason::TakenOver),
                () = crowded_out.cancelled() => Err(CloseReason::CrowdedOut),
                () = cancel.cancelled(), if !stopping => Ok(()),
                Some((number, result)) = completions.recv() => self.on_completion(number, result).await,
                () = wake.notified() => self.on_wake().await,
                () = tokio::time::sleep_until(rings.unwrap_or(self.opened)), if rings.is_some() => self.on_time().await,
                Ok(()) = changes.changed() => self.on_change().await,
                () = tokio::time::sleep_until(self.deadline()) => self.on_deadline(),
                read = reader.read(&mut buffer), if room && !stopping && !ended => match read {
                    Ok(0) => {
                        ended = true;
                        Ok(())
                    }
                    Ok(count) => {
                        let step = self.on_read(buffer.get(..count).unwrap_or_default()).await;
                        if count == buffer.len() && count < READ_BYTES_MAX {
                            buffer.resize(READ_BYTES_MAX, 0);
                        }
                        step
                    }
                    Err(_) => Err(CloseReason::Io),
                },
            };
            if let Err(reason) = step {
                return reason;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let deadline = self.silence_deadline();
        self.paused_until.map_or(deadline, |until| deadline.min(until))
    }

    fn silence_deadline(&self) -> Instant {
        if let Some(batch) = self.batches.front() {
            return batch.since + self.config.append_timeout;
        }
        let mut deadline = self.last_frame + self.config.idle_timeout;
        if !self.established {
            deadline = deadline.min(self.opened + self.config.first_frame_timeout);
        }
        if let Some(since) = self.partial_since {
            deadline = deadline.min(since + self.config.frame_timeout);
        }
        deadline
    }

    fn on_deadline(&mut self) -> Result<(), CloseReason> {
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            // A frame that was cut by our pause has its whole time again.
            self.partial_since = self.partial_since.map(|_| now);
        }
        if let Some(batch) = self.batches.front() {
            if now >= batch.since + self.config.append_timeout {
                return Err(self.stalled());
            }
        } else if now >= self.last_frame + self.config.idle_timeout {
            return Err(CloseReason::Idle);
        } else if !self.established && now >= self.opened + self.config.first_frame_timeout {
            return Err(CloseReason::FirstFrame);
        } else if self.partial_since.is_some_and(|since| now >= since + self.config.frame_timeout) {
            return Err(CloseReason::SlowFrame);
        }
        Ok(())
    }

    /// When the session wants to be told of the time. The clocks differ, so it is asked for anew with every step.
    fn rings(&self) -> Option<Instant> {
        let wait_ms = self.session.next_time()?.since_ms(self.edge.clock.now()).clamp(RING_MS_MIN, RING_MS_MAX);
        Some(Instant::now() + std::time::Duration::from_millis(wait_ms.unsigned_abs()))
    }

    async fn on_time(&mut self) -> Result<(), CloseReason> {
        let mut out = Actions::default();
        self.session.on_time(self.edge.clock.now(), &mut out);
        self.perform(out).await
    }

    async fn on_wake(&mut self) -> Result<(), CloseReason> {
        let mut out = Actions::default();
        self.session.on_wake(self.edge.clock.now(), &mut out);
        self.perform(out).await?;
        if self.starved { self.advance().await } else { Ok(()) }
    }

    /// The directory has changed: a credential that no longer holds ends the connection now, not with its next frame.
    async fn on_change(&mut self) -> Result<(), CloseReason> {
        let mut out = Actions::default();
        self.session.on_change(self.edge.clock.now(), &mut out);
        self.perform(out).await
    }

    async fn on_read(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        ::metrics::counter!(metrics::RECEIVED_BYTES_TOTAL, "protocol" => self.label).increment(count);
        if !self.established && self.strange == 0 && tls::looks_like_tls(bytes) {
            return Err(CloseReason::TlsOnPlain);
        }
        self.session.on_bytes(bytes);
        self.unframed += bytes.len();
        self.strange = self.strange.saturating_add(count);
        self.advance().await?;
        if !self.established {
            let pause = self.seat.strange(self.strange, self.opened.elapsed());
            if !pause.is_zero() {
                self.paused_until = Some(Instant::now() + pause);
            }
        }
        Ok(())
    }

    async fn advance(&mut self) -> Result<(), CloseReason> {
        let room = self.config.window_frames.saturating_sub(self.outstanding);
        let mut out = Actions::default();
        self.session.advance(self.edge.clock.now(), room, &mut out);
        self.starved = out.starved;
        if out.frames > 0 {
            self.unframed = 0;
        } else if self.unframed >= UNFRAMED_BYTES_MAX {
            self.seat.rubbish(std::mem::take(&mut self.unframed));
        }
        if self.seat.is_banned() && out.close.is_none() {
            out.close = Some(CloseReason::Banned);
        }
        if out.starved {
            ::metrics::counter!(metrics::WINDOW_FULL_TOTAL, "protocol" => self.label).increment(1);
        }
        if out.frames > 0 {
            let frames = u64::try_from(out.frames).unwrap_or(u64::MAX);
            ::metrics::counter!(metrics::FRAMES_TOTAL, "protocol" => self.label).increment(frames);
            self.last_frame = Instant::now();
            self.partial_since = None;
        }
        if !self.session.is_partial() || self.starved {
            self.partial_since = None;
        } else if self.partial_since.is_none() {
            self.partial_since = Some(Instant::now());
        }
        self.perform(out).await
    }

    async fn on_completion(&mut self, number: u64, result: Result<Committed, AppendError>) -> Result<(), CloseReason> {
        let committed = match result {
            Ok(committed) => committed,
            Err(error) => {
                let reason = append_error_code(&error);
                ::metrics::counter!(metrics::APPEND_FAILED_TOTAL, "protocol" => self.label, "reason" => reason)
                    .increment(1);
                return Err(CloseReason::AppendFailed);
            }
        };
        if let Some(batch) = self.batches.iter_mut().find(|batch| batch.number == number) {
            batch.result = Some(committed);
        }
        let mut out = Actions::default();
        while let Some(committed) = self.batches.front().and_then(|batch| batch.result) {
            if let Some(batch) = self.batches.pop_front() {
                self.outstanding = self.outstanding.saturating_sub(batch.frames);
                ::metrics::histogram!(metrics::APPEND_SECONDS, "protocol" => self.label)
                    .record(batch.since.elapsed().as_secs_f64());
            }
            self.session.on_durable(&committed, self.edge.clock.now(), &mut out);
        }
        self.last_frame = Instant::now();
        self.perform(out).await?;
        if self.starved { self.advance().await } else { Ok(()) }
    }

    async fn perform(&mut self, out: Actions) -> Result<(), CloseReason> {
        if out.established && !self.established {
            self.established = true;
            self.paused_until = None;
        }
        if !out.append.is_empty() {
            self.spend(&out.append);
            let frames = out.append.len();
            let bytes = out.append.iter().map(|envelope| envelope.raw.len()).sum();
            let Ok(share) = timeout(self.config.append_timeout, self.edge.budget.take(bytes)).await else {
                return Err(self.stalled());
            };
            let number = self.next_batch;
            self.next_batch += 1;
            self.outstanding += frames;
            self.batches.push_back(Batch { number, since: Instant::now(), frames, result: None, _share: share });
            let done = self.done.clone();
            self.edge.inlet.accept(
                out.append,
                Box::new(move |result| {
                    // No one waits any more when the connection is gone.
                    done.try_send((number, result)).ok();
                }),
            );
        }
        if !out.send.is_empty() {
            let writer = &mut self.writer;
            let sent = timeout(self.config.write_timeout, async {
                writer.write_all(&out.send).await?;
                // A TLS stream may keep the last bytes to itself; for TCP it is nothing.
                writer.flush().await
            });
            match sent.await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(CloseReason::Io),
                Err(_) => return Err(CloseReason::SlowReader),
            }
        }
        if !out.acknowledged.is_empty() {
            let count = u64::try_from(out.acknowledged.len()).unwrap_or(u64::MAX);
            ::metrics::counter!(metrics::ANSWERS_TOTAL, "protocol" => self.label).increment(count);
            let now = self.edge.clock.now();
            for (device, position) in out.acknowledged {
                self.edge.wire.acknowledged(device, position, now);
            }
        }
        out.close.map_or(Ok(()), Err)
    }

    /// Takes a batch out of its devices' allowances; one that is used up stops reading for a while.
    fn spend(&mut self, batch: &[Envelope]) {
        for run in batch.chunk_by(|one, next| one.device == next.device) {
            let Some(device) = run.first().map(|envelope| envelope.device) else { continue };
            let pace = self.pace(device);
            let bytes = run.iter().map(|envelope| envelope.raw.len()).sum();
            let pause = self.seat.spend(&pace, run.len(), bytes);
            if !pause.is_zero() {
                let until = Instant::now() + pause;
                self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
            }
        }
    }

    fn pace(&mut self, device: DeviceId) -> Arc<Pace> {
        if let Some((_, pace)) = self.paces.iter().find(|(known, _)| *known == device) {
            return Arc::clone(pace);
        }
        let pace = self.seat.pace(device);
        if self.paces.len() >= PACES_MAX {
            self.paces.pop_front();
        }
        self.paces.push_back((device, Arc::clone(&pace)));
        pace
    }

    fn stalled(&self) -> CloseReason {
        ::metrics::counter!(metrics::APPEND_STALLED_TOTAL, "protocol" => self.label).increment(1);
        CloseReason::AppendStalled
    }
}

pub(crate) const fn append_error_code(error: &AppendError) -> &'static str {
    match error {
        AppendError::Overloaded => "overloaded",
        AppendError::DiskFull => "disk_full",
        AppendError::Io(_) => "io",
        AppendError::Stopping => "stopping",
    }
}
