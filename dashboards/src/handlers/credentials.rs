//! Handing out credentials: shown once, on the answer that made them.

use crate::dto::devices::{CredentialHandout, CredentialSetting};
use crate::extract::{Caller, Id, Json};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::State;
use ledger::Issued;
use model::envelope::ProtocolKind;
use model::id::DeviceId;

pub(crate) async fn rotate(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
) -> ApiResult<Json<CredentialHandout>> {
    let id = DeviceId(id);
    let facts = state.facts();
    let device = facts.devices.get(&id).ok_or_else(ApiError::not_found)?;
    if device.protocol == ProtocolKind::Modbus {
        return Err(ApiError::new(axum::http::StatusCode::CONFLICT, "refused", "a Modbus device has no credential"));
    }
    let issued = state.ledger.credentials().issue(&caller.author(), id).await?;
    handout(&state, id, issued).map(Json)
}

pub(crate) fn handout(state: &AppState, id: DeviceId, issued: Issued) -> ApiResult<CredentialHandout> {
    let facts = state.facts();
    let device = facts.devices.get(&id).ok_or_else(ApiError::not_found)?;
    let server = state.config.listeners.of(device.protocol).map(|at| CredentialSetting {
        name: "server".to_owned(),
        value: at.to_string(),
        secret: false,
    });
    let settings = issued.settings.into_iter().map(|one| CredentialSetting {
        name: one.name.to_owned(),
        value: one.value,
        secret: one.secret,
    });
    Ok(CredentialHandout {
        device: id.0,
        code: device.code.clone(),
        protocol: device.protocol.into(),
        identity: device.identity.clone(),
        settings: server.into_iter().chain(settings).collect(),
    })
}
