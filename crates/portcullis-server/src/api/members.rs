//! `/businesses/{business_id}/members`

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::businesses::{Member, SetMember};
use portcullis_api::envelope::{Done, PageQuery};

use super::body::{JsonBody, KnownQuery};
use super::{Answer, ListAnswer, page, path_id_of, success};
use crate::app::App;
use crate::caller::{
    AMember, BusinessesRead, BusinessesWrite, From, LooksAfterMembers, LooksAfterMembersOrSelf, OfBusiness,
};
use crate::manage::members;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesRead, AMember>,
    KnownQuery(query): KnownQuery<PageQuery>,
) -> ListAnswer<Member> {
    Ok(page(members::list(&app, &of.tenant, &query).await?, wire))
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterMembers>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<SetMember>,
) -> Answer<Member> {
    let user = path_id_of(&path, "user_id")?;
    Ok(success(wire(members::set(&app, &of.caller, &of.tenant, origin, user, &wanted).await?)))
}

pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterMembersOrSelf>,
    From(origin): From,
    path: RawPathParams,
) -> Answer<Done> {
    let user = path_id_of(&path, "user_id")?;
    members::remove(&app, &of.caller, &of.tenant, origin, user).await?;
    Ok(success(Done))
}

fn wire(member: members::Member) -> Member {
    Member {
        user_id: member.user,
        email: member.email,
        name: member.name,
        role_id: member.role,
        role_name: member.role_name,
        created_at: member.created_at.into(),
    }
}
