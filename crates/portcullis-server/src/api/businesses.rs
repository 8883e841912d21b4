//! `/businesses`, their members and roles.

use std::sync::Arc;

use axum::extract::{Path, State};
use portcullis_api::businesses::{Business, CreateBusiness, Member, Role, SetMember};
use portcullis_api::envelope::PageQuery;

use super::body::{JsonBody, KnownQuery};
use super::{Answer, Created, ListAnswer, created, page, path_id, status, success};
use crate::app::App;
use crate::caller::{BusinessesRead, BusinessesWrite, From, Operator};
use crate::manage::{businesses, members, roles};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    operator: Operator<BusinessesRead>,
    KnownQuery(query): KnownQuery<PageQuery>,
) -> ListAnswer<Business> {
    Ok(page(businesses::list(&app, &operator.proof, &query).await?, wire))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    operator: Operator<BusinessesWrite>,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateBusiness>,
) -> Created<Business> {
    Ok(created(wire(businesses::create(&app, &operator.caller, &operator.proof, origin, wanted).await?)))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    operator: Operator<BusinessesRead>,
    Path(id): Path<String>,
) -> Answer<Business> {
    Ok(success(wire(businesses::show(&app, &operator.proof, path_id(&id)?).await?)))
}

pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    by: Operator<BusinessesWrite>,
    From(origin): From,
    Path(id): Path<String>,
) -> Answer<Business> {
    let id = path_id(&id)?;
    Ok(success(wire(businesses::set_disabled(&app, &by.caller, &by.proof, origin, id, true).await?)))
}

pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    by: Operator<BusinessesWrite>,
    From(origin): From,
    Path(id): Path<String>,
) -> Answer<Business> {
    let id = path_id(&id)?;
    Ok(success(wire(businesses::set_disabled(&app, &by.caller, &by.proof, origin, id, false).await?)))
}

pub(crate) async fn members(
    State(app): State<Arc<App>>,
    operator: Operator<BusinessesRead>,
    Path(id): Path<String>,
) -> Answer<Vec<Member>> {
    let members = members::list(&app, &operator.proof, path_id(&id)?).await?;
    Ok(success(members.into_iter().map(member).collect()))
}

pub(crate) async fn set_member(
    State(app): State<Arc<App>>,
    by: Operator<BusinessesWrite>,
    From(origin): From,
    Path((business, user)): Path<(String, String)>,
    JsonBody(wanted): JsonBody<SetMember>,
) -> Answer<Member> {
    let place = (path_id(&business)?, path_id(&user)?);
    Ok(success(member(members::set(&app, &by.caller, &by.proof, origin, place, wanted).await?)))
}

pub(crate) async fn remove_member(
    State(app): State<Arc<App>>,
    by: Operator<BusinessesWrite>,
    From(origin): From,
    Path((business, user)): Path<(String, String)>,
) -> Answer<()> {
    let place = (path_id(&business)?, path_id(&user)?);
    Ok(success(members::remove(&app, &by.caller, &by.proof, origin, place).await?))
}

pub(crate) async fn roles(
    State(app): State<Arc<App>>,
    operator: Operator<BusinessesRead>,
    Path(id): Path<String>,
) -> Answer<Vec<Role>> {
    let roles = roles::list(&app, &operator.proof, path_id(&id)?).await?;
    Ok(success(roles.into_iter().map(role).collect()))
}

fn wire(business: businesses::Business) -> Business {
    Business {
        id: business.id,
        name: business.name,
        status: status(business.disabled_at.is_some()).to_owned(),
        created_at: business.created_at.into(),
        disabled_at: business.disabled_at.map(Into::into),
    }
}

fn member(member: members::Member) -> Member {
    Member {
        user_id: member.user,
        email: member.email,
        name: member.name,
        role_id: member.role,
        role_name: member.role_name,
        created_at: member.created_at.into(),
    }
}

fn role(role: roles::Role) -> Role {
    Role {
        id: role.id,
        name: role.name,
        built_in: role.built_in.is_some(),
        permissions: role.permissions,
        manages: role.manages,
    }
}
