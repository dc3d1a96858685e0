//! An authority for tests: issues certificates into files, and is trusted by clients. Panics where a test would.
#![expect(clippy::expect_used, reason = "only tests call it")]

use crate::files::{ClientAuth, Files};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("an authority").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// For `localhost` and 127.0.0.1.
    pub fn server(&self) -> Issued {
        self.server_until((2099, 1, 1))
    }

    pub fn server_until(&self, until: (i32, u8, u8)) -> Issued {
        self.issue(CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).expect("names"), until)
    }

    pub fn client(&self, name: &str) -> Issued {
        let mut params = named(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, (2099, 1, 1))
    }

    fn issue(&self, mut params: CertificateParams, (year, month, day): (i32, u8, u8)) -> Issued {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Issued { certificate, key: key.serialize_pem() }
    }

    /// A client that trusts this authority and speaks one version; with a certificate if given.
    pub fn connector(&self, version: &'static SupportedProtocolVersion, own: Option<&Issued>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(first(&self.pem)).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).expect("a version").with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(vec![first(&own.certificate)], key).expect("a client certificate")
            }
        };
        TlsConnector::from(Arc::new(config))
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    /// What the handshake says.
    pub async fn connect(
        &self,
        address: std::net::SocketAddr,
        version: &'static SupportedProtocolVersion,
        own: Option<&Issued>,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        self.connector(version, own).connect(name, stream).await
    }

    /// This authority's own certificate as a file.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("authority.pem");
        std::fs::write(&file, &self.pem).expect("a file");
        file
    }
}

impl Issued {
    pub fn der(&self) -> Vec<u8> {
        first(&self.certificate).to_vec()
    }

    /// Writes `certificate.pem` and `key.pem` (mode 600), each replaced as a whole.
    pub fn write(&self, folder: &Path) -> Files {
        use std::os::unix::fs::PermissionsExt;
        let files = Files {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
            clients: ClientAuth::None,
        };
        for (file, text) in [(&files.certificate, &self.certificate), (&files.key, &self.key)] {
            let new = file.with_extension("new");
            std::fs::write(&new, text).expect("a file");
            std::fs::set_permissions(&new, PermissionsExt::from_mode(0o600)).expect("a mode");
            std::fs::rename(&new, file).expect("a file");
        }
        files
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn first(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}
