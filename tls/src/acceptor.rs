//! The handshake of one connection: within a time, within a bound on how many there are, and counted.

use crate::gate::Gate;
use crate::keeper::Keeper;
use crate::metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{Error, ProtocolVersion};

pub type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// One listener's way into TLS. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Acceptor {
    keeper: Arc<Keeper>,
    gate: Arc<Gate>,
    listener: &'static str,
    limit: Duration,
}

/// A connection that came to nothing.
#[derive(Debug)]
pub struct Refused {
    pub why: Why,
    /// For [`Why::Plain`]: the stream with nothing read from it, to say so in words it understands.
    pub stream: Option<TcpStream>,
}

/// Why there was no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The first byte was not TLS: somebody speaks plainly on this port.
    Plain,
    /// The handshake took too long.
    Timeout,
    /// Too many handshakes were under way.
    Busy,
    /// It stalled and another one wanted its place.
    CrowdedOut,
    /// The peer went away.
    Gone,
    /// A client certificate is wanted and none was shown.
    NoCertificate,
    /// The client certificate is not of our authority, or not valid.
    BadCertificate,
    /// No version or cipher in common.
    Incompatible,
    /// The peer refused us, mostly because it does not trust our certificate.
    ByPeer,
    Malformed,
}

impl Why {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::CrowdedOut => "crowded_out",
            Self::Gone => "gone",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
            Self::Incompatible => "incompatible",
            Self::ByPeer => "by_peer",
            Self::Malformed => "malformed",
        }
    }

    /// For whoever looks for a device that does not get in. `None`: says nothing about the peer's settings.
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Plain => Some("plain connection on the TLS port; switch TLS on at the device or use the plain port"),
            Self::NoCertificate => Some("TLS: no client certificate was shown"),
            Self::BadCertificate => Some("TLS: the client certificate is not valid or not of our authority"),
            Self::Incompatible => Some("TLS: no version or cipher in common; 1.2 and 1.3 are spoken"),
            Self::ByPeer => Some("TLS: refused by the device; does it have our authority's certificate and the time?"),
            Self::Timeout | Self::Busy | Self::CrowdedOut | Self::Gone | Self::Malformed => None,
        }
    }
}

impl Acceptor {
    pub const fn new(keeper: Arc<Keeper>, gate: Arc<Gate>, listener: &'static str, limit: Duration) -> Self {
        Self { keeper, gate, listener, limit }
    }

    /// Call it in the connection's own task. Dropping the future ends the handshake.
    ///
    /// # Errors
    /// The handshake failed; it is counted already.
    pub async fn accept(&self, stream: TcpStream) -> Result<TlsStream, Refused> {
        let result = self.within_bounds(stream).await;
        match &result {
            Ok(stream) => {
                let version = match stream.get_ref().1.protocol_version() {
                    Some(ProtocolVersion::TLSv1_3) => "1.3",
                    _ => "1.2",
                };
                ::metrics::counter!(metrics::HANDSHAKES_TOTAL, "listener" => self.listener, "version" => version)
                    .increment(1);
            }
            Err(refused) => {
                let reason = refused.why.code();
                ::metrics::counter!(metrics::REFUSED_TOTAL, "listener" => self.listener, "reason" => reason)
                    .increment(1);
                tracing::debug!(listener = self.listener, reason, "tls handshake refused");
            }
        }
        result
    }

    async fn within_bounds(&self, stream: TcpStream) -> Result<TlsStream, Refused> {
        let Some(place) = self.gate.enter() else { return Err(Why::Busy.into()) };
        // Both branches are given up for good when the other wins.
        tokio::select! {
            biased;
            () = place.lost.cancelled() => Err(Why::CrowdedOut.into()),
            done = timeout(self.limit, self.handshake(stream)) => done.unwrap_or_else(|_| Err(Why::Timeout.into())),
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Result<TlsStream, Refused> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(0) | Err(_) => return Err(Why::Gone.into()),
            Ok(_) if first != [HANDSHAKE] => return Err(Refused { why: Why::Plain, stream: Some(stream) }),
            Ok(_) => {}
        }
        let acceptor = TlsAcceptor::from(self.keeper.server_config());
        acceptor.accept(stream).await.map_err(|error| why(&error).into())
    }
}

impl From<Why> for Refused {
    fn from(why: Why) -> Self {
        Self { why, stream: None }
    }
}

fn why(error: &std::io::Error) -> Why {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return Why::Gone };
    match error {
        Error::NoCertificatesPresented => Why::NoCertificate,
        Error::InvalidCertificate(_) => Why::BadCertificate,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Why::Incompatible,
        Error::AlertReceived(_) => Why::ByPeer,
        _ => Why::Malformed,
    }
}

/// A TLS client's first bytes on a plain port: a handshake record (RFC 8446, section 5.1) that holds a `ClientHello`.
pub const fn looks_like_tls(first: &[u8]) -> bool {
    matches!(first, [HANDSHAKE, 3, 0..=4, _, _, CLIENT_HELLO, ..])
}

const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 1;
