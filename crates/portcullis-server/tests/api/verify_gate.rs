//! `POST /verify` with a gate: the configuration says what a method and a path need.

use serde_json::{Value, json};

use crate::gateway::Guarded;

#[tokio::test]
async fn the_rules_of_the_gate_say_what_is_needed() {
    let guarded = Guarded::start().await;
    let Guarded { server, business, key, .. } = &guarded;
    let reads = guarded.may(&["contacts:read"]).await;
    let asked = async |token: &str, request: &str| {
        let (method, path) = request.split_once(' ').unwrap();
        let answer = server.verify(&json!({"token": token, "gate": "crm", "method": method, "path": path})).await;
        (answer["code"].clone(), answer["reason"].clone(), answer["business_id"].clone())
    };
    let ok = (json!("VALID"), Value::Null, Value::Null);
    let denied = |reason: &str| (json!("PERMISSION_DENIED"), json!(reason), Value::Null);
    assert_eq!(asked(&reads.token, "GET /api/contacts?q=1").await, ok);
    assert_eq!(asked(&reads.token, "POST /api/contacts").await, denied("permission"));
    assert_eq!(asked(&reads.token, "GET /api/nothing").await, denied("no_rule"));
    assert_eq!(asked(&reads.token, "GET /health/../api/contacts").await, denied("path"));
    assert_eq!(asked(&key.token, "GET /api/v1/user/api-keys").await, denied("user_management"));
    let in_business = format!("PUT /api/v1/business/{business}/contacts/1");
    assert_eq!(asked(&key.token, &in_business).await, (json!("VALID"), Value::Null, json!(business)));
    // What needs nothing is for those who see requests without a key; a token that is asked about is looked at.
    assert_eq!(asked(&key.token, "GET /health").await, ok);
    assert_eq!(asked("ak_live_x", "GET /health").await.0, "INVALID_API_KEY");
}

#[tokio::test]
async fn a_gate_leaves_nothing_to_the_asker() {
    let guarded = Guarded::start().await;
    let Guarded { server, business, key, .. } = &guarded;
    let ask = async |question: Value| {
        let mut body = json!({"token": key.token, "gate": "crm", "method": "GET", "path": "/api/contacts"});
        for (name, value) in question.as_object().unwrap() {
            body[name] = value.clone();
        }
        server.op_post("/verify", &body).await
    };
    ask(json!({"gate": "none"})).await.fails_at(&["/gate"]);
    ask(json!({"permission": "contacts:read"})).await.fails_at(&["/permission"]);
    ask(json!({"method": null, "path": null})).await.fails_at(&["/method", "/path"]);
    ask(json!({"business_id": business})).await.fails_at(&["/business_id"]);
    ask(json!({"path": "/api/calls"})).await.fails_at(&["/business_id"]);
    let answer = ask(json!({"path": "/api/calls", "business_id": business})).await.ok();
    assert_eq!((&answer["valid"], &answer["business_id"]), (&json!(true), &json!(business)));
    let explained = ask(json!({"path": "/nowhere", "explain": true})).await.ok();
    let rule = explained["explanation"].as_array().unwrap().iter().find(|rule| rule["outcome"] == "failed").unwrap();
    assert_eq!(rule["detail"], "no rule fits the method and the path");
}
