//! The control plane: every edit is one function here, a file per noun. Pages and JSON call the same ones.
//!
//! The way of an edit: [`Editing::begin`] opens the transaction and looks again, in it, whether the caller may; the function
//! changes its rows and tells what happened; [`Editing::commit`] writes the audit events and the numbered changes in the same
//! transaction, and returns when this node has followed them.

pub(crate) mod api_keys;
pub mod audit;
pub(crate) mod businesses;
pub(crate) mod members;
pub(crate) mod operator_keys;
pub(crate) mod paging;
pub(crate) mod roles;
pub mod setup;
pub(crate) mod text;
pub(crate) mod users;

use portcullis_core::audit::{Actor, AuditEvent, Origin};
use portcullis_core::change::Change;
use portcullis_core::decision::Denial;
use portcullis_core::id::AuditEventId;
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::Caller;
use portcullis_core::time::Timestamp;

use crate::app::App;
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
            Caller::ApiKey { id, user, .. } => {
                let account =
                    caller.account(user, OperatorGrant::KeysWrite).ok_or(Error::denied(Denial::UserManagement))?;
                let key = rows.api_key(&account, id).await?;
                let owner = rows.user(&account).await?;
                let denial = match () {
                    () if key.revoked_at.is_some() => Some(Denial::Revoked),
                    () if key.expires_at.is_some_and(|end| end <= now) => Some(Denial::Expired),
                    () if owner.disabled_at.is_some() => Some(Denial::UserDisabled),
                    () if !key.user_management => Some(Denial::UserManagement),
                    () => None,
                };
                if let Some(denial) = denial {
                    return Err(Error::denied(denial));
                }
            }
        }
        Ok(Self { app, actor: caller.into(), origin, now, rows, events: Vec::new(), changes: Vec::new() })
    }

    /// The first edit of all, before there is anybody who could be a caller.
    pub(crate) async fn begin_setup(app: &'a App) -> Result<Self, Error> {
        let (now, rows) = (app.clock.now(), app.store.edit().await?);
        let (actor, origin) = (Actor::Setup, Origin::default());
        Ok(Self { app, actor, origin, now, rows, events: Vec::new(), changes: Vec::new() })
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
        self.app.node.followed(seq).await.map_err(|error| Error::Unavailable(error.to_string()))
    }
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
