//! What a caller wants a key to be, read member by member, so that everything that is wrong is told at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use portcullis_api::api_keys::{BusinessScopeText, CreateApiKey, Permissions, UpdateApiKey};
use portcullis_api::metadata::Metadata;
use portcullis_api::problem::FieldError;
use portcullis_api::time::Time;
use portcullis_core::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use portcullis_core::permission::{Catalogue, Grant};
use portcullis_core::scope::BusinessScope;
use portcullis_core::time::Timestamp;
use portcullis_core::token::Environment;

use crate::error::Error;
use crate::manage::{permissions, text};
use crate::store::api_keys::ApiKey;
use crate::store::members::Membership;

const MOST_ADDRESSES: usize = 64;
const MOST_BUSINESSES: usize = 1_000;
const MOST_METADATA: usize = 16;
const METADATA_BYTES: usize = 4_096;
/// Beyond this, a number of JSON loses digits in many programs, and so must be sent as text.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A key to be: well formed, though perhaps more than its maker may give.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) environment: Environment,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) scope: BusinessScope,
    /// `None` inherits.
    pub(super) permissions: Option<Vec<String>>,
    pub(super) user_management: bool,
    pub(super) allowed_ips: Vec<IpNet>,
    pub(super) metadata: Option<String>,
}

/// Reads all members, and tells of every one that cannot be.
pub(super) fn read(wanted: &CreateApiKey, catalogue: &Catalogue, now: Timestamp) -> Result<Draft, Error> {
    let mut errors = Vec::new();
    text::check(&mut errors, "/name", &wanted.name, text::NAME);
    let draft = Draft {
        name: wanted.name.clone(),
        environment: environment(&mut errors, wanted.environment.as_deref()),
        expires_at: expiry(&mut errors, wanted.expires_at.as_deref(), now),
        scope: scope(&mut errors, wanted.business_scope.as_ref()),
        permissions: grant(&mut errors, wanted.permissions.as_ref(), catalogue),
        user_management: wanted.user_management.unwrap_or(false),
        allowed_ips: addresses(&mut errors, wanted.allowed_ips.as_deref().unwrap_or_default()),
        metadata: metadata(&mut errors, wanted.metadata.as_ref()),
    };
    Error::of(errors).map(|()| draft)
}

impl Draft {
    /// A key with these settings, short of what it is known by.
    pub(super) fn into_key(self, id: ApiKeyId, family: FamilyId, user: UserId, now: Timestamp) -> ApiKey {
        ApiKey {
            id,
            family,
            user,
            name: self.name,
            environment: self.environment,
            prefix: String::new(),
            hint: String::new(),
            scope: self.scope,
            permissions: self.permissions,
            user_management: self.user_management,
            allowed_ips: self.allowed_ips,
            metadata: self.metadata,
            created_at: now,
            expires_at: self.expires_at,
            revoked_at: None,
            revoked_reason: None,
            rotated_to: None,
            rotated_from: None,
            imported: false,
        }
    }

    /// The settings of a key that is there.
    pub(super) fn of(key: &ApiKey) -> Self {
        Self {
            name: key.name.clone(),
            environment: key.environment,
            expires_at: key.expires_at,
            scope: key.scope.clone(),
            permissions: key.permissions.clone(),
            user_management: key.user_management,
            allowed_ips: key.allowed_ips.clone(),
            metadata: key.metadata.clone(),
        }
    }

    /// These settings with the members that are given in place of their own. What a key may do can only become less.
    pub(super) fn changed(
        mut self,
        wanted: &UpdateApiKey,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Self, Error> {
        const ONLY_LESS: &str = "can only be narrowed: make a new key for more";
        let mut errors = Vec::new();
        if let Some(name) = &wanted.name {
            text::check(&mut errors, "/name", name.as_deref().unwrap_or_default(), text::NAME);
            self.name = name.clone().unwrap_or_default();
        }
        if let Some(blocks) = &wanted.allowed_ips {
            self.allowed_ips = addresses(&mut errors, blocks.as_deref().unwrap_or_default());
        }
        if let Some(notes) = &wanted.metadata {
            self.metadata = metadata(&mut errors, notes.as_ref());
        }
        let only_less = |errors: &mut Vec<FieldError>, pointer, less: bool| {
            if !less {
                errors.push(error(pointer, ONLY_LESS));
            }
        };
        if let Some(names) = &wanted.permissions {
            let names = grant(&mut errors, names.as_ref(), catalogue);
            let set = |names: &Option<Vec<String>>| {
                names.as_ref().map_or(Grant::Inherit, |names| Grant::List(catalogue.set(names)))
            };
            only_less(&mut errors, "/permissions", set(&names).is_within(set(&self.permissions)));
            self.permissions = names;
        }
        if let Some(businesses) = &wanted.business_scope {
            let businesses = scope(&mut errors, businesses.as_ref());
            only_less(&mut errors, "/business_scope", businesses.is_within(&self.scope));
            self.scope = businesses;
        }
        if let Some(end) = &wanted.expires_at {
            let had_errors = errors.len();
            let end = expiry(&mut errors, end.as_deref(), now);
            let sooner = self.expires_at.is_none_or(|own| end.is_some_and(|end| end <= own));
            let wrong_already = errors.len() > had_errors;
            only_less(&mut errors, "/expires_at", sooner || wrong_already);
            self.expires_at = end;
        }
        Error::of(errors).map(|()| self)
    }

    /// Whether the owner is a member of every business that the key is restricted to. A business that does not exist and one
    /// of somebody else are the same answer.
    pub(super) fn check_businesses(&self, memberships: &[Membership]) -> Result<(), Error> {
        let BusinessScope::Only(businesses) = &self.scope else { return Ok(()) };
        let member_of = |id: &BusinessId| memberships.iter().any(|membership| membership.business == *id);
        let errors: Vec<_> = (0..)
            .zip(businesses)
            .filter(|(_, id)| !member_of(id))
            .map(|(place, _)| error(format!("/business_scope/only/{place}"), NO_BUSINESS))
            .collect();
        Error::of(errors)
    }
}

const NO_BUSINESS: &str = "the key's owner is not a member of such a business";

fn error(pointer: impl Into<String>, detail: impl Into<String>) -> FieldError {
    FieldError { pointer: pointer.into(), detail: detail.into() }
}

fn environment(errors: &mut Vec<FieldError>, wanted: Option<&str>) -> Environment {
    let environment = wanted.map_or(Some(Environment::Live), Environment::from_name);
    environment.unwrap_or_else(|| {
        errors.push(error("/environment", "must be `live` or `test`"));
        Environment::Live
    })
}

fn expiry(errors: &mut Vec<FieldError>, wanted: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    match Time::parse(wanted?) {
        Ok(Time(at)) if at > now => return Some(at),
        Ok(_) => errors.push(error("/expires_at", "must be in the future")),
        Err(wrong) => errors.push(error("/expires_at", wrong.to_string())),
    }
    None
}

fn scope(errors: &mut Vec<FieldError>, wanted: Option<&BusinessScopeText>) -> BusinessScope {
    let Some(BusinessScopeText::Only(ids)) = wanted else { return BusinessScope::Unrestricted };
    if ids.is_empty() || ids.len() > MOST_BUSINESSES {
        let detail = format!("must name 1 to {MOST_BUSINESSES} businesses; for all of them, write \"unrestricted\"");
        errors.push(error("/business_scope/only", detail));
    }
    let mut seen = BTreeSet::new();
    for (place, text) in ids.iter().enumerate() {
        match text.parse::<BusinessId>() {
            Ok(id) if seen.insert(id) => {}
            Ok(_) => errors.push(error(format!("/business_scope/only/{place}"), "is named twice")),
            Err(_) => errors.push(error(format!("/business_scope/only/{place}"), NO_BUSINESS)),
        }
    }
    // In the order in which the caller wrote them, so that a later error can name the place.
    BusinessScope::Only(ids.iter().filter_map(|text| text.parse().ok()).collect())
}

fn grant(errors: &mut Vec<FieldError>, wanted: Option<&Permissions>, catalogue: &Catalogue) -> Option<Vec<String>> {
    let Some(Permissions::List(names)) = wanted else { return None };
    if names.is_empty() {
        errors.push(error("/permissions", "must grant at least one permission, or be \"inherit\""));
    }
    Some(permissions::list(errors, "/permissions", names, catalogue))
}

fn addresses(errors: &mut Vec<FieldError>, wanted: &[String]) -> Vec<IpNet> {
    if wanted.len() > MOST_ADDRESSES {
        errors.push(error("/allowed_ips", format!("must have at most {MOST_ADDRESSES} entries")));
    }
    let mut blocks = Vec::with_capacity(wanted.len().min(MOST_ADDRESSES));
    for (place, text) in wanted.iter().enumerate().take(MOST_ADDRESSES) {
        let block = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match block.map(unmapped) {
            // `10.1.2.3/8` says two things at once; the block that is meant must be written as what it is.
            Ok(block) if block.trunc() == block => blocks.push(block),
            Ok(block) => {
                let detail = format!("has bits beyond its prefix: write `{}`", block.trunc());
                errors.push(error(format!("/allowed_ips/{place}"), detail));
            }
            Err(_) => errors.push(error(
                format!("/allowed_ips/{place}"),
                "must be an IPv4 or IPv6 address, or a CIDR block such as `203.0.113.0/24`",
            )),
        }
    }
    blocks
}

/// An IPv4 block that was written as an IPv6 one is the same block: addresses are compared as what they are.
fn unmapped(block: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let IpNet::V6(mapped) = block else { return block };
    let address = mapped.addr().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(MAPPED_BITS);
    address.zip(length).and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(block, IpNet::V4)
}

fn metadata(errors: &mut Vec<FieldError>, wanted: Option<&Metadata>) -> Option<String> {
    let Metadata(map) = wanted.filter(|metadata| !metadata.0.is_empty())?;
    if map.len() > MOST_METADATA {
        errors.push(error("/metadata", format!("must have at most {MOST_METADATA} entries")));
    }
    for (name, value) in map {
        let pointer = || format!("/metadata/{}", name.replace('~', "~0").replace('/', "~1"));
        match value {
            serde_json::Value::String(_) | serde_json::Value::Bool(_) => {}
            serde_json::Value::Number(number) => {
                if number.is_f64() && number.as_f64().is_none_or(|number| number.abs() >= EXACT) {
                    errors.push(error(pointer(), "is a number that would lose digits: send it as text"));
                }
            }
            _ => errors.push(error(pointer(), "must be text, a number, `true` or `false`")),
        }
    }
    let text = serde_json::to_string(map).unwrap_or_default();
    if text.len() > METADATA_BYTES {
        errors.push(error("/metadata", format!("must be at most {METADATA_BYTES} bytes as JSON")));
    }
    Some(text)
}
