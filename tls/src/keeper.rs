//! The certificate in use, and its replacement while the server runs. New files are taken over as soon as they are good;
//! bad ones are told once they have stopped changing (a renewal writes two files, one after the other), and the old
//! certificate stays.

use crate::files::{Files, Loaded, Problem, load};
use crate::metrics;
use model::time::Clock;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub struct Keeper {
    files: Files,
    current: Mutex<Loaded>,
    seen: Mutex<Seen>,
}

/// The files as they were looked at.
#[derive(Debug)]
struct Seen {
    loaded: Stamps,
    /// Bad at the last look.
    bad: Option<Stamps>,
    /// Bad, and told.
    told: Option<Stamps>,
}

/// What changes when a file does: by file its time, length and number.
type Stamps = Vec<Option<(Option<SystemTime>, u64, u64)>>;

/// What a look at the files found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Same,
    Taken,
    /// The files are bad, the old certificate stays. Told once for each change of the files.
    Kept(Vec<Problem>),
}

/// Whether a look is asked for by somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    ByTime,
    ByOperator,
}

impl Keeper {
    /// # Errors
    /// Every problem of the files.
    pub fn open(files: Files) -> Result<Arc<Self>, Vec<Problem>> {
        let loaded = stamps(&files);
        let current = Mutex::new(load(&files)?);
        Ok(Arc::new(Self { files, current, seen: Mutex::new(Seen { loaded, bad: None, told: None }) }))
    }

    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner).config)
    }

    pub fn current(&self) -> Loaded {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files and takes them over if they changed, or when asked. Reads files.
    pub fn look(&self, asked: Asked) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Before reading: what changes meanwhile is seen by the next look.
        let now = stamps(&self.files);
        if asked == Asked::ByTime && now == seen.loaded {
            (seen.bad, seen.told) = (None, None);
            return Look::Same;
        }
        match load(&self.files) {
            Ok(loaded) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
                *seen = Seen { loaded: now, bad: None, told: None };
                Look::Taken
            }
            Err(problems) => {
                let settled = asked == Asked::ByOperator || seen.bad.as_ref() == Some(&now);
                let told = asked == Asked::ByTime && seen.told.as_ref() == Some(&now);
                seen.bad = Some(now.clone());
                if !settled || told {
                    return Look::Same;
                }
                seen.told = Some(now);
                Look::Kept(problems)
            }
        }
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).told.is_some()
    }
}

/// Keeps the certificate until `stop`: looks at the files `every` so often and when `hangup` is notified, tells the days that
/// are left, and warns a month before none are.
pub async fn keep(
    keeper: Arc<Keeper>,
    every: Duration,
    hangup: Arc<Notify>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut warned: Option<Instant> = None;
    for warning in keeper.current().warnings {
        tracing::warn!(key = warning.key, warning = warning.message, "the tls files should be looked at");
    }
    loop {
        // All branches are cancel-safe.
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => Asked::ByTime,
            () = hangup.notified() => Asked::ByOperator,
        };
        let looking = Arc::clone(&keeper);
        match tokio::task::spawn_blocking(move || looking.look(asked)).await {
            Ok(Look::Same) => {}
            Ok(Look::Taken) => {
                let current = keeper.current();
                ::metrics::counter!(metrics::RELOADS_TOTAL, "result" => "taken").increment(1);
                tracing::info!(expires = %current.validity.to, "new tls certificate taken over");
                for warning in current.warnings {
                    tracing::warn!(key = warning.key, warning = warning.message, "the tls files should be looked at");
                }
                warned = None;
            }
            Ok(Look::Kept(problems)) => {
                ::metrics::counter!(metrics::RELOADS_TOTAL, "result" => "refused").increment(1);
                let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                tracing::error!(problems, "failed to take over the new tls certificate; the old one stays in use");
            }
            Err(error) => tracing::error!(%error, "looking at the tls files has panicked"),
        }
        ::metrics::gauge!(metrics::FILES_BAD).set(if keeper.is_bad() { 1.0 } else { 0.0 });
        tell_expiry(&keeper, clock.as_ref(), &mut warned);
    }
}

fn tell_expiry(keeper: &Keeper, clock: &dyn Clock, warned: &mut Option<Instant>) {
    let validity = keeper.current().validity;
    let days = validity.days_left(clock.now());
    // Beyond a century it only matters that it is long.
    let shown = i32::try_from(days).unwrap_or(i32::MAX);
    ::metrics::gauge!(metrics::EXPIRES_DAYS).set(f64::from(shown));
    if days >= WARN_DAYS || warned.is_some_and(|at| at.elapsed() < WARN_EVERY) {
        return;
    }
    *warned = Some(Instant::now());
    if days < 0 {
        tracing::error!(expired = %validity.to, "the tls certificate has expired; devices that check it stay away");
    } else {
        tracing::warn!(expires = %validity.to, days, "the tls certificate expires soon");
    }
}

fn stamps(files: &Files) -> Stamps {
    let all = [Some(&files.certificate), Some(&files.key), files.clients.authority()];
    all.into_iter().flatten().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<(Option<SystemTime>, u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok(), about.len(), about.ino()))
}

/// When the warning begins, and how often it is repeated.
pub const WARN_DAYS: i64 = 30;
const WARN_EVERY: Duration = Duration::from_hours(24);
