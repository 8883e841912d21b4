//! `/session`, the one that asks; `…/sessions`, all of a user; and the user's own password.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use http::HeaderMap;
use portcullis_api::envelope::Done;
use portcullis_api::sessions::{ChangePassword, Session, SignIn, SignedIn};
use portcullis_core::id::SessionId;

use super::body::JsonBody;
use super::cookie::{Begin, End, WithCookie};
use super::{Answer, path_id_of, success, users};
use crate::app::App;
use crate::caller::{self, From, OfAccount, UsersRead, UsersWrite, check_not_from_elsewhere};
use crate::manage::sessions;

pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    From(origin): From,
    JsonBody(wanted): JsonBody<SignIn>,
) -> Begin<SignedIn> {
    check_not_from_elsewhere(&app, &headers)?;
    let begun = sessions::begin(&app, origin, caller::cookie::user_agent(&headers), &wanted).await?;
    let cookie = caller::cookie::of(&begun, app.clock.now());
    Ok(WithCookie::new(signed_in(begun), cookie))
}

pub(crate) async fn show(by: caller::SignedIn) -> Answer<Session> {
    let id = by.session.id;
    Ok(success(wire(by.session, Some(id))))
}

pub(crate) async fn end(State(app): State<Arc<App>>, by: caller::SignedIn, From(origin): From) -> End {
    sessions::end(&app, &by.caller, &by.account, origin, Some(by.session.id)).await?;
    Ok(WithCookie::new(Done, caller::cookie::gone()))
}

pub(crate) async fn list(State(app): State<Arc<App>>, of: OfAccount<UsersRead>) -> Answer<Vec<Session>> {
    let current = of.session();
    let sessions = sessions::list(&app, &of.account).await?;
    Ok(success(sessions.into_iter().map(|session| wire(session, current)).collect()))
}

pub(crate) async fn end_one(
    State(app): State<Arc<App>>,
    of: OfAccount<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
) -> Answer<Done> {
    let id = path_id_of(&path, "session_id")?;
    sessions::end(&app, &of.caller, &of.account, origin, Some(id)).await?;
    Ok(success(Done))
}

/// Ends every one of them, the one that asks among them.
pub(crate) async fn end_all(
    State(app): State<Arc<App>>,
    of: OfAccount<UsersWrite>,
    From(origin): From,
) -> Answer<Done> {
    sessions::end(&app, &of.caller, &of.account, origin, None).await?;
    Ok(success(Done))
}

pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    by: caller::SignedIn,
    From(origin): From,
    JsonBody(wanted): JsonBody<ChangePassword>,
) -> Answer<Done> {
    sessions::change_password(&app, &by.caller, &by.account, origin, &wanted).await?;
    Ok(success(Done))
}

pub(super) fn signed_in(begun: sessions::Begun) -> SignedIn {
    let id = begun.session.id;
    SignedIn { user: users::wire(begun.user), session: wire(begun.session, Some(id)) }
}

fn wire(session: sessions::Session, current: Option<SessionId>) -> Session {
    Session {
        current: current == Some(session.id),
        id: session.id,
        created_at: session.created_at.into(),
        last_seen_at: session.last_seen_at.into(),
        expires_at: session.expires_at.into(),
        address: session.address,
        user_agent: session.user_agent,
    }
}
