//! Changing a key: what it is called at will, what it may do only to less.

use portcullis_api::api_keys::UpdateApiKey;
use portcullis_core::audit::{AuditAction, Origin};
use portcullis_core::change::Change;
use portcullis_core::id::ApiKeyId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller};

use super::draft::Draft;
use super::{ApiKey, bounds, check_live, event, state, told};
use crate::app::App;
use crate::error::Error;
use crate::manage::Editing;

/// Changes the members that are given.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    id: ApiKeyId,
    wanted: &UpdateApiKey,
) -> Result<ApiKey, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    let mut key = editing.rows.api_key(account, id).await?;
    check_live(&key, editing.now)?;
    let before = told(&key);
    let draft = Draft::of(&key).changed(wanted, &app.catalogue, editing.now)?;
    let memberships = editing.rows.memberships(account).await?;
    if wanted.business_scope.is_some() {
        draft.check_businesses(&memberships)?;
    }
    bounds::check(app, &mut editing, caller, account, &draft, &memberships).await?;
    key.name = draft.name;
    key.scope = draft.scope;
    key.permissions = draft.permissions;
    key.allowed_ips = draft.allowed_ips;
    key.metadata = draft.metadata;
    key.expires_at = draft.expires_at;
    let after = told(&key);
    if after != before {
        let digest = editing.rows.api_key_digest(account, id).await?;
        editing.rows.update_api_key(account, &key).await?;
        let change = Change::ApiKeySet(Box::new(state(&key, digest)));
        editing.tell(event(AuditAction::ApiKeyUpdated, &key, Some(before), Some(after)), Some(change));
    }
    editing.commit().await?;
    Ok(key)
}
