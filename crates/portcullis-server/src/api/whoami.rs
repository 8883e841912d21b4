//! `/whoami`

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use portcullis_api::api_keys::{BusinessScope, Permissions};
use portcullis_api::envelope::Success;
use portcullis_api::whoami::{
    ApiKeyKind, ApiKeySelf, BusinessReach, OperatorKeyKind, OperatorKeySelf, UserKind, UserSelf, WhoAmI,
};
use portcullis_core::keyring::Key;
use portcullis_core::permission::{Catalogue, Grant};

use super::success;
use crate::app::App;
use crate::caller::{Anyone, own_ask, passed};
use crate::error::Error;

/// A credential that may pass, whatever it is, and what it is.
pub(crate) struct Known(WhoAmI);

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        Ok(Self(match Anyone::from_request_parts(parts, app).await? {
            Anyone::Operator(key_id, grants) => WhoAmI::OperatorKey(OperatorKeySelf {
                kind: OperatorKeyKind::OperatorKey,
                key_id,
                grants: grants.iter().collect(),
            }),
            Anyone::User(session) => WhoAmI::User(UserSelf {
                kind: UserKind::User,
                user_id: session.user,
                session_id: session.id,
                platform_admin: session.platform_admin,
            }),
            Anyone::ApiKey(token) => {
                passed(app, parts, &own_ask(token, parts), |decision| {
                    decision.key.map(|key| WhoAmI::ApiKey(Box::new(own_view(&key, &app.catalogue))))
                })
                .await?
            }
        }))
    }
}

pub(crate) async fn show(State(_): State<Arc<App>>, Known(me): Known) -> Json<Success<WhoAmI>> {
    success(me)
}

fn own_view(key: &Key<'_>, catalogue: &Catalogue) -> ApiKeySelf {
    let names = |set| catalogue.names(set).map(str::to_owned).collect::<Vec<_>>();
    ApiKeySelf {
        kind: ApiKeyKind::ApiKey,
        key_id: key.id(),
        user_id: key.user(),
        name: key.name().to_owned(),
        environment: key.environment(),
        business_scope: key.scope().map_or(BusinessScope::Unrestricted, BusinessScope::Only),
        permissions: match key.grant() {
            Grant::Inherit => Permissions::Inherit,
            Grant::List(set) => Permissions::List(names(set)),
        },
        user_management: key.user_management(),
        expires_at: key.expires_at().map(Into::into),
        metadata: super::api_keys::metadata(key.metadata()),
        businesses: key
            .reach()
            .map(|place| BusinessReach {
                business_id: place.business,
                disabled: place.disabled,
                permissions: if place.disabled { Vec::new() } else { names(place.permissions) },
            })
            .collect(),
    }
}
