//! The one background task of this crate: keeps the open alerts, the pictures of cases, and the latest numbers while a page watches them.

use crate::aside;
use crate::pins::Pins;
use crate::state::AppState;
use crate::view::alert::Rules;
use crate::view::health;
use cases::LiveEvent;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Duration, MissedTickBehavior, interval};

/// Runs until the state's `stop` is cancelled. The wiring spawns it.
pub async fn run(state: AppState) {
    let mut events = state.judge.subscribe();
    let mut stale = true;
    let mut pins = Pins::default();
    let mut rounds: u64 = 0;
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Cancel-safe: an event or a tick is taken only when its branch wins.
        tokio::select! {
            () = state.stop.cancelled() => return,
            event = events.recv() => match event {
                Ok(LiveEvent::Alert(event)) => {
                    state.book.take(&event.alert, Rules::of(&state).severity(&event.alert));
                }
                Ok(LiveEvent::Case(_)) => {}
                Err(RecvError::Lagged(_)) => stale = true,
                Err(RecvError::Closed) => return,
            },
            _ = seconds.tick() => {
                if stale {
                    stale = !load(&state).await;
                }
                if rounds.is_multiple_of(ASIDE_EVERY)
                    && let Err(error) = aside::refresh(&state).await
                {
                    tracing::debug!(code = %error.problem.code, "people and silences could not be read");
                }
                publish(&state).await;
                if rounds.is_multiple_of(PINS_EVERY)
                    && let Err(error) = pins.look(&state).await
                {
                    tracing::debug!(code = %error.problem.code, "the cases' pictures could not be looked at");
                }
                rounds += 1;
            }
        }
    }
}

async fn load(state: &AppState) -> bool {
    let rules = Rules::of(state);
    match state.book.load(&state.cases, |alert| rules.severity(alert)).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "failed to read the open alerts, will try again");
            false
        }
    }
}

async fn publish(state: &AppState) {
    if state.health.receiver_count() > 0 {
        state.health.send_replace(Some(Arc::new(health::current(state))));
    }
    if state.kpi.receiver_count() > 0 {
        match health::kpi(state).await {
            Ok(kpi) => {
                state.kpi.send_if_modified(|old| {
                    let new = **old != kpi;
                    if new {
                        *old = Arc::new(kpi);
                    }
                    new
                });
            }
            Err(error) => tracing::debug!(code = %error.problem.code, "the numbers could not be read"),
        }
    }
}

/// Seconds between two looks at people's names and silences that another process may have changed.
const ASIDE_EVERY: u64 = 5;
/// Seconds between two looks at the cases.
const PINS_EVERY: u64 = 20;
