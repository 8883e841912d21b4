//! Users: make, list, disable, enable.

use portcullis_api::envelope::PageQuery;
use portcullis_api::problem::FieldError;
use portcullis_api::users::CreateUser;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, UserState};
use portcullis_core::id::UserId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller, Platform};
use serde_json::json;

use super::paging::Listing;
use super::{Editing, taken, text};
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

pub(crate) async fn create(app: &App, caller: &Caller, origin: Origin, wanted: CreateUser) -> Result<User, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    let user = insert(app, &mut editing, &wanted, None, false).await?;
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
        errors.push(FieldError { pointer: "/email".to_owned(), detail: "must be an e-mail address".to_owned() });
    }
    if !errors.is_empty() {
        return Err(Error::Validation(errors));
    }
    let user = User {
        id: UserId::new(editing.now, &app.dice),
        email: wanted.email.clone(),
        name: name.to_owned(),
        platform_admin,
        created_at: editing.now,
        disabled_at: None,
    };
    let new = NewUser { user: user.clone(), password_hash };
    editing.rows.insert_user(&new).await.map_err(|error| taken(error, "Another user has this e-mail address."))?;
    let after = json!({"email": user.email, "name": user.name, "platform_admin": platform_admin});
    editing.tell(
        AuditEvent {
            action: AuditAction::UserCreated,
            target: user.id.to_string(),
            user: Some(user.id),
            business: None,
            before: None,
            after: Some(after),
        },
        Some(Change::UserSet(UserState { id: user.id, disabled: false })),
    );
    Ok(user)
}

pub(crate) async fn set_disabled(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    disabled: bool,
) -> Result<User, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    let mut user = editing.rows.user(account).await?;
    if user.disabled_at.is_some() != disabled {
        user.disabled_at = disabled.then_some(editing.now);
        editing.rows.set_user_disabled(account, user.disabled_at).await?;
        editing.tell(
            AuditEvent {
                action: if disabled { AuditAction::UserDisabled } else { AuditAction::UserEnabled },
                target: user.id.to_string(),
                user: Some(user.id),
                business: None,
                before: Some(json!({"disabled": !disabled})),
                after: Some(json!({"disabled": disabled})),
            },
            Some(Change::UserSet(UserState { id: user.id, disabled })),
        );
    }
    editing.commit().await?;
    Ok(user)
}
