//! The HTTP listener: bounds who may hold a connection and for how long, so that slow or many peers stop nobody else.
//!
//! | bound | what happens |
//! |---|---|
//! | connections overall, and per address (trusted proxies: overall only) | 503 and closed |
//! | a request's head takes longer than `header_timeout` | closed |
//! | nothing moves for `idle_timeout`, between requests or within one | closed |
//! | a head larger than [`HEAD_BYTES_MAX`] | 431 and closed |
//! | not TLS on the TLS port; TLS on the plain one | 400 and closed; closed |
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
use futures_util::future::join_all;
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
use tls::{Acceptor, Ports, Refused};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
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

/// A request that came over TLS on our own port carries this extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverTls;

/// Serves all ports until `stop`, then until the requests that are being answered have their answer. Each request carries
/// `ConnectInfo<SocketAddr>`, and [`OverTls`] if it did.
pub async fn serve(ports: impl Into<Ports>, app: Router, config: ListenerConfig, stop: CancellationToken) {
    let host = Host {
        app,
        seats: Seats::new(config.connections_max, config.connections_per_address_max),
        farewells: Arc::new(Semaphore::new(FAREWELLS_MAX)),
        connections: TaskTracker::new(),
        config,
        stop,
    };
    join_all(ports.into().each().map(|(listener, tls)| host.accept(listener, tls))).await;
    host.connections.close();
    host.connections.wait().await;
}

/// What the ports share.
#[derive(Debug)]
struct Host {
    app: Router,
    config: ListenerConfig,
    seats: Arc<Seats>,
    farewells: Arc<Semaphore>,
    connections: TaskTracker,
    stop: CancellationToken,
}

impl Host {
    async fn accept(&self, listener: TcpListener, tls: Option<Acceptor>) {
        loop {
            // Both branches are cancel-safe.
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer, tls.as_ref()),
                Err(error) => {
                    // The peer went away, or we have no file handles left: what is open goes on.
                    metrics::counter!(names::HTTP_ACCEPT_ERRORS).increment(1);
                    tracing::debug!(%error, "a connection could not be accepted");
                    self.stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, tls: Option<&Acceptor>) {
        let proxy = self.config.trusted_proxies.iter().any(|network| network.holds(peer.ip()));
        match self.seats.take(peer.ip(), proxy) {
            Ok(seat) => {
                stream.set_nodelay(true).ok(); // slower answers, no wrong ones
                let guest = Guest {
                    peer,
                    seat,
                    app: self.app.clone(),
                    limits: (self.config.header_timeout, self.config.idle_timeout),
                    stop: self.stop.clone(),
                };
                match tls {
                    None => drop(self.connections.spawn(connection(stream, guest, None))),
                    Some(acceptor) => {
                        let (acceptor, farewells) = (acceptor.clone(), Arc::clone(&self.farewells));
                        self.connections.spawn(secured(acceptor, stream, guest, farewells));
                    }
                }
            }
            Err(reason) => {
                metrics::counter!(names::HTTP_REFUSED, "reason" => reason).increment(1);
                // Who waits for TLS would not understand; it is closed without a word.
                if tls.is_none() {
                    say_goodbye(&self.connections, &self.farewells, stream, FULL);
                }
            }
        }
    }
}

/// Somebody who has a seat.
#[derive(Debug)]
struct Guest {
    peer: SocketAddr,
    seat: Seat,
    app: Router,
    limits: (Duration, Duration),
    stop: CancellationToken,
}

async fn secured(acceptor: Acceptor, stream: TcpStream, guest: Guest, farewells: Arc<Semaphore>) {
    // The one that loses is given up for good.
    let done = tokio::select! {
        () = guest.stop.cancelled() => return,
        done = acceptor.accept(stream) => done,
    };
    match done {
        Ok(stream) => connection(stream, guest, Some(OverTls)).await,
        Err(Refused { stream: Some(stream), .. }) => {
            metrics::counter!(names::HTTP_REFUSED, "reason" => "plain").increment(1);
            drop(guest);
            if let Ok(_permit) = farewells.try_acquire() {
                tokio::time::timeout(FAREWELL, turn_away(stream, PLAIN)).await.ok(); // it need not listen
            }
        }
        Err(_) => metrics::counter!(names::HTTP_REFUSED, "reason" => "handshake").increment(1),
    }
}

fn say_goodbye(connections: &TaskTracker, farewells: &Arc<Semaphore>, stream: TcpStream, why: Goodbye) {
    if let Ok(permit) = Arc::clone(farewells).try_acquire_owned() {
        connections.spawn(async move {
            tokio::time::timeout(FAREWELL, turn_away(stream, why)).await.ok(); // it need not listen
            drop(permit);
        });
    }
}

async fn connection<S>(stream: S, guest: Guest, over_tls: Option<OverTls>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Guest { peer, seat, app, limits: (header_timeout, idle_timeout), stop } = guest;
    let pace = Arc::new(Pace::new(Instant::now()));
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace), seat));
    let noted = Arc::clone(&pace);
    let service = service_fn(move |mut request: Request<Incoming>| {
        noted.requested(Instant::now());
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(over_tls) = over_tls {
            request.extensions_mut().insert(over_tls);
        }
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

/// Status line and the problem's body.
type Goodbye = (&'static str, &'static str);

const FULL: Goodbye = (
    "503 Service Unavailable\r\nretry-after: 2",
    r#"{"code":"unavailable","message":"too many connections; try again in a moment"}"#,
);
const PLAIN: Goodbye = (
    "400 Bad Request",
    r#"{"code":"bad_request","message":"this port speaks TLS; write https:// before the address"}"#,
);

/// Says why not, and gives the peer a moment to read it: closing with unread bytes would throw the answer away.
async fn turn_away(mut stream: TcpStream, (status, body): Goodbye) -> Result<(), std::io::Error> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
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
