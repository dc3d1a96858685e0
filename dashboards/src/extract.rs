//! What handlers take: JSON, query and path with problems as answers, and the caller.

use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ledger::{Author, Permission, Role};
use model::facts::Facts;
use model::id::{DeviceId, OfficeId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Who calls; put into the request by the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user: UserId,
    pub login: String,
    pub name: String,
    pub role: Role,
    pub vendor: String,
    pub office: Option<OfficeId>,
    pub must_change_password: bool,
    /// The session's token as it came in the cookie.
    pub token: String,
    /// Address of the peer, for the audit.
    pub origin: String,
}

impl Caller {
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    pub fn author(&self) -> Author {
        Author::new(&self.login, &self.origin)
    }

    /// Whether the caller may know of a device: all staff of all, a vendor of its own.
    pub fn sees(&self, device: &model::register::Device) -> bool {
        self.may(Permission::View)
            || (self.may(Permission::ViewOwnDevices) && !self.vendor.is_empty() && device.vendor == self.vendor)
    }

    /// The devices a limited account sees; `None`: all.
    pub fn own_devices(&self, facts: &Facts) -> Option<Vec<DeviceId>> {
        if self.may(Permission::View) {
            return None;
        }
        Some(facts.devices.values().filter(|device| self.sees(device)).map(|device| device.id).collect())
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthenticated)
    }
}

/// A JSON body, or a JSON answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", error.body_text()))
            }
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(error) => Err(ApiError::bad_request(error.body_text())),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

pub(crate) fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
}

/// A query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Search<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Search<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        query.map(|Query(query)| Self(query)).map_err(|error| ApiError::bad_request(error.body_text()))
    }
}

/// A number in the path; anything else is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) i64);

impl FromRequestParts<AppState> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let path: Result<Path<i64>, PathRejection> = Path::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::not_found())
    }
}

/// The ids of a thing and of a part of it in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids(pub(crate) i64, pub(crate) i64);

impl FromRequestParts<AppState> for Ids {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let path: Result<Path<(i64, i64)>, PathRejection> = Path::from_request_parts(parts, state).await;
        path.map(|Path((id, part))| Self(id, part)).map_err(|_| ApiError::not_found())
    }
}

/// A code in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) String);

impl FromRequestParts<AppState> for Code {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        path.map(|Path(code)| Self(code)).map_err(|_| ApiError::not_found())
    }
}

/// Page size within its bounds.
pub(crate) fn page_size(asked: Option<u32>) -> usize {
    let size = asked.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    usize::try_from(size).unwrap_or(50)
}

/// A cursor that is a plain number.
pub(crate) fn cursor<N: std::str::FromStr + Default>(text: Option<&str>) -> ApiResult<N> {
    match text {
        None | Some("") => Ok(N::default()),
        Some(text) => text.parse().map_err(|_| ApiError::field("cursor", "not a cursor of ours")),
    }
}

/// Comma-separated words of an enum.
pub(crate) fn words<T: DeserializeOwned>(field: &str, text: &str) -> ApiResult<Vec<T>> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| {
            serde_json::from_value(serde_json::Value::String(word.to_owned()))
                .map_err(|_| ApiError::field(field, format!("{word:.40} is not one of its words")))
        })
        .collect()
}

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;
