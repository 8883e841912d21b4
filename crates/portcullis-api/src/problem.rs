//! What every failure looks like: a problem (RFC 9457) with members of ours that are always there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// What can be wrong, and what to do about it.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What to do, in a sentence.
    pub remedy: &'static str,
    /// The reasons that it can have, each with what it means.
    pub reasons: &'static [(&'static str, &'static str)],
}

macro_rules! codes {
    ($($code:literal $status:literal $title:literal $meaning:literal $remedy:literal [$($reason:literal: $why:literal),*];)+) => {
        /// Every code that a problem can have.
        pub const CODES: &[Code] = &[$(Code {
            code: $code,
            status: $status,
            title: $title,
            meaning: $meaning,
            remedy: $remedy,
            reasons: &[$(($reason, $why)),*],
        },)+];
    };
}

codes! {
    "INVALID_REQUEST" 400 "Invalid request"
        "The request cannot be read: it is not JSON, has a field that is not known here, or a value of another type."
        "Compare it with the reference; `detail` names the place." [];
    "AMBIGUOUS_CREDENTIALS" 400 "Ambiguous credentials"
        "The request has more than one credential."
        "Send one: in `Authorization`, in `X-API-Key`, or the cookie of a session." [];
    "INVALID_API_KEY" 401 "Invalid API key"
        "There is no credential, or it is no good."
        "Send a live key, e.g. as `Authorization: Bearer …`; make a new one where it was revoked or has expired."
        ["missing": "no credential was sent", "malformed": "it has not the form of a token: check that it was copied whole",
         "unknown": "there is no such key", "revoked": "the key was revoked", "expired": "the key has expired"];
    "SIGNED_OUT" 401 "Signed out"
        "The session has ended, or there was none."
        "Sign in again." [];
    "INVALID_CREDENTIALS" 401 "Invalid credentials"
        "The e-mail address or the password is wrong."
        "Try again, or ask for a link to a new password." [];
    "PERMISSION_DENIED" 403 "Permission denied"
        "The credential is good, but may not do this."
        "Use one that may, or have its permissions or its owner's role changed."
        ["business": "the key does not reach this business", "permission": "a permission or a grant is lacking",
         "ip_address": "the key may not be used from this address",
         "user_management": "the key was not given user management access",
         "expires_at": "a key cannot make one that outlives it",
         "origin": "a change with a session must come from this server's own pages",
         "session": "this is for a person who signed in"];
    "USER_DISABLED" 403 "User disabled"
        "The account is disabled."
        "Ask whoever runs the platform." [];
    "BUSINESS_DISABLED" 403 "Business disabled"
        "The business is disabled."
        "Ask whoever runs the platform." [];
    "NOT_FOUND" 404 "Not found"
        "There is nothing here, or nothing that you may see."
        "Check the address; what is somebody else's is not told from what is not there." [];
    "METHOD_NOT_ALLOWED" 405 "Method not allowed"
        "The path does not take this method."
        "Use one of those in `Allow`." [];
    "REQUEST_TIMEOUT" 408 "Request timeout"
        "The body did not arrive in time."
        "Send it faster, or in one piece." [];
    "CONFLICT" 409 "Conflict"
        "The request does not fit what is there: a name is taken, a key has ended, another call is under way."
        "`detail` says which; look at what is there, and decide anew." [];
    "PAYLOAD_TOO_LARGE" 413 "Payload too large"
        "The body is larger than this server takes."
        "Send less." [];
    "UNSUPPORTED_MEDIA_TYPE" 415 "Unsupported media type"
        "The body is not JSON, or does not say so."
        "Send `Content-Type: application/json`." [];
    "VALIDATION_FAILED" 422 "Validation failed"
        "The request is well formed, but not allowed."
        "`errors` says of each member what is wrong with it." [];
    "RATE_LIMITED" 429 "Rate limited"
        "There were too many requests."
        "Wait for as many seconds as `Retry-After` says."
        ["quota": "the quota of the day or the month is spent",
         "cost": "the request costs more than a limit ever lets in at once, so that no waiting helps"];
    "HEADERS_TOO_LARGE" 431 "Headers too large"
        "The headers are larger, or more, than this server takes."
        "Send fewer." [];
    "INTERNAL" 500 "Internal error"
        "Something went wrong here."
        "Ask again later; the request id leads whoever runs this server to the cause." [];
    "UNAVAILABLE" 503 "Unavailable"
        "The server cannot answer now. Your key is not the reason."
        "Ask again." ["disk_full": "the server's disk has no room, and nothing was changed"];
    "BAD_GATEWAY" 502 "Bad gateway"
        "The API behind this gateway cannot be reached, or its answer cannot be read. Your key is not the reason."
        "Ask again later; what the request was to change may have been changed." [];
    "GATEWAY_TIMEOUT" 504 "Gateway timeout"
        "The API behind this gateway did not answer in time."
        "Ask again later; what the request was to change may have been changed." [];
}

/// The few words that stand over a code.
fn title(code: &str) -> &'static str {
    CODES.iter().find(|known| known.code == code).map_or("Internal error", |known| known.title)
}
