//! The control plane: every edit is one function here, a file per noun. Pages and JSON call the same ones.
//!
//! The way of an edit: [`Editing::begin`] opens the transaction and looks again, in it, whether the caller may; the function
//! changes its rows and tells what happened; [`Editing::commit`] writes the audit events and the numbered changes in the same
//! transaction, and returns when this node has followed them.

pub(crate) mod api_keys;
pub(crate) mod attempts;
pub mod audit;
pub(crate) mod businesses;
pub(crate) mod idempotency;
pub(crate) mod limits;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod nodes;
pub(crate) mod operator_keys;
pub(crate) mod paging;
pub(crate) mod passwords;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod receipts;
pub(crate) mod refusals;
pub(crate) mod roles;
pub(crate) mod sessions;
pub mod setup;
pub(crate) mod text;
pub mod transfer;
pub(crate) mod usage;
pub(crate) mod users;

use portcullis_core::audit::{Actor, AuditEvent, Origin};
use portcullis_core::change::Change;
use portcullis_core::decision::Denial;
use portcullis_core::id::{ApiKeyId, AuditEventId, BusinessId, UserId};
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::{Caller, Need, NoTenant, Standing, Tenant};
use portcullis_core::time::Timestamp;

use crate::app::App;
use crate::cluster;
use crate::error::Error;
use crate::store::{Edit, StoreError};

/// An edit under way.
pub(crate) struct Editing<'a> {
    app: &'a App,
    actor: Actor,
    origin: Origin,
    pub(crate) now: Timestamp,
    /// Where the rows are changed.
    pub(crate) rows: Edit,
    events: Vec<AuditEvent>,
    changes: Vec<Change>,
}

impl<'a> Editing<'a> {
    /// Opens the transaction. The caller's credential is looked at again in it: memory may be a moment behind, and a
    /// credential that was just revoked must not make one more key.
    pub(crate) async fn begin(
        app: &'a App,
        caller: &Caller,
        origin: Origin,
        needed: impl Into<OperatorGrants>,
    ) -> Result<Self, Error> {
        let now = app.clock.now();
        let mut rows = app.store.edit().await?;
        match *caller {
            Caller::Operator { id, .. } => {
                let grants = rows.operator_grants(id).await?.ok_or(Error::denied(Denial::Revoked))?;
                if let Some(lacking) = grants.lacks(needed.into()) {
                    return Err(lacks(lacking));
                }
            }
            Caller::ApiKey { id, user, .. } => still_good(&mut rows, caller, (id, user), now).await?,
            Caller::User { session, .. } => {
                let visit = rows.session(session).await?.ok_or(Error::SignedOut)?;
                sessions::check(app, &visit, now)?;
                // Who was a platform admin a moment ago is asked again what they are.
                if visit.caller() != *caller {
                    return Err(Error::SignedOut);
                }
            }
            Caller::Arrival { .. } => return Err(Error::SignedOut),
        }
        Ok(Self { app, actor: caller.into(), origin, now, rows, events: Vec::new(), changes: Vec::new() })
    }

    /// Like [`Editing::begin`], for what is done in a business: what the caller is there is looked at again too.
    pub(crate) async fn begin_in(
        app: &'a App,
        caller: &Caller,
        origin: Origin,
        tenant: &Tenant,
    ) -> Result<(Self, Tenant), Error> {
        // What a person is in the business takes the place of the grant, which only an operator can lack.
        let mut editing = Self::begin(app, caller, origin, tenant.grant()).await?;
        let standing = match *caller {
            Caller::User { id, .. } => editing.rows.standing(id, tenant.business(), &app.catalogue).await?,
            _ => None,
        };
        let tenant = caller.tenant(tenant.business(), tenant.grant(), tenant.need(), standing).map_err(no_tenant)?;
        Ok((editing, tenant))
    }

    /// The first edit of all, before there is anybody who could be a caller.
    pub(crate) async fn begin_setup(app: &'a App) -> Result<Self, Error> {
        Self::begin_as(app, Actor::Setup, Origin::default()).await
    }

    /// An edit that no credential stands behind: somebody signs in or follows a link, or a job keeps to a rule.
    pub(crate) async fn begin_as(app: &'a App, actor: Actor, origin: Origin) -> Result<Self, Error> {
        let (now, rows) = (app.clock.now(), app.store.edit().await?);
        Ok(Self { app, actor, origin, now, rows, events: Vec::new(), changes: Vec::new() })
    }

    /// From here on it is this user who acts: they have just proved that they are.
    pub(crate) const fn is_by(&mut self, user: UserId) {
        self.actor = Actor::User(user);
    }

    /// Tells the audit log, and the nodes if decisions are concerned.
    pub(crate) fn tell(&mut self, event: AuditEvent, change: Option<Change>) {
        self.events.push(event);
        self.changes.extend(change);
    }

    /// Writes all of it or nothing, and waits until this node's memory has it. An edit that found nothing to do waits too:
    /// whoever asks again after a time-out must be able to rely on the answer.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        for event in &self.events {
            let id = AuditEventId::new(self.now, &self.app.dice);
            self.rows.insert_audit_event(id, self.now, &self.actor, &self.origin, event).await?;
        }
        let seq = if self.changes.is_empty() {
            self.app.store.head().await?
        } else {
            self.rows.log_changes(&self.changes, self.now).await?
        };
        self.rows.commit().await?;
        let receipt =
            cluster::everywhere(self.app, seq).await.map_err(|error| Error::Unavailable(error.to_string()))?;
        receipts::note(receipt);
        Ok(())
    }
}

/// An API key that acts, as this transaction has it: alive, and still with user management.
async fn still_good(
    rows: &mut Edit,
    caller: &Caller,
    (id, user): (ApiKeyId, UserId),
    now: Timestamp,
) -> Result<(), Error> {
    let account = caller.account(user, OperatorGrant::KeysWrite).ok_or(Error::denied(Denial::UserManagement))?;
    let key = rows.api_key(&account, id).await?;
    let owner = rows.user(&account).await?;
    let denial = match () {
        () if key.revoked_at.is_some() => Denial::Revoked,
        () if key.expires_at.is_some_and(|end| end <= now) => Denial::Expired,
        () if owner.disabled_at.is_some() => Denial::UserDisabled,
        () if !key.user_management => Denial::UserManagement,
        () => return Ok(()),
    };
    Err(Error::denied(denial))
}

/// What the caller is in a business, so that they can prove what they may do there.
pub(crate) async fn tenant(
    app: &App,
    caller: &Caller,
    business: BusinessId,
    grant: OperatorGrant,
    need: Need,
) -> Result<Tenant, Error> {
    let standing: Option<Standing> = match *caller {
        Caller::User { id, .. } => app.store.standing(id, business, &app.catalogue).await?,
        _ => None,
    };
    caller.tenant(business, grant, need, standing).map_err(no_tenant)
}

fn no_tenant(why: NoTenant) -> Error {
    let detail = match why {
        NoTenant::Unseen => return Error::NotFound,
        NoTenant::Lacks(grant) => return lacks(grant),
        NoTenant::Disabled => return Error::denied(Denial::BusinessDisabled),
        NoTenant::Role(Need::Manages(part)) => {
            format!("Your role in this business does not look after its {}.", part.name().replace('_', " "))
        }
        NoTenant::Role(Need::Platform) => return not_an_operator(),
        NoTenant::Role(_) => "This takes a role that looks after the whole business, as `admin` does.".to_owned(),
    };
    Error::Forbidden { reason: "permission", detail, scope: None }
}

/// A person asks for what only operators and platform admins may.
pub(crate) fn not_an_operator() -> Error {
    let detail = "This is for those who run the platform: an operator key, or a platform admin.".to_owned();
    Error::Forbidden { reason: "permission", detail, scope: None }
}

/// The operator key is good, but was not given this.
pub(crate) fn lacks(grant: OperatorGrant) -> Error {
    Error::Forbidden {
        reason: "permission",
        detail: format!("This operator key lacks the grant `{}`.", grant.name()),
        scope: Some(grant.name().to_owned()),
    }
}

/// A name that another has already.
fn taken(error: StoreError, detail: &str) -> Error {
    match error {
        StoreError::Taken => Error::Conflict(detail.to_owned()),
        other => other.into(),
    }
}
