//! Businesses: make, list, disable, enable.

use portcullis_api::businesses::CreateBusiness;
use portcullis_api::envelope::PageQuery;
use portcullis_core::audit::{AuditAction, AuditEvent, Origin};
use portcullis_core::change::{BusinessState, Change};
use portcullis_core::id::{BusinessId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::{Caller, Platform};
use serde_json::json;

use super::paging::Listing;
use super::{Editing, members, text};
use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::businesses::Business;

pub(crate) async fn list(
    app: &App,
    proof: &Platform,
    query: &PageQuery,
) -> Result<(Vec<Business>, Option<String>), Error> {
    let listing = Listing::new(app, &["businesses"]);
    let slice = listing.slice(query.limit.as_deref(), query.cursor.as_deref())?;
    let rows = app.store.businesses(proof, &slice).await?;
    Ok(listing.page(rows, &slice, |business| business.id.to_string()))
}

pub(crate) async fn show(app: &App, proof: &Platform, id: BusinessId) -> Result<Business, Error> {
    Ok(app.store.business(proof, id).await?)
}

pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    proof: &Platform,
    origin: Origin,
    wanted: CreateBusiness,
) -> Result<Business, Error> {
    let mut errors = Vec::new();
    text::check(&mut errors, "/name", &wanted.name, text::NAME);
    if !errors.is_empty() {
        return Err(Error::Validation(errors));
    }
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::BusinessesWrite).await?;
    let business = Business {
        id: BusinessId::new(editing.now, &app.dice),
        name: wanted.name,
        created_at: editing.now,
        disabled_at: None,
    };
    editing.rows.insert_business(proof, &business).await?;
    editing.tell(
        AuditEvent {
            action: AuditAction::BusinessCreated,
            target: business.id.to_string(),
            user: None,
            business: Some(business.id),
            before: None,
            after: Some(json!({"name": business.name})),
        },
        Some(Change::BusinessSet(BusinessState { id: business.id, disabled: false })),
    );
    if let Some(owner) = wanted.owner_id {
        let nobody = || Error::field("/owner_id", "there is no such user");
        let owner: UserId = owner.parse().map_err(|_| nobody())?;
        let put = members::put(&mut editing, proof, business.id, owner, BuiltIn::Owner.id()).await;
        put.map_err(|error| if matches!(error, Error::NotFound) { nobody() } else { error })?;
    }
    editing.commit().await?;
    Ok(business)
}

pub(crate) async fn set_disabled(
    app: &App,
    caller: &Caller,
    proof: &Platform,
    origin: Origin,
    id: BusinessId,
    disabled: bool,
) -> Result<Business, Error> {
    let mut editing = Editing::begin(app, caller, origin, OperatorGrant::BusinessesWrite).await?;
    let mut business = editing.rows.business(proof, id).await?;
    if business.disabled_at.is_some() != disabled {
        business.disabled_at = disabled.then_some(editing.now);
        editing.rows.set_business_disabled(proof, id, business.disabled_at).await?;
        editing.tell(
            AuditEvent {
                action: if disabled { AuditAction::BusinessDisabled } else { AuditAction::BusinessEnabled },
                target: id.to_string(),
                user: None,
                business: Some(id),
                before: Some(json!({"disabled": !disabled})),
                after: Some(json!({"disabled": disabled})),
            },
            Some(Change::BusinessSet(BusinessState { id, disabled })),
        );
    }
    editing.commit().await?;
    Ok(business)
}
