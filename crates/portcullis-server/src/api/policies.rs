//! `/policy`, for all keys, and `/businesses/{business_id}/policy`.

use std::sync::Arc;

use axum::extract::State;
use portcullis_api::policies::Policy;

use super::body::JsonBody;
use super::{Answer, success};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, LooksAfterApiKeys, OfBusiness, Operator};
use crate::manage::policies;

pub(crate) async fn show(State(app): State<Arc<App>>, by: Operator<KeysRead>) -> Answer<Policy> {
    Ok(success(wire(policies::show(&app, &by.proof).await?)))
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    by: Operator<KeysWrite>,
    From(origin): From,
    JsonBody(wanted): JsonBody<Policy>,
) -> Answer<Policy> {
    Ok(success(wire(policies::set(&app, &by.caller, &by.proof, origin, &wanted).await?)))
}

pub(crate) async fn show_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<KeysRead, LooksAfterApiKeys>,
) -> Answer<Policy> {
    Ok(success(wire(policies::show_of(&app, &of.tenant).await?)))
}

pub(crate) async fn set_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<KeysWrite, LooksAfterApiKeys>,
    From(origin): From,
    JsonBody(wanted): JsonBody<Policy>,
) -> Answer<Policy> {
    Ok(success(wire(policies::set_of(&app, &of.caller, &of.tenant, origin, &wanted).await?)))
}

fn wire(policy: policies::Policy) -> Policy {
    Policy {
        longest_life_days: policy.longest_life_days,
        expiry_required: policy.expiry_required,
        revoke_unused_days: policy.revoke_unused_days,
    }
}
