//! The URLs of the API, each with its name and its sentence in the document.

use crate::api::openapi::Api;
use crate::api::{
    api_keys, audit_events, businesses, catalogue, limits, links, members, nodes, operator_keys, policies, roles,
    sessions, usage, users, verify, whoami,
};

/// All operations, in the order of the document.
pub(super) fn api() -> Api {
    let api = Api::below("/api/v1")
        .part("verify")
        .post("/verify", "verify", "Decide about one request", verify::one)
        .post("/verify/batch", "verify_batch", "Decide about up to 100 requests, in their order", verify::batch)
        .part("self")
        .get("/whoami", "whoami", "Tell what the credential is and may do", whoami::show)
        .get(
            "/catalogue",
            "show_catalogue",
            "List the resources and actions that permissions are made of",
            catalogue::show,
        )
        .part("api-keys");
    let api = keys(api, "/user", "");
    let api = keys(api, "/users/{user_id}", "_of_user")
        .post(
            "/users/{user_id}/api-keys/import",
            "import_api_keys",
            "Take in keys that were issued elsewhere",
            api_keys::import,
        )
        .get("/policy", "show_policy", "Show what all keys must keep to", policies::show)
        .put("/policy", "set_policy", "Set what all keys must keep to", policies::set);
    let api = limits_and_usage(api);
    let api = people(api);
    let api = user_sessions(api, "/user", "_of_caller");
    let api = user_sessions(api, "/users/{user_id}", "_of_user");
    let api = platform(api);
    let api = businesses(api);
    members_and_roles(api)
}

/// How much may be asked for, and how much was.
fn limits_and_usage(api: Api) -> Api {
    let key = "/users/{user_id}/api-keys/{key_id}";
    api.part("limits")
        .put(
            &format!("{key}/rate-limit"),
            "set_rate_limit",
            "Set how many requests a minute and a second an API key has",
            limits::set_rate,
        )
        .get(
            "/user/api-keys/{key_id}/limits",
            "show_limits",
            "Show the other limits of an API key",
            limits::show_of_key,
        )
        .get(&format!("{key}/limits"), "show_limits_of_key", "Show the other limits of an API key", limits::show_of_key)
        .put(&format!("{key}/limits"), "set_limits_of_key", "Set the other limits of an API key", limits::set_of_key)
        .get(
            "/user/limits",
            "show_own_limits",
            "Show the limits of the caller, over all their keys",
            limits::show_of_user,
        )
        .get(
            "/users/{user_id}/limits",
            "show_limits_of_user",
            "Show the limits of a user, over all their keys",
            limits::show_of_user,
        )
        .put(
            "/users/{user_id}/limits",
            "set_limits_of_user",
            "Set the limits of a user, over all their keys",
            limits::set_of_user,
        )
        .get(
            &format!("{BUSINESS}/limits"),
            "show_limits_of_business",
            "Show the limits of a business, over all requests about it",
            limits::show_of_business,
        )
        .put(
            &format!("{BUSINESS}/limits"),
            "set_limits_of_business",
            "Set the limits of a business, over all requests about it",
            limits::set_of_business,
        )
        .part("usage")
        .get("/user/api-keys/{key_id}/usage", "show_usage", "Tell what an API key was used for", usage::of_key)
        .get(&format!("{key}/usage"), "show_usage_of_key", "Tell what an API key was used for", usage::of_key)
        .get("/user/usage", "show_own_usage", "Tell what the caller's API keys were used for", usage::of_user)
        .get(
            "/users/{user_id}/usage",
            "show_usage_of_user",
            "Tell what a user's API keys were used for",
            usage::of_user,
        )
        .get(
            &format!("{BUSINESS}/usage"),
            "show_usage_of_business",
            "Tell what API keys were used for in a business",
            usage::of_business,
        )
}

/// Users, and how they come in.
fn people(api: Api) -> Api {
    api.part("users")
        .get("/user", "show_own_user", "Show the caller's account", users::show)
        .patch("/user", "update_own_user", "Change the caller's account", users::update)
        .get("/users", "list_users", "List users, newest first", users::list)
        .post("/users", "create_user", "Make a user", users::create)
        .get("/users/{user_id}", "show_user", "Show a user", users::show)
        .patch("/users/{user_id}", "update_user", "Change a user", users::update)
        .post(
            "/users/{user_id}/disable",
            "disable_user",
            "Disable a user: their keys and sessions are dead at once",
            users::disable,
        )
        .post(
            "/users/{user_id}/enable",
            "enable_user",
            "Enable a user again: their keys live, they sign in anew",
            users::enable,
        )
        .part("sessions")
        .post("/session", "sign_in", "Sign in with a password", sessions::begin)
        .get("/session", "show_session", "Show the session that asks", sessions::show)
        .delete("/session", "sign_out", "Sign out", sessions::end)
        .put(
            "/user/password",
            "change_password",
            "Set another password; every other session ends",
            sessions::change_password,
        )
        .post(
            "/users/{user_id}/password-links",
            "create_password_link",
            "Make a one-time link to a new password",
            links::create_password_link,
        )
        .post(
            "/password-links",
            "request_password_link",
            "Ask for a link to a new password; it goes to the server's log",
            links::request_password_link,
        )
        .post("/password", "set_password", "Set a password by a one-time link, and sign in", links::set_password)
}

/// What is for those who run the platform.
fn platform(api: Api) -> Api {
    api.part("operator-keys")
        .get(
            "/operator-keys",
            "list_operator_keys",
            "List the operator keys that the caller could have made",
            operator_keys::list,
        )
        .post(
            "/operator-keys",
            "create_operator_key",
            "Make an operator key; its token is shown this once",
            operator_keys::create,
        )
        .post(
            "/operator-keys/{operator_key_id}/revoke",
            "revoke_operator_key",
            "End an operator key for ever",
            operator_keys::revoke,
        )
        .part("audit")
        .get("/audit-events", "list_audit_events", "List what was done, newest first", audit_events::list)
        .get(
            "/audit-events/head",
            "show_audit_head",
            "Sign the last event, to be kept somewhere else",
            audit_events::head,
        )
        .part("nodes")
        .get("/nodes", "list_nodes", "List the nodes, their leases, and how far each is behind", nodes::list)
}

/// A user's keys, under `/user` and under `/users/{user_id}` alike.
fn keys(api: Api, of: &str, whose: &str) -> Api {
    let path = |rest: &str| format!("{of}/api-keys{rest}");
    let id = |deed: &str| format!("{deed}{whose}");
    api.get(&path(""), &id("list_api_keys"), "List API keys, newest first", api_keys::list)
        .post(&path(""), &id("create_api_key"), "Make an API key; its token is shown this once", api_keys::create)
        .get(&path("/{key_id}"), &id("show_api_key"), "Show an API key", api_keys::show)
        .patch(
            &path("/{key_id}"),
            &id("update_api_key"),
            "Change an API key; what it may do only to less",
            api_keys::update,
        )
        .post(&path("/{key_id}/revoke"), &id("revoke_api_key"), "End an API key for ever, everywhere", api_keys::revoke)
        .post(
            &path("/{key_id}/rotate"),
            &id("rotate_api_key"),
            "Give an API key a new token; the old one goes on for a while",
            api_keys::rotate,
        )
}

/// A user's sessions, under `/user` and under `/users/{user_id}` alike.
fn user_sessions(api: Api, of: &str, whose: &str) -> Api {
    let path = |rest: &str| format!("{of}/sessions{rest}");
    let id = |deed: &str| format!("{deed}{whose}");
    api.get(&path(""), &id("list_sessions"), "List the sessions that go on", sessions::list)
        .delete(&path(""), &id("end_sessions"), "End all sessions: sign out everywhere", sessions::end_all)
        .delete(&path("/{session_id}"), &id("end_session"), "End one session", sessions::end_one)
}

const BUSINESS: &str = "/businesses/{business_id}";

/// Businesses, and what each has.
fn businesses(api: Api) -> Api {
    let of = |rest: &str| format!("{BUSINESS}{rest}");
    api.part("businesses")
        .get("/businesses", "list_businesses", "List the caller's businesses; for an operator, all", businesses::list)
        .get(
            "/users/{user_id}/businesses",
            "list_businesses_of_user",
            "List the businesses that a user is a member of",
            businesses::list_of_user,
        )
        .post("/businesses", "create_business", "Make a business; a person becomes its owner", businesses::create)
        .get(BUSINESS, "show_business", "Show a business", businesses::show)
        .patch(BUSINESS, "update_business", "Rename a business", businesses::update)
        .post(&of("/disable"), "disable_business", "Disable a business: no key reaches it", businesses::disable)
        .post(&of("/enable"), "enable_business", "Enable a business again", businesses::enable)
        .get(
            &of("/api-keys"),
            "list_api_keys_of_business",
            "List every API key that reaches a business",
            api_keys::list_of_business,
        )
        .get(
            &of("/policy"),
            "show_policy_of_business",
            "Show what keys that reach a business must keep to",
            policies::show_of_business,
        )
        .put(
            &of("/policy"),
            "set_policy_of_business",
            "Set what keys that reach a business must keep to",
            policies::set_of_business,
        )
        .get(
            &of("/audit-events"),
            "list_audit_events_of_business",
            "List what was done in a business, newest first",
            audit_events::list_of_business,
        )
}

/// Who may what in a business.
fn members_and_roles(api: Api) -> Api {
    let of = |rest: &str| format!("{BUSINESS}{rest}");
    api.part("members")
        .get(&of("/members"), "list_members", "List the members of a business", members::list)
        .put(
            &of("/members/{user_id}"),
            "set_member",
            "Make a user a member, or give a member another role",
            members::set,
        )
        .delete(
            &of("/members/{user_id}"),
            "remove_member",
            "End a membership: keys reach the business no more",
            members::remove,
        )
        .get(
            &of("/invitations"),
            "list_invitations",
            "List the invitations that nobody has followed",
            links::list_invitations,
        )
        .post(
            &of("/invitations"),
            "create_invitation",
            "Invite somebody; the link is shown this once",
            links::create_invitation,
        )
        .post(
            &of("/invitations/{invitation_id}/revoke"),
            "revoke_invitation",
            "Take an invitation back",
            links::revoke_invitation,
        )
        .post("/invitations/accept", "accept_invitation", "Follow an invitation", links::accept_invitation)
        .part("roles")
        .get(&of("/roles"), "list_roles", "List the roles of a business", roles::list)
        .post(&of("/roles"), "create_role", "Make a role", roles::create)
        .get(&of("/roles/{role_id}"), "show_role", "Show a role", roles::show)
        .patch(
            &of("/roles/{role_id}"),
            "update_role",
            "Change a role, and with it what its members' keys may do",
            roles::update,
        )
        .delete(&of("/roles/{role_id}"), "delete_role", "Delete a role that no member has", roles::delete)
}
