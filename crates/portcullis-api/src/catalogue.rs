//! The catalogue: what the guarded API has, and what may be done with it.

use crate::schema;
use portcullis_core::permission::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Catalogue {
    pub resources: Vec<Resource>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    pub name: String,
    #[schema(value_type = Vec<schema::Action>)]
    pub actions: Vec<Action>,
}
