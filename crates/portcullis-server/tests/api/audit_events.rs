//! `GET /audit-events` and `GET /businesses/{business_id}/audit-events`

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::support::Server;

async fn actions(server: &Server, path: &str) -> Vec<String> {
    let events = server.op_get(path).await.ok();
    events.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_edit_leaves_its_event_with_who_what_and_from_where() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let clinic = server.business("Dental Clinic").await;
    server.member(&clinic, &ann, "owner").await;
    let key = server.key(&ann, &json!({"name": "K", "user_management": true})).await;
    let own = server.post(&key.token, "/user/api-keys", &json!({"name": "Made by a key"})).await.created();
    let path = format!("/users/{ann}/api-keys/{}", key.id);
    server.patch(&server.operator, &path, &json!({"name": "Renamed"})).await.ok();
    server.op_post(&format!("{path}/rotate"), &json!({})).await.created();
    server.op_post(&format!("{path}/revoke"), &json!({"reason": "Lost"})).await.ok();
    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    server.op_post(&format!("/businesses/{clinic}/disable"), &json!({})).await.ok();
    let expected = [
        "business.disabled",
        "user.disabled",
        "api_key.revoked",
        "api_key.created",
        "api_key.rotated",
        "api_key.updated",
        "api_key.created",
        "api_key.created",
        "member.set",
        "business.created",
        "user.created",
        "operator_key.created",
        "user.created",
    ];
    assert_eq!(actions(&server, "/audit-events").await, expected);

    let made = server.op_get(&format!("/audit-events?target_id={}", own["api_key"]["id"].as_str().unwrap())).await.ok();
    let event = &made[0];
    assert_eq!((&event["actor_kind"], &event["actor_id"]), (&json!("api_key"), &json!(key.id)));
    assert_eq!((&event["address"], &event["user_id"]), (&json!("127.0.0.1"), &json!(ann)));
    assert!(event["request_id"].as_str().unwrap().starts_with("req_"));
    assert_eq!((&event["before"], &event["after"]["name"]), (&Value::Null, &json!("Made by a key")));
    let updated = server.op_get("/audit-events?action=api_key.updated").await.ok();
    assert_eq!((&updated[0]["before"]["name"], &updated[0]["after"]["name"]), (&json!("K"), &json!("Renamed")));
    let revoked = server.op_get("/audit-events?action=api_key.revoked").await.ok();
    assert_eq!(revoked[0]["after"]["reason"], "Lost");
    assert!(!server.op_get("/audit-events").await.text.contains(&key.token[8..40]));
}

#[tokio::test]
async fn what_changed_nothing_leaves_nothing() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    server.revoke(&ann, &key).await;
    let before = actions(&server, "/audit-events").await;
    server.revoke(&ann, &key).await;
    server.member(&clinic, &ann, "owner").await;
    server.op_post(&format!("/users/{ann}/enable"), &json!({})).await.ok();
    server.op_post("/users", &json!({"email": "no"})).await.fails_at(&["/email"]);
    assert_eq!(actions(&server, "/audit-events").await, before);
}

#[tokio::test]
async fn filters_and_pages() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    server.pass(60_000);
    server.member(&shop, &ann, "viewer").await;
    let of_clinic = format!("/businesses/{clinic}/audit-events");
    assert_eq!(actions(&server, &of_clinic).await, ["member.set", "business.created"]);
    assert_eq!(actions(&server, "/audit-events?from=2026-11-20T19:31:00Z").await, ["member.set"]);
    assert_eq!(actions(&server, "/audit-events?to=2026-11-20T19:31:00Z&action=member.set").await.len(), 1);
    assert_eq!(actions(&server, "/audit-events?actor_id=nobody").await.len(), 0);

    let (mut numbers, mut path) = (Vec::new(), "/audit-events?limit=2".to_owned());
    loop {
        let page = server.op_get(&path).await;
        numbers.extend(page.ok().as_array().unwrap().iter().map(|event| event["number"].as_i64().unwrap()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/audit-events?limit=2&cursor={cursor}");
    }
    assert_eq!(numbers, (1..=7).rev().collect::<Vec<_>>());
    let cursor = server.op_get("/audit-events?limit=2").await.body["next_cursor"].clone();
    let foreign = format!("/audit-events?limit=2&action=member.set&cursor={}", cursor.as_str().unwrap());
    server.op_get(&foreign).await.fails(400, "INVALID_REQUEST", None);
    for bad in ["from=yesterday", "to=", "colour=red", "limit=0"] {
        server.op_get(&format!("/audit-events?{bad}")).await.fails(400, "INVALID_REQUEST", None);
    }
    let missing = "/businesses/biz_00000000000000000000000001/audit-events";
    server.op_get(missing).await.fails(404, "NOT_FOUND", None);
}

/// The chain is walked on the store of a running server, and hangs together over restarts.
#[tokio::test]
async fn attack_52_the_chain_is_whole() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let server = server.restart().await;
    server.key(&ann, &json!({"name": "K"})).await;
    let mut numbers = Vec::new();
    let store = server.data.path().join("store");
    let whole = portcullis_server::audit::walk(&store, |event, _| {
        numbers.push(event.number);
        ControlFlow::Continue(())
    });
    assert_eq!(whole.await.unwrap(), Ok(6));
    assert_eq!(numbers, (1..=6).collect::<Vec<_>>());
}
