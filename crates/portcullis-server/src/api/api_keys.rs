//! `/user/api-keys` and `/users/{user_id}/api-keys`: one set of handlers.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::api_keys::{
    ApiKey, BusinessScope, CreateApiKey, IssuedApiKey, ListApiKeys, Permissions, RevokeApiKey, RotateApiKey,
    RotatedApiKey, UpdateApiKey,
};
use portcullis_api::metadata::Metadata;
use portcullis_api::secret::SecretText;
use portcullis_core::scope;
use portcullis_core::time::Timestamp;

use super::body::{JsonBody, KnownQuery, OptionalJsonBody};
use super::{Answer, Created, ListAnswer, created, page, path_id, success};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, OfAccount};
use crate::error::Error;
use crate::manage::api_keys;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysRead>,
    KnownQuery(query): KnownQuery<ListApiKeys>,
) -> ListAnswer<ApiKey> {
    Ok(page(api_keys::list(&app, &of.account, &query).await?, |key| wire(&app, key)))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    JsonBody(wanted): JsonBody<CreateApiKey>,
) -> Created<IssuedApiKey> {
    let (key, token) = api_keys::create(&app, &of.caller, &of.account, origin, wanted).await?;
    let token = SecretText::new(token.reveal().to_owned());
    Ok(created(IssuedApiKey { api_key: wire(&app, key), token }))
}

pub(crate) async fn show(State(app): State<Arc<App>>, of: OfAccount<KeysRead>, path: RawPathParams) -> Answer<ApiKey> {
    Ok(success(wire(&app, api_keys::show(&app, &of.account, key_id(&path)?).await?)))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<UpdateApiKey>,
) -> Answer<ApiKey> {
    let id = key_id(&path)?;
    Ok(success(wire(&app, api_keys::update(&app, &of.caller, &of.account, origin, id, &wanted).await?)))
}

pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    OptionalJsonBody(wanted): OptionalJsonBody<RotateApiKey>,
) -> Created<RotatedApiKey> {
    let id = key_id(&path)?;
    let rotated = api_keys::rotate(&app, &of.caller, &of.account, origin, id, &wanted).await?;
    let token = SecretText::new(rotated.token.reveal().to_owned());
    Ok(created(RotatedApiKey { api_key: wire(&app, rotated.key), token, previous: wire(&app, rotated.previous) }))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    OptionalJsonBody(wanted): OptionalJsonBody<RevokeApiKey>,
) -> Answer<ApiKey> {
    let id = key_id(&path)?;
    Ok(success(wire(&app, api_keys::revoke(&app, &of.caller, &of.account, origin, id, &wanted).await?)))
}

/// The paths of these handlers have one parameter or two, of which this is the last.
fn key_id<T: std::str::FromStr>(path: &RawPathParams) -> Result<T, Error> {
    path.iter().find(|(name, _)| *name == "key_id").map_or(Err(Error::NotFound), |(_, text)| path_id(text))
}

pub(super) fn metadata(text: Option<&str>) -> Metadata {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn wire(app: &App, key: api_keys::ApiKey) -> ApiKey {
    ApiKey {
        id: key.id,
        family_id: key.family,
        status: key.status(app.clock.now()).name().to_owned(),
        name: key.name,
        environment: key.environment,
        prefix: key.prefix,
        hint: key.hint,
        user_id: key.user,
        business_scope: match key.scope {
            scope::BusinessScope::Unrestricted => BusinessScope::Unrestricted,
            scope::BusinessScope::Only(businesses) => BusinessScope::Only(businesses),
        },
        permissions: key.permissions.map_or(Permissions::Inherit, Permissions::List),
        user_management: key.user_management,
        allowed_ips: key.allowed_ips.iter().map(ToString::to_string).collect(),
        metadata: metadata(key.metadata.as_deref()),
        rate_limit: None,
        created_at: key.created_at.into(),
        expires_at: key.expires_at.map(Into::into),
        last_used_at: None,
        revoked_at: key.revoked_at.map(Into::into),
        revoked_reason: key.revoked_reason,
        rotated_to: key.rotated_to,
        rotated_from: key.rotated_from,
        rotation_due_at: rotation_due(app, key.created_at).into(),
        usage: None,
    }
}

fn rotation_due(app: &App, created: Timestamp) -> Timestamp {
    created.plus_days(app.config.rotation_due_days.into())
}
