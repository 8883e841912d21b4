//! `/operator-keys`

use serde_json::{Value, json};

use crate::support::Server;

/// A new operator key with these grants, made by the one that may do everything: its id and token.
async fn made(server: &Server, grants: &[&str]) -> (String, String) {
    let answer = server.op_post("/operator-keys", &json!({"name": "Gateway", "grants": grants})).await.created();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer["operator_key"]["id"]), text(&answer["token"]))
}

#[tokio::test]
async fn a_gateway_gets_a_key_that_can_only_ask_for_decisions() {
    let server = Server::start().await;
    let (id, token) = made(&server, &["keys:verify"]).await;
    assert!(token.starts_with("op_live_") && token.len() == 46);
    assert_eq!(server.post(&token, "/verify", &json!({"token": "x"})).await.ok()["reason"], "malformed");
    assert_eq!(server.get(&token, "/whoami").await.ok()["grants"], json!(["keys:verify"]));
    for (path, grant) in [("/users", "users:read"), ("/businesses", "businesses:read")] {
        let refused = server.get(&token, path).await;
        refused.fails(403, "PERMISSION_DENIED", Some("permission"));
        let challenge = format!("Bearer realm=\"portcullis\", error=\"insufficient_scope\", scope=\"{grant}\"");
        assert_eq!(refused.header("www-authenticate"), Some(challenge.as_str()));
    }
    let server = server.restart().await;
    server.post(&token, "/verify", &json!({"token": "x"})).await.ok();

    let path = format!("/operator-keys/{id}/revoke");
    let revoked = server.op_post(&path, &json!({})).await.ok();
    assert_eq!(revoked["status"], "revoked");
    server.post(&token, "/verify", &json!({"token": "x"})).await.fails(401, "INVALID_API_KEY", Some("unknown"));
    server.pass(1_000);
    assert_eq!(server.op_post(&path, &json!({})).await.ok(), revoked, "doing it again changes nothing");
    let server = server.restart().await;
    server.post(&token, "/verify", &json!({"token": "x"})).await.fails(401, "INVALID_API_KEY", Some("unknown"));
}

#[tokio::test]
async fn none_gives_what_it_lacks() {
    let server = Server::start().await;
    let (_, narrow) = made(&server, &["keys:verify", "keys:read"]).await;
    for grants in [&["keys:write"][..], &["keys:verify", "users:read"]] {
        let answer = server.post(&narrow, "/operator-keys", &json!({"name": "More", "grants": grants})).await;
        answer.fails(403, "PERMISSION_DENIED", Some("permission"));
    }
    let less = server.post(&narrow, "/operator-keys", &json!({"name": "Less", "grants": ["keys:verify"]})).await;
    assert_eq!(less.created()["operator_key"]["grants"], json!(["keys:verify"]));
}

#[tokio::test]
async fn what_it_could_not_have_made_is_not_there_for_it() {
    let server = Server::start().await;
    let (_, narrow) = made(&server, &["keys:verify"]).await;
    let (peer, _) = made(&server, &["keys:verify"]).await;
    let (wide, wide_token) = made(&server, &["keys:verify", "users:write"]).await;
    let listed = server.get(&narrow, "/operator-keys").await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(server.op_get("/operator-keys").await.ok().as_array().unwrap().len(), 4);
    let revoke = async |id: &str| server.post(&narrow, &format!("/operator-keys/{id}/revoke"), &json!({})).await;
    for id in [wide.as_str(), "opk_00000000000000000000000001", "opk_x"] {
        revoke(id).await.fails(404, "NOT_FOUND", None);
    }
    revoke(&peer).await.ok();
    server.get(&wide_token, "/whoami").await.ok();
}

#[tokio::test]
async fn bad_input() {
    let server = Server::start().await;
    for (body, pointer) in [
        (json!({"name": "", "grants": ["keys:verify"]}), "/name"),
        (json!({"name": "K", "grants": []}), "/grants"),
        (json!({"name": "K", "grants": ["*"]}), "/grants/0"),
        (json!({"name": "K", "grants": ["keys:verify", "Keys:verify"]}), "/grants/1"),
        (json!({"name": "K", "grants": ["keys:verify", "keys:verify"]}), "/grants/1"),
    ] {
        server.op_post("/operator-keys", &body).await.fails_at(&[pointer]);
    }
    for body in
        [json!({"name": "K"}), json!({"name": "K", "grants": "all"}), json!({"name": "K", "grants": [], "id": 1})]
    {
        server.op_post("/operator-keys", &body).await.fails(400, "INVALID_REQUEST", None);
    }
}
