//! Why a request is not answered with a success, and how that reads: the same form as Portcullis's own.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portcullis_tower::{FieldError, Problem};

use crate::store::StoreError;

#[derive(Debug)]
pub(crate) enum Error {
    Invalid(String),
    Validation(Vec<FieldError>),
    NoCredential,
    Lacks { permission: String },
    NotReached,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    UnsupportedMediaType,
    Unavailable,
}

/// An error on its way to the layer that knows the request's number.
#[derive(Debug, Clone)]
pub(crate) struct Pending(pub(crate) Arc<Error>);

impl Error {
    pub(crate) fn lacks(permission: String) -> Self {
        Self::Lacks { permission }
    }

    /// A validation failure of one member.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// Status, code, reason and sentence.
    fn told(&self) -> (StatusCode, &'static str, Option<&'static str>, &str) {
        match self {
            Self::Invalid(detail) => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", None, detail),
            Self::Validation(_) => {
                let detail = "The request is well formed, but not allowed: see `errors`.";
                (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", None, detail)
            }
            Self::NoCredential => {
                let detail = "Send an API key, e.g. as `Authorization: Bearer <token>`.";
                (StatusCode::UNAUTHORIZED, "INVALID_API_KEY", Some("missing"), detail)
            }
            Self::Lacks { .. } => {
                let detail = "The key lacks the permission that this request needs.";
                (StatusCode::FORBIDDEN, "PERMISSION_DENIED", Some("permission"), detail)
            }
            Self::NotReached => {
                let detail = "The key does not reach this business.";
                (StatusCode::FORBIDDEN, "PERMISSION_DENIED", Some("business"), detail)
            }
            Self::NotFound => {
                let detail = "There is nothing here, or nothing that you may see.";
                (StatusCode::NOT_FOUND, "NOT_FOUND", None, detail)
            }
            Self::MethodNotAllowed => {
                let detail = "This path does not take that method.";
                (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", None, detail)
            }
            Self::TooLarge => {
                let detail = "The body is larger than this server takes.";
                (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", None, detail)
            }
            Self::UnsupportedMediaType => {
                let detail = "Send the body as `Content-Type: application/json`.";
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", None, detail)
            }
            Self::Unavailable => {
                let detail = "This server cannot answer now; ask again. Your key is not the reason.";
                (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", None, detail)
            }
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3).
    fn challenge(&self) -> Option<HeaderValue> {
        const REALM: &str = "Bearer realm=\"portcullis\"";
        match self {
            Self::NoCredential => Some(HeaderValue::from_static(REALM)),
            Self::Lacks { permission } => {
                let text = format!("{REALM}, error=\"insufficient_scope\", scope=\"{permission}\"");
                HeaderValue::from_str(&text).ok()
            }
            _ => None,
        }
    }

    pub(crate) fn render(&self, request_id: String) -> Response {
        let (status, code, reason, detail) = self.told();
        let mut problem = Problem::new(status.as_u16(), code, detail, request_id);
        problem.reason = reason.map(str::to_owned);
        if let Self::Validation(errors) = self {
            problem.errors.clone_from(errors);
        }
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut answer = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        answer.headers_mut().extend(self.challenge().map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
        answer
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut answer = self.told().0.into_response();
        answer.extensions_mut().insert(Pending(Arc::new(self)));
        answer
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database does not do what it is asked");
        Self::Unavailable
    }
}
