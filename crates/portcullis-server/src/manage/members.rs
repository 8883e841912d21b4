//! Members: who is what in which business.

use portcullis_api::businesses::SetMember;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, MemberPlace, MemberState};
use portcullis_core::id::{BusinessId, RoleId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::{Caller, Platform};
use serde_json::json;

use super::Editing;
use crate::app::App;
use crate::error::Error;
use crate::store::StoreError;
pub(crate) use crate::store::members::Member;

pub(crate) async fn list(app: &App, proof: &Platform, business: BusinessId) -> Result<Vec<Member>, Error> {
    app.store.business(proof, business).await?;
    Ok(app.store.members(proof, business).await?)
}

pub(crate) async fn set(
    app: &App,
    caller: &Caller,
    proof: &Platform,
    origin: Origin,
    (business, user): (BusinessId, UserId),
    wanted: SetMember,
) -> Result<Member, Error> {
    let role = BuiltIn::from_name(&wanted.role_id)
        .map(BuiltIn::id)
        .or_else(|| wanted.role_id.parse().ok())
        .ok_or_else(|| Error::field("/role_id", NO_ROLE))?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::BusinessesWrite).await?;
    editing.rows.business(proof, business).await?;
    let member = put(&mut editing, proof, business, user, role).await?;
    editing.commit().await?;
    Ok(member)
}

pub(crate) async fn remove(
    app: &App,
    caller: &Caller,
    proof: &Platform,
    origin: Origin,
    (business, user): (BusinessId, UserId),
) -> Result<(), Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::BusinessesWrite).await?;
    editing.rows.business(proof, business).await?;
    let member = editing.rows.member(proof, business, user).await?.ok_or(Error::NotFound)?;
    keep_an_owner(&mut editing, proof, business, &member).await?;
    editing.rows.delete_member(proof, business, user).await?;
    editing.tell(
        event(AuditAction::MemberRemoved, business, user, Some(member.role), None),
        Some(Change::MemberRemoved(MemberPlace { user, business })),
    );
    editing.commit().await
}

const NO_ROLE: &str = "must be a role of this business: its id, or one of `owner`, `admin`, `member`, `viewer`";

/// Makes a user a member, or gives a member another role.
pub(super) async fn put(
    editing: &mut Editing<'_>,
    proof: &Platform,
    business: BusinessId,
    user: UserId,
    role: RoleId,
) -> Result<Member, Error> {
    let known = editing.rows.role(proof, business, role).await;
    known.map_err(|error| match error {
        StoreError::Missing => Error::field("/role_id", NO_ROLE),
        other => other.into(),
    })?;
    let before = editing.rows.member(proof, business, user).await?;
    match &before {
        Some(member) if member.role == role => return Ok(member.clone()),
        Some(member) => keep_an_owner(editing, proof, business, member).await?,
        None if !editing.rows.user_exists(proof, user).await? => return Err(Error::NotFound),
        None => {}
    }
    editing.rows.put_member(proof, business, user, role, editing.now).await?;
    editing.tell(
        event(AuditAction::MemberSet, business, user, before.map(|member| member.role), Some(role)),
        Some(Change::MemberSet(MemberState { user, business, role })),
    );
    editing.rows.member(proof, business, user).await?.ok_or(Error::NotFound)
}

/// A business that has an owner always keeps one: refuses what would take the last one away.
async fn keep_an_owner(
    editing: &mut Editing<'_>,
    proof: &Platform,
    business: BusinessId,
    leaving: &Member,
) -> Result<(), Error> {
    let owner = BuiltIn::Owner.id();
    if leaving.role == owner && editing.rows.count_role(proof, business, owner).await? <= 1 {
        return Err(Error::Conflict(
            "This is the business's last owner: make somebody else an owner first.".to_owned(),
        ));
    }
    Ok(())
}

fn event(
    action: AuditAction,
    business: BusinessId,
    user: UserId,
    before: Option<RoleId>,
    after: Option<RoleId>,
) -> AuditEvent {
    AuditEvent {
        action,
        target: user.to_string(),
        user: Some(user),
        business: Some(business),
        before: before.map(|role| json!({"role_id": role})),
        after: after.map(|role| json!({"role_id": role})),
    }
}
