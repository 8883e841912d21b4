//! The URLs of the dashboard. A page and the form on it share an address: GET shows it, POST acts and leads on.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::app::App;
use crate::dashboard::businesses::{invitations, members, roles};
use crate::dashboard::guard::guard;
use crate::dashboard::platform::{self, nodes, operator_keys, policy};
use crate::dashboard::{api_keys, assets, audit_log, businesses, changes, profile, reference, sign_in, usage};

type Pages = Router<Arc<App>>;

pub(super) fn pages(app: &Arc<App>) -> Pages {
    Router::new()
        .route("/", get(sign_in::home))
        .route("/changes", get(changes))
        .merge(doors())
        .merge(keys("/api-keys"))
        .merge(keys("/users/{user_id}/api-keys"))
        .merge(of_businesses())
        .merge(of_the_platform())
        .route("/usage", get(usage::show))
        .route("/usage/of-business", get(usage::choose))
        .route("/audit-log", get(audit_log::show))
        .route("/audit-log/export", get(audit_log::export))
        .route("/profile", get(profile::show).post(profile::update))
        .route("/profile/password", post(profile::change_password))
        .route("/profile/sessions/end", post(profile::end_sessions))
        .route("/profile/sessions/{session_id}/end", post(profile::end_session))
        .route("/reference", get(reference::show))
        .layer(from_fn_with_state(Arc::clone(app), guard))
        .route("/assets/{version}/{name}", assets::route())
}

/// The ways in, and out.
fn doors() -> Pages {
    Router::new()
        .route("/setup", get(sign_in::show_setup).post(sign_in::set_up))
        .route("/sign-in", get(sign_in::show).post(sign_in::begin))
        .route("/sign-in/done", get(sign_in::done))
        .route("/sign-out", post(sign_in::end))
        .route("/password", get(sign_in::show_password).post(sign_in::set_password))
        .route("/password/forgotten", get(sign_in::show_forgotten).post(sign_in::forgotten))
        .route("/invitation", get(sign_in::show_invitation).post(sign_in::accept_invitation))
}

/// A user's keys: the visitor's own, and anybody's for those who run the platform.
fn keys(list: &str) -> Pages {
    let at = |rest: &str| format!("{list}{rest}");
    Router::new()
        .route(list, get(api_keys::list::show))
        .route(&at("/new"), get(api_keys::create::show).post(api_keys::create::create))
        .route(&at("/new/summary"), post(api_keys::create::summary))
        .route(&at("/{key_id}"), get(api_keys::show::show))
        .route(&at("/{key_id}/edit"), get(api_keys::edit::show).post(api_keys::edit::update))
        .route(&at("/{key_id}/rotate"), get(api_keys::rotate::show).post(api_keys::rotate::rotate))
        .route(&at("/{key_id}/revoke"), get(api_keys::revoke::show).post(api_keys::revoke::revoke))
        .route(&at("/{key_id}/explain"), get(api_keys::explain::show))
}

fn of_businesses() -> Pages {
    let at = |rest: &str| format!("/businesses/{{business_id}}{rest}");
    Router::new()
        .route("/businesses", get(businesses::list))
        .route("/businesses/new", get(businesses::show_new).post(businesses::create))
        .route(&at(""), get(members::show).post(invitations::create))
        .route(&at("/settings"), get(businesses::settings).post(businesses::update))
        .route(&at("/api-keys"), get(api_keys::list::show_of_business))
        .route(&at("/usage"), get(usage::show_of_business))
        .route(&at("/members/{user_id}"), get(members::show_member).post(members::set))
        .route(&at("/members/{user_id}/remove"), get(members::show_remove).post(members::remove))
        .route(&at("/invitations/{invitation_id}/revoke"), post(invitations::revoke))
        .route(&at("/roles"), get(roles::list))
        .route(&at("/roles/new"), get(roles::show_new).post(roles::create))
        .route(&at("/roles/{role_id}"), get(roles::show).post(roles::update))
        .route(&at("/roles/{role_id}/delete"), post(roles::delete))
}

/// What is for platform admins.
fn of_the_platform() -> Pages {
    use platform::{businesses, users};

    Router::new()
        .route("/platform/users", get(users::list).post(users::create))
        .route("/platform/users/{user_id}", get(users::show).post(users::update))
        .route("/platform/users/{user_id}/password-link", post(users::create_password_link))
        .route("/platform/users/{user_id}/disable", get(users::show_disable).post(users::disable))
        .route("/platform/users/{user_id}/enable", post(users::enable))
        .route("/platform/businesses", get(businesses::list))
        .route("/platform/businesses/{business_id}/disable", get(businesses::show_disable).post(businesses::disable))
        .route("/platform/businesses/{business_id}/enable", post(businesses::enable))
        .route("/platform/operator-keys", get(operator_keys::list).post(operator_keys::create))
        .route(
            "/platform/operator-keys/{operator_key_id}/revoke",
            get(operator_keys::show_revoke).post(operator_keys::revoke),
        )
        .route("/platform/policy", get(policy::show).post(policy::set))
        .route("/platform/nodes", get(nodes::show))
}
