//! `/businesses`

use std::sync::Arc;

use axum::extract::State;
use portcullis_api::businesses::{Business, CreateBusiness, UpdateBusiness};
use portcullis_api::envelope::PageQuery;

use super::body::{JsonBody, KnownQuery};
use super::{Answer, Created, ListAnswer, created, page, status, success};
use crate::app::App;
use crate::caller::{
    AMember, BusinessesRead, BusinessesWrite, From, LooksAfterAll, OfAccount, OfBusiness, Platformer, Proprietor,
};
use crate::manage::businesses::{self, Whose};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    by: Proprietor<BusinessesRead>,
    KnownQuery(query): KnownQuery<PageQuery>,
) -> ListAnswer<Business> {
    Ok(page(businesses::list(&app, &by.whose, &query).await?, wire))
}

pub(crate) async fn list_of_user(
    State(app): State<Arc<App>>,
    of: OfAccount<BusinessesRead>,
    KnownQuery(query): KnownQuery<PageQuery>,
) -> ListAnswer<Business> {
    Ok(page(businesses::list(&app, &Whose::Members(of.account), &query).await?, wire))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    by: Proprietor<BusinessesWrite>,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateBusiness>,
) -> Created<Business> {
    Ok(created(wire(businesses::create(&app, &by.caller, origin, None, wanted).await?)))
}

pub(crate) async fn show(State(app): State<Arc<App>>, of: OfBusiness<BusinessesRead, AMember>) -> Answer<Business> {
    Ok(success(wire(businesses::show(&app, &of.tenant).await?)))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, LooksAfterAll>,
    From(origin): From,
    JsonBody(wanted): JsonBody<UpdateBusiness>,
) -> Answer<Business> {
    Ok(success(wire(businesses::update(&app, &of.caller, &of.tenant, origin, wanted).await?)))
}

pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, Platformer>,
    From(origin): From,
) -> Answer<Business> {
    Ok(success(wire(businesses::set_disabled(&app, &of.caller, &of.tenant, origin, true).await?)))
}

pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, Platformer>,
    From(origin): From,
) -> Answer<Business> {
    Ok(success(wire(businesses::set_disabled(&app, &of.caller, &of.tenant, origin, false).await?)))
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
