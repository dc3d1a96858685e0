//! The key file: 64 random bytes made at first start, mode 0600, from which the two keys are taken: one for keyed hashes
//! of tokens, one to seal the secrets that downlinks must send. Losing the file makes every device credential void.

use crate::error::LedgerError;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const FILE: &str = "secret.key";
const NONCE: usize = 12;

/// The keys; never printed.
#[derive(Clone)]
pub struct Keys {
    hash: Hmac<Sha256>,
    seal: ChaCha20Poly1305,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// Reads `secret.key` in the data folder, or makes it. Blocking, a few bytes.
    pub fn open(data_dir: &Path) -> Result<Self, LedgerError> {
        let path = data_dir.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => Self::from_bytes(&bytes)
                .ok_or_else(|| LedgerError::Corrupt("key file", format!("{} is not 64 bytes long", path.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut bytes = [0; 64];
                fill_random(&mut bytes)?;
                write_new(&path, &bytes).map_err(LedgerError::io("create key file", &path))?;
                Self::from_bytes(&bytes).ok_or(LedgerError::Refused("the key has the wrong length"))
            }
            Err(error) => Err(LedgerError::io("read key file", &path)(error)),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hash, seal) = bytes.split_at_checked(32).filter(|(_, seal)| seal.len() == 32)?;
        Some(Self {
            hash: <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(hash).ok()?,
            seal: <ChaCha20Poly1305 as chacha20poly1305::KeyInit>::new_from_slice(seal).ok()?,
        })
    }

    /// Keyed SHA-256 for a purpose outside the registers.
    pub fn keyed_hash(&self, purpose: &str, told: &[u8]) -> [u8; 32] {
        self.hash(purpose, 0, told)
    }

    /// Keyed SHA-256 of a secret of `owner`; `purpose` keeps hashes of different things apart.
    pub(crate) fn hash(&self, purpose: &str, owner: i64, secret: &[u8]) -> [u8; 32] {
        self.mac(purpose, owner, secret).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, purpose: &str, owner: i64, secret: &[u8], hash: &[u8]) -> bool {
        self.mac(purpose, owner, secret).verify_slice(hash).is_ok()
    }

    fn mac(&self, purpose: &str, owner: i64, secret: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.hash.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(&owner.to_be_bytes());
        mac.update(secret);
        mac
    }

    /// Encrypts a secret of another crate, bound to a purpose and an owner: what was sealed for one opens for no other.
    pub fn seal_for(&self, purpose: &str, owner: i64, secret: &[u8]) -> Result<Vec<u8>, LedgerError> {
        let mut nonce = [0; NONCE];
        fill_random(&mut nonce)?;
        let sealed = self.seal.encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: &purposed(purpose, owner) });
        let mut out = nonce.to_vec();
        out.extend(sealed.map_err(|_why_is_never_told| LedgerError::Refused("the secret is too long"))?);
        Ok(out)
    }

    /// `None` when it was sealed with another key, for another purpose or owner, or was damaged.
    pub fn open_for(&self, purpose: &str, owner: i64, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        self.seal.decrypt(&Nonce::from(nonce), Payload { msg: body, aad: &purposed(purpose, owner) }).ok()
    }

    /// Encrypts a secret, bound to its owner.
    pub(crate) fn seal(&self, owner: i64, secret: &[u8]) -> Result<Vec<u8>, LedgerError> {
        let mut nonce = [0; NONCE];
        fill_random(&mut nonce)?;
        let payload = Payload { msg: secret, aad: &owner.to_be_bytes() };
        let sealed = self.seal.encrypt(&Nonce::from(nonce), payload);
        let mut out = nonce.to_vec();
        out.extend(sealed.map_err(|_why_is_never_told| LedgerError::Refused("the secret is too long"))?);
        Ok(out)
    }

    /// `None` when it was sealed with another key, for another owner, or was damaged.
    pub(crate) fn open_sealed(&self, owner: i64, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        self.seal.decrypt(&Nonce::from(nonce), Payload { msg: body, aad: &owner.to_be_bytes() }).ok()
    }
}

fn purposed(purpose: &str, owner: i64) -> Vec<u8> {
    [purpose.as_bytes(), &[0], &owner.to_be_bytes()].concat()
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Written aside and renamed, so that a crash leaves no half key.
    let aside = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), LedgerError> {
    getrandom::fill(bytes).map_err(|_source_says_nothing| LedgerError::Refused("the system gives no random numbers"))
}

/// A random text of `length` characters out of 32 that are hard to confuse (no 0, 1, l, o): 5 bits each.
pub(crate) fn random_text(length: usize) -> Result<String, LedgerError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = vec![0; length];
    fill_random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// 130 random bits: a device's token, a session.
pub(crate) fn random_token() -> Result<String, LedgerError> {
    random_text(26)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_key_file_is_made_once_and_only_the_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        let sealed = keys.seal(7, b"123456").unwrap();
        let again = Keys::open(dir.path()).unwrap();
        assert_eq!(again.open_sealed(7, &sealed).as_deref(), Some(&b"123456"[..]));
        assert_eq!(again.open_sealed(8, &sealed), None);
        let sealed = keys.seal_for("channel", 7, b"hook").unwrap();
        assert_eq!(again.open_for("channel", 7, &sealed).as_deref(), Some(&b"hook"[..]));
        assert_eq!((again.open_for("channel", 8, &sealed), again.open_for("mail", 7, &sealed)), (None, None));
        assert_eq!(again.open_sealed(7, &sealed), None);
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_hash_is_bound_to_its_owner_and_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        let hash = keys.hash("token", 1, b"secret");
        assert!(keys.matches("token", 1, b"secret", &hash));
        assert!(!keys.matches("token", 2, b"secret", &hash));
        assert!(!keys.matches("session", 1, b"secret", &hash));
        assert!(!keys.matches("token", 1, b"secreT", &hash));
    }

    #[test]
    fn a_damaged_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), b"short").unwrap();
        assert!(matches!(Keys::open(dir.path()), Err(LedgerError::Corrupt(..))));
    }
}
