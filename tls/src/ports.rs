//! A plain listener and a TLS one of the same protocol, side by side.

use crate::acceptor::Acceptor;
use tokio::net::TcpListener;

/// Where a protocol is listened for.
#[derive(Debug, Default)]
pub struct Ports {
    pub plain: Option<TcpListener>,
    pub tls: Option<(TcpListener, Acceptor)>,
}

impl Ports {
    /// Each listener with its acceptor, if it has one.
    pub fn each(self) -> impl Iterator<Item = (TcpListener, Option<Acceptor>)> {
        let plain = self.plain.map(|listener| (listener, None));
        plain.into_iter().chain(self.tls.map(|(listener, acceptor)| (listener, Some(acceptor))))
    }
}

impl From<TcpListener> for Ports {
    fn from(listener: TcpListener) -> Self {
        Self { plain: Some(listener), tls: None }
    }
}
