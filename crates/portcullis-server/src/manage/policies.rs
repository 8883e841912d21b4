//! Policies: how long keys may live, and how long they may lie unused; for all keys, or for those that reach a business.
//!
//! A policy binds what is made from then on. Keys that are there keep their dates, until they lie unused for too long.

use portcullis_api::policies::Policy as Wanted;
use portcullis_api::problem::FieldError;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::id::BusinessId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{BusinessScope, Caller, Platform, Tenant};
use portcullis_core::time::Timestamp;
use serde_json::json;

use super::Editing;
use crate::app::App;
use crate::error::Error;
use crate::store::members::Membership;
pub(crate) use crate::store::policies::Policy;

/// The longest time that a policy can name: ten years.
const MOST_DAYS: i64 = 3_650;

pub(crate) async fn show(app: &App, proof: &Platform) -> Result<Policy, Error> {
    Ok(app.store.policy(proof).await?)
}

pub(crate) async fn show_of(app: &App, tenant: &Tenant) -> Result<Policy, Error> {
    app.store.business(tenant).await?;
    Ok(app.store.policy_of(tenant).await?)
}

pub(crate) async fn set(
    app: &App,
    caller: &Caller,
    proof: &Platform,
    origin: Origin,
    wanted: &Wanted,
) -> Result<Policy, Error> {
    let policy = read(wanted)?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    let before = editing.rows.policy().await?;
    if policy != before {
        editing.rows.put_policy(proof, &policy).await?;
        editing.tell(event("platform".to_owned(), None, &before, &policy), None);
    }
    editing.commit().await?;
    Ok(policy)
}

pub(crate) async fn set_of(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    wanted: &Wanted,
) -> Result<Policy, Error> {
    let policy = read(wanted)?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let business = editing.rows.business(&tenant).await?.id;
    let before = editing.rows.policy_of(business).await?;
    if policy != before {
        editing.rows.put_policy_of(&tenant, &policy).await?;
        editing.tell(event(business.to_string(), Some(business), &before, &policy), None);
    }
    editing.commit().await?;
    Ok(policy)
}

/// What binds a key with this scope: the platform's policy, and that of each business it reaches. The strictest of each holds.
pub(super) async fn binding(
    editing: &mut Editing<'_>,
    scope: &BusinessScope,
    memberships: &[Membership],
) -> Result<Policy, Error> {
    let mut strictest = editing.rows.policy().await?;
    let businesses: Vec<BusinessId> = match scope {
        BusinessScope::Only(businesses) => businesses.clone(),
        BusinessScope::Unrestricted => memberships.iter().map(|membership| membership.business).collect(),
    };
    for business in businesses {
        let policy = editing.rows.policy_of(business).await?;
        strictest.expiry_required |= policy.expiry_required;
        strictest.longest_life_days = strictest.longest_life_days.into_iter().chain(policy.longest_life_days).min();
    }
    Ok(strictest)
}

impl Policy {
    /// The latest end of a key that is made now; `None` is none.
    pub(super) fn latest_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.longest_life_days.map(|days| now.plus_days(days))
    }

    /// Whether a key may be made with this end.
    pub(super) fn check(&self, expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
        let (Some(days), Some(latest)) = (self.longest_life_days, self.latest_end(now)) else {
            return if self.expiry_required && expires_at.is_none() {
                Err(Error::field("/expires_at", "is required: a policy lets no key live for ever"))
            } else {
                Ok(())
            };
        };
        if expires_at.is_some_and(|end| end <= latest) {
            return Ok(());
        }
        Err(Error::field(
            "/expires_at",
            format!("must be at most {days} days from now: a policy lets no key live longer"),
        ))
    }
}

fn read(wanted: &Wanted) -> Result<Policy, Error> {
    let mut errors = Vec::new();
    let mut days = |pointer: &str, days: Option<i64>| {
        if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
            let detail = format!("must be from 1 to {MOST_DAYS}, or null");
            errors.push(FieldError { pointer: pointer.to_owned(), detail });
        }
        days
    };
    let policy = Policy {
        longest_life_days: days("/longest_life_days", wanted.longest_life_days),
        expiry_required: wanted.expiry_required,
        revoke_unused_days: days("/revoke_unused_days", wanted.revoke_unused_days),
    };
    Error::of(errors).map(|()| policy)
}

fn told(policy: &Policy) -> serde_json::Value {
    json!({
        "longest_life_days": policy.longest_life_days,
        "expiry_required": policy.expiry_required,
        "revoke_unused_days": policy.revoke_unused_days,
    })
}

fn event(target: String, business: Option<BusinessId>, before: &Policy, after: &Policy) -> AuditEvent {
    AuditEvent {
        action: AuditAction::PolicyUpdated,
        target,
        user: None,
        business,
        before: Some(told(before)),
        after: Some(told(after)),
    }
}
