//! List, create, show, update, delete: the same for every resource.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Crm;
use crate::fields::{Deed, Sent, check, complete};
use crate::paging::{Page, Slice, Success, page, success};
use crate::problem::Error;
use crate::reach::Reach;
use crate::resources::Resource;
use crate::store::Record;

type Answer = Result<Json<Success<Value>>, Error>;
type Of = Extension<&'static Resource>;

/// The row of a path, which may name its business too.
#[derive(Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
}

pub(crate) async fn list(
    State(crm): State<Arc<Crm>>,
    reach: Reach,
    Extension(of): Of,
    slice: Slice,
) -> Result<Json<Page>, Error> {
    let rows = crm.store.list(&reach, of.name, &slice).await?;
    Ok(page(rows.iter().map(|row| shown(of, row)).collect(), &slice))
}

pub(crate) async fn create(
    State(crm): State<Arc<Crm>>,
    reach: Reach,
    Extension(of): Of,
    Sent(fields): Sent,
) -> Result<(StatusCode, Json<Success<Value>>), Error> {
    check(of.fields, &fields, Deed::Create, "")?;
    let business = reach.only().ok_or_else(|| {
        let detail = format!(
            "the key reaches several businesses: name one in the header `X-Business-Id`, as `?business_id=`, or in the \
             path `/api/v1/business/{{business_id}}/{}`",
            of.name
        );
        Error::field("", detail)
    })?;
    let row = crm.store.create(business, of.name, &fields).await?;
    Ok((StatusCode::CREATED, success(shown(of, &row))))
}

pub(crate) async fn show(State(crm): State<Arc<Crm>>, reach: Reach, Extension(of): Of, Path(row): Path<Row>) -> Answer {
    let row = crm.store.show(&reach, of.name, &row.id).await?.ok_or(Error::NotFound)?;
    Ok(success(shown(of, &row)))
}

pub(crate) async fn update(
    State(crm): State<Arc<Crm>>,
    reach: Reach,
    Extension(of): Of,
    Path(row): Path<Row>,
    Sent(fields): Sent,
) -> Answer {
    check(of.fields, &fields, Deed::Change, "")?;
    let row = crm.store.update(&reach, of.name, &row.id, &fields).await?.ok_or(Error::NotFound)?;
    Ok(success(shown(of, &row)))
}

pub(crate) async fn delete(
    State(crm): State<Arc<Crm>>,
    reach: Reach,
    Extension(of): Of,
    Path(row): Path<Row>,
) -> Answer {
    if crm.store.delete(&reach, of.name, &row.id).await? { Ok(success(Value::Null)) } else { Err(Error::NotFound) }
}

fn shown(of: &Resource, row: &Record) -> Value {
    let mut shown = json!({
        "id": row.id,
        "business_id": row.business_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    });
    if let Some(shown) = shown.as_object_mut() {
        shown.extend(complete(of.fields, &row.fields));
    }
    shown
}
