//! The catalogue: what the guarded API has, and what may be done with it.

use portcullis_core::permission::Action;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Catalogue {
    pub resources: Vec<Resource>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resource {
    pub name: String,
    pub actions: Vec<Action>,
}
