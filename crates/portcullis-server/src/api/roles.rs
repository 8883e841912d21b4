//! `/businesses/{business_id}/roles`

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::businesses::{CreateRole, Role, UpdateRole};
use portcullis_api::envelope::Done;

use super::body::JsonBody;
use super::{Answer, Created, created, path_id_of, success};
use crate::app::App;
use crate::caller::{AMember, BusinessesRead, BusinessesWrite, From, LooksAfterRoles, OfBusiness};
use crate::manage::roles;

pub(crate) async fn list(State(app): State<Arc<App>>, of: OfBusiness<BusinessesRead, AMember>) -> Answer<Vec<Role>> {
    Ok(success(roles::list(&app, &of.tenant).await?.into_iter().map(wire).collect()))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesRead, AMember>,
    path: RawPathParams,
) -> Answer<Role> {
    Ok(success(wire(roles::show(&app, &of.tenant, path_id_of(&path, "role_id")?).await?)))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateRole>,
) -> Created<Role> {
    Ok(created(wire(roles::create(&app, &of.caller, &of.tenant, origin, None, &wanted).await?)))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<UpdateRole>,
) -> Answer<Role> {
    let id = path_id_of(&path, "role_id")?;
    Ok(success(wire(roles::update(&app, &of.caller, &of.tenant, origin, id, &wanted).await?)))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
    From(origin): From,
    path: RawPathParams,
) -> Answer<Done> {
    let id = path_id_of(&path, "role_id")?;
    roles::delete(&app, &of.caller, &of.tenant, origin, id).await?;
    Ok(success(Done))
}

fn wire(role: roles::Role) -> Role {
    Role {
        id: role.id,
        name: role.name,
        built_in: role.built_in.is_some(),
        permissions: role.permissions,
        manages: role.manages,
    }
}
