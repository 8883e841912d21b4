//! Businesses: make, list, rename, disable, enable.

use portcullis_api::businesses::{CreateBusiness, UpdateBusiness};
use portcullis_api::envelope::PageQuery;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{BusinessState, Change};
use portcullis_core::id::{BusinessId, UserId};
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::{Account, Caller, Platform, Tenant};
use serde_json::json;

use super::idempotency::Call;
use super::paging::Listing;
use super::{Editing, members, text};
use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::businesses::Business;

/// Whose businesses a list shows.
pub(crate) enum Whose {
    Everybodys(Platform),
    Members(Account),
}

pub(crate) async fn list(
    app: &App,
    whose: &Whose,
    query: &PageQuery,
) -> Result<(Vec<Business>, Option<String>), Error> {
    let of = match whose {
        Whose::Everybodys(_) => "*".to_owned(),
        Whose::Members(account) => account.user().to_string(),
    };
    let listing = Listing::new(app, &["businesses", &of]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    let rows = match whose {
        Whose::Everybodys(proof) => app.store.businesses(proof, &slice).await?,
        Whose::Members(account) => {
            // A list of nobody's businesses would look like a user without any.
            app.store.user(account).await?;
            app.store.businesses_of(account, &slice).await?
        }
    };
    Ok(listing.page(rows, &slice, |business| business.id.to_string()))
}

pub(crate) async fn show(app: &App, tenant: &Tenant) -> Result<Business, Error> {
    Ok(app.store.business(tenant).await?)
}

/// Makes a business, once for each `once`. A person becomes its owner; an operator says who does, if anybody.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    origin: Origin,
    once: Option<&str>,
    wanted: CreateBusiness,
) -> Result<Business, Error> {
    let call = Call::new(caller, once, "create business", &wanted);
    let _turn = app.in_flight.begin(call.as_ref())?;
    let mut errors = Vec::new();
    text::check(&mut errors, "/name", &wanted.name, text::NAME);
    Error::of(errors)?;
    let owner = owner(caller, wanted.owner_id.as_deref())?;
    let needed = if matches!(caller, Caller::User { .. }) {
        OperatorGrants::default()
    } else {
        OperatorGrant::BusinessesWrite.into()
    };
    let mut editing = Editing::begin(app, caller, origin, needed).await?;
    if let Some(call) = &call
        && let Some(made) = call.done(&mut editing).await?
    {
        let founder = caller.founds(made).ok_or(Error::NotFound)?;
        return Ok(editing.rows.business(&founder).await?);
    }
    let business = Business {
        id: BusinessId::new(editing.now, &app.dice),
        name: wanted.name,
        created_at: editing.now,
        disabled_at: None,
    };
    let founder = caller.founds(business.id).ok_or(Error::NotFound)?;
    editing.rows.insert_business(&founder, &business).await?;
    let state = BusinessState { id: business.id, disabled: false };
    editing.tell(event(AuditAction::BusinessCreated, &business, None), Some(Change::BusinessSet(state)));
    if let Some(owner) = owner {
        let put = members::put(app, &mut editing, &founder, owner, BuiltIn::Owner.id()).await;
        put.map_err(|error| if matches!(error, Error::NotFound) { no_owner() } else { error })?;
    }
    if let Some(call) = &call {
        call.remember(&mut editing, &business.id).await?;
    }
    editing.commit().await?;
    Ok(business)
}

/// Changes the members that are given.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    wanted: UpdateBusiness,
) -> Result<Business, Error> {
    let mut errors = Vec::new();
    if let Some(name) = &wanted.name {
        text::check(&mut errors, "/name", name, text::NAME);
    }
    Error::of(errors)?;
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let before = editing.rows.business(&tenant).await?;
    let business = Business { name: wanted.name.unwrap_or_else(|| before.name.clone()), ..before.clone() };
    if business.name != before.name {
        editing.rows.update_business(&tenant, &business).await?;
        editing.tell(event(AuditAction::BusinessUpdated, &business, Some(&before)), None);
    }
    editing.commit().await?;
    Ok(business)
}

pub(crate) async fn set_disabled(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    origin: Origin,
    disabled: bool,
) -> Result<Business, Error> {
    let (mut editing, tenant) = Editing::begin_in(app, caller, origin, tenant).await?;
    let before = editing.rows.business(&tenant).await?;
    let mut business = before.clone();
    if before.disabled_at.is_some() != disabled {
        business.disabled_at = disabled.then_some(editing.now);
        editing.rows.update_business(&tenant, &business).await?;
        let action = if disabled { AuditAction::BusinessDisabled } else { AuditAction::BusinessEnabled };
        let state = BusinessState { id: business.id, disabled };
        editing.tell(event(action, &business, Some(&before)), Some(Change::BusinessSet(state)));
    }
    editing.commit().await?;
    Ok(business)
}

fn owner(caller: &Caller, wanted: Option<&str>) -> Result<Option<UserId>, Error> {
    let named = wanted.map(|text| text.parse().map_err(|_| no_owner())).transpose()?;
    match *caller {
        Caller::User { id, platform_admin, .. } => match named {
            Some(other) if other != id && !platform_admin => Err(no_owner()),
            named => Ok(Some(named.unwrap_or(id))),
        },
        _ => Ok(named),
    }
}

fn no_owner() -> Error {
    Error::field("/owner_id", "there is no such user whom you could make an owner")
}

fn told(business: &Business) -> serde_json::Value {
    json!({"name": business.name, "disabled": business.disabled_at.is_some()})
}

fn event(action: AuditAction, business: &Business, before: Option<&Business>) -> AuditEvent {
    AuditEvent {
        action,
        target: business.id.to_string(),
        user: None,
        business: Some(business.id),
        before: before.map(told),
        after: Some(told(business)),
    }
}
