//! Nobody gives what they lack: what a key asks for is held against itself and its owner, what a person asks for against their
//! roles, in the transaction that makes it.

use portcullis_core::operator::OperatorGrant;
use portcullis_core::permission::{Catalogue, PermissionSet};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::{Account, BusinessScope, Caller};

use super::draft::Draft;
use crate::app::App;
use crate::error::Error;
use crate::manage::Editing;
use crate::store::api_keys::ApiKey;
use crate::store::members::Membership;

/// Refuses a draft that is in any respect more than whoever asks.
pub(super) async fn check(
    app: &App,
    editing: &mut Editing<'_>,
    caller: &Caller,
    account: &Account,
    draft: &Draft,
    memberships: &[Membership],
) -> Result<(), Error> {
    match *caller {
        Caller::ApiKey { id, .. } => {
            let acting = editing.rows.api_key(account, id).await?;
            within(draft, &acting, memberships, &app.catalogue)
        }
        // Who runs the platform may list what the owner lacks today: the decision holds it against the role anyhow.
        _ if caller.platform(OperatorGrant::KeysWrite).is_some() => Ok(()),
        _ => {
            let held = held_by_owner(&draft.scope, memberships, &app.catalogue);
            let lacked = |name: &&String| !app.catalogue.permission(name).is_some_and(|one| held.contains(one));
            match draft.permissions.iter().flatten().find(lacked) {
                Some(name) => {
                    Err(broader("permission", &format!("Your roles do not allow `{name}`."), Some(name.clone())))
                }
                None => Ok(()),
            }
        }
    }
}

fn within(draft: &Draft, acting: &ApiKey, memberships: &[Membership], catalogue: &Catalogue) -> Result<(), Error> {
    if !draft.scope.is_within(&acting.scope) {
        return Err(broader("business", "The new key would reach businesses that this one does not.", None));
    }
    let lacking = match (&draft.permissions, &acting.permissions) {
        (None, None) => None,
        (None, Some(_)) => Some("inherit".to_owned()),
        (Some(wanted), own) => {
            let own = own.as_ref().map_or(PermissionSet::UNIVERSE, |names| catalogue.set(names));
            let held = own.and(held_by_owner(&draft.scope, memberships, catalogue));
            wanted.iter().find(|name| !catalogue.permission(name).is_some_and(|one| held.contains(one))).cloned()
        }
    };
    if let Some(name) = lacking {
        let detail = format!("The new key would have `{name}`, which this one may not give.");
        return Err(broader("permission", &detail, Some(name)));
    }
    if acting.expires_at.is_some_and(|end| draft.expires_at.is_none_or(|wanted| wanted > end)) {
        return Err(broader("expires_at", "The new key would outlive this one.", None));
    }
    let from_anywhere = draft.allowed_ips.is_empty();
    let outside = |block: &ipnet::IpNet| !acting.allowed_ips.iter().any(|own| own.contains(block));
    if !acting.allowed_ips.is_empty() && (from_anywhere || draft.allowed_ips.iter().any(outside)) {
        return Err(broader("ip_address", "The new key could be used from addresses that this one may not.", None));
    }
    Ok(())
}

/// What the owner may do in at least one of the businesses that the new key would reach.
fn held_by_owner(scope: &BusinessScope, memberships: &[Membership], catalogue: &Catalogue) -> PermissionSet {
    let reached = |membership: &&Membership| match scope {
        BusinessScope::Unrestricted => true,
        BusinessScope::Only(businesses) => businesses.contains(&membership.business),
    };
    memberships.iter().filter(reached).fold(PermissionSet::EMPTY, |held, membership| {
        let role = BuiltIn::from_id(membership.role);
        held.or(role.map_or_else(|| catalogue.set(&membership.role_permissions), |role| role.permissions(catalogue)))
    })
}

fn broader(reason: &'static str, detail: &str, scope: Option<String>) -> Error {
    Error::Forbidden { reason, detail: detail.to_owned(), scope: scope.filter(|name| name != "inherit") }
}
