//! What a key may give to a key that it makes: never more than it has.

use serde_json::{Value, json};

use crate::support::{Answer, Server};

struct Place {
    server: Server,
    ann: String,
    clinic: String,
    shop: String,
}

async fn place() -> Place {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    server.member(&shop, &ann, "viewer").await;
    Place { server, ann, clinic, shop }
}

impl Place {
    /// What comes of `wanted` when a key with these members asks for it.
    async fn asks(&self, mut maker: Value, mut wanted: Value) -> Answer {
        maker["name"] = json!("Maker");
        maker["user_management"] = json!(true);
        wanted["name"] = json!("Made");
        let maker = self.server.key(&self.ann, &maker).await;
        self.server.post(&maker.token, "/user/api-keys", &wanted).await
    }

    async fn refuses(&self, maker: Value, wanted: Value, reason: &str) {
        self.asks(maker, wanted).await.fails(403, "PERMISSION_DENIED", Some(reason));
    }

    async fn allows(&self, maker: Value, wanted: Value) {
        self.asks(maker, wanted).await.created();
    }
}

#[tokio::test]
async fn attack_26_no_business_more() {
    let at = place().await;
    let only = |businesses: &[&str]| json!({"business_scope": {"only": businesses}});
    let (clinic, shop) = (at.clinic.as_str(), at.shop.as_str());
    at.refuses(only(&[clinic]), json!({}), "business").await;
    at.refuses(only(&[clinic]), json!({"business_scope": "unrestricted"}), "business").await;
    at.refuses(only(&[clinic]), only(&[shop]), "business").await;
    at.refuses(only(&[clinic]), only(&[clinic, shop]), "business").await;
    at.allows(only(&[clinic, shop]), only(&[shop])).await;
    at.allows(json!({}), only(&[shop])).await;
    at.allows(json!({}), json!({})).await;
}

#[tokio::test]
async fn attack_26_no_permission_more() {
    let at = place().await;
    let list = |names: &[&str]| json!({"permissions": names});
    at.refuses(list(&["calls:read"]), json!({}), "permission").await;
    at.refuses(list(&["calls:read"]), json!({"permissions": "inherit"}), "permission").await;
    at.refuses(list(&["calls:read"]), list(&["calls:write"]), "permission").await;
    at.refuses(list(&["calls:read"]), list(&["calls:read", "leads:read"]), "permission").await;
    at.allows(list(&["calls:read", "leads:read"]), list(&["leads:read"])).await;
    at.allows(json!({}), list(&["calls:write"])).await;
    // In the shop its owner is a viewer, so nothing that reaches only the shop is given a write.
    let in_the_shop = json!({"permissions": ["calls:write"], "business_scope": {"only": [at.shop]}});
    let refused = at.asks(json!({}), in_the_shop).await;
    refused.fails(403, "PERMISSION_DENIED", Some("permission"));
    let challenge = "Bearer realm=\"portcullis\", error=\"insufficient_scope\", scope=\"calls:write\"";
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
}

#[tokio::test]
async fn attack_26_no_longer_life() {
    let at = place().await;
    let until = |when: &str| json!({"expires_at": when});
    let (soon, later) = (until("2026-12-01T00:00:00Z"), until("2026-12-01T00:00:01Z"));
    at.refuses(soon.clone(), json!({}), "expires_at").await;
    at.refuses(soon.clone(), later.clone(), "expires_at").await;
    at.allows(soon.clone(), soon.clone()).await;
    at.allows(later, soon).await;
}

#[tokio::test]
async fn attack_26_no_address_more() {
    let at = place().await;
    // The test itself calls from the loopback addresses.
    let from = |blocks: &[&str]| json!({"allowed_ips": blocks});
    at.refuses(from(&["127.0.0.0/8"]), json!({}), "ip_address").await;
    at.refuses(from(&["127.0.0.0/8"]), from(&["10.0.0.0/8"]), "ip_address").await;
    at.refuses(from(&["127.0.0.0/8"]), from(&["126.0.0.0/7"]), "ip_address").await;
    at.allows(from(&["127.0.0.0/8"]), from(&["127.0.0.1"])).await;
    at.allows(json!({}), from(&["10.0.0.0/8"])).await;
}

#[tokio::test]
async fn a_key_without_user_management_makes_none() {
    let at = place().await;
    let plain = at.server.key(&at.ann, &json!({"name": "Plain"})).await;
    for path in ["/user/api-keys", "/user"] {
        at.server.get(&plain.token, path).await.fails(403, "PERMISSION_DENIED", Some("user_management"));
    }
    let made = at.server.post(&plain.token, "/user/api-keys", &json!({"name": "K"})).await;
    made.fails(403, "PERMISSION_DENIED", Some("user_management"));
    assert_eq!(at.server.op_get(&format!("/users/{}/api-keys", at.ann)).await.ok().as_array().unwrap().len(), 1);
}

/// What a key made is its owner's like any other key of theirs.
#[tokio::test]
async fn a_key_makes_lists_shows_and_revokes_for_its_owner() {
    let at = place().await;
    let maker = at.server.key(&at.ann, &json!({"name": "Maker", "user_management": true})).await;
    let made = at.server.post(&maker.token, "/user/api-keys", &json!({"name": "Made"})).await.created();
    let id = made["api_key"]["id"].as_str().unwrap();
    assert_eq!(made["api_key"]["user_id"], at.ann);
    assert_eq!(at.server.verify(&json!({"token": made["token"]})).await["valid"], true);
    assert_eq!(at.server.get(&maker.token, &format!("/user/api-keys/{id}")).await.ok()["name"], "Made");
    let listed = at.server.get(&maker.token, "/user/api-keys").await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    at.server.post(&maker.token, &format!("/user/api-keys/{id}/revoke"), &json!({})).await.ok();
    assert_eq!(at.server.verify(&json!({"token": made["token"]})).await["reason"], "revoked");
}
