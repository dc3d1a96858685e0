//! The live socket: one per tab, topics subscribed by id. See [`crate::dto::live`] for the messages.
//!
//! Nothing is queued per page but what the hub keeps for it (a set of changed devices) and one message on its way: a page that
//! reads slowly sees fewer, newer states. Alerts and cases are never left out in silence: when their channel has run over, the
//! page is told to `refetch`. A page that does not read at all for [`connection::SEND_SECONDS`] is closed.

mod connection;
mod feeds;
mod topics;

pub(crate) use topics::event;

use crate::extract::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::StatusCode;
use axum::response::Response;
use model::id::UserId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) async fn upgrade(
    State(state): State<AppState>,
    caller: Caller,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let socket = socket.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let Some(seat) = state.sockets.take(caller.user) else {
        metrics::counter!(crate::metrics::LIVE_REFUSED).increment(1);
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "too many live pages are open"));
    };
    Ok(socket
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| connection::serve(state, caller, socket, seat)))
}

/// Counts open sockets, in all and of each person.
#[derive(Debug, Clone)]
pub(crate) struct Sockets {
    open: Arc<Mutex<BTreeMap<UserId, usize>>>,
    max: usize,
    per_user_max: usize,
}

impl Sockets {
    pub(crate) fn new(max: usize, per_user_max: usize) -> Self {
        Self { open: Arc::default(), max, per_user_max }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<UserId, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, user: UserId) -> Option<Seat> {
        let mut open = self.lock();
        let all: usize = open.values().sum();
        let own = open.entry(user).or_default();
        if all >= self.max || *own >= self.per_user_max {
            return None;
        }
        *own += 1;
        metrics::gauge!(crate::metrics::LIVE_SOCKETS).increment(1);
        Some(Seat { sockets: self.clone(), user })
    }
}

/// One open socket; gives its place back when dropped.
#[derive(Debug)]
struct Seat {
    sockets: Sockets,
    user: UserId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!(crate::metrics::LIVE_SOCKETS).decrement(1);
        let mut open = self.sockets.lock();
        if let Some(own) = open.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// Bytes of a message from a page.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_and_all_people_have_a_bound_of_sockets() {
        let sockets = Sockets::new(3, 2);
        let first = sockets.take(UserId(1));
        let second = sockets.take(UserId(1));
        assert!(first.is_some() && second.is_some());
        assert!(sockets.take(UserId(1)).is_none());
        let third = sockets.take(UserId(2));
        assert!(third.is_some() && sockets.take(UserId(3)).is_none());
        drop(first);
        assert!(sockets.take(UserId(1)).is_some());
    }
}
