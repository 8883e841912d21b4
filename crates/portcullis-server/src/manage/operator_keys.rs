//! Operator keys: none gives what it lacks.

use portcullis_api::operator_keys::CreateOperatorKey;
use portcullis_api::problem::FieldError;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, OperatorKeyState};
use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::{Caller, Peers};
use portcullis_core::token::{Environment, Token};
use serde_json::json;

use super::idempotency::Call;
use super::{Editing, text};
use crate::app::App;
use crate::error::Error;
use crate::secrets::PEPPER_VERSION;
pub(crate) use crate::store::operator_keys::OperatorKey;

/// The operator keys that the caller could itself have made.
pub(crate) async fn list(app: &App, proof: &Peers) -> Result<Vec<OperatorKey>, Error> {
    let mut keys = app.store.operator_keys(proof).await?;
    keys.retain(|key| proof.grants().lacks(given(key)).is_none());
    Ok(keys)
}

/// Makes an operator key. The token is in what this returns and nowhere else.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    origin: Origin,
    once: Option<&str>,
    wanted: &CreateOperatorKey,
) -> Result<(OperatorKey, Token), Error> {
    let mut errors = Vec::new();
    text::check(&mut errors, "/name", &wanted.name, text::NAME);
    let grants = grants(&mut errors, &wanted.grants);
    Error::of(errors)?;
    let needed: OperatorGrants = grants.iter().copied().collect();
    let call = Call::new(caller, once, "create operator key", wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let mut editing = Editing::begin(app, caller, origin, needed).await?;
    if let Some(call) = &call {
        call.check_new(&mut editing).await?;
    }
    let made = insert(app, &mut editing, &wanted.name, grants).await?;
    if let Some(call) = &call {
        call.remember(&mut editing, &made.0.id).await?;
    }
    editing.commit().await?;
    Ok(made)
}

/// The part that the first operator key of all has in common with every other.
pub(super) async fn insert(
    app: &App,
    editing: &mut Editing<'_>,
    name: &str,
    grants: Vec<OperatorGrant>,
) -> Result<(OperatorKey, Token), Error> {
    let token = Token::mint(&app.operator_prefix, Environment::Live, &app.dice);
    let key = OperatorKey {
        id: OperatorKeyId::new(editing.now, &app.dice),
        name: name.to_owned(),
        hint: token.hint().to_owned(),
        digest: app.pepper.digest_of_new(&token),
        pepper_version: PEPPER_VERSION,
        grants,
        created_at: editing.now,
        revoked_at: None,
    };
    editing.rows.insert_operator_key(&key).await?;
    let after = json!({"name": key.name, "hint": key.hint, "grants": key.grants});
    editing.tell(event(AuditAction::OperatorKeyCreated, &key, None, after), Some(changed(&key)));
    Ok((key, token))
}

/// Ends an operator key for ever. Doing it again changes nothing, and waits like the first time.
pub(crate) async fn revoke(
    app: &App,
    caller: &Caller,
    proof: &Peers,
    origin: Origin,
    id: OperatorKeyId,
) -> Result<OperatorKey, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrants::default()).await?;
    let mut key = editing.rows.operator_key(proof, id).await?;
    // What the caller could not have made is not there for it.
    if proof.grants().lacks(given(&key)).is_some() {
        return Err(Error::NotFound);
    }
    if key.revoked_at.is_none() {
        key.revoked_at = Some(editing.now);
        editing.rows.set_operator_key_revoked(proof, id, editing.now).await?;
        let (before, after) = (json!({"status": "active"}), json!({"status": "revoked"}));
        editing.tell(event(AuditAction::OperatorKeyRevoked, &key, Some(before), after), Some(changed(&key)));
    }
    editing.commit().await?;
    Ok(key)
}

fn grants(errors: &mut Vec<FieldError>, names: &[String]) -> Vec<OperatorGrant> {
    let mut error = |pointer: String, detail: String| errors.push(FieldError { pointer, detail });
    if names.is_empty() {
        error("/grants".to_owned(), "must have at least one grant".to_owned());
    }
    let mut grants = Vec::new();
    for (place, name) in names.iter().enumerate() {
        match OperatorGrant::from_name(name) {
            Some(grant) if !grants.contains(&grant) => grants.push(grant),
            Some(_) => error(format!("/grants/{place}"), "is named twice".to_owned()),
            None => {
                let known = OperatorGrant::ALL.iter().map(|grant| format!("`{}`", grant.name())).collect::<Vec<_>>();
                error(format!("/grants/{place}"), format!("must be one of {}", known.join(", ")));
            }
        }
    }
    grants
}

fn given(key: &OperatorKey) -> OperatorGrants {
    key.grants.iter().copied().collect()
}

fn changed(key: &OperatorKey) -> Change {
    Change::OperatorKeySet(OperatorKeyState {
        id: key.id,
        digest: key.digest,
        grants: key.grants.clone(),
        revoked: key.revoked_at.is_some(),
    })
}

fn event(
    action: AuditAction,
    key: &OperatorKey,
    before: Option<serde_json::Value>,
    after: serde_json::Value,
) -> AuditEvent {
    AuditEvent { action, target: key.id.to_string(), user: None, business: None, before, after: Some(after) }
}
