//! API keys that were issued elsewhere.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_keys::{ApiKey, BusinessScopeText, CreateApiKey, Permissions};
use crate::metadata::Metadata;
use crate::problem::FieldError;
use crate::schema;

/// Keys that were issued elsewhere, at most 1,000 at a time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportApiKeys {
    #[schema(min_items = 1, max_items = 1_000)]
    pub keys: Vec<ImportApiKey>,
}

/// A key that was issued elsewhere: known by the SHA-256 of its token, which goes on working as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "CRM Integration",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "hint": "x7Qz",
    "permissions": ["contacts:read"]
}))]
pub struct ImportApiKey {
    /// How the key is used: 1 to 100 characters, none of them a control character.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Of the whole token: 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: String,
    /// Some of the token's last characters, to tell keys apart; at most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 8, pattern = "^[!-~]*$")]
    pub hint: Option<String>,
    /// `live` (the default) or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Environment>)]
    pub environment: Option<String>,
    /// When the key stops by itself; never, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Instant>)]
    pub expires_at: Option<String>,
    /// Left out: unrestricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_scope: Option<BusinessScopeText>,
    /// Opens `/api/v1/user` to the key; off, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_management: Option<bool>,
    /// Left out: `inherit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// Addresses and CIDR blocks the key may be used from; from anywhere, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 64)]
    pub allowed_ips: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

impl ImportApiKey {
    /// What the key is made from, apart from its token.
    pub fn wanted(&self) -> CreateApiKey {
        let from = self.clone();
        CreateApiKey {
            name: from.name,
            environment: from.environment,
            expires_at: from.expires_at,
            business_scope: from.business_scope,
            user_management: from.user_management,
            permissions: from.permissions,
            allowed_ips: from.allowed_ips,
            metadata: from.metadata,
        }
    }
}

/// What became of one line of an import: a key, or why there is none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportedApiKey {
    pub api_key: Option<ApiKey>,
    pub error: Option<ImportError>,
}

/// Why a line of an import made no key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportError {
    /// As of a problem: `VALIDATION_FAILED`, `CONFLICT`, `INVALID_REQUEST`.
    pub code: String,
    pub detail: String,
    /// What is wrong with which member of the line.
    pub errors: Vec<FieldError>,
}
