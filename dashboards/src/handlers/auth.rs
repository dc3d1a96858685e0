//! Log in and out, who am I, change password.

use crate::dto::auth::{Capability, ChangePassword, LoginRequest, Me, SetLanguage};
use crate::dto::words::Language;
use crate::extract::{Caller, Json};
use crate::guard::{COOKIE, Peer, Secure, cookie};
use crate::net;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger::{LoginError, Permission, Person};

pub(crate) async fn login(
    State(state): State<AppState>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(secure): Extension<Secure>,
    headers: HeaderMap,
    Json(request): Json<LoginRequest>,
) -> ApiResult<Response> {
    let now = state.now();
    let near = net::neighbourhood_text(&peer);
    let wait = state.throttle.wait_s(&near, now);
    if wait > 0 {
        metrics::counter!(crate::metrics::LOGINS_LIMITED).increment(1);
        return Err(too_many(wait));
    }
    match state.ledger.people().login(&request.name, &request.password, &peer).await {
        Ok(login) => {
            state.throttle.passed(&near);
            answer(me(&login.person, language(&headers)), Some((&login.token, secure)))
        }
        Err(error) => {
            // A locked account is not asked for its password: such an attempt is no guess and makes no wait longer.
            if matches!(error, LoginError::Wrong) {
                state.throttle.failed(&near, now);
            }
            Err(refused(&state, error))
        }
    }
}

pub(crate) async fn logout(State(state): State<AppState>, caller: Caller) -> ApiResult<Response> {
    state.ledger.people().logout(&caller.token).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"))?;
    Ok(response)
}

pub(crate) async fn who(caller: Caller, headers: HeaderMap) -> Json<Me> {
    Json(me_of(&caller, language(&headers)))
}

pub(crate) async fn change_password(
    State(state): State<AppState>,
    Extension(secure): Extension<Secure>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<ChangePassword>,
) -> ApiResult<Response> {
    let people = state.ledger.people();
    match people.change_password(&caller.login, &request.old, &request.new, &caller.origin).await {
        Ok(login) => answer(me(&login.person, language(&headers)), Some((&login.token, secure))),
        Err(error) => Err(refused(&state, error)),
    }
}

/// The choice is kept in a cookie of the browser: it is about the screen, not about the person.
pub(crate) async fn set_language(caller: Caller, Json(request): Json<SetLanguage>) -> ApiResult<Response> {
    let word = match request.language {
        Language::ZhCn => "zh-CN",
        Language::En => "en",
    };
    let mut response = answer(me_of(&caller, request.language), None)?;
    set_cookie(&mut response, &format!("{LANGUAGE}={word}; Path=/; SameSite=Strict; Max-Age=31536000"))?;
    Ok(response)
}

fn answer(me: Me, token: Option<(&str, Secure)>) -> ApiResult<Response> {
    let mut response = Json(me).into_response();
    if let Some((token, Secure(secure))) = token {
        let secure = if secure { "; Secure" } else { "" };
        set_cookie(&mut response, &format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"))?;
    }
    Ok(response)
}

fn set_cookie(response: &mut Response, cookie: &str) -> ApiResult<()> {
    let value = HeaderValue::from_str(cookie).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

fn language(headers: &HeaderMap) -> Language {
    match cookie(headers, LANGUAGE) {
        Some("en") => Language::En,
        _ => Language::ZhCn,
    }
}

fn me(person: &Person, language: Language) -> Me {
    Me {
        id: person.id.0,
        name: person.login.clone(),
        display_name: person.name.clone(),
        role: person.role.into(),
        vendor: (!person.vendor.is_empty()).then(|| person.vendor.clone()),
        office: person.office.map(|id| id.0),
        must_change_password: person.must_change,
        language,
        may: PERMISSIONS.into_iter().filter(|one| person.role.may(*one)).map(Capability::from).collect(),
    }
}

fn me_of(caller: &Caller, language: Language) -> Me {
    let person = Person {
        id: caller.user,
        login: caller.login.clone(),
        name: caller.name.clone(),
        role: caller.role,
        office: caller.office,
        vendor: caller.vendor.clone(),
        active: true,
        must_change: caller.must_change_password,
    };
    me(&person, language)
}

fn too_many(seconds: u64) -> ApiError {
    let mut error =
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "too many wrong passwords; wait a little");
    error.retry_after_s = Some(seconds);
    error
}

fn refused(state: &AppState, error: LoginError) -> ApiError {
    match error {
        LoginError::Wrong => ApiError::new(StatusCode::UNAUTHORIZED, "wrong_password", "name or password is wrong"),
        LoginError::Locked { until } => too_many(u64::try_from(until.since_ms(state.now()) / 1_000 + 1).unwrap_or(1)),
        LoginError::Busy => ApiError::unavailable("too many log-ins at this moment"),
        LoginError::Password(why) => ApiError::field("new", why),
        LoginError::Ledger(error) => error.into(),
    }
}

const LANGUAGE: &str = "lantian_language";
const PERMISSIONS: [Permission; 10] = [
    Permission::View,
    Permission::ViewOwnDevices,
    Permission::HandleAlerts,
    Permission::CommandDevices,
    Permission::EditRegisters,
    Permission::ManageDevices,
    Permission::EditLimits,
    Permission::EditRules,
    Permission::ApproveRules,
    Permission::ManagePeople,
];
