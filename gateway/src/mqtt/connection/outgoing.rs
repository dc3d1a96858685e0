//! The way out of a connection: deliveries from the session's queue into its output, and the output into the stream.

use super::{Connection, OUT_BYTES_MAX};
use crate::mqtt::closing::Closing;
use crate::mqtt::session::{Pull, lock};
use std::future::Future;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    pub(super) fn pull_terms(&self) -> Pull {
        Pull {
            version: self.version,
            window: self.receive_maximum,
            packet_bytes_max: self.packet_bytes_max,
            now: self.hub.edge.clock.now(),
            room: OUT_BYTES_MAX,
        }
    }

    pub(super) fn deliver(&mut self) -> bool {
        if !self.port.take_mail() && !self.pull {
            return false;
        }
        if self.out.len() >= OUT_BYTES_MAX {
            self.pull = true;
            return false;
        }
        let terms = self.pull_terms();
        let pulled = lock(&self.session.state).pull(terms, &self.hub.bounds, &mut self.out);
        self.pull = pulled.more;
        let meters = &self.hub.meters;
        meters.delivered.increment(pulled.sent);
        if pulled.expired + pulled.too_large > 0 {
            meters.dropped_expired.increment(pulled.expired);
            meters.dropped_large.increment(pulled.too_large);
        }
        if pulled.sent > 0 {
            self.hub.persist.session(&self.session);
        }
        pulled.sent > 0
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while !self.out.is_empty() {
            let written = std::pin::pin!(self.stream.write_buf(&mut self.out)).poll(cx);
            match written {
                Poll::Ready(Ok(count)) if count > 0 => (progress, self.unflushed) = (true, true),
                Poll::Ready(_) => {
                    self.out.clear();
                    self.close(Closing::Lost);
                    return true;
                }
                Poll::Pending => return progress,
            }
        }
        if self.unflushed {
            // Without this a TLS stream could keep the last bytes to itself; for TCP it is nothing.
            match std::pin::pin!(self.stream.flush()).poll(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => {
                    self.unflushed = false;
                    self.close(Closing::Lost);
                    return true;
                }
                // The stream wakes us when there is room, and it goes on here.
                Poll::Pending => {}
            }
        }
        progress
    }
}
