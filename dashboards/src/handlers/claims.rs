//! Claim codes: making, listing, revoking; and the device that shows one. Who shows a wrong one is told that and nothing else, waits
//! longer with each, and is banned at last.

use crate::dto::claims::{ClaimAttemptRow, ClaimHandout, ClaimList, ClaimRow, NewClaim, Provision, Provisioned};
use crate::extract::{Caller, Id, Json};
use crate::guard::Peer;
use crate::handlers::credentials::handout;
use crate::net;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::refs;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use ledger::{ClaimError, ClaimRefusal, Claiming};
use model::time::{EventTime, IngestTime};

pub(crate) async fn list(State(state): State<AppState>) -> ApiResult<Json<ClaimList>> {
    let (facts, now) = (state.facts(), state.now());
    let claims = state.ledger.claims().await?.into_iter().map(|claim| row(claim, now)).collect();
    let attempts = state.ledger.claim_attempts(ATTEMPTS_SHOWN).await?.into_iter().map(|one| ClaimAttemptRow {
        at: one.at.into(),
        origin: one.origin,
        serial: one.serial,
        claim: one.claim,
        device: one.device.and_then(|id| refs::device(&facts, id)),
        refusal: one.refusal.map(Into::into),
    });
    Ok(Json(ClaimList { claims, attempts: attempts.collect() }))
}

fn row(claim: ledger::Claim, now: IngestTime) -> ClaimRow {
    ClaimRow {
        open: !claim.revoked && claim.uses < claim.uses_max && claim.expires > now,
        id: claim.id,
        name: claim.name,
        profile: claim.profile,
        vendor: claim.vendor,
        prefix: claim.prefix,
        policy: claim.policy.into(),
        uses: claim.uses,
        uses_max: claim.uses_max,
        created: claim.created.into(),
        expires: claim.expires.into(),
        revoked: claim.revoked,
        author: claim.author,
    }
}

pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<NewClaim>,
) -> ApiResult<Json<ClaimHandout>> {
    let new = ledger::NewClaim {
        name: new.name,
        profile: new.profile,
        vendor: new.vendor,
        prefix: new.prefix,
        policy: new.policy.into(),
        uses_max: new.uses_max,
        expires: IngestTime(EventTime::from(new.expires).as_ms()),
    };
    let (claim, code) = state.ledger.new_claim(&caller.author(), new).await?;
    Ok(Json(ClaimHandout { code, claim: row(claim, state.now()) }))
}

pub(crate) async fn revoke(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<StatusCode> {
    let found = state.ledger.revoke_claim(&caller.author(), id).await?;
    found.then_some(StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

pub(crate) async fn provision(
    State(state): State<AppState>,
    Extension(Peer(peer)): Extension<Peer>,
    Json(shown): Json<Provision>,
) -> ApiResult<Json<Provisioned>> {
    let (now, near, address) = (state.now(), net::neighbourhood_text(&peer), peer.parse().ok());
    let wait = state.claiming.wait_s(&near, now);
    if wait > 0 || address.is_some_and(|address| state.gate.is_banned(address)) {
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "too many wrong claim codes");
        error.retry_after_s = Some(wait.max(60));
        return Err(error);
    }
    let claiming = Claiming { code: &shown.code, serial: &shown.serial, origin: &peer };
    match state.ledger.claim(claiming).await {
        Ok(claimed) => {
            let credential = handout(&state, claimed.device, claimed.issued)?;
            Ok(Json(Provisioned { policy: claimed.policy.into(), credential }))
        }
        Err(ClaimError::Refused(refusal)) => {
            // The other refusals are those of a device that has a right code.
            if refusal == ClaimRefusal::Unknown {
                state.claiming.failed(&near, now);
                if let Some(address) = address {
                    state.gate.guessed(address, "claim", shown.code.as_bytes());
                }
            }
            let message = "the claim was refused; ask whoever gave you the code";
            Err(ApiError::new(StatusCode::FORBIDDEN, "claim_refused", message))
        }
        Err(ClaimError::Ledger(error)) => Err(error.into()),
    }
}

const ATTEMPTS_SHOWN: u32 = 200;
