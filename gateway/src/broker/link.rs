//! Keeps up the connection to one broker: connects, backs off, and tells how it stands.

use super::session::{End, Session};
use super::{BrokerConfig, BrokerState, Brokers, Outages};
use crate::edge::Edge;
use crate::metrics;
use ahash::RandomState;
use model::stream::{Outage, OutageKind};
use model::time::IngestTime;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const CONNECT_MAX: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// A connection that held so long makes the next pause short again.
const STEADY: Duration = Duration::from_mins(1);
/// While a broker is away that is told so often.
const TELL_MS: i64 = 30_000;
/// A shorter absence (a connection that was replaced) is not worth a record.
const SHORT_MS: i64 = 2_000;

/// Reads from one broker until `stop`.
pub async fn serve(config: BrokerConfig, edge: Edge, brokers: Brokers, outages: Outages, stop: CancellationToken) {
    let now = edge.clock.now();
    let mut link =
        Link { away: Some(now), told: now, had_session: false, pause: PAUSE_MIN, config, edge, brokers, outages };
    link.set(false, "not connected yet".into());
    while !stop.is_cancelled() {
        let began = tokio::time::Instant::now();
        let end = link.once(&stop).await;
        if end == End::Stopping {
            break;
        }
        let reason = end.code();
        ::metrics::counter!(metrics::BROKER_ENDED_TOTAL, "reason" => reason).increment(1);
        if link.away.is_none() {
            tracing::warn!(broker = %link.config.name, error = %end, "lost the connection to a broker");
            link.away = Some(link.edge.clock.now());
            link.told = link.edge.clock.now();
        }
        link.set(false, end.to_string());
        if began.elapsed() >= STEADY {
            link.pause = PAUSE_MIN;
        }
        link.rest(&stop).await;
    }
    link.finish();
}

struct Link {
    config: BrokerConfig,
    edge: Edge,
    brokers: Brokers,
    outages: Outages,
    /// Since when nothing can come.
    away: Option<IngestTime>,
    /// When that was told last.
    told: IngestTime,
    had_session: bool,
    pause: Duration,
}

impl Link {
    async fn once(&mut self, stop: &CancellationToken) -> End {
        let opened = stop.run_until_cancelled(timeout(CONNECT_MAX, self.open())).await;
        let stream = match opened {
            None => return End::Stopping,
            Some(Err(_)) => return End::Silent,
            Some(Ok(Err(error))) => return End::Io(error.to_string()),
            Some(Ok(Ok(stream))) => stream,
        };
        let (config, edge) = (self.config.clone(), self.edge.clone());
        match stream {
            Stream::Plain(stream) => Session::run(&config, &edge, stream, stop, |kept| self.subscribed(kept)).await,
            Stream::Tls(stream) => Session::run(&config, &edge, stream, stop, |kept| self.subscribed(kept)).await,
        }
    }

    async fn open(&self) -> std::io::Result<Stream> {
        let stream = TcpStream::connect((self.config.host.as_str(), self.config.port)).await?;
        stream.set_nodelay(true)?;
        match &self.config.tls {
            None => Ok(Stream::Plain(stream)),
            Some(connector) => connector.connect(&self.config.host, stream).await.map(|tls| Stream::Tls(Box::new(tls))),
        }
    }

    fn subscribed(&mut self, session_was_kept: bool) {
        let now = self.edge.clock.now();
        if self.had_session && !session_was_kept {
            ::metrics::counter!(metrics::BROKER_SESSIONS_LOST_TOTAL).increment(1);
            tracing::warn!(broker = %self.config.name, "a broker has not kept our session: what it took meanwhile may be lost");
        }
        self.had_session = true;
        self.tell(now);
        self.away = None;
        tracing::info!(broker = %self.config.name, session_was_kept, "reading from a broker");
        self.set(true, String::new());
    }

    /// One record for the whole absence: each telling has its beginning, and a later end.
    fn tell(&mut self, now: IngestTime) {
        if let Some(from) = self.away.filter(|from| now.since_ms(*from) >= SHORT_MS) {
            (self.outages.0)(Outage { from, to: now, what: OutageKind::UpstreamBroker });
            self.told = now;
        }
    }

    /// Waits before the next try, and goes on telling that the broker is away.
    async fn rest(&mut self, stop: &CancellationToken) {
        // Up to a half more, so that not all come back at once.
        let jitter = RandomState::new().hash_one(self.config.client_id.as_str()) % 512;
        let jitter = u32::try_from(jitter).unwrap_or(0);
        let pause = self.pause + self.pause * jitter / 1024;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let mut left = pause;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(5));
            if stop.run_until_cancelled(tokio::time::sleep(step)).await.is_none() {
                return;
            }
            left -= step;
            let now = self.edge.clock.now();
            if now.since_ms(self.told) >= TELL_MS {
                self.tell(now);
            }
        }
    }

    fn finish(&mut self) {
        let now = self.edge.clock.now();
        self.tell(now);
        self.set(false, "stopped".into());
    }

    fn set(&self, up: bool, detail: String) {
        let now = self.edge.clock.now();
        let since = if up { now } else { self.away.unwrap_or(now) };
        let name = self.config.name.clone();
        self.brokers.set(BrokerState { name, up, since, detail });
        let states = self.brokers.states();
        #[expect(clippy::cast_precision_loss, reason = "a gauge of a few brokers")]
        ::metrics::gauge!(metrics::BROKERS_UP).set(states.iter().filter(|state| state.up).count() as f64);
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<tls::ClientStream>),
}
