//! `…/limits` of keys, users and businesses, and `…/rate-limit` of keys.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::api_keys::ApiKey;
use portcullis_api::limits::{Limits, NamedLimit, Quotas, SetRateLimit};

use super::body::JsonBody;
use super::{Answer, api_keys, path_id_of, success};
use crate::app::App;
use crate::caller::{
    AMember, BusinessesRead, BusinessesWrite, From, KeysRead, KeysWrite, OfAccount, OfBusiness, Operator, Platformer,
    UsersRead, UsersWrite,
};
use crate::manage::limits;

pub(crate) async fn set_rate(
    State(app): State<Arc<App>>,
    by: Operator<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<SetRateLimit>,
) -> Answer<ApiKey> {
    let (account, id) = (by.account(path_id_of(&path, "user_id")?)?, path_id_of(&path, "key_id")?);
    let key = limits::set_rate(&app, &by.caller, &account, origin, id, &wanted).await?;
    Ok(success(api_keys::one(&app, key).await?))
}

pub(crate) async fn show_of_key(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysRead>,
    path: RawPathParams,
) -> Answer<Limits> {
    Ok(success(wire(limits::show_of_key(&app, &of.account, path_id_of(&path, "key_id")?).await?)))
}

pub(crate) async fn set_of_key(
    State(app): State<Arc<App>>,
    by: Operator<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<Limits>,
) -> Answer<Limits> {
    let (account, id) = (by.account(path_id_of(&path, "user_id")?)?, path_id_of(&path, "key_id")?);
    Ok(success(wire(limits::set_of_key(&app, &by.caller, &account, origin, id, &wanted).await?)))
}

pub(crate) async fn show_of_user(State(app): State<Arc<App>>, of: OfAccount<UsersRead>) -> Answer<Limits> {
    Ok(success(wire(limits::show_of_user(&app, &of.account).await?)))
}

pub(crate) async fn set_of_user(
    State(app): State<Arc<App>>,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<Limits>,
) -> Answer<Limits> {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    Ok(success(wire(limits::set_of_user(&app, &by.caller, &account, origin, &wanted).await?)))
}

pub(crate) async fn show_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesRead, AMember>,
) -> Answer<Limits> {
    Ok(success(wire(limits::show_of_business(&app, &of.tenant).await?)))
}

pub(crate) async fn set_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<BusinessesWrite, Platformer>,
    From(origin): From,
    JsonBody(wanted): JsonBody<Limits>,
) -> Answer<Limits> {
    Ok(success(wire(limits::set_of_business(&app, &of.caller, &of.tenant, origin, &wanted).await?)))
}

fn wire(limits: limits::Limits) -> Limits {
    let named = |limit: portcullis_core::limits::NamedLimit| NamedLimit {
        name: limit.name,
        limit: limit.limit.into(),
        window_seconds: limit.window_seconds.into(),
    };
    let quotas =
        Quotas { per_day: limits.quotas.per_day.map(i64::from), per_month: limits.quotas.per_month.map(i64::from) };
    Limits { limits: limits.named.into_iter().map(named).collect(), quotas }
}
