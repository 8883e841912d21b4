//! A new token for the same settings; the old one goes on for a while, and then it is over.

use portcullis_api::api_keys::RotateApiKey;
use portcullis_core::audit::{AuditAction, Origin};
use portcullis_core::change::{ApiKeyEnd, Change};
use portcullis_core::id::ApiKeyId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller};
use portcullis_core::time::Timestamp;
use portcullis_core::token::Token;
use serde_json::json;

use super::draft::Draft;
use super::{ApiKey, bounds, check_live, event, issue, state, told};
use crate::app::App;
use crate::error::Error;
use crate::manage::idempotency::Call;
use crate::manage::{Editing, policies};

/// A day: time enough to put the new token in place.
const OVERLAP_SECONDS: i64 = 86_400;
/// Thirty days. Whoever needs longer makes a key beside the old one.
const LONGEST_OVERLAP_SECONDS: i64 = 30 * 86_400;

/// What a rotation made: the new key, its token, and the old key with its end.
pub(crate) struct Rotated {
    pub(crate) key: ApiKey,
    /// `None` where the call is a repeated one.
    pub(crate) token: Option<Token>,
    pub(crate) previous: ApiKey,
}

/// Rotates a key. Of several rotations at once one wins, and the others are told that it did.
pub(crate) async fn rotate(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    id: ApiKeyId,
    idempotency_key: Option<&str>,
    wanted: &RotateApiKey,
) -> Result<Rotated, Error> {
    let overlap_seconds = wanted.overlap_seconds.unwrap_or(OVERLAP_SECONDS);
    if !(0..=LONGEST_OVERLAP_SECONDS).contains(&overlap_seconds) {
        let detail = format!("must be from 0 to {LONGEST_OVERLAP_SECONDS}");
        return Err(Error::field("/overlap_seconds", detail));
    }
    let call = Call::new(caller, idempotency_key, &format!("rotate {} {id}", account.user()), wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    let mut previous = editing.rows.api_key(account, id).await?;
    if let Some(call) = &call
        && let Some(done) = call.done(&mut editing).await?
    {
        return Ok(Rotated { key: editing.rows.api_key(account, done).await?, token: None, previous });
    }
    check_live(&previous, editing.now)?;
    let mut draft = Draft::of(&previous);
    let memberships = editing.rows.memberships(account).await?;
    // Whoever rotates a key is handed its successor's token, so it must not be more than what they have.
    bounds::check(app, &mut editing, caller, account, &draft, &memberships).await?;
    // A key that was made before a policy was set is brought within it by its rotation.
    let latest = policies::binding(&mut editing, &draft.scope, &memberships).await?.latest_end(editing.now);
    draft.expires_at = draft.expires_at.into_iter().chain(latest).min();
    let (key, token, digest) = issue(app, &mut editing, account, draft, Some(&previous)).await?;
    let before = told(&previous);
    let end = Timestamp::from_millis(editing.now.as_millis() + overlap_seconds * 1_000);
    previous.rotated_to = Some(key.id);
    // An overlap never gives a key more time than it had.
    previous.expires_at = Some(previous.expires_at.map_or(end, |own| own.min(end)));
    editing.rows.update_api_key(account, &previous).await?;
    let after = json!({"rotated_to": key.id, "expires_at": previous.expires_at});
    let ends = ApiKeyEnd { id, at: previous.expires_at.unwrap_or(end) };
    editing
        .tell(event(AuditAction::ApiKeyRotated, &previous, Some(before), Some(after)), Some(Change::ApiKeyEnds(ends)));
    editing.tell(
        event(AuditAction::ApiKeyCreated, &key, None, Some(told(&key))),
        Some(Change::ApiKeySet(Box::new(state(&key, digest)))),
    );
    if let Some(call) = &call {
        call.remember(&mut editing, &key.id).await?;
    }
    editing.commit().await?;
    Ok(Rotated { key, token: Some(token), previous })
}
