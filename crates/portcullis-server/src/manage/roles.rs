//! Roles: what members of a business can be.

use portcullis_core::id::BusinessId;
use portcullis_core::scope::Platform;

use crate::app::App;
use crate::error::Error;
pub(crate) use crate::store::roles::Role;

pub(crate) async fn list(app: &App, proof: &Platform, business: BusinessId) -> Result<Vec<Role>, Error> {
    app.store.business(proof, business).await?;
    let mut roles = app.store.roles(proof, business).await?;
    for role in &mut roles {
        if let Some(built_in) = role.built_in {
            let permissions = built_in.permissions(&app.catalogue);
            role.permissions = app.catalogue.names(permissions).map(str::to_owned).collect();
            role.manages = built_in.manages().to_vec();
        }
    }
    Ok(roles)
}
