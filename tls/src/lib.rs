//! TLS for every listener: certificates that are replaced while the server runs, and handshakes with bounds.
//!
//! | call | promise |
//! |---|---|
//! | [`load`] | reads the files; every problem with the key of the configuration it belongs to |
//! | [`Keeper::open`] | the certificate in use |
//! | [`keep`] | takes new files over as they come, keeps the old ones when the new are bad, and tells before they expire |
//! | [`Acceptor::accept`] | a handshake within a time, never in the accept loop's way; who is refused is counted by reason |
//! | [`Connector`] | the client's side, for a broker that we read from |
//! | [`Ports`] | a plain and a TLS listener side by side |
//!
//! Knows no protocol and no device. A client certificate lets a connection in; who it is, is decided by the device's own
//! credential.

mod acceptor;
mod connector;
mod files;
mod gate;
mod keeper;
pub mod metrics;
mod ports;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod validity;

pub use acceptor::{Acceptor, Refused, TlsStream, Why, looks_like_tls};
pub use connector::{ClientStream, Connector, ConnectorError};
pub use files::{ClientAuth, Files, Loaded, Problem, load};
pub use gate::Gate;
pub use keeper::{Asked, Keeper, Look, WARN_DAYS, keep};
pub use ports::Ports;
pub use tokio_rustls;
pub use validity::Validity;
