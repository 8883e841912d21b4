//! `/catalogue`

use std::sync::Arc;

use axum::extract::State;
use portcullis_api::catalogue::{Catalogue, Resource};

use super::whoami::Known;
use super::{Answer, success};
use crate::app::App;

pub(crate) async fn show(State(app): State<Arc<App>>, _: Known) -> Answer<Catalogue> {
    let resource = |resource: &portcullis_core::permission::Resource| Resource {
        name: resource.name.clone(),
        actions: resource.actions.clone(),
    };
    Ok(success(Catalogue { resources: app.catalogue.resources().iter().map(resource).collect() }))
}
