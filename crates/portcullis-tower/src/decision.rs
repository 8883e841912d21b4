//! The decision that lets a request through, as the handler behind finds it.

use portcullis_api::envelope::Success;
use portcullis_api::metadata::Metadata;
use portcullis_api::time::Time;
use portcullis_api::verify::{self as wire, Businesses, RateLimit};
use portcullis_core::decision::Code;
use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
use portcullis_core::token::Environment;

/// Whose key let the request through, and what it may do. It is in the request's extensions.
#[derive(Debug, Clone)]
pub struct Decision {
    pub key_id: ApiKeyId,
    pub user_id: UserId,
    /// What the key is called.
    pub name: String,
    pub environment: Environment,
    /// The business that the guard asked about.
    pub business_id: Option<BusinessId>,
    /// Where the request may act, as far as the permission was asked for: a list, or `All`. `All` is every business that the key's
    /// owner is a member of, and not every business there is; [`Portcullis::businesses_of`](crate::Portcullis::businesses_of) lists them.
    pub businesses: Businesses,
    /// What the key may do in every one of `businesses`.
    pub permissions: Vec<String>,
    pub user_management: bool,
    pub expires_at: Option<Time>,
    pub metadata: Metadata,
    /// How the tightest of the key's limits stands after this request.
    pub rate_limit: Option<RateLimit>,
}

/// What Portcullis said of one request.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passes(Box<Decision>),
    Denied(Denied),
}

/// Why a request may not pass.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) code: Code,
    pub(crate) reason: Option<String>,
    pub(crate) message: String,
    pub(crate) rate_limit: Option<RateLimit>,
}

impl Decision {
    /// Whether the key may do this in every one of `businesses`.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|granted| granted == permission)
    }
}

impl Verdict {
    /// Reads the body of an answer to `/verify`. Half a decision is none.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let answer: Success<wire::Decision<'_>> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let decision = answer.data;
        let code = Code::ALL.into_iter().find(|code| code.name() == decision.code);
        let code = code.ok_or_else(|| format!("`{}` is no code that is known here", decision.code.escape_debug()))?;
        if !answer.success || decision.valid != (code == Code::Valid) {
            return Err("it contradicts itself".to_owned());
        }
        if code != Code::Valid {
            let reason = decision.reason.map(Into::into);
            let message = decision.message.ok_or("a denial has a message")?.into_owned();
            return Ok(Self::Denied(Denied { code, reason, message, rate_limit: decision.rate_limit }));
        }
        let metadata = decision.metadata.map(|text| serde_json::from_str(text.get()));
        Ok(Self::Passes(Box::new(Decision {
            key_id: decision.key_id.ok_or("a key that passes has an id")?,
            user_id: decision.user_id.ok_or("a key that passes has an owner")?,
            name: decision.name.map(Into::into).unwrap_or_default(),
            environment: decision.environment.ok_or("a key that passes has an environment")?,
            business_id: decision.business_id,
            businesses: decision.businesses,
            permissions: decision.permissions.into_iter().map(Into::into).collect(),
            user_management: decision.user_management.unwrap_or(false),
            expires_at: decision.expires_at,
            metadata: metadata.transpose().map_err(|error| error.to_string())?.unwrap_or_default(),
            rate_limit: decision.rate_limit,
        })))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn passing() -> Value {
        json!({"success": true, "data": {
            "valid": true, "code": "VALID", "reason": null, "message": null,
            "key_id": "key_01m7xnw6qyew994zaseps0nyp6", "user_id": "usr_01m7xnw6pcff4amewzs12em2nn", "name": "K",
            "environment": "live", "business_id": null, "businesses": "*", "permissions": ["contacts:read"],
            "user_management": false, "expires_at": null, "metadata": {"plan": "pro"}, "rate_limit": null,
            "said_by_a_newer_server": 1,
        }})
    }

    fn read(answer: &Value) -> Result<Verdict, String> {
        Verdict::read(answer.to_string().as_bytes())
    }

    #[test]
    fn a_decision_that_lets_pass_is_owned() {
        let Ok(Verdict::Passes(decision)) = read(&passing()) else { panic!("it passes") };
        assert_eq!(decision.businesses, Businesses::ALL);
        assert_eq!(decision.metadata.0["plan"], "pro");
        assert!(decision.may("contacts:read") && !decision.may("contacts:write"));
    }

    #[test]
    fn half_a_decision_is_none() {
        for (pointer, value) in [
            ("/success", json!(false)),
            ("/data/valid", json!(false)),
            ("/data/valid", json!("true")),
            ("/data/code", json!("INVALID_API_KEY")),
            ("/data/code", json!("SOMETHING_NEW")),
            ("/data/key_id", json!(null)),
            ("/data/user_id", json!("usr_x")),
            ("/data/environment", json!(null)),
            ("/data/businesses", json!("all")),
            ("/data", json!(null)),
        ] {
            let mut answer = passing();
            *answer.pointer_mut(pointer).unwrap() = value.clone();
            assert!(read(&answer).is_err(), "{pointer} = {value}");
        }
        for member in ["valid", "code", "businesses", "permissions"] {
            let mut answer = passing();
            answer["data"].as_object_mut().unwrap().remove(member);
            assert!(read(&answer).is_err(), "without {member}");
        }
        assert!(Verdict::read(b"").is_err());
    }
}
