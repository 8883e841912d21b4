//! Members: who is what in which business.

use portcullis_api::businesses::SetMember;
use portcullis_api::envelope::PageQuery;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, MemberPlace, MemberState};
use portcullis_core::id::{RoleId, UserId};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::{Caller, Need, Tenant};
use serde_json::json;

use super::paging::Listing;
use super::{Editing, roles};
use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::members::Member;

/// A page of a business's members, in the order in which their accounts were made.
pub(crate) async fn list(
    app: &App,
    tenant: &Tenant,
    query: &PageQuery,
) -> Result<(Vec<Member>, Option<String>), Error> {
    app.store.business(tenant).await?;
    let listing = Listing::new(app, &["members", &tenant.business().to_string()]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    let rows = app.store.members(tenant, slice.after.as_deref().unwrap_or_default(), slice.limit).await?;
    Ok(listing.page(rows, &slice, |member| member.user.to_string()))
}

pub(crate) async fn show(app: &App, tenant: &Tenant, user: UserId) -> Result<Member, Error> {
    app.store.member(tenant, user).await?.ok_or(Error::NotFound)
}

/// Makes a user a member, or gives a member another role.
pub(crate) async fn set(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    user: UserId,
    wanted: &SetMember,
) -> Result<Member, Error> {
    let role = role_id(&wanted.role_id)?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    editing.rows.business(&tenant).await?;
    // A user is found by an id that nobody guesses, but to be told of it is another matter: they are invited.
    if tenant.is_member() && editing.rows.member(&tenant, user).await?.is_none() {
        return Err(Error::NotFound);
    }
    let member = put(app, &mut editing, &tenant, user, role).await?;
    editing.commit().await?;
    Ok(member)
}

/// Ends a membership. Everybody may end their own.
pub(crate) async fn remove(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    user: UserId,
) -> Result<(), Error> {
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    editing.rows.business(&tenant).await?;
    let member = editing.rows.member(&tenant, user).await?.ok_or(Error::NotFound)?;
    if tenant.need() != Need::Member {
        check_reach(app, &mut editing, &tenant, member.role).await?;
    }
    keep_an_owner(&mut editing, &tenant, &member).await?;
    editing.rows.delete_member(&tenant, user).await?;
    editing.tell(
        event(AuditAction::MemberRemoved, &tenant, user, Some(member.role), None),
        Some(Change::MemberRemoved(MemberPlace { user, business: tenant.business() })),
    );
    editing.commit().await
}

/// A role by its id, or a built-in one by its name.
pub(super) fn role_id(text: &str) -> Result<RoleId, Error> {
    BuiltIn::from_name(text)
        .map(BuiltIn::id)
        .or_else(|| text.parse().ok())
        .ok_or_else(|| Error::field("/role_id", NO_ROLE))
}

/// Checks that members of the business can have the role, and that the caller may give it.
pub(super) async fn check_role(
    app: &App,
    editing: &mut Editing<'_>,
    tenant: &Tenant,
    role: RoleId,
) -> Result<(), Error> {
    check_reach(app, editing, tenant, role).await.map_err(|error| match error {
        Error::NotFound => Error::field("/role_id", NO_ROLE),
        other => other,
    })
}

async fn check_reach(app: &App, editing: &mut Editing<'_>, tenant: &Tenant, role: RoleId) -> Result<(), Error> {
    roles::check_reach(app, tenant, &editing.rows.role(tenant, role).await?)
}

const NO_ROLE: &str = "must be a role of this business: its id, or one of `owner`, `admin`, `member`, `viewer`";

/// The part that setting a member, founding a business and following an invitation have in common.
pub(super) async fn put(
    app: &App,
    editing: &mut Editing<'_>,
    tenant: &Tenant,
    user: UserId,
    role: RoleId,
) -> Result<Member, Error> {
    check_role(app, editing, tenant, role).await?;
    let before = editing.rows.member(tenant, user).await?;
    match &before {
        Some(member) if member.role == role => return Ok(member.clone()),
        Some(member) => {
            check_reach(app, editing, tenant, member.role).await?;
            keep_an_owner(editing, tenant, member).await?;
        }
        None if !editing.rows.user_exists(tenant, user).await? => return Err(Error::NotFound),
        None => {}
    }
    editing.rows.put_member(tenant, user, role, editing.now).await?;
    editing.tell(
        event(AuditAction::MemberSet, tenant, user, before.map(|member| member.role), Some(role)),
        Some(Change::MemberSet(MemberState { user, business: tenant.business(), role })),
    );
    editing.rows.member(tenant, user).await?.ok_or(Error::NotFound)
}

/// A business that has an owner always keeps one: refuses what would take the last one away.
async fn keep_an_owner(editing: &mut Editing<'_>, tenant: &Tenant, leaving: &Member) -> Result<(), Error> {
    let owner = BuiltIn::Owner.id();
    if leaving.role == owner && editing.rows.count_role(tenant, owner).await? <= 1 {
        return Err(Error::Conflict(
            "This is the business's last owner: make somebody else an owner first.".to_owned(),
        ));
    }
    Ok(())
}

fn event(
    action: AuditAction,
    tenant: &Tenant,
    user: UserId,
    before: Option<RoleId>,
    after: Option<RoleId>,
) -> AuditEvent {
    AuditEvent {
        action,
        target: user.to_string(),
        user: Some(user),
        business: Some(tenant.business()),
        before: before.map(|role| json!({"role_id": role})),
        after: after.map(|role| json!({"role_id": role})),
    }
}
