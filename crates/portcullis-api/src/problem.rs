//! What every failure looks like: a problem (RFC 9457) with members of ours that are always there.

use serde::{Deserialize, Serialize};

/// `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `/problems/` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Always `false`.
    pub success: bool,
    pub code: String,
    /// Which of a code's several causes it was; `null` where there is only one.
    pub reason: Option<String>,
    /// The same sentence as `detail`.
    pub message: String,
    pub request_id: String,
    /// With `VALIDATION_FAILED`: what is wrong with which member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One member of a request that is well formed and yet not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where it is: a JSON pointer (RFC 6901).
    pub pointer: String,
    pub detail: String,
}

impl Problem {
    /// A problem with the members that follow from its code and status filled in.
    pub fn new(status: u16, code: &str, detail: &str, request_id: String) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: title(code).to_owned(),
            status,
            detail: detail.to_owned(),
            success: false,
            code: code.to_owned(),
            reason: None,
            message: detail.to_owned(),
            request_id,
            errors: Vec::new(),
        }
    }
}

/// The few words that stand over each code.
fn title(code: &str) -> &'static str {
    match code {
        "INVALID_REQUEST" => "Invalid request",
        "AMBIGUOUS_CREDENTIALS" => "Ambiguous credentials",
        "INVALID_API_KEY" => "Invalid API key",
        "PERMISSION_DENIED" => "Permission denied",
        "USER_DISABLED" => "User disabled",
        "BUSINESS_DISABLED" => "Business disabled",
        "NOT_FOUND" => "Not found",
        "METHOD_NOT_ALLOWED" => "Method not allowed",
        "REQUEST_TIMEOUT" => "Request timeout",
        "CONFLICT" => "Conflict",
        "PAYLOAD_TOO_LARGE" => "Payload too large",
        "UNSUPPORTED_MEDIA_TYPE" => "Unsupported media type",
        "HEADERS_TOO_LARGE" => "Headers too large",
        "VALIDATION_FAILED" => "Validation failed",
        "RATE_LIMITED" => "Rate limited",
        "UNAVAILABLE" => "Unavailable",
        _ => "Internal error",
    }
}
