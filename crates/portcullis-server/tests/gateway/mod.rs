//! Gateways, and everything else that asks about requests to the guarded API.

mod apache;
mod api;
mod authzen;
mod direct;
mod envoy;
mod forward_auth;
mod introspection;
mod programs;
mod proxy;
mod tricks;

use serde_json::json;

use crate::support::{Key, Server};

/// A gate over contacts, with one rule of each kind.
pub(crate) const GATE: &str = r#"
trusted_proxies = ["127.0.0.1", "10.1.0.0/16"]

[gate.crm]

[[gate.crm.rule]]
methods = ["GET"]
path = "/health"
needs = "nothing"

[[gate.crm.rule]]
methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
path = "/api/contacts/**"
permission = "contacts"

[[gate.crm.rule]]
methods = ["*"]
path = "/api/v1/business/{business_id}/contacts/**"
permission = "contacts"

[[gate.crm.rule]]
methods = ["*"]
path = "/api/v1/user/**"
needs = "user_management"

[[gate.crm.rule]]
methods = ["GET"]
path = "/api/whoami"
needs = "live_key"

[[gate.crm.rule]]
methods = ["GET"]
path = "/api/calls/**"
permission = "calls:read"
business = { header = "X-Business-Id" }
"#;

/// A server with the gate, a user who owns a business, and a key of theirs that may do everything.
pub(crate) struct Guarded {
    pub(crate) server: Server,
    pub(crate) user: String,
    pub(crate) business: String,
    pub(crate) key: Key,
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// With more settings, before those of the gate.
    pub(crate) async fn with(settings: &str) -> Self {
        Self::of(&format!("{settings}{GATE}")).await
    }

    /// With settings and a gate of its own.
    pub(crate) async fn of(settings: &str) -> Self {
        let server = Server::with(settings).await;
        let (user, business) = server.owner_of("ann@example.com", "Dental").await;
        let key = server.key(&user, &json!({"name": "Zapier"})).await;
        Self { server, user, business, key }
    }

    /// A key that may only do these.
    pub(crate) async fn may(&self, permissions: &[&str]) -> Key {
        self.server.key(&self.user, &json!({"name": "narrow", "permissions": permissions})).await
    }
}
