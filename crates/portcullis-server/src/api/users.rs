//! `/users`, and `/user`: the caller's own.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::envelope::PageQuery;
use portcullis_api::users::{CreateUser, UpdateUser, User};

use super::body::{JsonBody, KnownQuery};
use super::{Answer, Created, ListAnswer, created, page, path_id_of, status, success};
use crate::app::App;
use crate::caller::{From, OfAccount, Operator, UsersRead, UsersWrite};
use crate::manage::users;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    operator: Operator<UsersRead>,
    KnownQuery(query): KnownQuery<PageQuery>,
) -> ListAnswer<User> {
    Ok(page(users::list(&app, &operator.proof, &query).await?, wire))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    operator: Operator<UsersWrite>,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateUser>,
) -> Created<User> {
    Ok(created(wire(users::create(&app, &operator.caller, origin, None, wanted).await?)))
}

pub(crate) async fn show(State(app): State<Arc<App>>, of: OfAccount<UsersRead>) -> Answer<User> {
    Ok(success(wire(users::show(&app, &of.account).await?)))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    of: OfAccount<UsersWrite>,
    From(origin): From,
    JsonBody(wanted): JsonBody<UpdateUser>,
) -> Answer<User> {
    Ok(success(wire(users::update(&app, &of.caller, &of.account, origin, wanted).await?)))
}

pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
) -> Answer<User> {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    Ok(success(wire(users::set_disabled(&app, &by.caller, &account, origin, true).await?)))
}

pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
) -> Answer<User> {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    Ok(success(wire(users::set_disabled(&app, &by.caller, &account, origin, false).await?)))
}

pub(super) fn wire(user: users::User) -> User {
    User {
        id: user.id,
        email: user.email,
        name: user.name,
        status: status(user.disabled_at.is_some()).to_owned(),
        platform_admin: user.platform_admin,
        created_at: user.created_at.into(),
        disabled_at: user.disabled_at.map(Into::into),
    }
}
