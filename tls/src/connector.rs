//! The way into TLS as a client: to a broker that we read from. Its certificate must come from an authority that is named; there is no
//! way to switch that off.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Trusts the authorities of one file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connector(Arc<ClientConfig>);

/// Why there is no connector.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    #[error("cannot read {file}: {detail}", file = .file.display())]
    File { file: PathBuf, detail: String },
    #[error("{file} holds no certificate", file = .0.display())]
    Empty(PathBuf),
    #[error("cannot be used: {0}")]
    Unusable(String),
}

impl Connector {
    /// `authority`: PEM. `own`: our certificate and its key, for brokers that ask for one.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub fn open(authority: &Path, own: Option<(&Path, &Path)>) -> Result<Self, ConnectorError> {
        let unusable = |error: tokio_rustls::rustls::Error| ConnectorError::Unusable(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in chain(authority)? {
            roots.add(certificate).map_err(unusable)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unusable)?
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let file = |detail: String| ConnectorError::File { file: key.to_owned(), detail };
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file(error.to_string()))?;
                builder.with_client_auth_cert(chain(certificate)?, private).map_err(unusable)?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// The handshake. The caller bounds its time.
    ///
    /// # Errors
    /// The name is none, or the handshake failed.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> std::io::Result<ClientStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectorError> {
    let problem = |detail: String| ConnectorError::File { file: file.to_owned(), detail };
    let found = CertificateDer::pem_file_iter(file).map_err(|error| problem(error.to_string()))?;
    let chain = found.collect::<Result<Vec<_>, _>>().map_err(|error| problem(error.to_string()))?;
    if chain.is_empty() { Err(ConnectorError::Empty(file.to_owned())) } else { Ok(chain) }
}
