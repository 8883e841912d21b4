//! A key that is made to be revoked: whoever watches sees each minute that a revoke is immediate.

use portcullis_api::api_keys::CreateApiKey;
use portcullis_api::secret::SecretText;
use portcullis_api::users::CreateUser;
use portcullis_core::audit::{Actor, AuditAction, Origin};
use portcullis_core::change::Change;
use portcullis_core::id::{ApiKeyId, UserId};

use super::{draft, event, issue, state, told, unused};
use crate::app::App;
use crate::error::Error;
use crate::manage::{Editing, sessions, users};

/// Its owner can never sign in: no mail reaches that domain (RFC 2606), and there is no password.
const OWNER: &str = "canary@portcullis.invalid";

/// Makes one, and its owner where there is none yet. It reaches no business.
pub(crate) async fn make(app: &App) -> Result<(UserId, ApiKeyId, SecretText), Error> {
    let wanted = CreateApiKey { name: "Canary".to_owned(), ..CreateApiKey::default() };
    let draft = draft::read(&wanted, &app.catalogue, app.clock.now())?;
    let mut editing = Editing::begin_as(app, Actor::System, Origin::default()).await?;
    let owner = if let Some(owner) = editing.rows.user_by_email(OWNER).await? {
        owner
    } else {
        let owner = CreateUser { email: OWNER.to_owned(), name: Some("Canary".to_owned()) };
        users::insert(app, &mut editing, &owner, None, false).await?.id
    };
    let account = sessions::own_account(owner)?;
    let (key, token, digest) = issue(app, &mut editing, &account, draft, None).await?;
    let change = Change::ApiKeySet(Box::new(state(&key, digest)));
    editing.tell(event(AuditAction::ApiKeyCreated, &key, None, Some(told(&key))), Some(change));
    editing.commit().await?;
    Ok((owner, key.id, (&token).into()))
}

pub(crate) async fn revoke(app: &App, owner: UserId, id: ApiKeyId) -> Result<(), Error> {
    unused::revoke_by_rule(app, owner, id, "It was a canary.").await
}
