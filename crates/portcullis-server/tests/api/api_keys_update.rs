//! `PATCH /users/{user_id}/api-keys/{key_id}`

use serde_json::{Value, json};

use crate::support::{Answer, Key, Server};

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
    server.member(&shop, &ann, "owner").await;
    Place { server, ann, clinic, shop }
}

impl Place {
    async fn key(&self, members: Value) -> Key {
        let mut wanted = json!({"name": "K"});
        wanted.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.server.key(&self.ann, &wanted).await
    }

    async fn patch(&self, key: &Key, body: Value) -> Answer {
        let path = format!("/users/{}/api-keys/{}", self.ann, key.id);
        self.server.patch(&self.server.operator, &path, &body).await
    }
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears() {
    let at = place().await;
    let key = at.key(json!({"metadata": {"a": 1}, "allowed_ips": ["10.0.0.0/8"]})).await;
    let question = json!({"token": key.token, "ip_address": "10.1.1.1", "cost": 0});
    let before = at.server.verify(&question).await;
    let same = at.patch(&key, json!({})).await.ok();
    assert_eq!((&same["name"], &same["metadata"]), (&json!("K"), &json!({"a": 1})));
    assert_eq!(at.server.verify(&question).await, before);

    let changed = at.patch(&key, json!({"name": "Renamed", "metadata": {"b": "c"}})).await.ok();
    assert_eq!((&changed["name"], &changed["allowed_ips"]), (&json!("Renamed"), &json!(["10.0.0.0/8"])));
    let decision = at.server.verify(&question).await;
    assert_eq!((&decision["name"], &decision["metadata"]), (&json!("Renamed"), &json!({"b": "c"})));

    let cleared = at.patch(&key, json!({"metadata": null, "allowed_ips": null})).await.ok();
    assert_eq!((&cleared["metadata"], &cleared["allowed_ips"]), (&json!({}), &json!([])));
    assert_eq!(at.server.verify(&json!({"token": key.token})).await["valid"], true);
}

#[tokio::test]
async fn what_a_key_may_do_becomes_less_and_never_more() {
    let at = place().await;
    let (clinic, shop) = (&at.clinic, &at.shop);
    let key = at.key(json!({"expires_at": "2027-01-01T00:00:00Z"})).await;
    at.patch(&key, json!({"permissions": ["calls:read", "leads:read"], "business_scope": {"only": [clinic, shop]}}))
        .await
        .ok();
    let less = json!({"permissions": ["calls:read"], "business_scope": {"only": [clinic]}, "expires_at": "2026-12-01T00:00:00Z"});
    at.patch(&key, less.clone()).await.ok();
    for (member, more) in [
        ("permissions", json!("inherit")),
        ("permissions", json!(null)),
        ("permissions", json!(["calls:read", "calls:write"])),
        ("business_scope", json!("unrestricted")),
        ("business_scope", json!(null)),
        ("business_scope", json!({"only": [clinic, shop]})),
        ("expires_at", json!(null)),
        ("expires_at", json!("2026-12-01T00:00:01Z")),
    ] {
        at.patch(&key, json!({member: more})).await.fails_at(&[&format!("/{member}")]);
    }
    let shown = at.patch(&key, json!({})).await.ok();
    for (member, value) in less.as_object().unwrap() {
        assert_eq!(shown[member], *value);
    }
    let question = json!({"token": key.token, "permission": "leads:read"});
    assert_eq!(at.server.verify(&question).await["reason"], "permission");
    assert_eq!(at.server.verify(&json!({"token": key.token, "business_id": shop})).await["reason"], "business");
}

#[tokio::test]
async fn members_are_checked_as_at_creation() {
    let at = place().await;
    let key = at.key(json!({})).await;
    for (member, bad, pointer) in [
        ("name", json!(""), "/name"),
        ("name", json!(null), "/name"),
        ("metadata", json!({"a": []}), "/metadata/a"),
        ("allowed_ips", json!(["x"]), "/allowed_ips/0"),
        ("permissions", json!([]), "/permissions"),
        ("permissions", json!(["analytics:write"]), "/permissions/0"),
        ("business_scope", json!({"only": []}), "/business_scope/only"),
        ("business_scope", json!({"only": ["biz_00000000000000000000000001"]}), "/business_scope/only/0"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "/expires_at"),
        ("expires_at", json!("soon"), "/expires_at"),
    ] {
        at.patch(&key, json!({member: bad})).await.fails_at(&[pointer]);
    }
    for member in ["user_management", "environment", "status", "revoked_at", "user_id", "rate_limit"] {
        at.patch(&key, json!({member: null})).await.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn attack_32_a_key_that_ended_is_not_changed_back_to_life() {
    let at = place().await;
    let (revoked, expired) = (at.key(json!({})).await, at.key(json!({"expires_at": "2026-11-20T19:31:00Z"})).await);
    at.server.revoke(&at.ann, &revoked).await;
    at.server.pass(60_000);
    for key in [&revoked, &expired] {
        for body in
            [json!({"name": "Again"}), json!({"expires_at": null}), json!({"expires_at": "2028-01-01T00:00:00Z"})]
        {
            at.patch(key, body).await.fails(409, "CONFLICT", None);
        }
        assert_eq!(at.server.verify(&json!({"token": key.token})).await["valid"], false);
    }
}

#[tokio::test]
async fn attack_26_a_key_changes_none_to_more_than_itself() {
    let at = place().await;
    let narrow = json!({"permissions": ["calls:read"], "user_management": true, "allowed_ips": ["127.0.0.0/8"]});
    let (narrow, wide) = (at.key(narrow).await, at.key(json!({})).await);
    let patch = async |key: &Key, body: Value| {
        at.server.patch(&narrow.token, &format!("/user/api-keys/{}", key.id), &body).await
    };
    patch(&narrow, json!({"name": "Itself"})).await.ok();
    patch(&narrow, json!({"allowed_ips": null})).await.fails(403, "PERMISSION_DENIED", Some("ip_address"));
    patch(&wide, json!({"name": "Of another"})).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    let (bob, _) = at.server.owner_of("bob@example.com", "Bakery").await;
    let foreign = at.server.key(&bob, &json!({"name": "Bob's"})).await;
    patch(&foreign, json!({"name": "Mine"})).await.fails(404, "NOT_FOUND", None);
}
