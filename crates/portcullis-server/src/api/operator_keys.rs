//! `/operator-keys`

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::operator_keys::{CreateOperatorKey, IssuedOperatorKey, OperatorKey};

use super::body::JsonBody;
use super::{Answer, Created, created, path_id_of, success};
use crate::app::App;
use crate::caller::{AnyOperator, From};
use crate::manage::operator_keys;

pub(crate) async fn list(State(app): State<Arc<App>>, by: AnyOperator) -> Answer<Vec<OperatorKey>> {
    Ok(success(operator_keys::list(&app, &by.proof).await?.into_iter().map(wire).collect()))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    by: AnyOperator,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateOperatorKey>,
) -> Created<IssuedOperatorKey> {
    let (key, token) = operator_keys::create(&app, &by.caller, origin, None, &wanted).await?;
    Ok(created(IssuedOperatorKey { operator_key: wire(key), token: (&token).into() }))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    by: AnyOperator,
    From(origin): From,
    path: RawPathParams,
) -> Answer<OperatorKey> {
    Ok(success(wire(
        operator_keys::revoke(&app, &by.caller, &by.proof, origin, path_id_of(&path, "operator_key_id")?).await?,
    )))
}

fn wire(key: operator_keys::OperatorKey) -> OperatorKey {
    OperatorKey {
        id: key.id,
        name: key.name,
        hint: key.hint,
        grants: key.grants,
        status: if key.revoked_at.is_some() { "revoked" } else { "active" }.to_owned(),
        created_at: key.created_at.into(),
        revoked_at: key.revoked_at.map(Into::into),
    }
}
