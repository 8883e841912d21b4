//! What the rows of each business come to. An entry has the id of its business.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use crate::Crm;
use crate::paging::{Page, Slice, Success, page, success};
use crate::problem::Error;
use crate::reach::Reach;
use crate::records::Row;

pub(crate) async fn list(State(crm): State<Arc<Crm>>, reach: Reach, slice: Slice) -> Result<Json<Page>, Error> {
    let businesses = reach.businesses().iter().map(ToString::to_string);
    let later = businesses.filter(|id| slice.after.as_ref().is_none_or(|after| id > after));
    let ids: Vec<_> = later.take(slice.limit + 1).collect();
    Ok(page(crm.store.analytics(&ids).await?, &slice))
}

pub(crate) async fn show(
    State(crm): State<Arc<Crm>>,
    reach: Reach,
    Path(row): Path<Row>,
) -> Result<Json<Success<Value>>, Error> {
    let business = reach.businesses().iter().map(ToString::to_string).find(|id| *id == row.id);
    let counted = crm.store.analytics(&[business.ok_or(Error::NotFound)?]).await?;
    counted.into_iter().next().map(success).ok_or(Error::NotFound)
}
