//! Who passes, who does not, and what each of them is told.

use std::time::Duration;

use serde_json::json;

use super::{Api, OK, Proxied};

const ALL: &str = "calls:read,calls:write,leads:read,leads:write,agents:read,agents:write,analytics:read,contacts:read,\
                   contacts:write,knowledge_base:read,knowledge_base:write,integrations:read,integrations:write";

#[tokio::test]
async fn who_may_passes_and_the_api_is_told_who_it_is() {
    let proxied =
        Proxied::before(Api::answering("HTTP/1.1 201 Made\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nok").await).await;
    let (business, key, user) = (&proxied.guarded.business, &proxied.guarded.key, &proxied.guarded.user);
    let path = format!("/api/v1/business/{business}/contacts/7?x=/../y&z");
    let answer = proxied.ask(proxied.request(&format!("PUT {path}"), &["Content-Length: 3"]) + "abc").await;
    assert_eq!((answer.status(), answer.text().as_str(), answer.one("x-own")), (201, "ok", "1"));
    assert!(answer.one("ratelimit-policy").contains("\"minute\""));
    assert!(answer.one("x-request-id").starts_with("req_"));
    let seen = proxied.api.one();
    assert_eq!((seen.line.as_str(), seen.text().as_str()), (&format!("PUT {path} HTTP/1.1") as &str, "abc"));
    for (name, value) in [
        ("host", "api.example"),
        ("content-length", "3"),
        ("x-portcullis-key-id", &key.id),
        ("x-portcullis-user-id", user),
        ("x-portcullis-business-id", business),
        ("x-portcullis-businesses", business),
        ("x-portcullis-permissions", ALL),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "api.example"),
        ("x-request-id", answer.one("x-request-id")),
        ("via", "1.1 portcullis"),
    ] {
        assert_eq!(seen.one(name), value, "{name}");
    }
    assert!(seen.all("x-api-key").is_empty() && seen.all("authorization").is_empty());
}

#[tokio::test]
async fn each_kind_of_denial_has_its_code_and_the_api_never_hears_of_it() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let guarded = &proxied.guarded;
    let foreign = guarded.server.business("Foreign").await;
    let reads = guarded.may(&["contacts:read"]).await;
    let gone = guarded.may(&["contacts:read"]).await;
    guarded.server.revoke(&guarded.user, &gone).await;
    let ask = async |line: &str, credential: &str| {
        let answer = proxied.ask(format!("{line} HTTP/1.1\r\nHost: h\r\n{credential}\r\n\r\n")).await;
        assert!(proxied.api.seen().is_empty(), "{line}");
        answer
    };
    let by = |token: &str| format!("Authorization: Bearer {token}");
    let (key, none) = (by(proxied.token()), "X-Nothing: 1");
    let missing = ask("GET /api/contacts", none).await;
    missing.fails(401, "INVALID_API_KEY", Some("missing"));
    assert_eq!(missing.one("www-authenticate"), "Bearer realm=\"portcullis\"");
    let revoked = ask("GET /api/contacts", &by(&gone.token)).await;
    revoked.fails(401, "INVALID_API_KEY", Some("revoked"));
    assert_eq!(revoked.one("www-authenticate"), "Bearer realm=\"portcullis\", error=\"invalid_token\"");
    ask("GET /api/contacts", &by("ak_live_x")).await.fails(401, "INVALID_API_KEY", Some("malformed"));
    let two = format!("{key}\r\nX-API-Key: {}", proxied.token());
    ask("GET /api/contacts", &two).await.fails(400, "AMBIGUOUS_CREDENTIALS", None);
    let lacks = ask("DELETE /api/contacts/1", &by(&reads.token)).await;
    lacks.fails(403, "PERMISSION_DENIED", Some("permission"));
    let scope = "Bearer realm=\"portcullis\", error=\"insufficient_scope\", scope=\"contacts:write\"";
    assert_eq!(lacks.one("www-authenticate"), scope);
    let elsewhere = format!("GET /api/v1/business/{foreign}/contacts");
    ask(&elsewhere, &key).await.fails(403, "PERMISSION_DENIED", Some("business"));
    ask("GET /api/v1/user", &key).await.fails(403, "PERMISSION_DENIED", Some("user_management"));
    ask("GET /elsewhere", &key).await.fails(403, "PERMISSION_DENIED", Some("no_rule"));
    ask("OPTIONS /api/contacts", &key).await.fails(403, "PERMISSION_DENIED", Some("no_rule"));
    ask("GET /api/calls", &key).await.fails(400, "INVALID_REQUEST", None);
    // The body of who may not pass is not waited for.
    let upload = format!("{none}\r\nContent-Length: 1000000\r\nExpect: 100-continue");
    let refused = ask("POST /api/contacts", &upload).await;
    refused.fails(401, "INVALID_API_KEY", Some("missing"));
    assert_eq!(refused.one("connection"), "close");
    // A key in the query is none, where the gate does not say so.
    let in_query = format!("GET /api/contacts?api_key={}", proxied.token());
    ask(&in_query, none).await.fails(401, "INVALID_API_KEY", Some("missing"));
    let text = guarded.server.op_metrics().await;
    assert!(text.contains("portcullis_decisions_total{code=\"PERMISSION_DENIED\",surface=\"proxy\"} 5"), "{text}");
    assert!(text.contains("portcullis_request_duration_seconds_count{part=\"proxy\"} 12"), "{text}");
}

#[tokio::test]
async fn what_needs_nothing_passes_without_a_key_and_names_nobody() {
    let proxied = Proxied::with(Api::answering(OK).await, |settings| {
        settings
            .replace("methods = [\"GET\"]\npath = \"/health\"", "methods = [\"GET\", \"OPTIONS\"]\npath = \"/health\"")
    })
    .await;
    for line in ["GET /health", "OPTIONS /health?x"] {
        for credential in ["", "Authorization: Bearer nonsense\r\n", "X-Portcullis-User-Id: usr_spoofed\r\n"] {
            let answer = proxied.ask(format!("{line} HTTP/1.1\r\nHost: h\r\n{credential}\r\n")).await;
            assert_eq!(answer.status(), 200);
        }
    }
    for seen in proxied.api.seen() {
        for name in ["key-id", "user-id", "business-id", "businesses", "permissions"] {
            assert_eq!(seen.one(&format!("x-portcullis-{name}")), "");
        }
        assert!(seen.all("authorization").is_empty());
    }
    assert_eq!(proxied.api.seen().len(), 6);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_uses_are_counted() {
    let limits = "rate_limit_per_minute = 2\nrate_limit_per_second = 2\n";
    let proxied = Proxied::with(Api::answering(OK).await, |settings| format!("{limits}{settings}")).await;
    for _ in 0..2 {
        assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &[])).await.status(), 200);
    }
    let limited = proxied.ask(proxied.request("GET /api/contacts", &[])).await;
    limited.fails(429, "RATE_LIMITED", None);
    assert!(limited.one("retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(limited.one("x-ratelimit-remaining"), "0");
    assert_eq!(proxied.api.seen().len(), 2);
    let (server, user, key) = (&proxied.guarded.server, &proxied.guarded.user, &proxied.guarded.key);
    server.pass(Duration::from_mins(2).as_millis().try_into().unwrap());
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &[])).await.status(), 200);
    let path = format!("/users/{user}/api-keys/{}/usage?window=24h", key.id);
    server.until(async || server.op_get(&path).await.ok()["totals"] == json!({"VALID": 3, "RATE_LIMITED": 1})).await;
}

#[tokio::test]
async fn a_revoke_is_in_force_with_the_next_request_on_the_same_connection() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("GET /api/contacts", &[])).await;
    assert_eq!(client.next().await.unwrap().status(), 200);
    proxied.revoke().await;
    client.say(proxied.request("GET /api/contacts", &[])).await;
    client.next().await.unwrap().fails(401, "INVALID_API_KEY", Some("revoked"));
    assert_eq!(proxied.api.seen().len(), 1);
}
