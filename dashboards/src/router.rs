//! The router: the table of routes, each behind its guard, and what holds for all of them: size and time limits, security headers,
//! compression, the page.
//!
//! | path | what |
//! |---|---|
//! | `/api/v1/…` | the routes of `table.rs`; the document made of them is `dashboards/openapi.json` |
//! | `/api/v1/live` | the live socket, see [`crate::dto::live`] |
//! | `/healthz` | 200 while the process answers |
//! | `/readyz` | 200 when records can be made durable, else 503 |
//! | everything else | the page |

use crate::guard::guard;
use crate::handlers::pictures;
use crate::problem::ApiError;
use crate::state::AppState;
use crate::table::routes;
use crate::{page, table};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::{Frame, SizeHint};
use ingest::journal;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tower_http::compression::CompressionLayer;

/// Everything that is served over HTTP. Serve it with connect info (`SocketAddr`), so that the audit has addresses.
pub fn router(state: AppState) -> Router {
    let mut api = Router::new();
    for table::Route { spec, handler } in routes() {
        let limit = match spec.path {
            "/imports" => IMPORT_BYTES_MAX,
            "/devices/{id}/events" => {
                usize::try_from(pictures::body_bytes_max(state.config.picture_bytes_max)).unwrap_or(usize::MAX)
            }
            _ => state.config.body_bytes_max,
        };
        let handler =
            handler.layer(DefaultBodyLimit::max(limit)).layer(from_fn_with_state((state.clone(), spec.access), guard));
        api = api.route(spec.path, handler);
    }
    let api = api
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "bad_request", "the path does not take this method")
        })
        .layer(from_fn_with_state(state.clone(), in_time))
        .layer(from_fn(no_store));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .fallback(page::page)
        .layer(CompressionLayer::new())
        .layer(from_fn(read_out))
        .layer(from_fn(secure))
        .with_state(state)
}

async fn ready(State(state): State<AppState>) -> Response {
    match state.journal.health() {
        journal::Health::Ok => "ok".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the journal cannot be written").into_response(),
    }
}

async fn in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(state.config.request_seconds_max);
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    metrics::counter!(crate::metrics::TIMEOUTS).increment(1);
    ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "it took too long").into_response()
}

/// A body that was refused as too large is read to its end, within bounds: a peer that is still sending would otherwise find the
/// connection closed and never see the answer.
async fn read_out(request: Request, next: Next) -> Response {
    let rest = Rest::default();
    let request = request.map(|body| Body::new(Lent { body: Some(body), rest: rest.clone() }));
    let response = next.run(request).await;
    let left = rest.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    if response.status() == StatusCode::GATEWAY_TIMEOUT && left.as_ref().is_some_and(|body| !body.is_end_stream()) {
        // We were not slow: the body did not come.
        return ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request's body did not come in time")
            .into_response();
    }
    if let Some(mut body) = left.filter(|_| response.status() == StatusCode::PAYLOAD_TOO_LARGE) {
        let mut read = 0;
        let reading = async {
            while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > READ_OUT_BYTES_MAX {
                    return;
                }
            }
        };
        tokio::time::timeout(READ_OUT_TIME_MAX, reading).await.ok(); // then it is closed on
    }
    response
}

/// Where a body goes that was given up unread.
#[derive(Debug, Clone, Default)]
struct Rest(Arc<Mutex<Option<Body>>>);

#[derive(Debug)]
struct Lent {
    body: Option<Body>,
    rest: Rest,
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.rest.0.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}

impl HttpBody for Lent {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Styles may be inline: the page's components and charts set them on elements. Scripts may not. Tiles come from our own server.
const SECURITY: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
         font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Bytes of a refused body that are read for its sender's sake, and for how long.
const READ_OUT_BYTES_MAX: usize = 32 << 20;
const READ_OUT_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a CSV table.
const IMPORT_BYTES_MAX: usize = 16 << 20;
