//! Channels, the policy of notification, the log of deliveries. Secrets come in and never go out.

use crate::dto::Page;
use crate::dto::notify::{ChannelRow, DeliveryQuery, DeliveryRow, PolicyRow, PutChannel, PutPolicy};
use crate::extract::{Caller, Id, Json, Search, cursor, page_size};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::State;
use cases::notify::{self, NotifyError};
use model::id::{AlertId, UserId};
use model::notice::{ChannelKind, ChannelSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

pub(crate) async fn channels(State(state): State<AppState>) -> ApiResult<Json<Vec<ChannelRow>>> {
    let found = state.notify.channels().await?;
    found.into_iter().map(row).collect::<ApiResult<Vec<_>>>().map(Json)
}

fn row(channel: notify::ChannelRow) -> ApiResult<ChannelRow> {
    let settings = channel.settings;
    Ok(ChannelRow {
        id: channel.id,
        version: channel.version,
        name: channel.name,
        kind: same(&channel.kind)?,
        enabled: channel.enabled,
        language: same(&settings.language)?,
        per_minute_max: settings.per_minute_max,
        deadline_minutes: settings.deadline_minutes,
        email: settings.email.as_ref().map(same).transpose()?,
        shown: channel.shown,
        has_secret: channel.has_secret,
        changed: channel.changed.into(),
    })
}

/// A type of ours from one that is written the same.
fn same<T: DeserializeOwned>(value: &impl Serialize) -> ApiResult<T> {
    serde_json::to_value(value).and_then(serde_json::from_value).map_err(|error| ApiError::internal(&error))
}

pub(crate) async fn put_channel(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<PutChannel>,
) -> ApiResult<Json<ChannelRow>> {
    let kind: ChannelKind = same(&new.kind)?;
    let wanted = notify::PutChannel {
        id: new.id.unwrap_or(0),
        version: new.version,
        name: new.name,
        kind,
        enabled: new.enabled,
        settings: ChannelSettings {
            language: same(&new.language)?,
            per_minute_max: new.per_minute_max.unwrap_or(kind.per_minute()),
            deadline_minutes: new.deadline_minutes.unwrap_or(DEADLINE_MINUTES),
            email: new.email.as_ref().map(same).transpose()?,
        },
        url: new.url,
        secret: new.secret,
    };
    let stored = state.notify.put_channel(&wanted, state.now()).await?;
    let (shown, key) = (row(stored)?, wanted.id);
    let after = serde_json::to_string(&shown).ok();
    let what = if key == 0 { "channel_made" } else { "channel_changed" };
    audit(&state, &caller, what, "notify_channel", &shown.id.to_string(), after.as_deref()).await?;
    Ok(Json(shown))
}

async fn audit(
    state: &AppState,
    caller: &Caller,
    what: &str,
    kind: &str,
    key: &str,
    after: Option<&str>,
) -> ApiResult<()> {
    Ok(state.ledger.audit().record(&caller.author(), what, kind, key, (None, after)).await?)
}

pub(crate) async fn test(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<DeliveryRow>> {
    let queued = state.notify.test(id, state.now()).await?;
    audit(&state, &caller, "channel_tested", "notify_channel", &id.to_string(), None).await?;
    Ok(Json(line(&names(&state).await?, queued)?))
}

pub(crate) async fn policy(State(state): State<AppState>) -> ApiResult<Json<PolicyRow>> {
    shown(state.notify.policy().await?).map(Json)
}

fn shown(found: notify::PolicyRow) -> ApiResult<PolicyRow> {
    Ok(PolicyRow {
        version: found.version,
        at: found.at.map(Into::into),
        author: found.author,
        policy: same(&found.policy)?,
    })
}

pub(crate) async fn put_policy(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<PutPolicy>,
) -> ApiResult<Json<PolicyRow>> {
    let policy: notify::Policy = same(&new.policy)?;
    known(&state, &policy).await?;
    let stored = shown(state.notify.put_policy(&caller.login, new.version, &policy, state.now()).await?)?;
    let after = serde_json::to_string(&stored.policy).ok();
    let version = stored.version.to_string();
    audit(&state, &caller, "policy_changed", "notify_policy", &version, after.as_deref()).await?;
    Ok(Json(stored))
}

/// Offices, grids and people that a policy names must be there. Rules need not: a rule may come later.
async fn known(state: &AppState, policy: &notify::Policy) -> ApiResult<()> {
    let facts = state.facts();
    let people: Vec<UserId> = state.ledger.people().list().await?.iter().map(|person| person.id).collect();
    let routes = policy.routes.iter().map(|route| &route.scope).enumerate().map(|(at, scope)| ("routes", at, scope));
    let rises =
        policy.escalations.iter().map(|one| &one.scope).enumerate().map(|(at, scope)| ("escalations", at, scope));
    for (list, at, scope) in routes.chain(rises) {
        if scope.offices.iter().any(|office| !facts.offices.contains_key(office)) {
            return Err(ApiError::field(&format!("policy.{list}[{at}].scope.offices"), "there is no such office"));
        }
        if scope.grids.iter().any(|grid| !facts.grids.contains_key(grid)) {
            return Err(ApiError::field(&format!("policy.{list}[{at}].scope.grids"), "there is no such grid"));
        }
    }
    for (at, one) in policy.escalations.iter().enumerate() {
        if one.steps.iter().filter_map(|step| step.assignee).any(|user| !people.contains(&user)) {
            return Err(ApiError::field(&format!("policy.escalations[{at}].steps"), "there is no such account"));
        }
    }
    Ok(())
}

pub(crate) async fn deliveries(
    State(state): State<AppState>,
    Search(query): Search<DeliveryQuery>,
) -> ApiResult<Json<Page<DeliveryRow>>> {
    let size = page_size(query.limit);
    let before: i64 = cursor(query.cursor.as_deref())?;
    let wanted = notify::DeliveryQuery {
        channel: query.channel,
        alert: query.alert.map(AlertId),
        state: query.state.as_ref().map(same).transpose()?,
        before: (before > 0).then_some(before),
        limit: u32::try_from(size).unwrap_or(50),
    };
    let found = state.notify.deliveries(&wanted).await?;
    let next = (found.len() == size).then(|| found.last().map(|last| last.id.to_string())).flatten();
    let names = names(&state).await?;
    let items = found.into_iter().map(|one| line(&names, one)).collect::<ApiResult<_>>()?;
    Ok(Json(Page { items, next, total: None }))
}

pub(crate) async fn again(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<DeliveryRow>> {
    let queued = state.notify.again(id, state.now()).await?;
    audit(&state, &caller, "delivery_again", "delivery", &id.to_string(), None).await?;
    Ok(Json(line(&names(&state).await?, queued)?))
}

async fn names(state: &AppState) -> ApiResult<BTreeMap<i64, String>> {
    Ok(state.notify.channels().await?.into_iter().map(|channel| (channel.id, channel.name)).collect())
}

fn line(names: &BTreeMap<i64, String>, row: notify::DeliveryRow) -> ApiResult<DeliveryRow> {
    use crate::dto::notify::DeliveryKind as K;
    use model::notice::MessageKind as M;
    let (title, lines) = row.message.map_or((None, Vec::new()), |message| (Some(message.title), message.lines));
    Ok(DeliveryRow {
        id: row.id,
        key: row.key,
        channel: row.channel,
        channel_name: names.get(&row.channel).cloned().unwrap_or_default(),
        route: row.route,
        kind: match row.kind {
            M::Raised => K::Raised,
            M::Ended => K::Ended,
            M::Withdrawn => K::Withdrawn,
            M::Escalated => K::Escalated,
            M::Test => K::Test,
        },
        state: same(&row.state)?,
        reason: row.reason,
        made: row.made.into(),
        due: row.due.into(),
        expires: row.expires.into(),
        attempts: row.attempts,
        tried: row.tried.map(Into::into),
        done: row.done.map(Into::into),
        alerts: row.alerts.iter().map(|id| id.0).collect(),
        title,
        lines,
    })
}

impl From<NotifyError> for ApiError {
    fn from(error: NotifyError) -> Self {
        match &error {
            NotifyError::NotFound => Self::not_found(),
            NotifyError::Stale => Self::conflict("someone else changed it since you read it"),
            NotifyError::Field(field, message) => Self::field(field, message.clone()),
            NotifyError::Secret | NotifyError::Database(_) => Self::internal(&error),
        }
    }
}

/// Six hours.
const DEADLINE_MINUTES: u32 = 360;
