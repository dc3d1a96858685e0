//! Which addresses are refused for a while and which devices are slowed; lifting a ban.

use crate::dto::addresses::{AddressList, BannedAddress, LiftBan, SlowedDevice};
use crate::extract::{Caller, Json};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::refs;
use axum::extract::State;
use axum::http::StatusCode;

pub(crate) async fn list(State(state): State<AppState>) -> Json<AddressList> {
    let facts = state.facts();
    let bans = state.gate.bans().into_iter().take(SHOWN).map(|ban| BannedAddress {
        address: ban.address.to_string(),
        reason: ban.reason.into(),
        since: ban.since.into(),
        until: ban.until.into(),
        times: ban.times,
        refused: ban.refused,
    });
    let slowed = state.gate.slowed().into_iter().take(SHOWN).filter_map(|one| {
        let device = refs::device(&facts, one.device)?;
        Some(SlowedDevice { device, last: one.last.into(), pauses: one.pauses, paused_ms: one.paused_ms })
    });
    Json(AddressList { bans: bans.collect(), slowed: slowed.collect() })
}

pub(crate) async fn lift(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<LiftBan>,
) -> ApiResult<StatusCode> {
    let address = wanted.address.parse().map_err(|_| ApiError::field("address", "is no address"))?;
    if !state.gate.lift(address) {
        return Err(ApiError::not_found());
    }
    let key = address.to_string();
    state.ledger.audit().record(&caller.author(), "ban_lifted", "address", &key, (None, None)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rows of each list.
const SHOWN: usize = 500;
