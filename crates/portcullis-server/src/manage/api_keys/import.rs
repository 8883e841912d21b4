//! Keys that were issued elsewhere, taken in by the SHA-256 of their tokens, so that nobody needs a new one.

use data_encoding::HEXLOWER_PERMISSIVE;
use portcullis_api::api_key_imports::ImportApiKey;
use portcullis_api::problem::FieldError;
use portcullis_core::audit::{AuditAction, Origin};
use portcullis_core::change::Change;
use portcullis_core::id::{ApiKeyId, FamilyId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller};

use super::draft::{self, Draft};
use super::{ApiKey, event, state, told};
use crate::app::App;
use crate::error::Error;
use crate::manage::{Editing, policies};
use crate::secrets::PEPPER_VERSION;
use crate::store::members::Membership;

/// The most keys of one call.
const MOST: usize = 1_000;
/// The longest hint, in characters.
const HINT: usize = 8;

/// Takes keys in, all in one edit. Each line is answered for itself: one that cannot be does not stop the others.
pub(crate) async fn import(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    lines: Vec<Result<ImportApiKey, Error>>,
) -> Result<Vec<Result<ApiKey, Error>>, Error> {
    if lines.is_empty() || lines.len() > MOST {
        return Err(Error::field("/keys", format!("must have 1 to {MOST} keys")));
    }
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    editing.rows.user(account).await?;
    let memberships = editing.rows.memberships(account).await?;
    let mut results = Vec::with_capacity(lines.len());
    for line in lines {
        let result = match line {
            Ok(wanted) => one(app, &mut editing, account, &memberships, &wanted).await,
            Err(error) => Err(error),
        };
        match result {
            // The database's own trouble is the whole call's, and nothing of it is written.
            Err(error @ (Error::Internal(_) | Error::Unavailable(_))) => return Err(error),
            result => results.push(result),
        }
    }
    editing.commit().await?;
    Ok(results)
}

async fn one(
    app: &App,
    editing: &mut Editing<'_>,
    account: &Account,
    memberships: &[Membership],
    wanted: &ImportApiKey,
) -> Result<ApiKey, Error> {
    let (draft, sha256) = read(app, editing, wanted)?;
    draft.check_businesses(memberships)?;
    policies::binding(editing, &draft.scope, memberships).await?.check(draft.expires_at, editing.now)?;
    let digest = app.pepper.digest_of_sha256(&sha256);
    if editing.rows.digest_is_known(&digest).await? {
        return Err(Error::Conflict("A key with this digest is here already, or was: revoked is for ever.".to_owned()));
    }
    let id = ApiKeyId::new(editing.now, &app.dice);
    let key = ApiKey {
        hint: wanted.hint.clone().unwrap_or_default(),
        imported: true,
        ..draft.into_key(id, FamilyId::begun_by(id), account.user(), editing.now)
    };
    editing.rows.insert_api_key(account, &key, &digest, PEPPER_VERSION).await?;
    let change = Change::ApiKeySet(Box::new(state(&key, digest)));
    editing.tell(event(AuditAction::ApiKeyImported, &key, None, Some(told(&key))), Some(change));
    Ok(key)
}

/// Reads a line, and tells of everything that is wrong with it.
fn read(app: &App, editing: &Editing<'_>, wanted: &ImportApiKey) -> Result<(Draft, [u8; 32]), Error> {
    let mut errors = Vec::new();
    let mut error = |pointer: &str, detail: &str| {
        errors.push(FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() });
    };
    let bytes = HEXLOWER_PERMISSIVE.decode(wanted.sha256.as_bytes()).unwrap_or_default();
    let sha256 = <[u8; 32]>::try_from(bytes).ok();
    if sha256.is_none() {
        error("/sha256", "must be 64 hexadecimal digits: the SHA-256 of the whole token");
    }
    let hint = wanted.hint.as_deref().unwrap_or_default();
    if hint.len() > HINT || !hint.bytes().all(|byte| byte.is_ascii_graphic()) {
        error("/hint", "must be at most 8 visible characters");
    }
    let draft = draft::read(&wanted.wanted(), &app.catalogue, editing.now);
    match (draft, sha256) {
        (Ok(draft), Some(sha256)) if errors.is_empty() => Ok((draft, sha256)),
        (Err(Error::Validation(more)), _) => {
            errors.extend(more);
            Err(Error::Validation(errors))
        }
        (Err(other), _) => Err(other),
        _ => Err(Error::Validation(errors)),
    }
}
