//! `/users/{user_id}/api-keys/import`

use serde_json::{Value, json};

use crate::support::Server;

fn sha256(text: &str) -> String {
    use std::fmt::Write;

    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

async fn import(server: &Server, user: &str, keys: &Value) -> crate::support::Answer {
    server.op_post(&format!("/users/{user}/api-keys/import"), &json!({"keys": keys})).await
}

#[tokio::test]
async fn tokens_of_elsewhere_go_on_working_and_are_never_seen() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let verify = async |server: &Server, token: &str| server.verify(&json!({"token": token})).await;
    // Before anything is imported, a text of another form is not even looked for.
    assert_eq!(verify(&server, "sk_old_1").await["reason"], "malformed");
    let keys = json!([
        {"name": "CRM", "sha256": sha256("sk_old_1"), "hint": "ld_1", "permissions": ["contacts:read"],
            "business_scope": {"only": [clinic]}, "metadata": {"from": "old"}},
        {"name": "Shop", "sha256": sha256("sk old/2 ü").to_uppercase()},
    ]);
    let made = import(&server, &ann, &keys).await.ok();
    assert_eq!(made.as_array().unwrap().len(), 2);
    let crm = &made[0]["api_key"];
    assert_eq!(
        (&crm["hint"], &crm["prefix"], &crm["status"], &made[0]["error"]),
        (&json!("ld_1"), &json!(""), &json!("active"), &Value::Null)
    );
    let decision = verify(&server, "sk_old_1").await;
    assert_eq!(
        (&decision["valid"], &decision["key_id"], &decision["permissions"]),
        (&json!(true), &crm["id"], &json!(["contacts:read"]))
    );
    assert_eq!(verify(&server, "sk old/2 ü").await["valid"], true);
    assert_eq!(server.get("sk_old_1", "/whoami").await.ok()["name"], "CRM");
    assert_eq!(verify(&server, "sk_old_3").await["reason"], "unknown");
    assert_eq!(verify(&server, &"x".repeat(257)).await["reason"], "malformed", "too long to be hashed");

    let server = server.restart().await;
    assert_eq!(verify(&server, "sk_old_1").await["valid"], true);
    let id = crm["id"].as_str().unwrap();
    let rotated =
        server.op_post(&format!("/users/{ann}/api-keys/{id}/rotate"), &json!({"overlap_seconds": 0})).await.created();
    assert!(rotated["token"].as_str().unwrap().starts_with("ak_live_"), "its successor has our form");
    assert_eq!(verify(&server, "sk_old_1").await["reason"], "expired");
    assert_eq!(verify(&server, rotated["token"].as_str().unwrap()).await["valid"], true);
}

#[tokio::test]
async fn every_line_is_answered_for_itself() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    server.key(&ann, &json!({"name": "Ours"})).await;
    let good = sha256("a");
    let keys = json!([
        {"name": "Good", "sha256": good},
        {"name": "", "sha256": "x", "hint": "123456789", "permissions": []},
        {"name": "Same", "sha256": good},
        {"name": "Unknown field", "sha256": sha256("b"), "token": "b"},
        "no object",
        {"name": "Elsewhere", "sha256": sha256("c"), "business_scope": {"only": ["biz_00000000000000000000000001"]}},
        {"name": "Good too", "sha256": sha256("d")},
    ]);
    let results = import(&server, &ann, &keys).await.ok();
    let told = |place: usize| {
        let error = &results[place]["error"];
        let pointers: Vec<_> =
            error["errors"].as_array().into_iter().flatten().map(|error| error["pointer"].clone()).collect();
        (results[place]["api_key"]["name"].clone(), error["code"].clone(), Value::Array(pointers))
    };
    assert_eq!(told(0), (json!("Good"), Value::Null, json!([])));
    assert_eq!(
        told(1),
        (Value::Null, json!("VALIDATION_FAILED"), json!(["/sha256", "/hint", "/name", "/permissions"]))
    );
    assert_eq!(told(2), (Value::Null, json!("CONFLICT"), json!([])));
    assert_eq!(told(3), (Value::Null, json!("INVALID_REQUEST"), json!([])));
    assert_eq!(told(4), (Value::Null, json!("INVALID_REQUEST"), json!([])));
    assert_eq!(told(5), (Value::Null, json!("VALIDATION_FAILED"), json!(["/business_scope/only/0"])));
    assert_eq!(told(6), (json!("Good too"), Value::Null, json!([])));
    let names: Vec<_> = server
        .op_get(&format!("/users/{ann}/api-keys?q=good"))
        .await
        .ok()
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["name"].clone())
        .collect();
    assert_eq!(names.len(), 2);
    assert_eq!(server.op_get("/audit-events?action=api_key.imported").await.ok().as_array().unwrap().len(), 2);

    // Revoked is for ever: what was revoked does not come in again.
    let id = results[0]["api_key"]["id"].as_str().unwrap();
    server.op_post(&format!("/users/{ann}/api-keys/{id}/revoke"), &json!({})).await.ok();
    let again = import(&server, &ann, &json!([{"name": "Good", "sha256": good}])).await.ok();
    assert_eq!(again[0]["error"]["code"], "CONFLICT");
    assert_eq!(server.verify(&json!({"token": "a"})).await["reason"], "revoked");
}

#[tokio::test]
async fn a_thousand_at_a_time_and_no_more() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let keys = |count: usize| -> Value {
        (0..count).map(|n| json!({"name": format!("Key {n}"), "sha256": sha256(&n.to_string())})).collect()
    };
    import(&server, &ann, &keys(1_001)).await.fails_at(&["/keys"]);
    import(&server, &ann, &json!([])).await.fails_at(&["/keys"]);
    let made = import(&server, &ann, &keys(1_000)).await.ok();
    assert!(made.as_array().unwrap().iter().all(|line| line["error"].is_null()));
    assert_eq!(server.verify(&json!({"token": "999"})).await["valid"], true);
    let nobody = import(&server, "usr_00000000000000000000000001", &keys(1)).await;
    nobody.fails(404, "NOT_FOUND", None);
    let grants = json!({"name": "Reader", "grants": ["keys:read"]});
    let reader = server.op_post("/operator-keys", &grants).await.created()["token"].as_str().unwrap().to_owned();
    let refused = server.post(&reader, &format!("/users/{ann}/api-keys/import"), &json!({"keys": []})).await;
    refused.fails(403, "PERMISSION_DENIED", Some("permission"));
}
