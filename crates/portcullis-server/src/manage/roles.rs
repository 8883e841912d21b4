//! Roles: what members of a business can be. The built-in ones follow the catalogue; a business can make more.

use portcullis_api::businesses::{CreateRole, UpdateRole};
use portcullis_api::problem::FieldError;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, RoleState};
use portcullis_core::id::RoleId;
use portcullis_core::role::{BuiltIn, Manages};
use portcullis_core::scope::{Caller, Tenant};
use serde_json::json;

use super::idempotency::Call;
use super::{Editing, permissions, taken, text};
use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::roles::Role;

/// How many roles of its own a business can have.
const MOST: i64 = 100;

/// All roles of a business, the built-in ones first: there are few of them.
pub(crate) async fn list(app: &App, tenant: &Tenant) -> Result<Vec<Role>, Error> {
    app.store.business(tenant).await?;
    let roles = app.store.roles(tenant).await?;
    Ok(roles.into_iter().map(|role| spelled_out(app, role)).collect())
}

pub(crate) async fn show(app: &App, tenant: &Tenant, id: RoleId) -> Result<Role, Error> {
    app.store.business(tenant).await?;
    Ok(spelled_out(app, app.store.role(tenant, id).await?))
}

pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    once: Option<&str>,
    wanted: &CreateRole,
) -> Result<Role, Error> {
    let mut errors = Vec::new();
    let permissions = permissions::list(&mut errors, "/permissions", &wanted.permissions, &app.catalogue);
    let manages = manages(&mut errors, &wanted.manages);
    check_name(&mut errors, &wanted.name);
    Error::of(errors)?;
    let call = Call::new(caller, once, &format!("create role {}", tenant.business()), wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    editing.rows.business(&tenant).await?;
    if let Some(call) = &call
        && let Some(made) = call.done(&mut editing).await?
    {
        return Ok(editing.rows.role(&tenant, made).await?);
    }
    let role = Role {
        id: RoleId::new(editing.now, &app.dice),
        name: wanted.name.clone(),
        built_in: None,
        permissions,
        manages,
    };
    check_reach(app, &tenant, &role)?;
    if editing.rows.count_roles(&tenant).await? >= MOST {
        return Err(Error::Conflict(format!("A business has at most {MOST} roles of its own.")));
    }
    editing.rows.insert_role(&tenant, &role).await.map_err(same_name)?;
    editing.tell(event(AuditAction::RoleCreated, &tenant, &role, None), Some(change(&role)));
    if let Some(call) = &call {
        call.remember(&mut editing, &role.id).await?;
    }
    editing.commit().await?;
    Ok(role)
}

/// Changes the members that are given. Whoever has the role is narrowed or widened with it, at once.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    id: RoleId,
    wanted: &UpdateRole,
) -> Result<Role, Error> {
    let mut errors = Vec::new();
    let name = wanted.name.as_ref().inspect(|name| check_name(&mut errors, name)).cloned();
    let allowed = wanted.permissions.as_ref();
    let allowed = allowed.map(|names| permissions::list(&mut errors, "/permissions", names, &app.catalogue));
    let parts = wanted.manages.as_ref().map(|parts| manages(&mut errors, parts));
    Error::of(errors)?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let before = own(app, &mut editing, &tenant, id).await?;
    let mut role = before.clone();
    role.name = name.unwrap_or(role.name);
    role.permissions = allowed.unwrap_or(role.permissions);
    role.manages = parts.unwrap_or(role.manages);
    check_reach(app, &tenant, &role)?;
    if told(&role) != told(&before) {
        editing.rows.update_role(&tenant, &role).await.map_err(same_name)?;
        editing.tell(event(AuditAction::RoleUpdated, &tenant, &role, Some(&before)), Some(change(&role)));
    }
    editing.commit().await?;
    Ok(role)
}

pub(crate) async fn delete(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    id: RoleId,
) -> Result<(), Error> {
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let role = own(app, &mut editing, &tenant, id).await?;
    if editing.rows.count_role(&tenant, id).await? > 0 {
        return Err(Error::Conflict("Members have this role: give them another one first.".to_owned()));
    }
    editing.rows.end_invitations_to_role(&tenant, id, editing.now).await?;
    editing.rows.delete_role(&tenant, id).await?;
    let mut event = event(AuditAction::RoleDeleted, &tenant, &role, Some(&role));
    event.after = None;
    editing.tell(event, None);
    editing.commit().await
}

/// A role that may be shaped: the business's own, and not more than the caller is.
async fn own(app: &App, editing: &mut Editing<'_>, tenant: &Tenant, id: RoleId) -> Result<Role, Error> {
    let role = editing.rows.role(tenant, id).await?;
    if role.built_in.is_some() {
        let detail = "A built-in role stays as it is: make a role of your own.";
        return Err(Error::Conflict(detail.to_owned()));
    }
    check_reach(app, tenant, &role)?;
    Ok(role)
}

/// Nobody gives, takes or shapes what is more than they are themselves.
pub(super) fn check_reach(app: &App, tenant: &Tenant, role: &Role) -> Result<(), Error> {
    if tenant.reaches(role.id, role.allows(&app.catalogue), role.looks_after()) {
        return Ok(());
    }
    let detail = format!("The role `{}` is more than your own role in this business.", role.name);
    Err(Error::Forbidden { reason: "permission", detail, scope: None })
}

/// A role with what it allows today, also where it is built in.
fn spelled_out(app: &App, mut role: Role) -> Role {
    role.permissions = app.catalogue.names(role.allows(&app.catalogue)).map(str::to_owned).collect();
    role.manages = role.looks_after().to_vec();
    role
}

fn check_name(errors: &mut Vec<FieldError>, name: &str) {
    text::check(errors, "/name", name, text::NAME);
    if BuiltIn::from_name(&name.to_lowercase()).is_some() {
        let detail = "is the name of a built-in role".to_owned();
        errors.push(FieldError { pointer: "/name".to_owned(), detail });
    }
}

fn manages(errors: &mut Vec<FieldError>, names: &[String]) -> Vec<Manages> {
    let mut parts = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let detail = match Manages::from_name(name) {
            Some(part) if !parts.contains(&part) => {
                parts.push(part);
                continue;
            }
            Some(_) => "is named twice",
            None => "must be one of `members`, `roles`, `api_keys`, `audit`",
        };
        errors.push(FieldError { pointer: format!("/manages/{place}"), detail: detail.to_owned() });
    }
    parts.sort_unstable();
    parts
}

fn same_name(error: crate::store::StoreError) -> Error {
    taken(error, "Another role of this business has this name.")
}

fn change(role: &Role) -> Change {
    Change::RoleSet(RoleState { id: role.id, built_in: None, permissions: role.permissions.clone() })
}

fn told(role: &Role) -> serde_json::Value {
    json!({"name": role.name, "permissions": role.permissions, "manages": role.manages})
}

fn event(action: AuditAction, tenant: &Tenant, role: &Role, before: Option<&Role>) -> AuditEvent {
    AuditEvent {
        action,
        target: role.id.to_string(),
        user: None,
        business: Some(tenant.business()),
        before: before.map(told),
        after: Some(told(role)),
    }
}
