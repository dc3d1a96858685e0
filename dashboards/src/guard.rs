//! Stands before every route of the API: whose session, may it, does the change come from our own page. The answer to who may not
//! know of a route is the same 404 as for one that does not exist.

use crate::access::Access;
use crate::extract::Caller;
use crate::listener::OverTls;
use crate::net::{self, Network};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ledger::Role;
use std::net::SocketAddr;

/// Name of the session cookie.
pub const COOKIE: &str = "lantian_session";

pub(crate) async fn guard(
    State((state, access)): State<(AppState, Access)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let upgrades = request.headers().contains_key(header::UPGRADE);
    if (changes || upgrades) && !same_origin(request.headers(), &state.config.origins) {
        metrics::counter!(crate::metrics::ORIGIN_REFUSED).increment(1);
        return Err(ApiError::new(StatusCode::FORBIDDEN, "bad_origin", "the request comes from another site"));
    }
    let peer = peer(&request, &state.config.trusted_proxies);
    let secure = Secure(state.config.secure_cookie || request.extensions().get::<OverTls>().is_some());
    if !matches!(access, Access::Public | Access::Device) {
        let caller = caller(&state, request.headers(), peer.clone()).await?;
        check(access, &caller)?;
        request.extensions_mut().insert(caller);
    }
    request.extensions_mut().insert(Peer(peer));
    request.extensions_mut().insert(secure);
    Ok(next.run(request).await)
}

/// The browser reached us over TLS, ours or a proxy's: the cookie may travel over TLS alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secure(pub(crate) bool);

/// Address the request came from, without the port; behind trusted proxies the one that they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) String);

fn peer(request: &Request, trusted: &[Network]) -> String {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    address.map_or_else(
        || "local".to_owned(),
        |ConnectInfo(address)| net::client(address.ip(), request.headers(), trusted).to_string(),
    )
}

async fn caller(state: &AppState, headers: &HeaderMap, origin: String) -> ApiResult<Caller> {
    let token = cookie(headers, COOKIE).ok_or_else(ApiError::unauthenticated)?;
    let session = state.ledger.people().session(token).await?.ok_or_else(ApiError::unauthenticated)?;
    let person = session.person;
    Ok(Caller {
        user: person.id,
        login: person.login,
        name: person.name,
        role: person.role,
        vendor: person.vendor,
        office: person.office,
        must_change_password: person.must_change,
        token: token.to_owned(),
        origin,
    })
}

fn check(access: Access, caller: &Caller) -> ApiResult<()> {
    if caller.must_change_password && access != Access::Session {
        let message = "change the one-time password first";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "password_change_required", message));
    }
    match (access.allows(caller.role), caller.role) {
        (true, _) => Ok(()),
        (false, Role::Vendor) => Err(ApiError::not_found()),
        (false, _) => Err(ApiError::forbidden()),
    }
}

/// A cookie's value, if it is short and plain.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty() && value.len() <= 128)
        .map(|(_, value)| value)
}

/// A browser says where a request comes from; what is no browser has no cookie to be abused.
fn same_origin(headers: &HeaderMap, also: &[String]) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (headers.get(header::ORIGIN), text(header::ORIGIN)) {
        (Some(_), Some(origin)) => {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            (!host.is_empty() && text(header::HOST).is_some_and(|own| own.eq_ignore_ascii_case(host)))
                || also.iter().any(|one| one == origin)
        }
        (Some(_), None) => false,
        (None, _) => {
            headers.get("sec-fetch-site").is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_change_from_another_site_is_refused() {
        assert!(same_origin(&headers(&[("host", "a:8080"), ("origin", "http://a:8080")]), &[]));
        assert!(!same_origin(&headers(&[("host", "a:8080"), ("origin", "http://b:8080")]), &[]));
        assert!(!same_origin(&headers(&[("host", "a:8080"), ("origin", "null")]), &[]));
        assert!(same_origin(&headers(&[("host", "a"), ("origin", "http://dev:5173")]), &["http://dev:5173".into()]));
        assert!(!same_origin(&headers(&[("host", "a"), ("sec-fetch-site", "cross-site")]), &[]));
        assert!(same_origin(&headers(&[("host", "a")]), &[]));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = headers(&[("cookie", "x=1; lantian_session=abc; y=2")]);
        assert_eq!(cookie(&found, COOKIE), Some("abc"));
        assert_eq!(cookie(&headers(&[("cookie", "lantian_session=")]), COOKIE), None);
    }
}
