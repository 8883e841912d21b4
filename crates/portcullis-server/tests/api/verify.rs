//! `POST /verify`

use http::Method;
use serde_json::{Value, json};

use crate::support::Server;

/// A server, and a user who owns two businesses.
async fn with_owner() -> (Server, String, String, String) {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    server.member(&shop, &ann, "owner").await;
    (server, ann, clinic, shop)
}

fn outcome(decision: &Value) -> (&str, Option<&str>) {
    (decision["code"].as_str().unwrap(), decision["reason"].as_str())
}

#[tokio::test]
async fn an_unrestricted_key_that_inherits_may_all_that_its_owner_may_everywhere() {
    let (server, ann, ..) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "Reporting"})).await;
    let decision = server.verify(&json!({"token": key.token})).await;
    assert_eq!(outcome(&decision), ("VALID", None));
    assert_eq!(decision["businesses"], "*");
    assert_eq!(decision["permissions"].as_array().unwrap().len(), 13);
    assert_eq!(decision["user_management"], false);
    assert_eq!(decision["expires_at"], Value::Null);
    assert_eq!(decision["metadata"], json!({}));
}

#[tokio::test]
async fn a_restricted_key_reaches_its_businesses_and_no_other() {
    let (server, ann, clinic, shop) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "Only one", "business_scope": {"only": [clinic]}})).await;
    let at =
        async |business: &str| server.verify(&json!({"token": key.token, "business_id": business, "cost": 0})).await;
    assert_eq!(outcome(&at(&clinic).await), ("VALID", None));
    let elsewhere = at(&shop).await;
    assert_eq!(outcome(&elsewhere), ("PERMISSION_DENIED", Some("business")));
    // A business of nobody, one that never was, and what is no id at all: the same answer to the letter.
    let foreign = server.business("Of nobody").await;
    for business in [foreign.as_str(), "biz_00000000000000000000000009", "biz_x", "", "%", &clinic.to_uppercase()] {
        assert_eq!(at(business).await, elsewhere, "{business}");
    }
}

#[tokio::test]
async fn attack_31_write_does_not_include_read() {
    let (server, ann, ..) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "Writer", "permissions": ["contacts:write"]})).await;
    let may = async |question: Value| {
        let mut whole = json!({"token": key.token});
        whole.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        server.verify(&whole).await["valid"].as_bool().unwrap()
    };
    assert!(may(json!({"permission": "contacts:write"})).await);
    assert!(!may(json!({"permission": "contacts:read"})).await);
    for (method, allowed) in [
        ("POST", true),
        ("PUT", true),
        ("PATCH", true),
        ("DELETE", true),
        ("GET", false),
        ("HEAD", false),
        ("get", true),
    ] {
        assert_eq!(may(json!({"permission": "contacts", "method": method})).await, allowed, "{method}");
    }
}

#[tokio::test]
async fn a_role_bounds_every_key_as_it_is_now() {
    let (server, _, clinic, shop) = with_owner().await;
    let bob = server.user("bob@example.com").await;
    server.member(&clinic, &bob, "member").await;
    let inherits = server.key(&bob, &json!({"name": "Inherits"})).await;
    let lists = server.key(&bob, &json!({"name": "Lists", "permissions": ["contacts:write", "contacts:read"]})).await;
    let may = async |token: &str, name: &str| {
        server.verify(&json!({"token": token, "permission": name, "business_id": clinic})).await["code"].clone()
    };
    for key in [&inherits, &lists] {
        assert_eq!(may(&key.token, "contacts:write").await, "VALID");
    }
    server.member(&clinic, &bob, "viewer").await;
    for key in [&inherits, &lists] {
        assert_eq!(may(&key.token, "contacts:write").await, "PERMISSION_DENIED");
        assert_eq!(may(&key.token, "contacts:read").await, "VALID");
    }
    server.op_delete(&format!("/businesses/{clinic}/members/{bob}")).await.ok();
    let decision = server.verify(&json!({"token": inherits.token, "business_id": clinic})).await;
    assert_eq!(outcome(&decision), ("PERMISSION_DENIED", Some("business")));
    // And a business that he joins is within reach of his unrestricted key at once.
    server.member(&shop, &bob, "viewer").await;
    assert_eq!(server.verify(&json!({"token": inherits.token, "business_id": shop})).await["valid"], true);
}

#[tokio::test]
async fn attack_30_disabling_stops_and_enabling_starts_again() {
    let (server, ann, clinic, _) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let question = json!({"token": key.token, "business_id": clinic});
    for (path, code) in
        [(format!("/users/{ann}"), "USER_DISABLED"), (format!("/businesses/{clinic}"), "BUSINESS_DISABLED")]
    {
        server.op_post(&format!("{path}/disable"), &json!({})).await.ok();
        let decision = server.verify(&question).await;
        assert_eq!(outcome(&decision), (code, None));
        assert_eq!(decision["key_id"], key.id, "the token was right, so the key is named");
        server.op_post(&format!("{path}/enable"), &json!({})).await.ok();
        assert_eq!(server.verify(&question).await["valid"], true);
    }
}

#[tokio::test]
async fn where_no_business_is_named_the_answer_lists_those_that_grant_the_permission() {
    let (server, ann, clinic, shop) = with_owner().await;
    let bakery = server.business("Bakery").await;
    server.member(&bakery, &ann, "viewer").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let write = server.verify(&json!({"token": key.token, "permission": "calls:write"})).await;
    assert_eq!(write["businesses"], json!([clinic, shop]));
    server.op_post(&format!("/businesses/{shop}/disable"), &json!({})).await.ok();
    let write = server.verify(&json!({"token": key.token, "permission": "calls:write"})).await;
    assert_eq!(write["businesses"], json!([clinic]));
    server.op_post(&format!("/businesses/{clinic}/disable"), &json!({})).await.ok();
    let write = server.verify(&json!({"token": key.token, "permission": "calls:write"})).await;
    assert_eq!(outcome(&write), ("PERMISSION_DENIED", Some("permission")));
    let read = server.verify(&json!({"token": key.token, "permission": "calls:read"})).await;
    assert_eq!(read["businesses"], json!([bakery]));
}

#[tokio::test]
async fn attack_37_at_the_instant_of_its_expiry_a_key_is_dead() {
    let (server, ann, ..) = with_owner().await;
    // The test's clock stands at 19:30 UTC.
    let key = server.key(&ann, &json!({"name": "K", "expires_at": "2026-11-20T20:30:00.500+01:00"})).await;
    let decision = server.verify(&json!({"token": key.token})).await;
    assert_eq!((&decision["valid"], &decision["expires_at"]), (&json!(true), &json!("2026-11-20T19:30:00.5Z")));
    server.pass(499);
    assert_eq!(server.verify(&json!({"token": key.token})).await["valid"], true);
    server.pass(1);
    assert_eq!(outcome(&server.verify(&json!({"token": key.token})).await), ("INVALID_API_KEY", Some("expired")));
    server.pass(90 * 86_400_000);
    assert_eq!(outcome(&server.verify(&json!({"token": key.token})).await), ("INVALID_API_KEY", Some("unknown")));
}

#[tokio::test]
async fn attack_11_the_allow_list_and_the_spellings_of_an_address() {
    let (server, ann, ..) = with_owner().await;
    let wanted = json!({"name": "K", "allowed_ips": ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32",
        "::ffff:192.0.2.0/120"]});
    let key = server.key(&ann, &wanted).await;
    let from = async |address: Value| server.verify(&json!({"token": key.token, "ip_address": address})).await;
    for good in ["203.0.113.9", "192.0.2.200", "198.51.100.7", "::ffff:203.0.113.9", "2001:db8:0:0::1", "2001:DB8::2"] {
        assert_eq!(from(json!(good)).await["valid"], true, "{good}");
    }
    for bad in [json!("203.0.114.9"), json!("198.51.100.8"), json!("2001:db9::1"), Value::Null] {
        assert_eq!(outcome(&from(bad).await), ("PERMISSION_DENIED", Some("ip_address")));
    }
    for wrong in ["", "203.0.113", "0x7f.1", "203.0.113.09", "203.0.113.0/24", "localhost", "[::1]", "fe80::1%eth0"] {
        server.op_post("/verify", &json!({"token": key.token, "ip_address": wrong})).await.fails_at(&["/ip_address"]);
    }
    // The key's own calls to this server come from an address too.
    server.get(&key.token, "/whoami").await.fails(403, "PERMISSION_DENIED", Some("ip_address"));
}

#[tokio::test]
async fn a_path_below_the_users_own_account_needs_user_management() {
    let (server, ann, ..) = with_owner().await;
    let plain = server.key(&ann, &json!({"name": "Plain"})).await;
    let trusted = server.key(&ann, &json!({"name": "Trusted", "user_management": true})).await;
    for (path, needs) in [
        ("/api/v1/user", true),
        ("/api/v1/user/", true),
        ("/api/v1/user/billing?x=1", true),
        ("/api/v1/%75ser", true),
        ("/api/v1/users", false),
        ("/api/v1/contacts", false),
    ] {
        let decision = server.verify(&json!({"token": plain.token, "method": "GET", "path": path})).await;
        let expected = if needs { ("PERMISSION_DENIED", Some("user_management")) } else { ("VALID", None) };
        assert_eq!(outcome(&decision), expected, "{path}");
        assert_eq!(server.verify(&json!({"token": trusted.token, "path": path})).await["valid"], true, "{path}");
    }
    for odd in [
        "",
        "user",
        "//api/v1/user",
        "/api/v1/./user",
        "/api/v1/x/../user",
        "/api/v1%2fuser",
        "/api/v1/user;x",
        "/a\\b",
    ] {
        server.op_post("/verify", &json!({"token": plain.token, "path": odd})).await.fails_at(&["/path"]);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_for_every_member() {
    let (server, ann, ..) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    for permission in ["analytics:write", "contacts:delete", "nothing:read", "contacts", "", "*", "contacts:read "] {
        let answer = server.op_post("/verify", &json!({"token": key.token, "permission": permission})).await;
        answer.fails_at(&["/permission"]);
    }
    let question = json!({"token": key.token, "permission": "x:y", "ip_address": "z", "path": "z", "cost": -1});
    server.op_post("/verify", &question).await.fails_at(&["/ip_address", "/cost", "/permission", "/path"]);
    for (member, value) in [("token", json!(1)), ("permission", json!(["a"])), ("business_id", json!({}))] {
        let mut question = json!({"token": key.token});
        question[member] = value;
        server.op_post("/verify", &question).await.fails(400, "INVALID_REQUEST", None);
    }
    server.op_post("/verify", &json!({"permission": "calls:read"})).await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn tokens_that_are_none_are_malformed_and_an_operators_too() {
    let (server, ..) = with_owner().await;
    for token in
        ["", " ", "x", "ak_live_", &"a".repeat(5_000), "ak_live_é", "\u{0}", "Bearer ak_live_x", &server.operator]
    {
        let decision = server.verify(&json!({"token": token})).await;
        assert_eq!(outcome(&decision), ("INVALID_API_KEY", Some("malformed")), "{token}");
        for member in ["key_id", "user_id", "name", "environment", "metadata", "user_management", "expires_at"] {
            assert_eq!(decision[member], Value::Null, "{member}");
        }
    }
}

#[tokio::test]
async fn an_operator_needs_the_grant() {
    let (server, ann, ..) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "K", "user_management": true})).await;
    let answer = server.post(&key.token, "/verify", &json!({"token": key.token})).await;
    answer.fails(401, "INVALID_API_KEY", Some("unknown"));
    assert_eq!(server.get(&key.token, "/whoami").await.ok()["kind"], "api_key");
    let me = server.op_get("/whoami").await.ok();
    assert_eq!(me["grants"].as_array().unwrap().len(), 9);
}

#[tokio::test]
async fn who_is_answered_without_the_router_is_answered_as_with_it() {
    let (server, ann, clinic, _) = with_owner().await;
    server.patch(&server.operator, &format!("/users/{ann}"), &json!({"platform_admin": true})).await.ok();
    let session = server.sign_in(&ann).await;
    let key = server.key(&ann, &json!({"name": "One", "metadata": {"plan": "pro"}})).await.token;
    let large = format!("{{\"token\":\"{}\"}}", "x".repeat(2 << 20));
    let bodies = [
        format!("{{\"token\":\"{key}\",\"cost\":0}}"),
        format!("{{\"token\":\"{key}\",\"cost\":0,\"business_id\":\"{clinic}\",\"permission\":\"calls:write\"}}"),
        format!("{{\"token\":\"{key}\",\"explain\":true}}"),
        format!("{{\"token\":\"{key}\",\"cost\":0,\"consistency\":\"primary\"}}"),
        format!("{{\"token\":\"{key}\",\"cost\":-1,\"permission\":\"x\",\"ip_address\":\"y\",\"gate\":\"z\"}}"),
        format!("{{\"token\":\"{key}\",\"token\":\"{key}\"}}"),
        format!("[\"{key}\"]"),
        "{\"token\":\"made up\"}".to_owned(),
        "{\"token\":7}".to_owned(),
        "{\"token\":".to_owned(),
        "null".to_owned(),
        String::new(),
        "\u{0}".to_owned(),
        large,
    ];
    for (body, of_type) in bodies.iter().flat_map(|body| [(body, "application/json"), (body, "text/plain")]) {
        let asked = || server.request(Method::POST, "/verify").header("content-type", of_type).body(body.clone());
        let direct = server.send(asked().bearer_auth(&server.operator)).await;
        let by_router = asked().header("cookie", &session.cookie).header("sec-fetch-site", "same-origin");
        let by_router = server.send(by_router).await;
        let seen = |mut answer: crate::support::Answer| {
            if let Some(id) = answer.body.get_mut("request_id") {
                *id = Value::Null;
            }
            let names: std::collections::BTreeSet<_> = answer.headers.keys().map(ToString::to_string).collect();
            (answer.status, answer.body, names)
        };
        assert_eq!(seen(direct), seen(by_router), "{of_type}: {}", body.get(..80).unwrap_or(body));
    }
}
