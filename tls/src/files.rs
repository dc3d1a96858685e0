//! The files of a certificate, and what is wrong with them in words for whoever put them there. Reads files; call it off
//! the runtime's threads.

use crate::validity::Validity;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

/// Where the certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// PEM: the server's own certificate first, then those between it and the authority.
    pub certificate: PathBuf,
    /// PEM: its key, not encrypted.
    pub key: PathBuf,
    pub clients: ClientAuth,
}

/// Whether clients show a certificate. The file has the authorities (PEM) that sign them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    None,
    /// Who shows none is let in, who shows one of another authority is not.
    Optional(PathBuf),
    Required(PathBuf),
}

impl ClientAuth {
    pub const fn authority(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Optional(file) | Self::Required(file) => Some(file),
        }
    }
}

/// One thing wrong, with the key of the configuration: `certificate`, `key` or `client_ca`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Problem {
    pub key: &'static str,
    pub message: String,
}

/// A certificate that can be used.
#[derive(Clone)]
pub struct Loaded {
    pub config: Arc<ServerConfig>,
    pub validity: Validity,
    /// What does not stop it from being used, and that somebody should look at.
    pub warnings: Vec<Problem>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("validity", &self.validity).finish_non_exhaustive()
    }
}

/// Reads the files.
///
/// # Errors
/// Every problem that is found, not the first alone.
pub fn load(files: &Files) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let provider = Arc::new(ring::default_provider());
    let chain = note(certificates("certificate", &files.certificate), &mut problems);
    let key = note(key(&files.key), &mut problems);
    let clients = note(verifier(&files.clients, &provider), &mut problems);
    let validity = chain.as_ref().and_then(|chain| {
        let validity = chain.first().and_then(|leaf| Validity::of(leaf));
        if validity.is_none() {
            let message = format!("{} holds something that is no X.509 certificate", shown(&files.certificate));
            problems.push(Problem { key: "certificate", message });
        }
        validity
    });
    if let Some(warning) = open_to_all(&files.key) {
        warnings.push(warning);
    }
    let (Some(chain), Some(key), Some(clients), Some(validity)) = (chain, key, clients, validity) else {
        return Err(problems);
    };
    match server_config(provider, clients, chain, key) {
        Ok(config) => Ok(Loaded { config: Arc::new(config), validity, warnings }),
        Err(error) => Err(vec![unusable(files, &error)]),
    }
}

fn note<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

type Clients = Option<Arc<dyn ClientCertVerifier>>;

fn server_config(
    provider: Arc<CryptoProvider>,
    clients: Clients,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    // TLS 1.2 and 1.3 are all that the library speaks, with its own choice of ciphers.
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let clients = match clients {
        Some(verifier) => versions.with_client_cert_verifier(verifier),
        None => versions.with_no_client_auth(),
    };
    clients.with_single_cert(chain, key)
}

fn unusable(files: &Files, error: &Error) -> Problem {
    match error {
        Error::InconsistentKeys(_) => Problem {
            key: "key",
            message: format!(
                "{} does not belong to the first certificate of {}",
                shown(&files.key),
                shown(&files.certificate)
            ),
        },
        Error::InvalidCertificate(error) => {
            Problem { key: "certificate", message: format!("{} cannot be used: {error}", shown(&files.certificate)) }
        }
        error => Problem { key: "key", message: format!("{} cannot be used: {error}", shown(&files.key)) },
    }
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let problem = |message| Problem { key, message };
    let text = read(key, file)?;
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        match certificate {
            Ok(certificate) => found.push(certificate),
            Err(error) => return Err(problem(format!("{} is no PEM text: {error}", shown(file)))),
        }
        if found.len() > CERTIFICATES_MAX {
            return Err(problem(format!("{} holds more than {CERTIFICATES_MAX} certificates", shown(file))));
        }
    }
    if found.is_empty() {
        return Err(problem(format!("no certificate in {} (PEM, -----BEGIN CERTIFICATE-----)", shown(file))));
    }
    Ok(found)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let text = read("key", file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_no_detail_of_a_key| {
        let encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
        let why = if encrypted { "the key is encrypted; only a plain one can be read" } else { "no private key" };
        Problem { key: "key", message: format!("{why} in {} (PEM)", shown(file)) }
    })
}

fn verifier(clients: &ClientAuth, provider: &Arc<CryptoProvider>) -> Result<Clients, Problem> {
    let Some(file) = clients.authority() else { return Ok(None) };
    let problem = |message| Problem { key: "client_ca", message };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", file)? {
        let added = roots.add(certificate);
        added.map_err(|error| problem(format!("{} cannot be used as an authority: {error}", shown(file))))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let built = match clients {
        ClientAuth::Optional(_) => builder.allow_unauthenticated().build(),
        _ => builder.build(),
    };
    built.map(Some).map_err(|error| problem(format!("{} cannot be used as an authority: {error}", shown(file))))
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, Problem> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).and_then(|open| open.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match opened {
        Ok(count) if u64::try_from(count).is_ok_and(|count| count <= FILE_BYTES_MAX) => Ok(bytes),
        Ok(_) => Err(Problem { key, message: format!("{} is larger than {FILE_BYTES_MAX} bytes", shown(file)) }),
        Err(error) => Err(Problem { key, message: format!("cannot read {}: {error}", shown(file)) }),
    }
}

fn open_to_all(key: &Path) -> Option<Problem> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(key).ok()?.permissions().mode();
    (mode & 0o006 != 0).then(|| Problem {
        key: "key",
        message: format!("{} can be read or written by every user of this machine; chmod 640 it", shown(key)),
    })
}

fn shown(file: &Path) -> String {
    format!("{:?}", file.display().to_string())
}

/// Longest file that is read; a chain of certificates has a few thousand bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
const CERTIFICATES_MAX: usize = 256;
