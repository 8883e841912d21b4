//! What goes through, and how each denial reads.

use reqwest::Method;
use serde_json::json;

use crate::support::Server;
use crate::world::{Api, World, request};

const REALM: &str = "Bearer realm=\"portcullis\"";
const INVALID_TOKEN: &str = "Bearer realm=\"portcullis\", error=\"invalid_token\"";

#[tokio::test]
async fn a_request_that_may_pass_brings_its_decision_and_nothing_else() {
    let world = World::new().await;
    let key = world.key(json!({"permissions": ["contacts:read"], "metadata": {"plan": "pro"}})).await;
    let api = Api::behind(world.portcullis.resource("contacts"));
    let [token, bearer, scheme] = ["", "bearer ", "Token "].map(|scheme| format!("{scheme}{}", key.token));
    for (name, value) in [("x-api-key", token), ("authorization", bearer), ("authorization", scheme)] {
        let spoofed = [
            (name, &*value),
            ("x-portcullis-user-id", "usr_spoofed"),
            ("X-Portcullis-Businesses", "*"),
            ("x_portcullis_key_id", "key_spoofed"),
            ("x.portcullis.key.id", "key_spoofed"),
            ("x_api_key", "ak_live_spoofed"),
            ("accept", "*/*"),
        ];
        let answer = api.send(request("GET", "/api/contacts", &spoofed)).await;
        let seen = answer.passes();
        assert_eq!((&seen["key_id"], &seen["user_id"]), (&json!(key.id), &json!(key.user)));
        assert_eq!((&seen["businesses"], &seen["business_id"]), (&json!("*"), &json!(null)));
        assert_eq!((&seen["permissions"], &seen["metadata"]), (&json!(["contacts:read"]), &json!({"plan": "pro"})));
        assert_eq!(seen["headers"], json!(["accept"]), "neither the credential nor a made-up identity is left");
        assert_eq!(answer.header("x-ratelimit-limit"), Some("100000000"));
        assert!(answer.header("ratelimit").unwrap().contains("\";r=9999999"), "{answer:?}");
        assert!(answer.header("x-ratelimit-remaining").is_some() && answer.header("x-ratelimit-reset").is_some());
        assert_eq!(answer.header("retry-after"), None);
    }
    assert_eq!(api.calls(), 3);
}

#[tokio::test]
async fn no_credential_and_what_cannot_be_one() {
    let world = World::new().await;
    let api = Api::behind(world.portcullis.resource("contacts"));
    let missing = api.send(request("GET", "/api/contacts", &[])).await;
    missing.fails(401, "INVALID_API_KEY", Some("missing"));
    assert_eq!(missing.header("www-authenticate"), Some(REALM));

    let (long, typo) =
        (format!("Bearer {}", "a".repeat(257)), world.any_key().await.token.replace("ak_live_", "ak_live_0"));
    let typo = format!("Bearer {typo}");
    for wrong in ["Basic YTpi", "Bearer", "Bearer a,b", "Bearer\tak_live_x", "ak_live_x", &long, &typo] {
        let answer = api.send(request("GET", "/api/contacts", &[("authorization", wrong)])).await;
        answer.fails(401, "INVALID_API_KEY", Some("malformed"));
        assert_eq!(answer.header("www-authenticate"), Some(INVALID_TOKEN), "{wrong}");
    }
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn two_credentials_are_refused_even_if_equal() {
    let world = World::new().await;
    let (api, key) = (Api::behind(world.portcullis.live_key()), world.any_key().await);
    let bearer = format!("Bearer {}", key.token);
    for second in [("authorization", &*bearer), ("x-api-key", &*key.token), ("x-api-key", "")] {
        let answer = api.send(request("GET", "/", &[("authorization", &bearer), second])).await;
        answer.fails(400, "AMBIGUOUS_CREDENTIALS", None);
        assert_eq!(answer.header("www-authenticate"), None);
    }
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_the_very_next_request() {
    let world = World::new().await;
    let (api, key) = (Api::behind(world.portcullis.resource("contacts")), world.any_key().await);
    for _ in 0..20 {
        api.get(&key.token).await.passes();
    }
    world.server.revoke(&key).await;
    let answer = api.get(&key.token).await;
    answer.fails(401, "INVALID_API_KEY", Some("revoked"));
    assert_eq!(answer.header("www-authenticate"), Some(INVALID_TOKEN));
    assert_eq!((answer.header("x-ratelimit-limit"), api.calls()), (None, 20));

    let unknown = World::new().await.any_key().await;
    api.get(&unknown.token).await.fails(401, "INVALID_API_KEY", Some("unknown"));
}

#[tokio::test]
async fn what_a_live_key_may_not_do_is_403() {
    let world = World::new().await;
    let api = Api::behind(world.portcullis.resource("contacts"));
    let reader = world.key(json!({"permissions": ["contacts:read"]})).await;
    let denied = api.ask("POST", "/api/contacts", &reader.token).await;
    denied.fails(403, "PERMISSION_DENIED", Some("permission"));
    let challenge = format!("{REALM}, error=\"insufficient_scope\", scope=\"contacts:write\"");
    assert_eq!(denied.header("www-authenticate"), Some(&*challenge));
    assert_eq!(denied.header("x-ratelimit-limit"), Some("100000000"), "it was charged, and is told so");

    let bound = world.key(json!({"allowed_ips": ["203.0.113.0/24"]})).await;
    let answer = api.get(&bound.token).await;
    answer.fails(403, "PERMISSION_DENIED", Some("ip_address"));
    assert_eq!(answer.header("www-authenticate"), None);

    world.server.post(&format!("/users/{}/disable", world.ann), json!({})).await;
    api.get(&reader.token).await.fails(403, "USER_DISABLED", None);
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn a_disabled_business_is_closed() {
    let world = World::new().await;
    let guard = world.portcullis.resource("contacts").business_in_path("/api/{business_id}").unwrap();
    let (api, key) = (Api::behind(guard), world.any_key().await);
    let path = format!("/api/{}/contacts", world.clinic);
    assert_eq!(api.ask("GET", &path, &key.token).await.passes()["business_id"], json!(world.clinic));
    world.server.post(&format!("/businesses/{}/disable", world.clinic), json!({})).await;
    api.ask("GET", &path, &key.token).await.fails(403, "BUSINESS_DISABLED", None);
    world.server.post(&format!("/businesses/{}/enable", world.clinic), json!({})).await;
    let member = format!("/businesses/{}/members/{}", world.clinic, world.ann);
    world.server.operate(Method::PUT, &member, &json!({"role_id": "owner"})).await;
    api.ask("GET", &path, &key.token).await.passes();
}

#[tokio::test]
async fn a_full_window_says_when_to_come_back() {
    let server = Server::with("rate_limit_per_minute = 3\nrate_limit_per_second = 3\n").await;
    let world = World::around(server).await;
    let (api, key) = (Api::behind(world.portcullis.resource("contacts")), world.any_key().await);
    for left in ["2", "1", "0"] {
        let answer = api.get(&key.token).await;
        answer.passes();
        assert_eq!(
            (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")),
            (Some("3"), Some(left))
        );
    }
    let answer = api.get(&key.token).await;
    answer.fails(429, "RATE_LIMITED", None);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(answer.header("ratelimit").unwrap().starts_with("\"minute\";r=0;t="), "{answer:?}");
    assert_eq!((answer.header("www-authenticate"), api.calls()), (None, 3));
}
