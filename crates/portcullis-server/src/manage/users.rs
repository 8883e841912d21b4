//! Users: make, list, change, disable, enable.

use portcullis_api::envelope::PageQuery;
use portcullis_api::problem::FieldError;
use portcullis_api::users::{CreateUser, UpdateUser};
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, UserState};
use portcullis_core::id::UserId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller, Platform};
use serde_json::json;

use super::idempotency::Call;
use super::paging::Listing;
use super::{Editing, sessions, taken, text};
use crate::app::App;
use crate::error::Error;
use crate::store::users::NewUser;
pub(crate) use crate::store::users::User;

pub(crate) async fn list(app: &App, proof: &Platform, query: &PageQuery) -> Result<(Vec<User>, Option<String>), Error> {
    let listing = Listing::new(app, &["users"]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    let rows = app.store.users(proof, &slice).await?;
    Ok(listing.page(rows, &slice, |user| user.id.to_string()))
}

pub(crate) async fn show(app: &App, account: &Account) -> Result<User, Error> {
    Ok(app.store.user(account).await?)
}

/// Makes a user, once for each `once`.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    origin: Origin,
    once: Option<&str>,
    wanted: CreateUser,
) -> Result<User, Error> {
    let call = Call::new(caller, once, "create user", &wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    if let Some(call) = &call
        && let Some(made) = call.done(&mut editing).await?
    {
        let account = caller.account(made, OperatorGrant::UsersWrite).ok_or(Error::NotFound)?;
        return Ok(editing.rows.user(&account).await?);
    }
    let user = insert(app, &mut editing, &wanted, None, false).await?;
    if let Some(call) = &call {
        call.remember(&mut editing, &user.id).await?;
    }
    editing.commit().await?;
    Ok(user)
}

/// The part that the first user of all has in common with every other.
pub(super) async fn insert(
    app: &App,
    editing: &mut Editing<'_>,
    wanted: &CreateUser,
    password_hash: Option<String>,
    platform_admin: bool,
) -> Result<User, Error> {
    let mut errors = Vec::new();
    let name = wanted.name.as_deref().unwrap_or(&wanted.email);
    text::check(&mut errors, "/name", name, if wanted.name.is_some() { text::NAME } else { 254 });
    if !text::is_email(&wanted.email) {
        // A name that was taken from a broken address would be reported for the address's fault.
        errors.retain(|error| wanted.name.is_some() || error.pointer != "/name");
        errors.push(FieldError { pointer: "/email".to_owned(), detail: text::NO_EMAIL.to_owned() });
    }
    Error::of(errors)?;
    let user = User {
        id: UserId::new(editing.now, &app.dice),
        email: wanted.email.clone(),
        name: name.to_owned(),
        platform_admin,
        created_at: editing.now,
        disabled_at: None,
    };
    let new = NewUser { user: user.clone(), password_hash };
    editing.rows.insert_user(&new).await.map_err(|error| taken(error, EMAIL_TAKEN))?;
    let change = Change::UserSet(UserState { id: user.id, disabled: false });
    editing.tell(event(AuditAction::UserCreated, &user, None), Some(change));
    Ok(user)
}

/// Changes the members that are given: the name for everybody, the rest for operators.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    wanted: UpdateUser,
) -> Result<User, Error> {
    let mut errors = Vec::new();
    let mut error = |pointer: &str, detail: &str| {
        errors.push(FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() });
    };
    if wanted.email.as_deref().is_some_and(|email| !text::is_email(email)) {
        error("/email", text::NO_EMAIL);
    } else if wanted.email.is_some() && caller.platform(OperatorGrant::UsersWrite).is_none() {
        error("/email", "is for an operator to change");
    }
    if wanted.platform_admin.is_some() && !caller.runs_everything() {
        error("/platform_admin", "is for an operator with every grant to change");
    }
    if let Some(name) = &wanted.name {
        text::check(&mut errors, "/name", name, text::NAME);
    }
    Error::of(errors)?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    let before = editing.rows.user(account).await?;
    let own = matches!(caller, Caller::User { id, .. } if *id == before.id) || matches!(caller, Caller::ApiKey { .. });
    if !own {
        check_may_run(caller, &before)?;
    }
    let user = User {
        name: wanted.name.unwrap_or_else(|| before.name.clone()),
        email: wanted.email.unwrap_or_else(|| before.email.clone()),
        platform_admin: wanted.platform_admin.unwrap_or(before.platform_admin),
        ..before.clone()
    };
    if told(&user) != told(&before) {
        editing.rows.update_user(account, &user).await.map_err(|error| taken(error, EMAIL_TAKEN))?;
        if user.email != before.email {
            // A link that was sent to the old address is not for whoever has the new one.
            editing.rows.end_password_links(account, editing.now).await?;
        }
        editing.tell(event(AuditAction::UserUpdated, &user, Some(&before)), None);
    }
    editing.commit().await?;
    Ok(user)
}

const EMAIL_TAKEN: &str = "Another user has this e-mail address.";

/// Whoever can become a platform admin, by their address or their password, can do all that one can.
pub(super) fn check_may_run(caller: &Caller, user: &User) -> Result<(), Error> {
    if !user.platform_admin || caller.runs_everything() {
        return Ok(());
    }
    Err(Error::Forbidden {
        reason: "permission",
        detail: "This user is a platform admin: it takes every grant to look after one.".to_owned(),
        scope: None,
    })
}

pub(crate) async fn set_disabled(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    disabled: bool,
) -> Result<User, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    let before = editing.rows.user(account).await?;
    let mut user = before.clone();
    if before.disabled_at.is_some() != disabled {
        user.disabled_at = disabled.then_some(editing.now);
        editing.rows.update_user(account, &user).await?;
        let action = if disabled { AuditAction::UserDisabled } else { AuditAction::UserEnabled };
        let change = Change::UserSet(UserState { id: user.id, disabled });
        editing.tell(event(action, &user, Some(&before)), Some(change));
        if disabled {
            // A user who is enabled again signs in again.
            sessions::end_all(&mut editing, account, None, None).await?;
        }
    }
    editing.commit().await?;
    Ok(user)
}

fn told(user: &User) -> serde_json::Value {
    json!({
        "email": user.email,
        "name": user.name,
        "platform_admin": user.platform_admin,
        "disabled": user.disabled_at.is_some(),
    })
}

fn event(action: AuditAction, user: &User, before: Option<&User>) -> AuditEvent {
    AuditEvent {
        action,
        target: user.id.to_string(),
        user: Some(user.id),
        business: None,
        before: before.map(told),
        after: Some(told(user)),
    }
}
