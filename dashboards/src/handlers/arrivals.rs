//! Telemetry and events over HTTP, for platforms that push ([`pictures`]: events with pictures). The same JSON, credential and promise as over MQTT: the answer 200
//! leaves after the bytes are on disk. A wrong credential, an unknown name or a foreign device gets one and the same 401.

use crate::dto::Time;
use crate::dto::arrivals::{Arrived, PayloadProblem};
use crate::extract::{Code, Json, too_large};
use crate::guard::Peer;
use crate::handlers::pictures;
use crate::metrics::{ARRIVALS_REFUSED, ARRIVALS_TOTAL};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::blob::BlobId;
use model::envelope::{Channel, Envelope, ProtocolKind};
use model::id::{DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Principal};
use model::seams::{Committed, DeviceDirectory, Doorstep, Inlet, Knock, Refusal, WireLog};
use model::verdict::RefusalReason;
use protocol::mqtt::payload;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Bytes of one payload.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 256 << 10;
/// Payloads on their way to the disk, all together.
pub(crate) const IN_FLIGHT_MAX: usize = 256;
/// How long the journal may take; beyond it nothing is acknowledged.
const APPEND_SECONDS_MAX: u64 = 5;
/// When who is banned may ask again.
const BANNED_SECONDS: u64 = 60;
/// Bytes of a sample that is kept of what was refused.
const SAMPLE_BYTES: usize = 512;

pub(crate) async fn telemetry(
    state: State<AppState>,
    peer: Extension<Peer>,
    code: Code,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Arrived>> {
    take(&state, &peer.0, &code.0, &headers, body, Channel::HttpTelemetry).await
}

/// JSON alone, or with pictures ([`pictures`]).
pub(crate) async fn events(
    state: State<AppState>,
    peer: Extension<Peer>,
    code: Code,
    request: Request,
) -> ApiResult<Json<Arrived>> {
    if pictures::is_multipart(&request) {
        return pictures::event(&state, &peer.0, &code.0, request).await;
    }
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let body = read_body(body, state.config.body_bytes_max).await?;
    take(&state, &peer.0, &code.0, &headers, body, Channel::HttpEvent).await
}

/// The route's own limit is that of pictures.
async fn read_body(mut body: Body, most: usize) -> ApiResult<Bytes> {
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| ApiError::bad_request(error.to_string()))?;
        let piece = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
        if read.len() + piece.len() > most {
            return Err(too_large());
        }
        read.extend_from_slice(piece);
    }
    Ok(read.into())
}

async fn take(
    state: &AppState,
    peer: &Peer,
    code: &str,
    headers: &HeaderMap,
    raw: Bytes,
    channel: Channel,
) -> ApiResult<Json<Arrived>> {
    let address = peer.0.parse::<IpAddr>().ok();
    if address.is_some_and(|address| state.gate.is_banned(address)) {
        metrics::counter!(ARRIVALS_REFUSED, "reason" => "banned").increment(1);
        return Err(slower("too_many_attempts", "too many wrong credentials came from this address", BANNED_SECONDS));
    }
    let (principal, device) = admit(state, peer, code, headers, &raw)?;
    if raw.len() > PAYLOAD_BYTES_MAX {
        refuse(state, peer, Some(device.id), RefusalReason::Oversize, format!("{} bytes", raw.len()), &raw);
        return Err(too_large());
    }
    paced(state, device.id, raw.len())?;
    store(state, Arrival { principal: principal.id, device: device.id, channel }, raw, 0, &[]).await
}

/// The device's own limit of requests and bytes.
pub(crate) fn paced(state: &AppState, device: DeviceId, bytes: usize) -> ApiResult<()> {
    let Err(ms) = state.gate.take(device, 1, bytes) else { return Ok(()) };
    metrics::counter!(ARRIVALS_REFUSED, "reason" => "rate").increment(1);
    Err(slower("too_fast", "the device is over its limit; nothing was stored, send it again", ms / 1_000 + 1))
}

/// Who an admitted payload is of, and how it is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) principal: PrincipalId,
    pub(crate) device: DeviceId,
    pub(crate) channel: Channel,
}

/// Journals a payload that begins behind `head` bytes of ours, and answers.
/// `parts` are the pictures that came beside it.
pub(crate) async fn store(
    state: &AppState,
    arrival: Arrival,
    raw: Bytes,
    head: usize,
    parts: &[(String, BlobId)],
) -> ApiResult<Json<Arrived>> {
    // What cannot be read is kept and answered: it can be derived again once somebody knows what it means.
    let received = state.now();
    let parts: Vec<&str> = parts.iter().map(|(name, _)| &**name).collect();
    let arrived = payload::Arrival { received_ms: received.as_ms(), parts: &parts };
    let (records, problems) = match payload::read_arrived(raw.get(head..).unwrap_or_default(), arrived) {
        Ok(document) => (document.readings.len(), document.problems.iter().map(problem).collect()),
        Err(whole) => (0, vec![problem(&whole)]),
    };
    let Arrival { principal, device, channel } = arrival;
    let envelope = Envelope { received, principal, device, channel, remarks: 0, connection: 0, raw };
    let committed = append(state, envelope).await?;
    state.trace.acknowledged(device, committed.first, state.now());
    metrics::counter!(ARRIVALS_TOTAL).increment(1);
    let records = u64::try_from(records).unwrap_or(u64::MAX);
    Ok(Json(Arrived { position: committed.first.into(), received: Time::from(received), records, problems }))
}

async fn append(state: &AppState, envelope: Envelope) -> ApiResult<Committed> {
    let busy = || {
        metrics::counter!(ARRIVALS_REFUSED, "reason" => "busy").increment(1);
        ApiError::unavailable("the journal is busy: nothing was stored, send it again")
    };
    let _place = state.arrivals.try_acquire().map_err(|_| busy())?;
    let (done, committed) = oneshot::channel();
    // Nobody listens any more when the client has gone: the record is stored all the same.
    state.journal.accept(vec![envelope], Box::new(move |outcome| drop(done.send(outcome))));
    match tokio::time::timeout(Duration::from_secs(APPEND_SECONDS_MAX), committed).await {
        Ok(Ok(Ok(committed))) => Ok(committed),
        Ok(Ok(Err(error))) => {
            metrics::counter!(ARRIVALS_REFUSED, "reason" => "journal").increment(1);
            Err(ApiError::unavailable(format!("{error}: nothing is acknowledged, send it again")))
        }
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

/// Basic authentication: the user name and token that MQTT would take.
pub(crate) fn admit(
    state: &AppState,
    peer: &Peer,
    code: &str,
    headers: &HeaderMap,
    raw: &Bytes,
) -> ApiResult<(Arc<Principal>, Arc<DeviceAtEdge>)> {
    let Some((user, token)) = basic(headers) else {
        refuse(state, peer, None, RefusalReason::NotAuthenticated, format!("no Basic credential for {code}"), raw);
        return Err(unauthenticated());
    };
    let directory = state.ledger.directory();
    let device = directory.device_by_code(code);
    let id = device.as_ref().map(|device| device.id);
    let attempt = Attempt::Mqtt { client_id: "", username: Some(&user), password: Some(token.as_bytes()) };
    let (reason, detail) = match (directory.admit(attempt), device) {
        (Admission::Granted(principal), Some(device)) if device.enabled && principal.speaks_for(&device) => {
            return Ok((principal, device));
        }
        (Admission::Granted(_), _) => (RefusalReason::NotGranted, format!("{user} may not speak for {code}")),
        (Admission::WrongSecret, _) => {
            if let Ok(address) = peer.0.parse() {
                state.gate.guessed(address, &user, token.as_bytes());
            }
            (RefusalReason::NotAuthenticated, format!("wrong token of {user}"))
        }
        (Admission::Disabled, _) => (RefusalReason::NotAuthenticated, format!("{user} is switched off")),
        (Admission::UnknownIdentity, _) => {
            let sample = raw.slice(..raw.len().min(SAMPLE_BYTES));
            let identity = user.chars().take(64).collect();
            let knock = Knock { at: state.now(), protocol: ProtocolKind::Mqtt, identity, peer: peer.0.clone(), sample };
            state.porch.unknown(knock);
            metrics::counter!(ARRIVALS_REFUSED, "reason" => "unknown").increment(1);
            return Err(unauthenticated());
        }
    };
    refuse(state, peer, id, reason, detail, raw);
    Err(unauthenticated())
}

pub(crate) fn refuse(
    state: &AppState,
    peer: &Peer,
    device: Option<DeviceId>,
    reason: RefusalReason,
    detail: String,
    raw: &Bytes,
) {
    metrics::counter!(ARRIVALS_REFUSED, "reason" => "refused").increment(1);
    let sample = raw.slice(..raw.len().min(SAMPLE_BYTES));
    let (at, peer) = (state.now(), peer.0.clone());
    state.porch.refused(Refusal { at, protocol: ProtocolKind::Mqtt, device, peer, reason, detail, sample });
}

fn slower(code: &str, message: &str, seconds: u64) -> ApiError {
    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message);
    error.retry_after_s = Some(seconds);
    error
}

fn unauthenticated() -> ApiError {
    let message = "no device of that name takes this credential: use Basic with the device's MQTT user name and token";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 1024 {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, token) = text.split_once(':')?;
    Some((user.to_owned(), token.to_owned()))
}

fn problem(found: &payload::Problem) -> PayloadProblem {
    let offset = u64::try_from(found.offset).unwrap_or(u64::MAX);
    PayloadProblem { code: found.code.word(), place: found.place.clone(), offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_basic_credential_is_read() {
        let read = |value: &str| basic(&[(header::AUTHORIZATION, value.parse().unwrap())].into_iter().collect());
        assert_eq!(read("Basic ZnVtZS1hOnQ6MQ=="), Some(("fume-a".to_owned(), "t:1".to_owned())));
        for wrong in ["Bearer x", "Basic", "Basic !!!", "Basic ZnVtZQ=="] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(basic(&HeaderMap::new()), None);
    }
}
