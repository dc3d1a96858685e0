//! Serves the page: the embedded build, or a folder (`--web-dir`). Hashed assets are kept by browsers for ever, everything else is
//! asked for again with its `ETag`. Only a navigation (a request for HTML whose path names no file) falls back to `index.html`:
//! a missing picture or a mistyped API path stays a 404.

use crate::problem::ApiError;
use crate::state::AppState;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub(crate) async fn page(State(state): State<AppState>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return ApiError::not_found().into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "bad_request", "only GET here").into_response();
    }
    let name = if path.is_empty() { "index.html" } else { path };
    if let Some((bytes, tag)) = find(&state, name).await {
        return answer(name, bytes, &tag, &headers);
    }
    if !navigates(path, &headers) {
        return ApiError::not_found().into_response();
    }
    match find(&state, "index.html").await {
        Some((bytes, tag)) => answer("index.html", bytes, &tag, &headers),
        None => not_built(),
    }
}

/// A browser that goes to a page of ours.
fn navigates(path: &str, headers: &HeaderMap) -> bool {
    let html = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let named = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    !named && (path.is_empty() || html.is_some_and(|accept| accept.contains("text/html")))
}

async fn find(state: &AppState, name: &str) -> Option<(Cow<'static, [u8]>, String)> {
    if let Some(folder) = &state.config.web_dir {
        let file = inside(folder, name)?;
        let bytes = tokio::fs::read(file).await.ok()?;
        let tag = tag(&Sha256::digest(&bytes));
        return Some((bytes.into(), tag));
    }
    let file = web_embed::file(name)?;
    let tag = tag(&file.sha256);
    Some((file.bytes, tag))
}

/// The file in the folder; `None` for a name that could lead out of it.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0', '%']);
    name.split('/').all(plain).then(|| folder.join(name))
}

fn tag(hash: &[u8]) -> String {
    use std::fmt::Write;
    let mut tag = String::from("\"");
    for byte in hash.iter().take(12) {
        write!(tag, "{byte:02x}").expect("a string takes all");
    }
    tag.push('"');
    tag
}

fn answer(name: &str, bytes: Cow<'static, [u8]>, tag: &str, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if same { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_owned().into_response() };
    let out = response.headers_mut();
    let kept = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(value) = HeaderValue::from_str(tag) {
        out.insert(header::ETAG, value);
    }
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let text = mime.type_() == "text" || mime.subtype() == "javascript";
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    if let Ok(value) = HeaderValue::from_str(&mime) {
        out.insert(header::CONTENT_TYPE, value);
    }
    response
}

fn not_built() -> Response {
    let body = "<!doctype html><html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>蓝天</title>\
        <p>界面未构建：运行 make</p><p>The page is not built: run make</p></html>";
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let folder = Path::new("/srv/web");
        assert!(inside(folder, "assets/a.js").is_some());
        for name in ["../x", "a/../../x", "/etc/passwd", "a//b", ".git/config", "a\\..\\b", "%2e%2e/x"] {
            assert!(inside(folder, name).is_none(), "{name}");
        }
    }

    #[test]
    fn only_a_navigation_falls_back_to_the_page() {
        let html: HeaderMap = [(header::ACCEPT, HeaderValue::from_static("text/html,*/*"))].into_iter().collect();
        assert!(navigates("", &HeaderMap::new()));
        assert!(navigates("devices/12", &html));
        assert!(!navigates("devices/12", &HeaderMap::new()));
        assert!(!navigates("tiles/3/1.png", &html));
    }
}
