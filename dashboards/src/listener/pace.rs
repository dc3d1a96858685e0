//! What a connection is doing and since when. Noted where bytes pass ([`Paced`]), where a request is handed over, and where its
//! answer has been taken ([`Answer`]); the connection's task asks for the moment at which it has to be cut.

use super::seats::Seat;
use crate::metrics as names;
use axum::body::{Body, HttpBody};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// A head is on its way, since its first byte (the first one of a connection since it was accepted).
    Head,
    /// A request is read, worked on or answered, since the last byte either way.
    Request,
    /// Nothing, since the last byte either way.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Pace(Mutex<(Doing, Instant)>);

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self(Mutex::new((Doing::Head, now)))
    }

    fn note(&self, change: impl FnOnce(&mut (Doing, Instant))) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self, now: Instant) {
        self.note(|state| match state.0 {
            Doing::Head => {}
            Doing::Request => state.1 = now,
            Doing::Nothing => *state = (Doing::Head, now),
        });
    }

    fn wrote(&self, now: Instant) {
        self.note(|state| {
            if state.0 != Doing::Head {
                state.1 = now;
            }
        });
    }

    pub(super) fn requested(&self, now: Instant) {
        self.note(|state| *state = (Doing::Request, now));
    }

    fn answered(&self, now: Instant) {
        self.note(|state| *state = (Doing::Nothing, now));
    }

    /// When to cut the connection if nothing changes, and the word for why. `stop`: no head may come after it.
    pub(super) fn due(&self, header: Duration, idle: Duration, stop: Option<Instant>) -> (Instant, &'static str) {
        let (doing, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (doing, stop) {
            (Doing::Head, Some(stop)) if stop < since + header => (stop, "stop"),
            (Doing::Head, _) => (since + header, "header"),
            (Doing::Request, _) => (since + idle, "stalled"),
            (Doing::Nothing, _) => (since + idle, "idle"),
        }
    }
}

/// A stream that tells its [`Pace`] and holds its seat for as long as it lives, also as an upgraded one.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    _seat: Seat,
    /// Nothing has been read yet.
    fresh: bool,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S, pace: Arc<Pace>, seat: Seat) -> Self {
        Self { stream, pace, _seat: seat, fresh: true }
    }

    fn wrote(&self, done: Poll<std::io::Result<usize>>) -> Poll<std::io::Result<usize>> {
        if matches!(done, Poll::Ready(Ok(1..))) {
            self.pace.wrote(Instant::now());
        }
        done
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pace.read(Instant::now());
            let read = buf.filled().get(before..).unwrap_or_default();
            if std::mem::take(&mut self.fresh) && tls::looks_like_tls(read) {
                metrics::counter!(names::HTTP_REFUSED, "reason" => "tls_on_plain").increment(1);
                return Poll::Ready(Err(std::io::ErrorKind::InvalidData.into()));
            }
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An answer's body; with its end the request is over.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    pace: Arc<Pace>,
}

impl Answer {
    pub(super) const fn new(body: Body, pace: Arc<Pace>) -> Self {
        Self { body, pace }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.pace.answered(Instant::now());
    }
}

impl HttpBody for Answer {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
