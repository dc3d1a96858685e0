//! Errors as `application/problem+json`. An [`ApiError`] has a stable code and a public sentence; the cause of an internal one is
//! logged here, once, and never sent.

use crate::dto::Problem;
use crate::dto::common::FieldProblem;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cases::FlowError;
use ingest::chunks::ChunkError;
use ledger::LedgerError;
use model::seams::AppendError;
use std::fmt::Display;

/// What a handler answers when it cannot do what was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub problem: Box<Problem>,
    /// Seconds for `Retry-After`.
    pub retry_after_s: Option<u64>,
}

pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let problem =
            Problem { code: code.to_owned(), message: message.into(), field: None, detail: None, problems: Vec::new() };
        Self { status, problem: Box::new(problem), retry_after_s: None }
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing")
    }

    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "log in first")
    }

    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this account may not do that")
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// One field is wrong.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", message);
        error.problem.field = Some(field.to_owned());
        error
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        error.retry_after_s = Some(2);
        error
    }

    /// Logs the cause; the caller learns only that it was our fault.
    pub fn internal(cause: &dyn Display) -> Self {
        metrics::counter!(crate::metrics::ERRORS).increment(1);
        tracing::error!(error = %cause, "failed to answer a request");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.problem.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn with_problems(mut self, problems: Vec<FieldProblem>) -> Self {
        if let [only] = problems.as_slice() {
            self.problem.field = Some(only.place.clone());
        }
        self.problem.problems = problems;
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<ledger::Problem> for FieldProblem {
    fn from(problem: ledger::Problem) -> Self {
        let line = (problem.line > 0).then_some(problem.line);
        Self { line, place: problem.place, message: problem.message, suggestion: None }
    }
}

impl From<rules::Problem> for FieldProblem {
    fn from(problem: rules::Problem) -> Self {
        let (line, place) = match problem.place.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
            Some((line, key)) => (line.parse().ok(), key.to_owned()),
            None => match problem.place.strip_prefix("line ").map(str::parse) {
                Some(Ok(line)) => (Some(line), String::new()),
                _ => (None, problem.place),
            },
        };
        let suggestion = (!problem.suggestion.is_empty()).then_some(problem.suggestion);
        Self { line, place, message: problem.message, suggestion }
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Invalid(problems) => {
                let message = problems.first().map_or_else(|| "not valid".to_owned(), |one| one.message.clone());
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", message)
                    .with_problems(problems.into_iter().map(Into::into).collect())
            }
            LedgerError::Stale { author, .. } => {
                Self::conflict("someone else changed it since you read it").with_detail(author)
            }
            LedgerError::NotFound(_) => Self::not_found(),
            LedgerError::Refused(why) => Self::new(StatusCode::CONFLICT, "refused", why),
            other => Self::internal(&other),
        }
    }
}

impl From<FlowError> for ApiError {
    fn from(error: FlowError) -> Self {
        match &error {
            FlowError::NotFound => Self::not_found(),
            FlowError::Illegal(_) => Self::new(StatusCode::CONFLICT, "illegal_move", error.to_string()),
            FlowError::Forbidden(_) => Self::forbidden(),
            FlowError::Stale { current } => {
                Self::conflict("someone else changed it since you read it").with_detail(current.to_string())
            }
            FlowError::KeyReused => Self::new(StatusCode::CONFLICT, "key_reused", error.to_string()),
            FlowError::ReasonMissing => Self::field("reason", error.to_string()),
            FlowError::OfficeMissing => Self::field("office", error.to_string()),
            FlowError::TooLong(_) => Self::field("text", error.to_string()),
            FlowError::TooMany(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_much", error.to_string()),
            FlowError::Field(field, message) => Self::field(field, message.clone()),
            FlowError::Database(_) => Self::internal(&error),
        }
    }
}

impl From<ChunkError> for ApiError {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::TooMuch(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "too_much",
                "the span holds more data than can be read at once",
            ),
            ChunkError::Stopping => Self::unavailable("stopping"),
            other => Self::internal(&other),
        }
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        Self::unavailable(error.to_string())
    }
}
