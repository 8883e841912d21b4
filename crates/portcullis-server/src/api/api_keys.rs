//! `/user/api-keys` and `/users/{user_id}/api-keys`: one set of handlers.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::api_key_imports::{ImportApiKeys, ImportError, ImportedApiKey};
use portcullis_api::api_keys::{
    ApiKey, BusinessScope, CreateApiKey, IssuedApiKey, ListApiKeys, ListApiKeysOfBusiness, Permissions, RevokeApiKey,
    RotateApiKey, RotatedApiKey, UpdateApiKey,
};
use portcullis_api::metadata::Metadata;
use portcullis_core::scope;
use portcullis_core::time::Timestamp;

use super::body::{self, JsonBody, KnownQuery, LargeJsonBody, OptionalJsonBody};
use super::idempotency::IdempotencyKey;
use super::{Answer, Created, ListAnswer, created, page, path_id_of, success};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, LooksAfterApiKeys, OfAccount, OfBusiness, Operator};
use crate::error::Error;
use crate::manage::api_keys;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysRead>,
    KnownQuery(query): KnownQuery<ListApiKeys>,
) -> ListAnswer<ApiKey> {
    Ok(page(api_keys::list(&app, &of.account, &query).await?, |key| wire(&app, key)))
}

pub(crate) async fn list_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<KeysRead, LooksAfterApiKeys>,
    KnownQuery(query): KnownQuery<ListApiKeysOfBusiness>,
) -> ListAnswer<ApiKey> {
    Ok(page(api_keys::list_of_business(&app, &of.tenant, &query).await?, |key| wire(&app, key)))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    IdempotencyKey(once): IdempotencyKey,
    JsonBody(wanted): JsonBody<CreateApiKey>,
) -> Created<IssuedApiKey> {
    let (key, token) = api_keys::create(&app, &of.caller, &of.account, origin, once.as_deref(), wanted).await?;
    Ok(created(IssuedApiKey { api_key: wire(&app, key), token: token.as_ref().map(Into::into) }))
}

/// Keys that were issued elsewhere. Each is read for itself, so that one that cannot be read does not stop the others.
pub(crate) async fn import(
    State(app): State<Arc<App>>,
    by: Operator<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    LargeJsonBody(wanted, ..): LargeJsonBody<ImportLines, ImportApiKeys>,
) -> Answer<Vec<ImportedApiKey>> {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    let lines = wanted.keys.iter().map(|line| body::parse(line.get().as_bytes())).collect();
    let results = api_keys::import(&app, &by.caller, &account, origin, lines).await?;
    Ok(success(results.into_iter().map(|result| imported(&app, result)).collect()))
}

/// The lines of an import, not yet read.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportLines {
    keys: Vec<Box<serde_json::value::RawValue>>,
}

fn imported(app: &App, result: Result<api_keys::ApiKey, Error>) -> ImportedApiKey {
    match result {
        Ok(key) => ImportedApiKey { api_key: Some(wire(app, key)), error: None },
        Err(error) => {
            let (code, detail) = (error.code().to_owned(), error.to_string());
            let errors = if let Error::Validation(errors) = error { errors } else { Vec::new() };
            ImportedApiKey { api_key: None, error: Some(ImportError { code, detail, errors }) }
        }
    }
}

pub(crate) async fn show(State(app): State<Arc<App>>, of: OfAccount<KeysRead>, path: RawPathParams) -> Answer<ApiKey> {
    Ok(success(wire(&app, api_keys::show(&app, &of.account, path_id_of(&path, "key_id")?).await?)))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<UpdateApiKey>,
) -> Answer<ApiKey> {
    let id = path_id_of(&path, "key_id")?;
    Ok(success(wire(&app, api_keys::update(&app, &of.caller, &of.account, origin, id, &wanted).await?)))
}

pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    IdempotencyKey(once): IdempotencyKey,
    path: RawPathParams,
    OptionalJsonBody(wanted): OptionalJsonBody<RotateApiKey>,
) -> Created<RotatedApiKey> {
    let id = path_id_of(&path, "key_id")?;
    let rotated = api_keys::rotate(&app, &of.caller, &of.account, origin, id, once.as_deref(), &wanted).await?;
    let token = rotated.token.as_ref().map(Into::into);
    Ok(created(RotatedApiKey { api_key: wire(&app, rotated.key), token, previous: wire(&app, rotated.previous) }))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    OptionalJsonBody(wanted): OptionalJsonBody<RevokeApiKey>,
) -> Answer<ApiKey> {
    let id = path_id_of(&path, "key_id")?;
    Ok(success(wire(&app, api_keys::revoke(&app, &of.caller, &of.account, origin, id, &wanted).await?)))
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
        last_used_at: key.last_used_at.map(Into::into),
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
