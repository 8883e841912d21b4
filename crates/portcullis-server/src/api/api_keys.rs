//! `/user/api-keys` and `/users/{user_id}/api-keys`: one set of handlers.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use portcullis_api::api_key_imports::{ImportApiKeys, ImportError, ImportedApiKey};
use portcullis_api::api_keys::{
    ApiKey, BusinessScope, CreateApiKey, IssuedApiKey, ListApiKeys, ListApiKeysOfBusiness, Permissions,
    RateLimitSetting, RevokeApiKey, RotateApiKey, RotatedApiKey, UpdateApiKey, UsageTotals,
};
use portcullis_api::metadata::Metadata;
use portcullis_core::scope;
use portcullis_core::time::Timestamp;

use super::body::{JsonBody, KnownQuery, LargeJsonBody, OptionalJsonBody};
use super::idempotency::IdempotencyKey;
use super::{Answer, Created, ListAnswer, created, page, path_id_of, success};
use crate::app::App;
use crate::body::parse;
use crate::caller::{From, KeysRead, KeysWrite, LooksAfterApiKeys, OfAccount, OfBusiness, Operator};
use crate::error::Error;
use crate::manage::api_keys;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysRead>,
    KnownQuery(query): KnownQuery<ListApiKeys>,
) -> ListAnswer<ApiKey> {
    many(&app, api_keys::list(&app, &of.account, &query).await?).await
}

pub(crate) async fn list_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<KeysRead, LooksAfterApiKeys>,
    KnownQuery(query): KnownQuery<ListApiKeysOfBusiness>,
) -> ListAnswer<ApiKey> {
    many(&app, api_keys::list_of_business(&app, &of.tenant, &query).await?).await
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    IdempotencyKey(once): IdempotencyKey,
    JsonBody(wanted): JsonBody<CreateApiKey>,
) -> Created<IssuedApiKey> {
    let (key, token) = api_keys::create(&app, &of.caller, &of.account, origin, once.as_deref(), wanted).await?;
    Ok(created(IssuedApiKey { api_key: one(&app, key).await?, token: token.as_ref().map(Into::into) }))
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
    let lines = wanted.keys.iter().map(|line| parse(line.get().as_bytes())).collect();
    let results = api_keys::import(&app, &by.caller, &account, origin, lines).await?;
    let mut answers = Vec::with_capacity(results.len());
    for result in results {
        answers.push(imported(&app, result).await?);
    }
    Ok(success(answers))
}

/// The lines of an import, not yet read.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportLines {
    keys: Vec<Box<serde_json::value::RawValue>>,
}

async fn imported(app: &App, result: Result<api_keys::ApiKey, Error>) -> Result<ImportedApiKey, Error> {
    Ok(match result {
        Ok(key) => ImportedApiKey { api_key: Some(one(app, key).await?), error: None },
        Err(error) => {
            let (code, detail) = (error.code().to_owned(), error.to_string());
            let errors = if let Error::Validation(errors) = error { errors } else { Vec::new() };
            ImportedApiKey { api_key: None, error: Some(ImportError { code, detail, errors }) }
        }
    })
}

pub(crate) async fn show(State(app): State<Arc<App>>, of: OfAccount<KeysRead>, path: RawPathParams) -> Answer<ApiKey> {
    Ok(success(one(&app, api_keys::show(&app, &of.account, path_id_of(&path, "key_id")?).await?).await?))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    JsonBody(wanted): JsonBody<UpdateApiKey>,
) -> Answer<ApiKey> {
    let id = path_id_of(&path, "key_id")?;
    Ok(success(one(&app, api_keys::update(&app, &of.caller, &of.account, origin, id, &wanted).await?).await?))
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
    let (api_key, previous) = (one(&app, rotated.key).await?, one(&app, rotated.previous).await?);
    Ok(created(RotatedApiKey { api_key, token, previous }))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    OptionalJsonBody(wanted): OptionalJsonBody<RevokeApiKey>,
) -> Answer<ApiKey> {
    let id = path_id_of(&path, "key_id")?;
    Ok(success(one(&app, api_keys::revoke(&app, &of.caller, &of.account, origin, id, &wanted).await?).await?))
}

pub(super) fn metadata(text: Option<&str>) -> Metadata {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// A key as it is shown.
pub(super) async fn one(app: &App, key: api_keys::ApiKey) -> Result<ApiKey, Error> {
    let shown = api_keys::shown(app, vec![key]).await?;
    shown.into_iter().next().map(|key| wire(app, key)).ok_or(Error::NotFound)
}

async fn many(app: &App, (keys, next_cursor): (Vec<api_keys::ApiKey>, Option<String>)) -> ListAnswer<ApiKey> {
    Ok(page((api_keys::shown(app, keys).await?, next_cursor), |key| wire(app, key)))
}

fn wire(app: &App, shown: api_keys::Shown) -> ApiKey {
    let api_keys::Shown { key, rate, used, last_used, .. } = shown;
    let [day, week, month] = used.map(|count| u64::try_from(count).unwrap_or(0));
    let (last_used_at, last_used_address) = last_used.map_or((None, None), |(at, from)| (Some(at.into()), from));
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
        rate_limit: RateLimitSetting { per_minute: rate.per_minute.into(), per_second: rate.per_second.into() },
        created_at: key.created_at.into(),
        expires_at: key.expires_at.map(Into::into),
        last_used_at,
        last_used_address,
        revoked_at: key.revoked_at.map(Into::into),
        revoked_reason: key.revoked_reason,
        rotated_to: key.rotated_to,
        rotated_from: key.rotated_from,
        rotation_due_at: rotation_due(app, key.created_at).into(),
        usage: UsageTotals { last_24h: day, last_7d: week, last_30d: month },
    }
}

fn rotation_due(app: &App, created: Timestamp) -> Timestamp {
    created.plus_days(app.config.rotation_due_days.into())
}
