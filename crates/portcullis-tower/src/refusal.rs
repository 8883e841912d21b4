//! A request that goes no further, and the answer to it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use portcullis_api::problem::Problem;
use portcullis_core::decision::{Code, Denial};

use crate::decision::Denied;
use crate::grpc;
use crate::request_id::X_REQUEST_ID;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const REALM: &str = "Bearer realm=\"portcullis\"";

/// Why the service behind does not get to see a request.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    pub(crate) code: &'static str,
    pub(crate) reason: Option<String>,
    detail: String,
    /// `WWW-Authenticate` (RFC 6750, section 3).
    challenge: Option<String>,
    /// How the limits stand, and when to come back.
    limits: Box<HeaderMap>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, reason: Option<&str>, detail: impl Into<String>) -> Self {
        let reason = reason.map(str::to_owned);
        Self { status, code, reason, detail: detail.into(), challenge: None, limits: Box::default() }
    }

    /// No credential came. The challenge names no error, for nothing was sent that could be wrong.
    pub(crate) fn missing() -> Self {
        let detail = "Send an API key, e.g. as `Authorization: Bearer <token>`.";
        let refusal = Self::new(401, Code::InvalidApiKey.name(), Some("missing"), detail);
        Self { challenge: Some(REALM.to_owned()), ..refusal }
    }

    pub(crate) fn malformed() -> Self {
        let denial = Denial::Malformed;
        Self::new(401, denial.code().name(), denial.reason(), denial.message()).challenging()
    }

    pub(crate) fn ambiguous() -> Self {
        let detail = "Send one credential: this request has more than one.";
        Self::new(400, "AMBIGUOUS_CREDENTIALS", None, detail)
    }

    /// The request cannot be read so that only one thing could be meant.
    pub(crate) fn unclear(detail: impl Into<String>) -> Self {
        Self::new(400, "INVALID_REQUEST", None, detail)
    }

    /// Nobody said yes or no.
    pub(crate) fn unavailable() -> Self {
        let detail = "This server cannot answer now; ask again. Your key is not the reason.";
        Self::new(503, "UNAVAILABLE", None, detail)
    }

    /// Portcullis said no. `permission` is what the request needed, where that is known here.
    pub(crate) fn denied(denied: Denied, permission: Option<String>, limits: HeaderMap) -> Self {
        let status = match denied.code {
            // The verdict was read, so it is a denial; if it ever were none, no client is to be blamed.
            Code::Valid => return Self::unavailable(),
            Code::InvalidApiKey => 401,
            Code::RateLimited => 429,
            Code::UserDisabled | Code::PermissionDenied | Code::BusinessDisabled => 403,
        };
        let refusal = Self::new(status, denied.code.name(), denied.reason.as_deref(), denied.message);
        let lacks_permission = refusal.reason.as_deref() == Some("permission");
        let challenge = match status {
            401 => return refusal.challenging(),
            403 if lacks_permission => {
                let scope = permission.map_or_else(String::new, |permission| format!(", scope=\"{permission}\""));
                Some(format!("{REALM}, error=\"insufficient_scope\"{scope}"))
            }
            _ => None,
        };
        let mut limits = limits;
        if status == 429 && denied.rate_limit.is_some_and(|limit| limit.retry_after == Some(0)) {
            limits.insert(header::RETRY_AFTER, 1.into());
        }
        Self { challenge, limits: Box::new(limits), ..refusal }
    }

    fn challenging(self) -> Self {
        Self { challenge: Some(format!("{REALM}, error=\"invalid_token\"")), ..self }
    }

    /// The whole answer to a request with these headers.
    pub(crate) fn answer(self, request: &HeaderMap, request_id: String) -> Response<Full<Bytes>> {
        let mut headers = *self.limits;
        let mut tell = |name: HeaderName, text: &str| {
            headers.extend(HeaderValue::from_str(text).map(|value| (name, value)));
        };
        tell(X_REQUEST_ID, &request_id);
        tell(header::CACHE_CONTROL, "no-store");
        if let Some(challenge) = &self.challenge {
            tell(header::WWW_AUTHENTICATE, challenge);
        }
        let (status, body) = if grpc::is_grpc(request) {
            tell(header::CONTENT_TYPE, "application/grpc");
            tell(GRPC_STATUS, &grpc::status(self.status).to_string());
            tell(GRPC_MESSAGE, &grpc::message(&self.detail));
            (StatusCode::OK, Vec::new())
        } else {
            tell(header::CONTENT_TYPE, "application/problem+json");
            let mut problem = Problem::new(self.status, self.code, &self.detail, request_id);
            problem.reason = self.reason;
            let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            (status, serde_json::to_vec(&problem).unwrap_or_default())
        };
        let mut answer = Response::new(Full::from(body));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }
}
