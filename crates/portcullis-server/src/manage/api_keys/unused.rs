//! Revoking what nobody asks to be revoked at this moment: what lies unused where a policy minds, and what was revoked before.

use portcullis_api::api_keys::RevokeApiKey;
use portcullis_core::audit::{Actor, Origin};
use portcullis_core::id::{ApiKeyId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::Caller;

use super::end;
use crate::app::App;
use crate::error::Error;
use crate::manage::Editing;

/// How many keys are looked up at a time.
const STEP: i64 = 500;

/// Revokes every key that was unused for longer than a policy allows, and returns how many there were.
pub(crate) async fn revoke_unused(app: &App) -> Result<usize, Error> {
    let policies = app.store.unused_policies().await?;
    if policies.is_empty() {
        return Ok(0);
    }
    let (now, mut revoked) = (app.clock.now(), 0);
    for (business, days) in policies {
        let times = (now.plus_days(-days), app.uses_recorded_since, now);
        let reason = format!("Not used for {days} days, which is longer than a policy allows.");
        loop {
            let keys = app.store.unused_keys(business, times, STEP).await?;
            if keys.is_empty() {
                break;
            }
            for (user, id) in keys {
                revoke_by_rule(app, user, id, &reason).await?;
                revoked += 1;
            }
        }
    }
    Ok(revoked)
}

/// Revokes again what a database that was set back has forgotten.
pub(crate) async fn revoke_again(app: &App, user: UserId, id: ApiKeyId) -> Result<(), Error> {
    revoke_by_rule(app, user, id, "Revoked before the database was set back to an earlier state.").await
}

pub(super) async fn revoke_by_rule(app: &App, user: UserId, id: ApiKeyId, reason: &str) -> Result<(), Error> {
    let arrival = Caller::Arrival { user, invited_to: None };
    let account = arrival.account(user, OperatorGrant::KeysWrite).ok_or(Error::NotFound)?;
    let mut editing = Editing::begin_as(app, Actor::System, Origin::default()).await?;
    end(&mut editing, &account, id, &RevokeApiKey { reason: Some(reason.to_owned()) }).await?;
    editing.commit().await
}
