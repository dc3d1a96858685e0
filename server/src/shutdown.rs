//! Stopping: the token goes down, the tasks come up. Every long-lived task is started through [`Tasks`], which knows its
//! name, turns a panic or an error into a stop of the whole process, and says who is still pending while a stop waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// The tasks of one phase of the stop: those that take from the outside end first, those that keep what was taken last.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    name: &'static str,
    stop: CancellationToken,
    /// Stops the whole process: set when a task fails.
    failed: CancellationToken,
    tracker: TaskTracker,
    pending: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Tasks {
    pub(crate) fn new(name: &'static str, failed: CancellationToken) -> Self {
        Self { name, stop: CancellationToken::new(), failed, tracker: TaskTracker::new(), pending: Arc::default() }
    }

    /// What the tasks of this phase watch.
    pub(crate) fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `task` until it ends by itself or is told to by the token.
    pub(crate) fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.note(name, 1);
        let (this, failed) = (self.clone(), self.failed.clone());
        self.tracker.spawn(async move {
            // A task of its own, so that a panic is seen here and named.
            match tokio::spawn(task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    error!(task = name, error = format!("{error:#}"), "task failed to go on; stopping");
                    failed.cancel();
                }
                Err(error) => {
                    error!(task = name, %error, "task panicked; stopping");
                    failed.cancel();
                }
            }
            this.note(name, -1);
        });
    }

    fn note(&self, name: &'static str, change: isize) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let count = pending.entry(name).or_insert(0);
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            pending.remove(name);
        }
    }

    fn pending(&self) -> String {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.iter().map(|(name, count)| format!("{name}×{count}")).collect::<Vec<_>>().join(", ")
    }

    /// Tells the tasks to end and waits for them until `deadline`; logs every two seconds who is still there. Returns
    /// whether all ended.
    pub(crate) async fn finish(&self, deadline: tokio::time::Instant) -> bool {
        self.stop.cancel();
        self.tracker.close();
        loop {
            let step = tokio::time::Instant::now() + Duration::from_secs(2);
            if tokio::time::timeout_at(step.min(deadline), self.tracker.wait()).await.is_ok() {
                info!(phase = self.name, "stopped");
                return true;
            }
            if tokio::time::Instant::now() >= deadline {
                warn!(phase = self.name, pending = self.pending(), "the deadline of the stop has passed");
                return false;
            }
            info!(phase = self.name, pending = self.pending(), "still stopping");
        }
    }
}

/// Ends when SIGTERM or Ctrl-C arrives.
pub(crate) async fn signal() -> &'static str {
    let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(term) => term,
        Err(error) => {
            error!(%error, "failed to listen for SIGTERM");
            return if tokio::signal::ctrl_c().await.is_ok() { "Ctrl-C" } else { "no signals can be received" };
        }
    };
    // Both branches are cancel-safe.
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_task_stops_the_process() {
        let failed = CancellationToken::new();
        let tasks = Tasks::new("test", failed.clone());
        tasks.spawn("bad", async { panic!("on purpose") });
        failed.cancelled().await;
        assert!(tasks.finish(tokio::time::Instant::now() + Duration::from_secs(5)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_names_who_is_pending_at_its_deadline() {
        let tasks = Tasks::new("test", CancellationToken::new());
        tasks.spawn("stubborn", std::future::pending());
        assert!(!tasks.finish(tokio::time::Instant::now() + Duration::from_secs(3)).await);
        assert_eq!(tasks.pending(), "stubborn×1");
    }
}
