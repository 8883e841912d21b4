//! One-time links: `/password-links`, `/password`, and the invitations of a business.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, State};
use http::HeaderMap;
use http::request::Parts;
use portcullis_api::envelope::{Done, PageQuery};
use portcullis_api::links::{
    AcceptInvitation, AcceptedInvitation, CreateInvitation, Invitation, IssuedInvitation, PasswordLink,
    RequestPasswordLink, SetPassword,
};
use portcullis_api::sessions::SignedIn;

use super::body::{JsonBody, KnownQuery};
use super::cookie::{Begin, WithCookie};
use super::sessions::signed_in;
use super::{Accepted, Answer, Created, ListAnswer, accepted, created, page, path_id_of, success};
use crate::app::App;
use crate::caller::{
    self, BusinessesRead, BusinessesWrite, From, LooksAfterMembers, OfBusiness, Operator, UsersWrite,
    check_not_from_elsewhere,
};
use crate::error::Error;
use crate::manage::links;

pub(crate) async fn create_password_link(
    State(app): State<Arc<App>>,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
) -> Created<PasswordLink> {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    let made = links::create_password_link(&app, &by.caller, &account, origin).await?;
    Ok(created(PasswordLink { url: made.url, expires_at: made.link.expires_at.into() }))
}

pub(crate) async fn request_password_link(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    From(origin): From,
    JsonBody(wanted): JsonBody<RequestPasswordLink>,
) -> Accepted {
    check_not_from_elsewhere(&app, &headers)?;
    links::request_password_link(&app, origin, &wanted)?;
    Ok(accepted())
}

pub(crate) async fn set_password(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    From(origin): From,
    JsonBody(wanted): JsonBody<SetPassword>,
) -> Begin<SignedIn> {
    check_not_from_elsewhere(&app, &headers)?;
    let begun = links::set_password(&app, origin, caller::cookie::user_agent(&headers), &wanted).await?;
    let cookie = caller::cookie::of(&begun, app.clock.now());
    Ok(WithCookie::new(signed_in(begun), cookie))
}

pub(crate) async fn list_invitations(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesRead, LooksAfterMembers>,
    KnownQuery(query): KnownQuery<PageQuery>,
) -> ListAnswer<Invitation> {
    Ok(page(links::list_invitations(&app, &of.tenant, &query).await?, wire))
}

pub(crate) async fn create_invitation(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterMembers>,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateInvitation>,
) -> Created<IssuedInvitation> {
    let made = links::create_invitation(&app, &of.caller, &of.tenant, origin, None, &wanted).await?;
    Ok(created(IssuedInvitation { invitation: wire(made.link), url: made.url }))
}

pub(crate) async fn revoke_invitation(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterMembers>,
    From(origin): From,
    path: RawPathParams,
) -> Answer<Done> {
    let id = path_id_of(&path, "invitation_id")?;
    links::revoke_invitation(&app, &of.caller, &of.tenant, origin, id).await?;
    Ok(success(Done))
}

/// Whoever follows an invitation: signed in, or with no credential at all.
pub(crate) struct Invited(Option<caller::SignedIn>);

impl FromRequestParts<Arc<App>> for Invited {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        match caller::SignedIn::from_request_parts(parts, app).await {
            Ok(by) => Ok(Self(Some(by))),
            Err(Error::NoCredential) => check_not_from_elsewhere(app, &parts.headers).map(|()| Self(None)),
            Err(error) => Err(error),
        }
    }
}

pub(crate) async fn accept_invitation(
    State(app): State<Arc<App>>,
    Invited(by): Invited,
    headers: HeaderMap,
    From(origin): From,
    JsonBody(wanted): JsonBody<AcceptInvitation>,
) -> Begin<AcceptedInvitation> {
    let caller = by.as_ref().map(|by| &by.caller);
    let joined = links::accept_invitation(&app, caller, origin, caller::cookie::user_agent(&headers), &wanted).await?;
    let cookie = joined.begun.as_ref().and_then(|begun| caller::cookie::of(begun, app.clock.now()));
    let answer = AcceptedInvitation {
        user_id: joined.user,
        business_id: joined.business,
        signed_in: joined.begun.map(signed_in),
    };
    Ok(WithCookie::new(answer, cookie))
}

fn wire(link: links::Link) -> Invitation {
    let links::Link { id, email, created_at, expires_at, .. } = link;
    let role_id = match link.leads {
        links::Leads::Invitation(_, role) => Some(role),
        links::Leads::Password(_) => None,
    };
    Invitation { id, email, role_id, created_at: created_at.into(), expires_at: expires_at.into() }
}
