//! `/policy` and `/businesses/{business_id}/policy`

use serde_json::{Value, json};

use crate::support::Server;

async fn set(server: &Server, path: &str, body: &Value) -> Value {
    server.op_put(path, body).await.ok()
}

#[tokio::test]
async fn a_policy_binds_what_is_made_from_then_on() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let before = server.key(&ann, &json!({"name": "Before"})).await;
    let none = json!({"longest_life_days": null, "expiry_required": false, "revoke_unused_days": null});
    assert_eq!(server.op_get("/policy").await.ok(), none);
    let path = format!("/users/{ann}/api-keys");
    let create = async |expires_at: Value| server.op_post(&path, &json!({"name": "K", "expires_at": expires_at})).await;
    set(&server, "/policy", &json!({"expiry_required": true})).await;
    create(Value::Null).await.fails_at(&["/expires_at"]);
    create(json!("2099-01-01T00:00:00Z")).await.created();
    set(&server, "/policy", &json!({"longest_life_days": 30})).await;
    create(Value::Null).await.fails_at(&["/expires_at"]);
    create(json!("2026-12-20T19:30:00.001Z")).await.fails_at(&["/expires_at"]);
    create(json!("2026-12-20T19:30:00Z")).await.created();
    // The strictest of all that a key reaches holds: an unrestricted key reaches its owner's businesses.
    set(&server, &format!("/businesses/{clinic}/policy"), &json!({"longest_life_days": 7})).await;
    create(json!("2026-12-20T19:30:00Z")).await.fails_at(&["/expires_at"]);
    create(json!("2026-11-27T19:30:00Z")).await.created();
    let bike_shop = server.business("Bike Shop").await;
    server.member(&bike_shop, &ann, "owner").await;
    let elsewhere = json!({"name": "K", "expires_at": "2026-12-20T19:30:00Z", "business_scope": {"only": [bike_shop]}});
    server.op_post(&path, &elsewhere).await.created();

    // What was there keeps its dates, and is brought within them by its rotation.
    assert_eq!(server.op_get(&format!("{path}/{}", before.id)).await.ok()["expires_at"], Value::Null);
    let rotated = server.op_post(&format!("{path}/{}/rotate", before.id), &json!({})).await.created();
    assert_eq!(rotated["api_key"]["expires_at"], "2026-11-27T19:30:00Z");
    let import = json!({"keys": [{"name": "K", "sha256": "0".repeat(64)}]});
    let line = server.op_post(&format!("{path}/import"), &import).await.ok();
    assert_eq!(line[0]["error"]["errors"][0]["pointer"], "/expires_at");
}

#[tokio::test]
async fn who_sets_a_policy_and_what_it_cannot_be() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let bob = server.user("bob@example.com").await;
    server.member(&clinic, &bob, "member").await;
    let (ann, bob) = (server.sign_in(&ann).await, server.sign_in(&bob).await);
    let of_clinic = format!("/businesses/{clinic}/policy");
    server.by(&ann, "PUT", &of_clinic, &json!({"expiry_required": true})).await.ok();
    server.by(&bob, "PUT", &of_clinic, &json!({})).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    server.by_get(&bob, &of_clinic).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    server.by(&ann, "PUT", "/policy", &json!({})).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    for (body, pointer) in [
        (json!({"longest_life_days": 0}), "/longest_life_days"),
        (json!({"longest_life_days": 3_651}), "/longest_life_days"),
        (json!({"revoke_unused_days": -1}), "/revoke_unused_days"),
    ] {
        server.op_put("/policy", &body).await.fails_at(&[pointer]);
    }
    for body in [json!({"longest_life_days": 1.5}), json!({"longest_life_days": "1"}), json!({"unused": 1}), json!([])]
    {
        server.op_put("/policy", &body).await.fails(400, "INVALID_REQUEST", None);
    }
    let seen = server.by_get(&ann, &format!("/businesses/{clinic}/audit-events?action=policy.updated")).await.ok();
    assert_eq!(
        (&seen[0]["before"]["expiry_required"], &seen[0]["after"]["expiry_required"]),
        (&json!(false), &json!(true))
    );
}

/// A key that nobody used for as long as the policy says is revoked when the server looks, and one that was used is not.
#[tokio::test]
async fn unused_keys_are_revoked_where_a_policy_asks_for_it() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let used = server.key(&ann, &json!({"name": "Used"})).await;
    let unused = server.key(&ann, &json!({"name": "Unused"})).await;
    let restricted = server.key(&ann, &json!({"name": "Restricted", "business_scope": {"only": [clinic]}})).await;
    set(&server, "/policy", &json!({"revoke_unused_days": 90})).await;
    set(&server, &format!("/businesses/{clinic}/policy"), &json!({"revoke_unused_days": 10})).await;
    let reason = async |server: &Server, token: &str| server.verify(&json!({"token": token})).await["reason"].clone();

    server.pass(11 * 86_400_000);
    assert_eq!(reason(&server, &used.token).await, Value::Null);
    let server = server.restart().await;
    let listed = async |server: &Server| {
        let keys = server.op_get(&format!("/users/{ann}/api-keys?status=revoked")).await.ok();
        let mut names: Vec<_> =
            keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    server.until(async || listed(&server).await == ["Restricted"]).await;
    assert_eq!(reason(&server, &restricted.token).await, "revoked");

    server.pass(80 * 86_400_000);
    let server = server.restart().await;
    server.until(async || listed(&server).await == ["Restricted", "Unused"]).await;
    assert_eq!(reason(&server, &unused.token).await, "revoked");
    assert_eq!(reason(&server, &used.token).await, Value::Null);
    let event = server.op_get(&format!("/audit-events?target_id={}&action=api_key.revoked", unused.id)).await.ok();
    assert_eq!(event[0]["actor_kind"], "system");
    assert!(event[0]["after"]["reason"].as_str().unwrap().contains("90 days"));
}
