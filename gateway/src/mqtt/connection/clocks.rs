//! The deadlines of a connection, and the pause of one whose device has sent more than its limit.

use super::{Connection, TICK_MAX, TICK_PENDING};
use crate::limits::Pace;
use crate::mqtt::closing::Closing;
use crate::mqtt::metrics;
use ::metrics::counter;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// Looks at all deadlines and sets the timer to the next.
    pub(super) fn ring(&mut self) {
        let now = Instant::now();
        let stalled =
            self.batches.front().and_then(|batch| batch.since).map(|since| since + self.hub.config.append_timeout);
        if stalled.is_some_and(|deadline| deadline <= now) {
            counter!(metrics::CLOSED_TOTAL, "why" => "append_stalled").increment(1);
            self.close(Closing::Stalled);
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.partial_since = self.partial_since.map(|_| now);
        }
        let slow = self.partial_since.map(|since| since + self.hub.config.packet_timeout);
        if slow.is_some_and(|deadline| deadline <= now) && self.may_read() {
            self.close(Closing::SlowPacket);
        }
        // While we do not read, the client's PINGREQ may lie unread: its silence is ours.
        if !self.may_read() {
            self.heard = now;
        }
        let silent = self.keep_alive.map(|keep_alive| self.heard + keep_alive);
        if silent.is_some_and(|deadline| deadline <= now) {
            self.close(Closing::KeepAlive);
        }
        self.check_credential();
        if self.buffer.is_empty() && self.buffer.capacity() > 0 && self.heard + TICK_PENDING < now {
            self.buffer = BytesMut::new();
            self.out = if self.out.is_empty() { BytesMut::new() } else { std::mem::take(&mut self.out) };
        }
        let mut next = now + if self.batches.is_empty() { TICK_MAX } else { TICK_PENDING };
        for deadline in [silent, slow, self.paused_until].into_iter().flatten().filter(|deadline| *deadline > now) {
            next = next.min(deadline);
        }
        self.rings = next;
        self.timer.as_mut().reset(next);
    }

    /// Takes a message out of its device's allowance; when it is used up, reading stops for a while.
    pub(in crate::mqtt) fn spend(&mut self, pace: &Pace, bytes: usize) {
        let pause = self.seat.spend(pace, 1, bytes);
        if pause.is_zero() {
            return;
        }
        let until = Instant::now() + pause;
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
        if self.rings > until {
            self.rings = until;
            self.timer.as_mut().reset(until);
        }
    }
}
