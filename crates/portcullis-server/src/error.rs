//! The one error of the server, and how it reads on the wire.
//!
//! A denial is an answer and not an error; it is one here only where Portcullis guards its own API with a key.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use portcullis_api::problem::{FieldError, Problem};
use portcullis_core::decision::Denial;
use portcullis_core::id::RequestId;

use crate::store::StoreError;

/// The number of a request, on every answer.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a request is not answered with a success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Invalid(String),
    #[error("Send one credential: this request has more than one.")]
    AmbiguousCredentials,
    #[error("Send an API key or an operator key, e.g. as `Authorization: Bearer <token>`.")]
    NoCredential,
    #[error("Send an API key, e.g. as `Authorization: Bearer <token>`.")]
    NoApiKey,
    #[error("Your session has ended, or there was none: sign in.")]
    SignedOut,
    #[error("The e-mail address or the password is wrong.")]
    WrongPassword,
    #[error("There were too many tries. Wait for {retry_after_seconds} seconds.")]
    TooMany { retry_after_seconds: i64 },
    #[error("{}", .denial.message())]
    Denied { denial: Denial, scope: Option<String> },
    #[error("{detail}")]
    Forbidden { reason: &'static str, detail: String, scope: Option<String> },
    #[error("There is nothing here, or nothing that you may see.")]
    NotFound,
    #[error("This path does not take that method.")]
    MethodNotAllowed,
    #[error("The request's body did not arrive in time.")]
    Timeout,
    #[error("{0}")]
    Conflict(String),
    #[error("The body is larger than this server takes.")]
    TooLarge,
    #[error("Send the body as `Content-Type: application/json`.")]
    UnsupportedMediaType,
    #[error("The request is well formed, but not allowed: see `errors`.")]
    Validation(Vec<FieldError>),
    #[error("Something went wrong here. The request id leads whoever runs this server to the cause.")]
    Internal(String),
    #[error(
        "This server's disk is full: nothing was changed. Whoever runs it must make room; decisions go on meanwhile."
    )]
    Full,
    #[error("This server cannot answer now; ask again. Your key is not the reason.")]
    Unavailable(String),
    /// Two transactions were in each other's way, and nothing of this one happened. No edit meets this, since edits take turns; what
    /// is none is done again by whoever does it.
    #[error("This server cannot answer now; ask again. Your key is not the reason.")]
    Again(String),
    #[error("The API behind this gateway cannot be reached, or its answer cannot be read.")]
    BadGateway(String),
    #[error("The API behind this gateway did not answer in time.")]
    GatewayTimeout,
}

impl Error {
    /// A validation failure of all these members, where there is any.
    pub(crate) fn of(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Validation(errors)) }
    }

    /// A validation failure of one member.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    pub(crate) const fn denied(denial: Denial) -> Self {
        Self::Denied { denial, scope: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::AmbiguousCredentials => StatusCode::BAD_REQUEST,
            Self::NoCredential | Self::NoApiKey | Self::SignedOut | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Denied { denial, .. } => StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::FORBIDDEN),
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Validation(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Full | Self::Unavailable(_) | Self::Again(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadGateway(_) => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::AmbiguousCredentials => "AMBIGUOUS_CREDENTIALS",
            Self::NoCredential | Self::NoApiKey => "INVALID_API_KEY",
            Self::SignedOut => "SIGNED_OUT",
            Self::WrongPassword => "INVALID_CREDENTIALS",
            Self::TooMany { .. } => "RATE_LIMITED",
            Self::Denied { denial, .. } => denial.code().name(),
            Self::Forbidden { .. } => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Timeout => "REQUEST_TIMEOUT",
            Self::Conflict(_) => "CONFLICT",
            Self::TooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::Validation(_) => "VALIDATION_FAILED",
            Self::Internal(_) => "INTERNAL",
            Self::Full | Self::Unavailable(_) | Self::Again(_) => "UNAVAILABLE",
            Self::BadGateway(_) => "BAD_GATEWAY",
            Self::GatewayTimeout => "GATEWAY_TIMEOUT",
        }
    }

    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::NoCredential | Self::NoApiKey => Some("missing"),
            Self::Denied { denial, .. } => denial.reason(),
            Self::Forbidden { reason, .. } => Some(reason),
            Self::Full => Some("disk_full"),
            _ => None,
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3). The error is named only to one who sent a credential.
    fn challenge(&self) -> Option<HeaderValue> {
        const REALM: &str = "Bearer realm=\"portcullis\"";
        let scope = match self {
            Self::Denied { scope, .. } | Self::Forbidden { scope, .. } => scope.as_deref(),
            _ => None,
        };
        let text = match (self.status(), self, scope) {
            (
                StatusCode::UNAUTHORIZED,
                Self::NoCredential | Self::NoApiKey | Self::SignedOut | Self::WrongPassword,
                _,
            ) => REALM.to_owned(),
            (StatusCode::UNAUTHORIZED, ..) => format!("{REALM}, error=\"invalid_token\""),
            (StatusCode::FORBIDDEN, _, Some(scope)) => {
                format!("{REALM}, error=\"insufficient_scope\", scope=\"{scope}\"")
            }
            _ => return None,
        };
        HeaderValue::from_str(&text).ok()
    }

    /// The whole answer. What went wrong inside goes to the log and nowhere else.
    pub(crate) fn render(&self, request: RequestId) -> Response {
        self.whole(request).map(Body::from)
    }

    /// The same, of one who needs no stream.
    pub(crate) fn whole(&self, request: RequestId) -> http::Response<Bytes> {
        let (status, headers, body) = self.parts(request);
        let mut response = http::Response::new(Bytes::from(body));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        response
    }

    /// The same in its parts, for those whose answers have another form.
    pub(crate) fn parts(&self, request: RequestId) -> (StatusCode, HeaderMap, String) {
        if let Self::Internal(cause) | Self::Unavailable(cause) | Self::Again(cause) | Self::BadGateway(cause) = self {
            tracing::error!(request_id = %request, code = self.code(), cause, "a request failed");
        }
        let id = request.to_string();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(X_REQUEST_ID, id);
        }
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::TooMany { retry_after_seconds } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from((*retry_after_seconds).max(1)));
        }
        if matches!(self, Self::TooLarge | Self::Timeout) {
            // What the client is still sending would be read as the next request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let mut problem = Problem::new(self.status().as_u16(), self.code(), &self.to_string(), id);
        problem.reason = self.reason().map(str::to_owned);
        if let Self::Validation(errors) = self {
            problem.errors.clone_from(errors);
        }
        (self.status(), headers, serde_json::to_string(&problem).unwrap_or_default())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing => Self::NotFound,
            StoreError::Taken => Self::Conflict("This exists already.".to_owned()),
            StoreError::Unreadable(what) => Self::Internal(what),
            StoreError::Full => Self::Full,
            StoreError::Again(cause) => Self::Again(cause),
            // A database that is away, full or busy is nobody's wrong key: 503, and never 401 or 403.
            StoreError::Silent => Self::Unavailable(error.to_string()),
            StoreError::Database(cause) => Self::Unavailable(cause.to_string()),
        }
    }
}

/// An error on its way to the layer that knows the request's id and writes the body.
#[derive(Debug, Clone)]
pub(crate) struct Pending(pub(crate) std::sync::Arc<Error>);

/// On an answer whose body is what it shall be, whatever its status: a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Pending(std::sync::Arc::new(self)));
        response
    }
}
