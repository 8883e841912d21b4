//! `/oauth2/introspect`, `/oauth2/revoke` and their metadata.

use data_encoding::BASE64;
use reqwest::Method;
use serde_json::{Value, json};

use super::Guarded;
use crate::support::{Answer, START, Server};

/// A POST of a form, by whoever the header says.
async fn post(server: &Server, path: &str, authorization: &str, form: &str) -> Answer {
    let request = server.client.post(format!("{}{path}", server.url)).header("authorization", authorization);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::to(request.body(form.to_owned())).await
}

async fn introspect(server: &Server, form: &str) -> Value {
    let answer = post(server, "/oauth2/introspect", &format!("Bearer {}", server.operator), form).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body
}

#[tokio::test]
async fn an_acceptable_token_is_told_and_may_be_kept_for_half_a_minute() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, business, .. } = &guarded;
    let wanted = json!({"name": "CRM", "permissions": ["contacts:read", "calls:write"],
        "business_scope": {"only": [business]}, "expires_at": "2026-11-20T19:30:20Z"});
    let key = server.key(user, &wanted).await;
    let seconds = START / 1_000;
    let told = introspect(server, &format!("token={}&token_type_hint=access_token", key.token)).await;
    let expected = json!({
        "active": true, "scope": "calls:write contacts:read", "client_id": key.id, "username": user,
        "token_type": "Bearer", "sub": user, "jti": key.id, "iat": seconds, "exp": seconds + 20, "iss": server.url,
        "businesses": [business], "key_expires_at": "2026-11-20T19:30:20Z",
    });
    assert_eq!(told, expected);
    let told = introspect(server, &format!("token={}", guarded.key.token)).await;
    assert_eq!((&told["exp"], &told["businesses"]), (&json!(seconds + 30), &json!("*")));
    assert!(told.get("key_expires_at").is_none());
}

#[tokio::test]
async fn of_any_other_token_nothing_is_told() {
    let guarded = Guarded::with("rate_limit_per_minute = 3\nrate_limit_per_second = 3\n").await;
    let Guarded { server, user, key, .. } = &guarded;
    let inactive = json!({"active": false});
    let revoked = guarded.may(&["contacts:read"]).await;
    server.revoke(user, &revoked).await;
    let expired = server.key(user, &json!({"name": "old", "expires_at": "2026-11-20T19:30:01Z"})).await;
    let office = server.key(user, &json!({"name": "office", "allowed_ips": ["203.0.113.7"]})).await;
    server.pass(1_000);
    for token in ["nonsense", "", &server.operator, &revoked.token, &expired.token, &office.token] {
        assert_eq!(introspect(server, &format!("token={token}")).await, inactive, "{token}");
    }
    let told = introspect(server, &format!("token={}&ip_address=203.0.113.7", office.token)).await;
    assert_eq!(told["active"], true);
    for active in [true, true, true, false] {
        assert_eq!(introspect(server, &format!("token={}", key.token)).await["active"], active);
    }
    server.op_post(&format!("/users/{user}/disable"), &json!({})).await.ok();
    server.pass(60_000);
    assert_eq!(introspect(server, &format!("token={}", key.token)).await, inactive);
}

#[tokio::test]
async fn the_caller_is_an_operator_by_bearer_or_by_basic() {
    let guarded = Guarded::start().await;
    let Guarded { server, key, .. } = &guarded;
    let made = server.op_post("/operator-keys", &json!({"name": "gateway", "grants": ["keys:verify"]})).await.created();
    let (id, token) = (made["operator_key"]["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let basic = |text: String| format!("Basic {}", BASE64.encode(text.as_bytes()));
    let encoded = token.replace('_', "%5F");
    let form = format!("token={}", key.token);
    for authorization in [
        format!("Bearer {token}"),
        basic(format!("{id}:{token}")),
        basic(format!("{}:{encoded}", id.replace('_', "%5f"))).replace("Basic", "basic"),
    ] {
        let answer = post(server, "/oauth2/introspect", &authorization, &form).await;
        assert_eq!((answer.status, &answer.body["active"]), (200, &json!(true)), "{authorization}");
        let revoking = post(server, "/oauth2/revoke", &authorization, &form).await;
        assert_eq!((revoking.status, &revoking.body["error"]), (403, &json!("unauthorized_client")));
        let event = server.op_get("/audit-events?limit=1").await.body["data"][0].clone();
        assert_eq!((&event["action"], &event["actor_id"]), (&json!("call.refused"), &json!(id)), "{event}");
    }
    for authorization in [
        format!("Bearer {}", key.token),
        basic(format!("opk_00000000000000000000000001:{token}")),
        basic(format!("{id}:{}", key.token)),
        basic(format!(":{token}")),
        basic(token.to_owned()),
        "Basic !".to_owned(),
        "Basic".to_owned(),
        format!("Basic {}", "QUFB".repeat(1_000)),
    ] {
        let answer = post(server, "/oauth2/introspect", &authorization, &form).await;
        assert_eq!((answer.status, &answer.body["error"]), (401, &json!("invalid_client")), "{authorization}");
        let scheme = authorization.split(' ').next().unwrap();
        let challenge = answer.header("www-authenticate").unwrap();
        // What is not even two words was no try at Basic.
        let tried = if authorization == "Basic" { "Bearer" } else { scheme };
        assert!(challenge.starts_with(&format!("{tried} realm=\"portcullis\"")), "{authorization}: {challenge}");
        assert!(answer.body.get("active").is_none(), "there are clients that look at nothing else");
    }
    let both = server.client.post(format!("{}/oauth2/introspect", server.url)).bearer_auth(token);
    let answer = Answer::to(both.header("x-api-key", token).body(form.clone())).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn what_is_no_form_with_one_token_is_refused() {
    let guarded = Guarded::start().await;
    let server = &guarded.server;
    let operator = format!("Bearer {}", server.operator);
    for form in ["", "tokn=x", "token=a&token=b", "token=a&ip_address=here"] {
        for path in ["/oauth2/introspect", "/oauth2/revoke"] {
            let answer = post(server, path, &operator, form).await;
            assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_request")), "{form}");
        }
    }
    let json = server.client.post(format!("{}/oauth2/introspect", server.url)).bearer_auth(&server.operator);
    assert_eq!(Answer::to(json.json(&json!({"token": "x"}))).await.status, 400);
    let large = post(server, "/oauth2/introspect", &operator, &format!("token={}", "x".repeat(70_000))).await;
    assert_eq!(large.status, 413);
}

#[tokio::test]
async fn a_token_is_revoked_by_itself() {
    let guarded = Guarded::start().await;
    let Guarded { server, user, key, .. } = &guarded;
    let operator = format!("Bearer {}", server.operator);
    let form = format!("token={}&token_type_hint=access_token", key.token);
    assert_eq!(introspect(server, &form).await["active"], true);
    for _ in 0..2 {
        let answer = post(server, "/oauth2/revoke", &operator, &form).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        assert_eq!(introspect(server, &form).await, json!({"active": false}));
    }
    assert_eq!(post(server, "/oauth2/revoke", &operator, "token=never").await.status, 200);
    let shown = server.op_get(&format!("/users/{user}/api-keys/{}", key.id)).await.ok();
    assert_eq!((&shown["status"], &shown["revoked_reason"]), (&json!("revoked"), &json!("OAuth 2.0 token revocation")));
    let events = server.op_get("/audit-events?limit=1").await.body;
    assert_eq!(events["data"][0]["target_id"], json!(key.id), "{events}");
}

#[tokio::test]
async fn clients_find_the_way_by_the_metadata() {
    let server = Server::start().await;
    let told = server.send(server.request_root("/.well-known/oauth-authorization-server")).await.body;
    assert_eq!(told["issuer"], server.url);
    assert_eq!(told["introspection_endpoint"], format!("{}/oauth2/introspect", server.url));
    assert_eq!(told["revocation_endpoint"], format!("{}/oauth2/revoke", server.url));
    assert_eq!(told["introspection_endpoint_auth_methods_supported"], json!(["client_secret_basic", "Bearer"]));
    assert_eq!(told["revocation_endpoint_auth_methods_supported"], json!(["client_secret_basic"]));
    let wrong = server.client.request(Method::GET, format!("{}/oauth2/introspect", server.url));
    server.send(wrong).await.fails(405, "METHOD_NOT_ALLOWED", None);
}
