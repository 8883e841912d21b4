//! Inviting somebody to a business, by a link that is shown once.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::links::CreateInvitation;

use super::members::refused;
use crate::app::App;
use crate::caller::{BusinessesWrite, From, LooksAfterMembers, OfBusiness};
use crate::dashboard::form::{Fields, Problems};
use crate::dashboard::frame::{Frame, Page, Visitor, lead_to, page};
use crate::dashboard::path_id_of;
use crate::dashboard::words::When;
use crate::manage::links;

/// A link that is shown once: of an invitation, or to a new password.
#[derive(Template)]
#[template(path = "link.html")]
pub(crate) struct LinkShownOnce {
    pub(crate) frame: Frame,
    pub(crate) heading: String,
    pub(crate) about: String,
    pub(crate) url: String,
    pub(crate) ends: When,
    pub(crate) back: String,
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterMembers>,
    From(origin): From,
    fields: Fields,
) -> Page {
    if fields.comes_back() {
        return refused(&app, &visitor, &of.tenant, &fields, Problems::default()).await;
    }
    let wanted =
        CreateInvitation { email: fields.text("email").to_owned(), role_id: fields.text("role_id").to_owned() };
    match links::create_invitation(&app, &of.caller, &of.tenant, origin, fields.once(), &wanted).await {
        Ok(made) => page(&LinkShownOnce {
            frame: visitor.frame("businesses", "Invitation"),
            heading: format!("{} is invited", wanted.email),
            about: "Send this link to them, by a way that only they can read: whoever has it becomes a member."
                .to_owned(),
            url: made.url.expose().to_owned(),
            ends: When::new(made.link.expires_at, visitor.now),
            back: format!("/businesses/{}", of.tenant.business()),
        }),
        Err(error) => refused(&app, &visitor, &of.tenant, &fields, Problems::of(error)?).await,
    }
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    _: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterMembers>,
    From(origin): From,
    path: RawPathParams,
) -> Page {
    links::revoke_invitation(&app, &of.caller, &of.tenant, origin, path_id_of(&path, "invitation_id")?).await?;
    lead_to(&format!("/businesses/{}?done=invitation-revoked", of.tenant.business()))
}
