//! The HTTP listener: bounds who may hold a connection and for how long, so that slow or many peers stop nobody else.
//!
//! | bound | what happens |
//! |---|---|
//! | connections overall, and per address (trusted proxies: overall only) | 503 and closed |
//! | a request's head takes longer than `header_timeout` | closed |
//! | nothing moves for `idle_timeout`, between requests or within one | closed |
//! | a head larger than [`HEAD_BYTES_MAX`] | 431 and closed |
//!
//! An upgraded connection (the live socket) keeps its seat and has time-outs of its own. A stop lets requests end; whoever has
//! not finished sending a head [`STOP_HEAD`] after it is cut.

mod pace;
mod seats;
#[cfg(test)]
mod tests;

use crate::metrics as names;
use crate::net::Network;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pace::{Pace, Paced};
use seats::{Seat, Seats};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// Bounds of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub header_timeout: Duration,
    /// Above the time limit of a request, so that one that is being worked on is not cut.
    pub idle_timeout: Duration,
    /// Proxies speak for many: the bound per address is not for them.
    pub trusted_proxies: Vec<Network>,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            connections_max: 2_000,
            connections_per_address_max: 200,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Serves until `stop`, then until the requests that are being answered have their answer. Each request carries
/// `ConnectInfo<SocketAddr>`.
pub async fn serve(listener: TcpListener, app: Router, config: ListenerConfig, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let seats = Seats::new(config.connections_max, config.connections_per_address_max);
    let farewells = Arc::new(Semaphore::new(FAREWELLS_MAX));
    loop {
        // Both branches are cancel-safe.
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The peer went away, or we have no file handles left: what is open goes on.
                metrics::counter!(names::HTTP_ACCEPT_ERRORS).increment(1);
                tracing::debug!(%error, "a connection could not be accepted");
                stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                continue;
            }
        };
        let proxy = config.trusted_proxies.iter().any(|network| network.holds(peer.ip()));
        match seats.take(peer.ip(), proxy) {
            Ok(seat) => {
                stream.set_nodelay(true).ok(); // slower answers, no wrong ones
                let (header, idle) = (config.header_timeout, config.idle_timeout);
                connections.spawn(connection(stream, peer, seat, app.clone(), (header, idle), stop.clone()));
            }
            Err(reason) => {
                metrics::counter!(names::HTTP_REFUSED, "reason" => reason).increment(1);
                if let Ok(permit) = Arc::clone(&farewells).try_acquire_owned() {
                    connections.spawn(async move {
                        tokio::time::timeout(FAREWELL, turn_away(stream)).await.ok(); // it need not listen
                        drop(permit);
                    });
                }
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    app: Router,
    (header_timeout, idle_timeout): (Duration, Duration),
    stop: CancellationToken,
) {
    let pace = Arc::new(Pace::new(Instant::now()));
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace), seat));
    let noted = Arc::clone(&pace);
    let service = service_fn(move |mut request: Request<Incoming>| {
        noted.requested(Instant::now());
        request.extensions_mut().insert(ConnectInfo(peer));
        let (answer, pace) = (app.clone().call(request), Arc::clone(&noted));
        async move { answer.await.map(|response: Response<Body>| response.map(|body| pace::Answer::new(body, pace))) }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let mut serving = pin!(builder.serve_connection(io, service).with_upgrades());
    let mut stopping: Option<Instant> = None;
    loop {
        let (due, what) = pace.due(header_timeout, idle_timeout, stopping.map(|at| at + STOP_HEAD));
        // All branches are cancel-safe: the connection goes on where it was.
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection ended badly");
                }
                return;
            }
            () = tokio::time::sleep_until(due) => {
                if pace.due(header_timeout, idle_timeout, stopping.map(|at| at + STOP_HEAD)).0 <= Instant::now() {
                    metrics::counter!(names::HTTP_CUT, "reason" => what).increment(1);
                    tracing::debug!(%peer, what, "a connection was too slow and was cut");
                    return;
                }
            }
            () = stop.cancelled(), if stopping.is_none() => {
                stopping = Some(Instant::now());
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Says that there is no room, and gives the peer a moment to read it: closing with unread bytes would throw the answer away.
async fn turn_away(mut stream: TcpStream) -> Result<(), std::io::Error> {
    let body = r#"{"code":"unavailable","message":"too many connections; try again in a moment"}"#;
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         retry-after: 2\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = [0_u8; 1024];
    for _ in 0..FAREWELL_READS_MAX {
        if stream.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// Bytes of a request's head, and of the buffer that a connection reads into.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a peer that is turned away may take to read why, and how many may at one time.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELLS_MAX: usize = 64;
const FAREWELL_READS_MAX: usize = 64;
/// How long after a stop a head may still be on its way.
const STOP_HEAD: Duration = Duration::from_secs(1);
