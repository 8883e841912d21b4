//! OAuth 2.0: what introspection (RFC 7662) and the metadata of the server (RFC 8414) answer.

use portcullis_core::id::{ApiKeyId, UserId};
use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::verify::Businesses;

/// What there is to know of an acceptable token (RFC 7662, section 2.2). Of any other, `{"active": false}` is all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Active {
    pub active: bool,
    /// The permissions that the key has in every one of `businesses`, separated by spaces.
    pub scope: String,
    pub client_id: ApiKeyId,
    /// The key's owner, as in `sub`: nobody's e-mail address leaves by an introspection.
    pub username: UserId,
    pub token_type: String,
    pub sub: UserId,
    pub jti: ApiKeyId,
    /// Seconds since 1970, as are all times of RFC 7662.
    pub iat: i64,
    /// Until when the answer may be kept, which is not when the key ends: see `key_expires_at`.
    pub exp: i64,
    pub iss: String,
    pub businesses: Businesses,
    /// Left out where the key has no end: there are clients that complain of a `null` at every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expires_at: Option<Time>,
}

/// The answer about every token that is not acceptable.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Inactive {
    pub active: bool,
}

/// What a client learns of the server (RFC 8414, section 2).
#[derive(Debug, Clone, Serialize)]
pub struct Metadata {
    pub issuer: String,
    pub introspection_endpoint: String,
    pub introspection_endpoint_auth_methods_supported: [&'static str; 2],
    pub revocation_endpoint: String,
    pub revocation_endpoint_auth_methods_supported: [&'static str; 1],
    /// None: keys are made in the dashboard, and by no grant of OAuth.
    pub response_types_supported: [&'static str; 0],
    pub grant_types_supported: [&'static str; 0],
    pub service_documentation: String,
}

/// A refusal in the words of OAuth 2.0 (RFC 6749, section 5.2).
#[derive(Debug, Clone, Serialize)]
pub struct OAuthError<'a> {
    pub error: &'a str,
    pub error_description: &'a str,
}
