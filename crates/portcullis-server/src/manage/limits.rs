//! Limits: what an operator sets for a key, a user or a business.

use portcullis_api::limits::{Limits as Wanted, SetRateLimit};
use portcullis_api::problem::FieldError;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{Change, LimitsState};
use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
pub(crate) use portcullis_core::limits::Limits;
use portcullis_core::limits::{
    LONGEST_WINDOW_SECONDS, MOST_IN_A_QUOTA, MOST_IN_A_WINDOW, MOST_LIMITS, NamedLimit, Quotas, Rate,
};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller, Tenant};

use super::Editing;
use super::api_keys::ApiKey;
use crate::app::App;
use crate::cluster;
use crate::error::Error;
use crate::store::limits::Whose;

/// Names that stand for something else where limits are told.
const TAKEN: [&str; 4] = ["minute", "second", "quota-day", "quota-month"];
const LONGEST_NAME: usize = 32;

pub(crate) async fn show_of_key(app: &App, account: &Account, id: ApiKeyId) -> Result<Limits, Error> {
    let key = app.store.api_key(account, id).await?;
    Ok(app.store.limits(Whose::family(account, key.family)).await?)
}

pub(crate) async fn show_of_user(app: &App, account: &Account) -> Result<Limits, Error> {
    app.store.user(account).await?;
    Ok(app.store.limits(Whose::user(account)).await?)
}

pub(crate) async fn show_of_business(app: &App, tenant: &Tenant) -> Result<Limits, Error> {
    app.store.business(tenant).await?;
    Ok(app.store.limits(Whose::business(tenant)).await?)
}

/// Sets the two windows of a key and of all that it is rotated from and to.
pub(crate) async fn set_rate(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    id: ApiKeyId,
    wanted: &SetRateLimit,
) -> Result<ApiKey, Error> {
    let rate = read_rate(wanted)?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    let key = editing.rows.api_key(account, id).await?;
    let before = editing.rows.limits(Whose::family(account, key.family)).await?;
    let after = Limits { rate, ..before.clone() };
    write(&mut editing, Whose::family(account, key.family), &About::key(&key), before, after).await?;
    editing.commit().await?;
    Ok(key)
}

/// Sets the other limits of a key.
pub(crate) async fn set_of_key(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    id: ApiKeyId,
    wanted: &Wanted,
) -> Result<Limits, Error> {
    let wanted = read(wanted)?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::KeysWrite).await?;
    let key = editing.rows.api_key(account, id).await?;
    set(app, editing, Whose::family(account, key.family), &About::key(&key), wanted).await
}

pub(crate) async fn set_of_user(
    app: &App,
    caller: &Caller,
    account: &Account,
    origin: Origin,
    wanted: &Wanted,
) -> Result<Limits, Error> {
    let wanted = read(wanted)?;
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::UsersWrite).await?;
    let user = editing.rows.user(account).await?.id;
    let about = About { target: user.to_string(), user: Some(user), business: None };
    set(app, editing, Whose::user(account), &about, wanted).await
}

pub(crate) async fn set_of_business(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    wanted: &Wanted,
) -> Result<Limits, Error> {
    let wanted = read(wanted)?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let business = editing.rows.business(&tenant).await?.id;
    let about = About { target: business.to_string(), user: None, business: Some(business) };
    set(app, editing, Whose::business(&tenant), &about, wanted).await
}

/// What an event about limits is filed under.
struct About {
    target: String,
    user: Option<UserId>,
    business: Option<BusinessId>,
}

impl About {
    fn key(key: &ApiKey) -> Self {
        Self { target: key.id.to_string(), user: Some(key.user), business: None }
    }
}

async fn set(
    app: &App,
    mut editing: Editing<'_>,
    whose: Whose,
    about: &About,
    wanted: Limits,
) -> Result<Limits, Error> {
    let before = editing.rows.limits(whose).await?;
    let after = Limits { rate: before.rate, ..wanted };
    write(&mut editing, whose, about, before, after.clone()).await?;
    editing.commit().await?;
    // A part of a quota was cut from what the quota was; what is left of it goes back, so that the new one holds from now on.
    cluster::quotas::return_of(app, whose.subject()).await?;
    Ok(after)
}

async fn write(
    editing: &mut Editing<'_>,
    whose: Whose,
    about: &About,
    before: Limits,
    after: Limits,
) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    editing.rows.put_limits(whose, &after).await?;
    let told = |limits: &Limits| serde_json::to_value(limits).map_err(|error| Error::Internal(error.to_string()));
    let event = AuditEvent {
        action: AuditAction::LimitsUpdated,
        target: about.target.clone(),
        user: about.user,
        business: about.business,
        before: Some(told(&before)?),
        after: Some(told(&after)?),
    };
    editing.tell(event, Some(Change::LimitsSet(LimitsState { subject: whose.subject(), limits: after })));
    Ok(())
}

fn read_rate(wanted: &SetRateLimit) -> Result<Option<Rate>, Error> {
    let mut errors = Vec::new();
    let per_minute = within(&mut errors, "/per_minute", wanted.per_minute, MOST_IN_A_WINDOW);
    let per_second = within(&mut errors, "/per_second", wanted.per_second, MOST_IN_A_WINDOW);
    Error::of(errors)?;
    match (per_minute, per_second) {
        (Some(per_minute), Some(per_second)) => Ok(Some(Rate { per_minute, per_second })),
        (None, None) => Ok(None),
        (None, _) => Err(Error::field("/per_minute", "must be a number too, or both are null")),
        (_, None) => Err(Error::field("/per_second", "must be a number too, or both are null")),
    }
}

fn read(wanted: &Wanted) -> Result<Limits, Error> {
    let mut errors = Vec::new();
    if wanted.limits.len() > MOST_LIMITS {
        return Err(Error::field("/limits", format!("must have at most {MOST_LIMITS} entries")));
    }
    let mut named: Vec<NamedLimit> = Vec::new();
    for (place, limit) in wanted.limits.iter().enumerate() {
        let at = format!("/limits/{place}");
        if let Some(wrong) = wrong_name(&limit.name) {
            errors.push(FieldError { pointer: format!("{at}/name"), detail: wrong.to_owned() });
        } else if named.iter().any(|other| other.name == limit.name) {
            errors.push(FieldError { pointer: format!("{at}/name"), detail: "is another limit's name too".to_owned() });
        }
        let most = within(&mut errors, &format!("{at}/limit"), Some(limit.limit), MOST_IN_A_WINDOW);
        let pointer = format!("{at}/window_seconds");
        let window_seconds = within(&mut errors, &pointer, Some(limit.window_seconds), LONGEST_WINDOW_SECONDS);
        named.push(NamedLimit {
            name: limit.name.clone(),
            limit: most.unwrap_or(1),
            window_seconds: window_seconds.unwrap_or(1),
        });
    }
    let quotas = Quotas {
        per_day: within(&mut errors, "/quotas/per_day", wanted.quotas.per_day, MOST_IN_A_QUOTA),
        per_month: within(&mut errors, "/quotas/per_month", wanted.quotas.per_month, MOST_IN_A_QUOTA),
    };
    Error::of(errors).map(|()| Limits { rate: None, named, quotas })
}

fn within(errors: &mut Vec<FieldError>, pointer: &str, number: Option<i64>, most: u32) -> Option<u32> {
    let number = number?;
    let fits = u32::try_from(number).ok().filter(|number| (1..=most).contains(number));
    if fits.is_none() {
        errors.push(FieldError { pointer: pointer.to_owned(), detail: format!("must be from 1 to {most}") });
    }
    fits
}

fn wrong_name(name: &str) -> Option<&'static str> {
    let letters = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let form = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(letters);
    match form {
        false => Some("must be 1 to 32 of a-z, 0-9, `_` and `-`, and begin with a letter"),
        true if TAKEN.contains(&name) => Some("stands for a limit that there is anyway"),
        true => None,
    }
}
