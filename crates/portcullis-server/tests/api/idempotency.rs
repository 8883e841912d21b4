//! `Idempotency-Key` on create and rotate.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server};

async fn post(server: &Server, token: &str, path: &str, key: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, path).bearer_auth(token).header("idempotency-key", key);
    server.send(request.json(body)).await
}

#[tokio::test]
async fn a_repeated_call_makes_nothing_and_never_shows_the_token_again() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let path = format!("/users/{ann}/api-keys");
    let create = async |key: &str, body: Value| post(&server, &server.operator, &path, key, &body).await;
    let first = create("order-1", json!({"name": "K", "permissions": "inherit"})).await.created();
    assert!(first["token"].is_string());
    // The same members in another order are the same call; quotes around the key mean nothing.
    for key in ["order-1", "\"order-1\""] {
        let again = create(key, json!({"permissions": "inherit", "name": "K"})).await.created();
        assert_eq!((&again["token"], &again["api_key"]), (&Value::Null, &first["api_key"]));
    }
    create("order-1", json!({"name": "Another"})).await.fails_at(&[""]);
    create("order-2", json!({"name": "K", "permissions": "inherit"})).await.created();
    assert_eq!(server.op_get(&path).await.ok().as_array().unwrap().len(), 2);

    let id = first["api_key"]["id"].as_str().unwrap();
    let rotate = async |key: &str, seconds: i64| {
        let path = format!("{path}/{id}/rotate");
        post(&server, &server.operator, &path, key, &json!({"overlap_seconds": seconds})).await
    };
    let rotated = rotate("turn-1", 60).await.created();
    let again = rotate("turn-1", 60).await.created();
    assert_eq!(
        (&again["token"], &again["api_key"], &again["previous"]),
        (&Value::Null, &rotated["api_key"], &rotated["previous"])
    );
    rotate("turn-1", 61).await.fails_at(&[""]);
    rotate("turn-2", 60).await.fails(409, "CONFLICT", None);
    // A key of a create is of no use for a rotation: it is another call.
    rotate("order-1", 60).await.fails_at(&[""]);
    // What was revoked meanwhile is told as it is.
    server.op_post(&format!("{path}/{id}/revoke"), &json!({})).await.ok();
    let after = create("order-1", json!({"name": "K", "permissions": "inherit"})).await.created();
    assert_eq!((&after["token"], &after["api_key"]["status"]), (&Value::Null, &json!("revoked")));
}

#[tokio::test]
async fn attack_54_a_key_is_of_one_credential_and_of_one_day() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let path = format!("/users/{ann}/api-keys");
    let grants = json!({"name": "Other", "grants": ["keys:read", "keys:write"]});
    let other = server.op_post("/operator-keys", &grants).await.created()["token"].as_str().unwrap().to_owned();
    let body = json!({"name": "K"});
    let first = post(&server, &server.operator, &path, "k", &body).await.created();
    let others = post(&server, &other, &path, "k", &body).await.created();
    assert_ne!(first["api_key"]["id"], others["api_key"]["id"]);
    assert!(others["token"].is_string());
    server.pass(86_399_000);
    assert_eq!(post(&server, &server.operator, &path, "k", &body).await.created()["token"], Value::Null);
    let server = server.restart().await;
    assert_eq!(post(&server, &server.operator, &path, "k", &body).await.created()["token"], Value::Null);
    server.pass(1_000);
    let next_day = post(&server, &server.operator, &path, "k", &json!({"name": "Another"})).await.created();
    assert!(next_day["token"].is_string());
}

/// Of eight at once one makes the key; the others are told to wait, or what it did.
#[tokio::test]
async fn attack_54_eight_at_once_make_one_key() {
    let server = Arc::new(Server::start().await);
    let ann = server.user("ann@example.com").await;
    let path = format!("/users/{ann}/api-keys");
    let calls = (0..8).map(|_| {
        let (server, path) = (Arc::clone(&server), path.clone());
        tokio::spawn(async move { post(&server, &server.operator, &path, "k", &json!({"name": "K"})).await })
    });
    let mut tokens = 0;
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap();
        match answer.status {
            201 => tokens += usize::from(answer.created()["token"].is_string()),
            _ => answer.fails(409, "CONFLICT", None),
        }
    }
    assert_eq!(tokens, 1);
    assert_eq!(server.op_get(&path).await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_failed_is_not_remembered_and_a_bad_key_is_refused() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let path = format!("/users/{ann}/api-keys");
    post(&server, &server.operator, &path, "k", &json!({"name": ""})).await.fails_at(&["/name"]);
    post(&server, &server.operator, &path, "k", &json!({"name": "K"})).await.created();
    for key in ["", " ", "a b", &"x".repeat(256)] {
        post(&server, &server.operator, &path, key, &json!({"name": "K"})).await.fails(400, "INVALID_REQUEST", None);
    }
    let twice = server.request(Method::POST, &path).bearer_auth(&server.operator).json(&json!({"name": "K"}));
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "a");
    server.send(twice).await.fails(400, "INVALID_REQUEST", None);
}
