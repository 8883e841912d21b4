//! `/businesses/{business_id}`: who is what in a business, and who is invited.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::businesses::SetMember;
use portcullis_api::envelope::PageQuery;
use portcullis_core::id::UserId;
use portcullis_core::role::Manages;
use portcullis_core::scope::{Need, Tenant};

use super::head::{Head, proof};
use crate::app::App;
use crate::caller::{
    AMember, BusinessesRead, BusinessesWrite, From, LooksAfterMembers, LooksAfterMembersOrSelf, OfBusiness,
};
use crate::dashboard::api_keys::list::Choice;
use crate::dashboard::form::{Asked, Fields, Problems, once};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::lists::Walk;
use crate::dashboard::path_id_of;
use crate::dashboard::words::When;
use crate::error::Error;
use crate::manage::businesses;
use crate::manage::{links, members, roles};

#[derive(Template)]
#[template(path = "businesses/members.html")]
struct Members {
    frame: Frame,
    head: Head,
    rows: Vec<Row>,
    more: Option<String>,
    invitations: Vec<Invitation>,
    roles: Vec<Choice>,
    invited: String,
    once: String,
    problems: Problems,
}

struct Row {
    id: String,
    name: String,
    email: String,
    role: String,
    since: When,
    you: bool,
}

struct Invitation {
    id: String,
    email: String,
    role: String,
    ends: When,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesRead, AMember>,
    Asked(query): Asked,
) -> Page {
    page(&filled(&app, &visitor, &of.tenant, &query, &Fields::default(), Problems::default()).await?)
}

/// The page with a form on it that was refused.
pub(super) async fn refused(app: &App, visitor: &Visitor, tenant: &Tenant, sent: &Fields, problems: Problems) -> Page {
    let shown = filled(app, visitor, tenant, &Fields::default(), sent, problems).await?;
    if shown.problems.any() { again(&shown) } else { page(&shown) }
}

async fn filled(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    query: &Fields,
    sent: &Fields,
    problems: Problems,
) -> Result<Members, Error> {
    let business = businesses::show(app, tenant).await?;
    let head = Head::new(app, visitor, &business, "members").await?;
    let mut listed = Walk::of(query);
    while listed.goes_on() {
        let cursor = listed.cursor();
        listed.take(members::list(app, tenant, &PageQuery { limit: None, cursor }).await?);
    }
    let roles = roles::list(app, tenant).await?;
    let row = |member: &members::Member| Row {
        id: member.user.to_string(),
        name: member.name.clone(),
        email: member.email.clone(),
        role: member.role_name.clone(),
        since: When::new(member.created_at, visitor.now),
        you: member.user == visitor.user.id,
    };
    let mut invitations = Vec::new();
    if let Some(proof) = proof(app, visitor, business.id, Need::Manages(Manages::Members)).await? {
        let mut open = Walk::all();
        while open.goes_on() {
            let cursor = open.cursor();
            open.take(links::list_invitations(app, &proof, &PageQuery { limit: None, cursor }).await?);
        }
        for link in open.rows {
            let role = match link.leads {
                links::Leads::Invitation(_, role) => roles.iter().find(|one| one.id == role),
                links::Leads::Password(_) => None,
            };
            invitations.push(Invitation {
                id: link.id.to_string(),
                email: link.email,
                role: role.map_or_else(String::new, |role| role.name.clone()),
                ends: When::new(link.expires_at, visitor.now),
            });
        }
    }
    let asked = sent.text("role_id");
    let mut for_invitation: Vec<Choice> =
        roles.iter().map(|role| Choice::new(role.id.to_string(), &role.name, asked)).collect();
    if !for_invitation.iter().any(|one| one.chosen) {
        // The least of the built-in ones that can do something.
        for one in &mut for_invitation {
            one.chosen = one.label == "member";
        }
    }
    Ok(Members {
        frame: visitor.frame("businesses", business.name),
        head,
        rows: listed.rows.iter().map(row).collect(),
        more: listed.more(),
        invitations,
        roles: for_invitation,
        invited: sent.text("email").to_owned(),
        once: once(app),
        problems,
    })
}

/// All members of a business, or as many as anybody looks through.
pub(crate) async fn all_members(app: &App, tenant: &Tenant) -> Result<Vec<members::Member>, Error> {
    let mut walk = Walk::all();
    while walk.goes_on() {
        let cursor = walk.cursor();
        walk.take(members::list(app, tenant, &PageQuery { limit: Some("100".to_owned()), cursor }).await?);
    }
    Ok(walk.rows)
}

#[derive(Template)]
#[template(path = "businesses/member.html")]
struct MemberPage {
    frame: Frame,
    head: Head,
    id: String,
    name: String,
    roles: Vec<Choice>,
    problems: Problems,
}

pub(crate) async fn show_member(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesRead, LooksAfterMembers>,
    path: RawPathParams,
) -> Page {
    page(&member(&app, &visitor, &of.tenant, path_id_of(&path, "user_id")?, None, Problems::default()).await?)
}

async fn member(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    user: UserId,
    chosen: Option<&str>,
    problems: Problems,
) -> Result<MemberPage, Error> {
    let business = businesses::show(app, tenant).await?;
    let member = members::show(app, tenant, user).await?;
    let own = member.role.to_string();
    let choice = |role: roles::Role| Choice::new(role.id.to_string(), role.name, chosen.unwrap_or(&own));
    Ok(MemberPage {
        frame: visitor.frame("businesses", format!("Role of {}", member.name)),
        head: Head::new(app, visitor, &business, "members").await?,
        id: user.to_string(),
        roles: roles::list(app, tenant).await?.into_iter().map(choice).collect(),
        name: member.name,
        problems,
    })
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterMembers>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let user = path_id_of(&path, "user_id")?;
    let role = fields.text("role_id");
    if fields.comes_back() {
        return page(&member(&app, &visitor, &of.tenant, user, Some(role), Problems::default()).await?);
    }
    let wanted = SetMember { role_id: role.to_owned() };
    match members::set(&app, &of.caller, &of.tenant, origin, user, &wanted).await {
        Ok(_) => lead_to(&format!("/businesses/{}?done=member", of.tenant.business())),
        Err(error) => again(&member(&app, &visitor, &of.tenant, user, Some(role), Problems::of(error)?).await?),
    }
}

#[derive(Template)]
#[template(path = "businesses/remove.html")]
struct Remove {
    frame: Frame,
    head: Head,
    id: String,
    name: String,
    you: bool,
    problems: Problems,
}

pub(crate) async fn show_remove(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterMembersOrSelf>,
    path: RawPathParams,
) -> Page {
    page(&removal(&app, &visitor, &of.tenant, path_id_of(&path, "user_id")?, Problems::default()).await?)
}

pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterMembersOrSelf>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let user: UserId = path_id_of(&path, "user_id")?;
    if fields.comes_back() {
        return page(&removal(&app, &visitor, &of.tenant, user, Problems::default()).await?);
    }
    match members::remove(&app, &of.caller, &of.tenant, origin, user).await {
        Ok(()) if user == visitor.user.id && !visitor.user.platform_admin => lead_to("/businesses?done=left"),
        Ok(()) => lead_to(&format!("/businesses/{}?done=removed", of.tenant.business())),
        Err(error) => again(&removal(&app, &visitor, &of.tenant, user, Problems::of(error)?).await?),
    }
}

async fn removal(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    user: UserId,
    problems: Problems,
) -> Result<Remove, Error> {
    let business = businesses::show(app, tenant).await?;
    let member = members::show(app, tenant, user).await?;
    let you = user == visitor.user.id;
    Ok(Remove {
        frame: visitor.frame("businesses", if you { "Leave".to_owned() } else { format!("Remove {}", member.name) }),
        head: Head::new(app, visitor, &business, "members").await?,
        id: user.to_string(),
        name: member.name,
        you,
        problems,
    })
}
