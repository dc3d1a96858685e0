//! JT/T 808 over UDP: one socket, a datagram holds one frame or more. What is decided is [`Jt808Session`]'s, as over TCP; acknowledged is
//! what is on disk, as over TCP.
//!
//! A session is an address and a phone. It is remembered once the terminal has authenticated from there (or its registration is being
//! written down), so that a flood of made-up addresses takes no room. Until then an address is never sent
//! more bytes than it sent, but for [`ROOM_BYTES`] that the code of a short registration needs: a forged sender makes nothing larger. Answers go to the sender of the datagram and to nobody else. A terminal whose address changes
//! authenticates again. What finds no room is dropped and counted: terminals send again what was not answered.

use super::attachments::Attachments;
use super::session::Jt808Session;
use crate::budget::Share;
use crate::edge::Edge;
use crate::limits::Seat;
use crate::metrics;
use crate::tcp::{Actions, CloseReason, Opening, Session};
use bytes::Bytes;
use model::gatekeeper::Gatekeeper;
use model::seams::{AppendError, Committed};
use protocol::jt808::{Event, Framer, Parts};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Bounds of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpConfig {
    /// Terminals remembered at a time.
    pub sessions_max: usize,
    /// Frames handed to the journal and not yet durable, a session.
    pub window_frames: usize,
    /// The same for all sessions, in batches.
    pub batches_max: usize,
    /// Without a frame for so long a session is forgotten.
    pub idle_timeout: Duration,
    /// The journal must answer within this.
    pub append_timeout: Duration,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self {
            sessions_max: 4_096,
            window_frames: 64,
            batches_max: 4_096,
            idle_timeout: Duration::from_mins(15),
            append_timeout: Duration::from_secs(5),
        }
    }
}

/// Address and phone without leading zeros.
type Key = (SocketAddr, String);
/// Connection, batch, how it ended.
type Done = (u64, u64, Result<Committed, AppendError>);

const SWEEP: Duration = Duration::from_secs(1);
const LABEL: &str = "jt808";
/// The largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Answers are packed into datagrams that pass every network.
const ANSWER_BYTES_MAX: usize = 1_400;
const FRAMES_MAX: usize = 64;
/// A registration of 2011 has 48 bytes, its answer with a code of ours 50. With the heads of IP and UDP it is less than a fifth.
const ROOM_BYTES: usize = 8;

/// Serves until `cancel`, then answers what becomes durable within the append timeout.
pub async fn serve_udp(
    socket: UdpSocket,
    edge: Edge,
    config: UdpConfig,
    attachments: Option<Arc<Attachments>>,
    cancel: CancellationToken,
) {
    let (done, mut completions) = mpsc::channel(config.batches_max.max(1));
    let mut changes = edge.changes.clone();
    let mut host = Host {
        socket,
        edge,
        config,
        attachments,
        done,
        wake: Arc::default(),
        keys: HashMap::new(),
        peers: BTreeMap::new(),
        outstanding: 0,
    };
    let mut buffer = vec![0_u8; DATAGRAM_BYTES_MAX];
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let wake = Arc::clone(&host.wake);
    let mut until: Option<Instant> = None;
    loop {
        if cancel.is_cancelled() {
            let end = *until.get_or_insert_with(|| Instant::now() + config.append_timeout);
            if host.outstanding == 0 || Instant::now() >= end {
                break;
            }
        }
        let stopping = until.is_some();
        // Every branch is cancel-safe: a token, a channel, a notice, a watch, a timer, one datagram.
        tokio::select! {
            biased;
            () = cancel.cancelled(), if !stopping => {}
            Some(done) = completions.recv() => host.on_completion(done),
            () = wake.notified() => host.on_wake(),
            Ok(()) = changes.changed() => host.on_change(),
            _ = sweep.tick() => host.sweep(),
            received = host.socket.recv_from(&mut buffer), if !stopping => match received {
                Ok((count, from)) => host.on_datagram(buffer.get(..count).unwrap_or_default(), from),
                // What an earlier answer met (a closed port) is told here; the socket itself goes on.
                Err(error) => tracing::debug!(%error, "no datagram"),
            },
        }
    }
    let numbers: Vec<_> = host.peers.keys().copied().collect();
    for number in numbers {
        host.forget(number, CloseReason::Stopping);
    }
}

struct Peer {
    key: Key,
    session: Jt808Session,
    cut: CancellationToken,
    batches: VecDeque<Batch>,
    next_batch: u64,
    frames: usize,
    last_frame: Instant,
    /// Bytes that may be sent before it has authenticated.
    allowance: usize,
}

/// What the inlet has and has not confirmed.
struct Batch {
    number: u64,
    frames: usize,
    since: Instant,
    result: Option<Committed>,
    _share: Share,
}

struct Host {
    socket: UdpSocket,
    edge: Edge,
    config: UdpConfig,
    attachments: Option<Arc<Attachments>>,
    done: mpsc::Sender<Done>,
    wake: Arc<Notify>,
    keys: HashMap<Key, u64>,
    /// By number of the connection.
    peers: BTreeMap<u64, Peer>,
    /// Batches at the journal.
    outstanding: usize,
}

impl Host {
    fn on_datagram(&mut self, datagram: &[u8], from: SocketAddr) {
        ::metrics::counter!(metrics::UDP_DATAGRAMS_TOTAL).increment(1);
        let bytes = u64::try_from(datagram.len()).unwrap_or(u64::MAX);
        ::metrics::counter!(metrics::RECEIVED_BYTES_TOTAL, "protocol" => LABEL).increment(bytes);
        if self.edge.limits.is_banned(from.ip()) {
            return dropped("banned");
        }
        if self.outstanding >= self.config.batches_max {
            return dropped("journal");
        }
        // A datagram stands alone: what is begun in it ends in it.
        let mut framer = Framer::new();
        framer.push(datagram);
        let mut frames: Vec<(Bytes, usize)> = Vec::new();
        while let Some(event) = framer.next_event() {
            if let Event::Frame { raw, garbage } = event {
                frames.push((raw, garbage));
            }
            if frames.len() >= FRAMES_MAX {
                break;
            }
        }
        let mut left = datagram.len() + ROOM_BYTES;
        // Frames of one phone go together, so that they are one batch.
        for group in frames.chunk_by(|one, other| phone(&one.0) == phone(&other.0)) {
            left = self.on_frames(group, from, left);
        }
    }

    /// Returns what is left of the bytes that an unknown sender may be sent.
    fn on_frames(&mut self, frames: &[(Bytes, usize)], from: SocketAddr, allowance: usize) -> usize {
        let key = (from, frames.first().map(|(raw, _)| phone(raw)).unwrap_or_default());
        let number = self.keys.get(&key).copied();
        if let Some(number) = number.filter(|number| self.peers.get(number).is_none_or(|peer| peer.cut.is_cancelled()))
        {
            self.forget(number, CloseReason::TakenOver);
        }
        let number = self.keys.get(&key).copied();
        if number.is_none() && self.keys.len() >= self.config.sessions_max {
            // Before it is told that it may come in.
            dropped("sessions");
            return allowance;
        }
        let known = number.and_then(|number| Some((number, self.peers.remove(&number)?)));
        let (number, mut peer) = known.unwrap_or_else(|| self.stranger(key));
        let bytes = frames.iter().map(|(raw, _)| raw.len()).sum();
        if peer.frames + frames.len() > self.config.window_frames {
            dropped("window");
            self.put_back(number, peer);
            return allowance;
        }
        // There is no connection whose reading could pause: what is beyond the device's allowance is not answered, and sent again.
        if let Some(device) = peer.session.device()
            && self.edge.limits.take(device, frames.len(), bytes).is_err()
        {
            dropped("rate");
            self.put_back(number, peer);
            return allowance;
        }
        let Some(share) = self.edge.budget.try_take(bytes) else {
            dropped("budget");
            self.put_back(number, peer);
            return allowance;
        };
        peer.allowance = allowance;
        peer.last_frame = Instant::now();
        let now = self.edge.clock.now();
        let mut out = Actions::default();
        peer.session.on_change(now, &mut out);
        if out.close.is_some() {
            self.close(number, peer, CloseReason::Revoked);
            return allowance;
        }
        for (raw, garbage) in frames {
            peer.session.on_frame(raw.clone(), *garbage, now, &mut out);
        }
        let count = u64::try_from(frames.len()).unwrap_or(u64::MAX);
        ::metrics::counter!(metrics::FRAMES_TOTAL, "protocol" => LABEL).increment(count);
        self.perform(number, &mut peer, out, Some(share));
        let left = peer.allowance;
        self.put_back(number, peer);
        left
    }

    fn stranger(&self, key: Key) -> (u64, Peer) {
        let (number, cut) = (self.edge.online.next_connection(), CancellationToken::new());
        let opening = Opening {
            edge: self.edge.clone(),
            connection: number,
            peer: format!("udp/{}", key.0),
            cut: cut.clone(),
            wake: Arc::clone(&self.wake),
            // The sender's address of a datagram proves nothing: nobody is banned by it. Who is banned for what came over TCP is not heard.
            seat: Seat::nowhere(&self.edge.limits),
        };
        let peer = Peer {
            key,
            session: Jt808Session::with(opening, self.attachments.clone()),
            cut,
            batches: VecDeque::new(),
            next_batch: 0,
            frames: 0,
            last_frame: Instant::now(),
            allowance: 0,
        };
        (number, peer)
    }

    /// A peer that has authenticated, or waits, is remembered; another is not.
    fn put_back(&mut self, number: u64, peer: Peer) {
        let matters = peer.session.is_known() || peer.session.waits() || !peer.batches.is_empty();
        if !matters {
            self.close(number, peer, CloseReason::Peer);
            return;
        }
        self.keys.insert(peer.key.clone(), number);
        self.peers.insert(number, peer);
        self.report();
    }

    fn forget(&mut self, number: u64, reason: CloseReason) {
        if let Some(peer) = self.peers.remove(&number) {
            ::metrics::counter!(metrics::CLOSED_TOTAL, "protocol" => LABEL, "reason" => reason.code()).increment(1);
            self.close(number, peer, reason);
        }
    }

    fn close(&mut self, number: u64, mut peer: Peer, _reason: CloseReason) {
        if self.keys.get(&peer.key) == Some(&number) {
            self.keys.remove(&peer.key);
        }
        self.outstanding = self.outstanding.saturating_sub(peer.batches.len());
        peer.session.on_close(self.edge.clock.now());
        self.report();
    }

    fn report(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        ::metrics::gauge!(metrics::UDP_SESSIONS).set(self.peers.len() as f64);
    }

    fn perform(&mut self, number: u64, peer: &mut Peer, out: Actions, share: Option<Share>) {
        if !out.append.is_empty()
            && let Some(share) = share
        {
            let (batch, frames) = (peer.next_batch, out.append.len());
            peer.next_batch += 1;
            peer.frames += frames;
            self.outstanding += 1;
            peer.batches.push_back(Batch { number: batch, frames, since: Instant::now(), result: None, _share: share });
            let done = self.done.clone();
            self.edge.inlet.accept(
                out.append,
                Box::new(move |result| {
                    // There is a place for each batch; nobody waits any more when the socket has gone.
                    done.try_send((number, batch, result)).ok();
                }),
            );
        }
        let to = peer.key.0;
        for datagram in pack(&out.send) {
            if !peer.session.is_known() {
                if datagram.len() > peer.allowance {
                    ::metrics::counter!(metrics::UDP_WITHHELD_TOTAL).increment(1);
                    continue;
                }
                peer.allowance -= datagram.len();
            }
            // A full socket buffer costs an answer; the terminal asks again.
            self.socket.try_send_to(&datagram, to).ok();
        }
        if !out.acknowledged.is_empty() {
            let count = u64::try_from(out.acknowledged.len()).unwrap_or(u64::MAX);
            ::metrics::counter!(metrics::ANSWERS_TOTAL, "protocol" => LABEL).increment(count);
            let now = self.edge.clock.now();
            for (device, position) in out.acknowledged {
                self.edge.wire.acknowledged(device, position, now);
            }
        }
    }

    fn on_completion(&mut self, (number, batch, result): Done) {
        // A session that was forgotten answers nobody.
        let Some(mut peer) = self.peers.remove(&number) else { return };
        let committed = match result {
            Ok(committed) => committed,
            Err(error) => {
                let reason = crate::tcp::append_error_code(&error);
                ::metrics::counter!(metrics::APPEND_FAILED_TOTAL, "protocol" => LABEL, "reason" => reason).increment(1);
                // Nothing of it is answered, nor what came after it: the terminal begins anew.
                self.close(number, peer, CloseReason::AppendFailed);
                return;
            }
        };
        if let Some(batch) = peer.batches.iter_mut().find(|own| own.number == batch) {
            batch.result = Some(committed);
        }
        let now = self.edge.clock.now();
        let mut out = Actions::default();
        while let Some(committed) = peer.batches.front().and_then(|batch| batch.result) {
            if let Some(batch) = peer.batches.pop_front() {
                self.outstanding = self.outstanding.saturating_sub(1);
                peer.frames = peer.frames.saturating_sub(batch.frames);
                ::metrics::histogram!(metrics::APPEND_SECONDS, "protocol" => LABEL)
                    .record(batch.since.elapsed().as_secs_f64());
            }
            peer.session.on_durable(&committed, now, &mut out);
        }
        self.perform(number, &mut peer, out, None);
        self.put_back(number, peer);
    }

    /// A registration has been written down, or a command waits: the notice does not say for whom.
    fn on_wake(&mut self) {
        let waiting: Vec<_> = self.peers.keys().copied().collect();
        for number in waiting {
            let Some(mut peer) = self.peers.remove(&number) else { continue };
            let mut out = Actions::default();
            peer.session.on_wake(self.edge.clock.now(), &mut out);
            self.perform(number, &mut peer, out, None);
            self.put_back(number, peer);
        }
    }

    fn on_change(&mut self) {
        let now = self.edge.clock.now();
        let mut gone = Vec::new();
        for (number, peer) in &mut self.peers {
            let mut out = Actions::default();
            peer.session.on_change(now, &mut out);
            if out.close.is_some() {
                gone.push(*number);
            }
        }
        for number in gone {
            self.forget(number, CloseReason::Revoked);
        }
    }

    /// Every second: who is silent, replaced or stalled is forgotten; who lacks sub-packets is asked again.
    fn sweep(&mut self) {
        let (now, clock) = (Instant::now(), self.edge.clock.now());
        let (mut gone, mut due) = (Vec::new(), Vec::new());
        for (number, peer) in &self.peers {
            let stalled = |batch: &Batch| now >= batch.since + self.config.append_timeout;
            if peer.cut.is_cancelled() {
                gone.push((*number, CloseReason::TakenOver));
            } else if peer.batches.front().is_some_and(stalled) {
                ::metrics::counter!(metrics::APPEND_STALLED_TOTAL, "protocol" => LABEL).increment(1);
                gone.push((*number, CloseReason::AppendStalled));
            } else if now >= peer.last_frame + self.config.idle_timeout {
                gone.push((*number, CloseReason::Idle));
            } else if peer.session.next_time().is_some_and(|due| due <= clock) {
                due.push(*number);
            }
        }
        for (number, reason) in gone {
            self.forget(number, reason);
        }
        for number in due {
            let Some(mut peer) = self.peers.remove(&number) else { continue };
            let mut out = Actions::default();
            peer.session.on_time(clock, &mut out);
            self.perform(number, &mut peer, out, None);
            self.put_back(number, peer);
        }
    }
}

fn dropped(reason: &'static str) {
    ::metrics::counter!(metrics::UDP_DROPPED_TOTAL, "reason" => reason).increment(1);
}

/// The phone of a frame, without leading zeros; empty when it has no header.
fn phone(raw: &[u8]) -> String {
    Parts::split(raw).map(|parts| parts.header.phone.trimmed().to_owned()).unwrap_or_default()
}

/// Whole frames, as many as fit into a datagram.
fn pack(wire: &[u8]) -> Vec<Vec<u8>> {
    let mut packed: Vec<Vec<u8>> = Vec::new();
    let mut rest = wire;
    while let Some(end) = rest.iter().skip(1).position(|byte| *byte == FLAG) {
        let (frame, behind) = rest.split_at_checked(end + 2).unwrap_or((rest, &[]));
        rest = behind;
        match packed.last_mut() {
            Some(last) if last.len() + frame.len() <= ANSWER_BYTES_MAX => last.extend_from_slice(frame),
            _ => packed.push(frame.to_vec()),
        }
    }
    packed
}

const FLAG: u8 = 0x7e;

#[cfg(test)]
mod tests;
