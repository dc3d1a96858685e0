//! Commands to devices: order, list, cancel.

use crate::dto::commands::{CommandQuery, CommandRow, NewCommand};
use crate::extract::{Caller, Id, Ids, Json, Search, page_size};
use crate::handlers::devices::seen;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::State;
use ledger::Permission;
use model::downlink::{Command, route_of};
use model::facts::Facts;
use model::id::{CommandId, PermitId};
use model::register::Device;
use model::time::EventTime;
use std::time::Duration;

/// How long a command waits when nobody says.
const WAIT: Duration = Duration::from_hours(24);

pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Search(query): Search<CommandQuery>,
) -> ApiResult<Json<Vec<CommandRow>>> {
    let device = seen(&state.facts(), &caller, id)?;
    let limit = u32::try_from(page_size(query.limit)).unwrap_or(50);
    let rows = state.ledger.commands().list(device.id, query.before.map(CommandId), limit).await?;
    Ok(Json(rows.iter().map(Into::into).collect()))
}

pub(crate) async fn order(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(new): Json<NewCommand>,
) -> ApiResult<Json<CommandRow>> {
    let facts = state.facts();
    let device = seen(&facts, &caller, id)?;
    let command = match (new.command, new.route_of_permit) {
        (Some(value), None) => {
            serde_json::from_value(value).map_err(|error| ApiError::field("command", error.to_string()))?
        }
        (None, Some(permit)) => route(&facts, &device, PermitId(permit), state.event_now())?,
        _ => return Err(ApiError::field("command", "write either command or route_of_permit")),
    };
    // What may lock the platform out of a device is for those who manage devices.
    let locks_out = matches!(command, Command::Hj212SetPassword { .. } | Command::Jt808Control { .. });
    if locks_out && !caller.may(Permission::ManageDevices) {
        return Err(ApiError::forbidden());
    }
    let wait = new.wait_s.map_or(WAIT, |seconds| Duration::from_secs(seconds.into()));
    if !(ledger::WAIT_MIN..=ledger::WAIT_MAX).contains(&wait) {
        return Err(ApiError::field("wait_s", "write 10 to 604800 seconds"));
    }
    let row = state.ledger.commands().order(&caller.author(), device.id, &command, wait).await?;
    Ok(Json((&row).into()))
}

/// The corridor of a permit that the device's truck has now.
fn route(facts: &Facts, device: &Device, permit: PermitId, now: EventTime) -> ApiResult<Command> {
    let wrong = |message: &str| ApiError::field("route_of_permit", message);
    let permit = facts.permits.get(&permit).ok_or_else(|| wrong("there is no such permit"))?;
    let installed = facts.installation_at(device.id, now).ok_or_else(|| wrong("the device is installed nowhere"))?;
    if !permit.trucks.contains(&installed.subject) {
        return Err(wrong("the permit is not for the truck that the device is on"));
    }
    if permit.is_suspended(now) || permit.valid_to.is_some_and(|end| end <= now) {
        return Err(wrong("the permit is suspended or over"));
    }
    Ok(route_of(permit))
}

pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Ids(id, command): Ids,
) -> ApiResult<Json<CommandRow>> {
    let device = seen(&state.facts(), &caller, id)?;
    let commands = state.ledger.commands();
    if commands.one(CommandId(command)).await?.device != device.id {
        return Err(ApiError::not_found());
    }
    let row = commands.cancel(&caller.author(), CommandId(command)).await?;
    Ok(Json((&row).into()))
}
