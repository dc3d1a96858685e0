//! Events with pictures over HTTP (multipart), and a picture by its hash.
//!
//! ```text
//! POST /api/v1/devices/gate-1/events        Content-Type: multipart/form-data
//!   event   {"event":"vehicle_exit","plate":"豫A12345","pictures":["front"]}      one part of JSON
//!   front   (JPEG, PNG or WebP)                                                   a part for each picture
//! ```
//!
//! Who it is, is asked before a byte of the body is read. One picture of a request is in memory at a time, and no more requests than
//! [`UPLOADS_MAX`] at once; each picture is on disk under its hash before the event is journaled that names it.

use crate::dto::arrivals::Arrived;
use crate::extract::{Caller, Code, Json, too_large};
use crate::guard::Peer;
use crate::handlers::arrivals::{self, Arrival};
use crate::metrics::{ARRIVALS_REFUSED, PICTURES_TOTAL};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use model::blob::{BlobId, Media, Pictures};
use model::envelope::Channel;
use model::seams::BlobError;
use model::verdict::RefusalReason;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Requests with pictures that are read at a time.
pub(crate) const UPLOADS_MAX: usize = 8;
/// Pictures of one event.
const PICTURES_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 64;
/// Heads and ends of parts.
const ENVELOPE_BYTES: u64 = 64 << 10;

/// Bytes of a body with as many pictures as there may be.
pub(crate) fn body_bytes_max(picture_bytes_max: u64) -> u64 {
    picture_bytes_max.saturating_mul(PICTURES_MAX as u64) + arrivals::PAYLOAD_BYTES_MAX as u64 + ENVELOPE_BYTES
}

pub(crate) fn is_multipart(request: &Request) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.to_ascii_lowercase().starts_with("multipart/form-data"))
}

/// An event with its pictures.
pub(crate) async fn event(state: &AppState, peer: &Peer, code: &str, request: Request) -> ApiResult<Json<Arrived>> {
    let nothing = Bytes::new();
    let (principal, device) = arrivals::admit(state, peer, code, request.headers(), &nothing)?;
    let refused = |reason, detail: String| arrivals::refuse(state, peer, Some(device.id), reason, detail, &nothing);
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|bytes: u64| bytes > body_bytes_max(state.config.picture_bytes_max)) {
        refused(RefusalReason::Oversize, format!("{} bytes announced", declared.unwrap_or_default()));
        return Err(too_large());
    }
    let _place = state.uploads.try_acquire().map_err(|_full| {
        metrics::counter!(ARRIVALS_REFUSED, "reason" => "busy").increment(1);
        ApiError::unavailable("too many pictures are being sent: nothing was stored, send it again")
    })?;
    let request = request.map(|body| Body::new(Sips { body, paused: false }));
    let mut parts = Multipart::from_request(request, state)
        .await
        .map_err(|error| ApiError::bad_request(format!("the multipart body cannot be read: {}", error.body_text())))?;
    let (mut text, mut pictures) = (None, Pictures::default());
    while let Some(mut part) = parts.next_field().await.map_err(|error| unreadable(&error))? {
        let name: String = part.name().unwrap_or_default().chars().filter(|sign| !sign.is_control()).collect();
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        let is_json =
            part.file_name().is_none() && (name == "event" || part.content_type() == Some("application/json"));
        let most = if is_json { arrivals::PAYLOAD_BYTES_MAX as u64 } else { state.config.picture_bytes_max };
        let Some(bytes) = whole(&mut part, most).await? else {
            refused(RefusalReason::Oversize, format!("part {name} of more than {most} bytes"));
            return Err(too_large().with_detail(format!("part {name} may have {most} bytes")));
        };
        if is_json {
            if text.replace(bytes).is_some() {
                return Err(ApiError::field("event", "there is more than one part of JSON"));
            }
            continue;
        }
        if !Media::of(&bytes).is_picture() {
            refused(RefusalReason::Malformed, format!("part {name} is no picture by its first bytes"));
            return Err(ApiError::field(&name, "not a picture by its first bytes: send JPEG, PNG or WebP"));
        }
        if pictures.pictures.len() >= PICTURES_MAX {
            return Err(ApiError::field(&name, format!("at most {PICTURES_MAX} pictures of one event")));
        }
        let id = keep(state, device.id, bytes).await?;
        pictures.pictures.push((name, id));
    }
    let text = text.ok_or_else(|| ApiError::field("event", "a part with the event's JSON is missing"))?;
    let mut raw = serde_json::to_vec(&pictures).map_err(|error| ApiError::internal(&error))?;
    raw.push(b'\n');
    let arrival = Arrival { principal: principal.id, device: device.id, channel: Channel::HttpPictures };
    let head = raw.len();
    raw.extend_from_slice(&text);
    arrivals::store(state, arrival, raw.into(), head, &pictures.pictures).await
}

/// Gives one frame at a time. The multipart reader takes into memory all that is ready, which of a fast sender is everything.
struct Sips {
    body: Body,
    paused: bool,
}

impl HttpBody for Sips {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if std::mem::take(&mut self.paused) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.paused = frame.is_ready();
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A part's bytes; `None`: they are more than `most`, and the rest is not read.
async fn whole(part: &mut Field<'_>, most: u64) -> ApiResult<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.chunk().await.map_err(|error| unreadable(&error))? {
        if (bytes.len() + piece.len()) as u64 > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}

fn unreadable(error: &MultipartError) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    ApiError::bad_request(format!("the multipart body cannot be read: {}", error.body_text()))
}

async fn keep(state: &AppState, device: model::id::DeviceId, bytes: Vec<u8>) -> ApiResult<BlobId> {
    let blobs = Arc::clone(&state.blobs);
    let kept = tokio::task::spawn_blocking(move || blobs.put(device, &bytes)).await;
    match kept.map_err(|error| ApiError::internal(&error))? {
        Ok(id) => {
            metrics::counter!(PICTURES_TOTAL).increment(1);
            Ok(id)
        }
        Err(BlobError::TooLarge(_)) => Err(too_large()),
        Err(BlobError::Full) => {
            metrics::counter!(ARRIVALS_REFUSED, "reason" => "full").increment(1);
            let message = "no room is left for pictures of this device: nothing was stored";
            Err(ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "full", message))
        }
        Err(error) => {
            metrics::counter!(ARRIVALS_REFUSED, "reason" => "disk").increment(1);
            tracing::warn!(%error, "a picture could not be kept, its sender is told to send it again");
            Err(ApiError::unavailable("the picture could not be written: nothing was stored, send it again"))
        }
    }
}

/// A picture or other file, for who may see a device that sent it. Anybody else learns nothing of it.
pub(crate) async fn picture(State(state): State<AppState>, caller: Caller, Code(hash): Code) -> ApiResult<Response> {
    let id: BlobId = hash.parse().map_err(|_| ApiError::not_found())?;
    let facts = state.facts();
    let may_see = |device| facts.devices.get(device).is_some_and(|device| caller.sees(device));
    if !state.blobs.devices(id).iter().any(may_see) {
        return Err(ApiError::not_found());
    }
    let blobs = Arc::clone(&state.blobs);
    let read = tokio::task::spawn_blocking(move || blobs.read(id)).await;
    let found = read.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    let bytes = found.ok_or_else(ApiError::not_found)?;
    let media = Media::of(&bytes);
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    // What a browser does not show as a picture is saved, never opened in the page's name.
    let disposition = if media.is_picture() { "inline" } else { "attachment" };
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    Ok(response)
}
