//! API keys: make, list, show, change, rotate, revoke.

mod bounds;
pub(crate) mod canary;
mod draft;
mod import;
mod list;
mod rotate;
mod shown;
mod unused;
mod update;

use portcullis_api::api_keys::{CreateApiKey, RevokeApiKey};
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{ApiKeyEnd, ApiKeyState, Change};
use portcullis_core::id::{ApiKeyId, FamilyId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, BusinessScope, Caller};
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Digest, Token};
use serde_json::json;

use self::draft::Draft;
use super::idempotency::Call;
use super::{Editing, policies, text};
use crate::app::App;
use crate::error::Error;
use crate::secrets::PEPPER_VERSION;
pub(crate) use crate::store::api_keys::{ApiKey, Status};
pub(crate) use import::import;
pub(crate) use list::{list, list_of_business};
pub(crate) use rotate::rotate;
pub(crate) use shown::{Shown, shown};
pub(crate) use unused::{revoke_again, revoke_unused};
pub(crate) use update::update;

pub(crate) async fn show(app: &App, account: &Account, id: ApiKeyId) -> Result<ApiKey, Error> {
    Ok(app.store.api_key(account, id).await?)
}

/// The keys of a key's family: itself, and those that it was rotated from and to, oldest first.
pub(crate) async fn family(app: &App, account: &Account, id: ApiKeyId) -> Result<Vec<ApiKey>, Error> {
    let mut keys = Vec::new();
    for id in app.store.family(account, id).await? {
        keys.push(app.store.api_key(account, id).await?);
    }
    Ok(keys)
}

/// Makes a key. The token is in what this returns and nowhere else; a call that is repeated is answered without it.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    idempotency_key: Option<&str>,
    wanted: CreateApiKey,
) -> Result<(ApiKey, Option<Token>), Error> {
    let what = format!("create {}", account.user());
    let call = Call::new(caller, idempotency_key, &what, &wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let draft = draft::read(&wanted, &app.catalogue, app.clock.now());
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    if let Some(call) = &call
        && let Some(done) = call.done(&mut editing).await?
    {
        return Ok((editing.rows.api_key(account, done).await?, None));
    }
    let draft = draft?;
    editing.rows.user(account).await?;
    let memberships = editing.rows.memberships(account).await?;
    draft.check_businesses(&memberships)?;
    bounds::check(app, &mut editing, caller, account, &draft, &memberships).await?;
    let policy = policies::binding(&mut editing, &draft.scope, &memberships).await?;
    policy.check(draft.expires_at, editing.now)?;
    let (key, token, digest) = issue(app, &mut editing, account, draft, None).await?;
    editing.tell(
        event(AuditAction::ApiKeyCreated, &key, None, Some(told(&key))),
        Some(Change::ApiKeySet(Box::new(state(&key, digest)))),
    );
    if let Some(call) = &call {
        call.remember(&mut editing, &key.id).await?;
    }
    editing.commit().await?;
    Ok((key, Some(token)))
}

/// Mints the token of a draft and writes its key: as the successor of another, in its family, where it is one.
async fn issue(
    app: &App,
    editing: &mut Editing<'_>,
    account: &Account,
    draft: Draft,
    rotated_from: Option<&ApiKey>,
) -> Result<(ApiKey, Token, Digest), Error> {
    let token = Token::mint(&app.config.token_prefix, draft.environment, &app.dice);
    let prefix = format!("{}_{}_", app.config.token_prefix.as_str(), draft.environment.name());
    let hint = token.hint().to_owned();
    let id = ApiKeyId::new(editing.now, &app.dice);
    let family = rotated_from.map_or_else(|| FamilyId::begun_by(id), |previous| previous.family);
    let rotated_from = rotated_from.map(|previous| previous.id);
    let key = ApiKey { prefix, hint, rotated_from, ..draft.into_key(id, family, account.user(), editing.now) };
    let digest = app.pepper.digest_of_new(&token);
    editing.rows.insert_api_key(account, &key, &digest, PEPPER_VERSION).await?;
    Ok((key, token, digest))
}

/// Ends a key for ever. Doing it again changes nothing, and waits like the first time.
pub(crate) async fn revoke(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    id: ApiKeyId,
    wanted: &RevokeApiKey,
) -> Result<ApiKey, Error> {
    if let Some(reason) = &wanted.reason {
        let mut errors = Vec::new();
        text::check(&mut errors, "/reason", reason, text::REASON);
        Error::of(errors)?;
    }
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    let key = end(&mut editing, account, id, wanted).await?;
    editing.commit().await?;
    Ok(key)
}

/// The part that a revocation by somebody and one by a rule have in common.
async fn end(
    editing: &mut Editing<'_>,
    account: &Account,
    id: ApiKeyId,
    wanted: &RevokeApiKey,
) -> Result<ApiKey, Error> {
    let mut key = editing.rows.api_key(account, id).await?;
    if key.revoked_at.is_none() {
        let before = json!({"status": key.status(editing.now).name()});
        key.revoked_at = Some(editing.now);
        key.revoked_reason.clone_from(&wanted.reason);
        editing.rows.set_api_key_revoked(account, id, editing.now, wanted.reason.as_deref()).await?;
        let after = json!({"status": Status::Revoked.name(), "reason": wanted.reason});
        let change = Change::ApiKeyRevoked(ApiKeyEnd { id, at: editing.now });
        editing.tell(event(AuditAction::ApiKeyRevoked, &key, Some(before), Some(after)), Some(change));
    }
    Ok(key)
}

/// A key that ended, or that was rotated, is not changed any more.
fn check_live(key: &ApiKey, now: Timestamp) -> Result<(), Error> {
    let over = match key.status(now) {
        Status::Revoked => "This key is revoked, and stays so: make a new one.",
        Status::Expired => "This key has expired, and stays so: make a new one.",
        Status::Active if key.rotated_to.is_some() => "This key was rotated already: go on with its successor.",
        Status::Active => return Ok(()),
    };
    Err(Error::Conflict(over.to_owned()))
}

/// What a decision must know of a key.
fn state(key: &ApiKey, digest: Digest) -> ApiKeyState {
    ApiKeyState {
        id: key.id,
        family: key.family,
        digest,
        user: key.user,
        name: key.name.clone(),
        environment: key.environment,
        scope: key.scope.clone(),
        permissions: key.permissions.clone(),
        user_management: key.user_management,
        allowed_ips: key.allowed_ips.clone(),
        metadata: key.metadata.clone(),
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        imported: key.imported,
    }
}

/// What the audit log is told of a key.
fn told(key: &ApiKey) -> serde_json::Value {
    json!({
        "name": key.name,
        "environment": key.environment,
        "hint": key.hint,
        "business_scope": key.scope,
        "permissions": key.permissions,
        "user_management": key.user_management,
        "allowed_ips": key.allowed_ips,
        "metadata": key.metadata,
        "expires_at": key.expires_at,
    })
}

fn event(
    action: AuditAction,
    key: &ApiKey,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> AuditEvent {
    // What concerns one business alone is found in that business's log.
    let business = match &key.scope {
        BusinessScope::Only(businesses) if businesses.len() == 1 => businesses.first().copied(),
        _ => None,
    };
    AuditEvent { action, target: key.id.to_string(), user: Some(key.user), business, before, after }
}
