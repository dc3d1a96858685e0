//! Passwords of people: argon2id on blocking threads, few at a time, with a bounded queue before them.

use crate::metrics::LOGINS_BUSY;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// Hashes computed at one time: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// Those that may wait.
const WAITING_MAX: usize = 64;
pub(crate) const LENGTH_MIN: usize = 10;
pub(crate) const LENGTH_MAX: usize = 128;

#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Compared with when there is no such person, so that the answer takes as long.
    dummy: Arc<str>,
}

/// The hasher could not take the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Busy,
    Broken,
}

impl Hasher {
    pub(crate) async fn new() -> Result<Self, Failed> {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut hasher = Self { permits, waiting: Arc::new(AtomicUsize::new(0)), dummy: "".into() };
        hasher.dummy = hasher.hash("not a password of anyone".into()).await?.into();
        Ok(hasher)
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, Failed> {
        self.run(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).ok())
            .await?
            .ok_or(Failed::Broken)
    }

    /// Whether the password is the one of `hash`; `None`: no such person, never right.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Failed> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.to_string());
        let right = move || Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok();
        Ok(self.run(right).await? && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
        let _queued = Queued::enter(&self.waiting)?;
        let permit = self.permits.acquire().await.map_err(|_closed_never_happens| Failed::Broken)?;
        let done = tokio::task::spawn_blocking(work).await;
        drop(permit);
        done.map_err(|_panicked| Failed::Broken)
    }
}

/// A place in the queue, given back on drop, also when the caller goes away.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Result<Self, Failed> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::SeqCst) >= WAITING_MAX {
            metrics::counter!(LOGINS_BUSY).increment(1);
            return Err(Failed::Busy);
        }
        Ok(place)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
