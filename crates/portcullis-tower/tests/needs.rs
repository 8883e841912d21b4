//! What a guard asks for: permissions, user management, businesses, addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::HeaderName;
use portcullis_tower::{Portcullis, SetupError, Unavailable};
use serde_json::json;

use crate::faults::answering;
use crate::support::Server;
use crate::world::{Api, World, request};

#[tokio::test]
async fn the_method_says_the_action() {
    let world = World::new().await;
    let api = Api::behind(world.portcullis.resource("contacts"));
    let reader = world.key(json!({"permissions": ["contacts:read"]})).await;
    let writer = world.key(json!({"permissions": ["contacts:write"]})).await;
    for (method, reads) in
        [("GET", true), ("HEAD", true), ("POST", false), ("PUT", false), ("PATCH", false), ("DELETE", false)]
    {
        let may = async |token: &str| api.ask(method, "/api/contacts", token).await.status == 200;
        assert_eq!((may(&reader.token).await, may(&writer.token).await), (reads, !reads), "{method}");
    }
    let exact = Api::behind(world.portcullis.permission("contacts:write"));
    exact.get(&writer.token).await.passes();
    exact.get(&reader.token).await.fails(403, "PERMISSION_DENIED", Some("permission"));
}

#[tokio::test]
async fn user_management_is_a_flag_of_its_own() {
    let world = World::new().await;
    let (account, live) = (Api::behind(world.portcullis.user_management()), Api::behind(world.portcullis.live_key()));
    let plain = world.any_key().await;
    let trusted = world.key(json!({"user_management": true})).await;
    let refused = account.get(&plain.token).await;
    refused.fails(403, "PERMISSION_DENIED", Some("user_management"));
    assert_eq!(refused.header("www-authenticate"), None);
    account.get(&trusted.token).await.passes();
    live.get(&plain.token).await.passes();
}

#[tokio::test]
async fn a_business_is_named_or_the_request_is_refused() {
    let world = World::new().await;
    let shop = world.server.business("Bike Shop", &world.ann).await;
    let key = world.key(json!({"business_scope": {"only": [world.clinic]}})).await;
    let bearer = format!("Bearer {}", key.token);
    let in_header =
        Api::behind(world.portcullis.resource("contacts").business_in_header(HeaderName::from_static("x-business-id")));
    let ask = async |headers: &[(&str, &str)]| {
        let all: Vec<_> = [("authorization", &*bearer)].into_iter().chain(headers.iter().copied()).collect();
        in_header.send(request("GET", "/api/contacts", &all)).await
    };
    let answer = ask(&[("x-business-id", &world.clinic)]).await;
    assert_eq!(answer.passes()["business_id"], json!(world.clinic));
    assert_eq!(answer.body["businesses"], json!([world.clinic]));
    for elsewhere in [&*shop, "biz_00000000000000000000000001", "no id"] {
        ask(&[("x-business-id", elsewhere)]).await.fails(403, "PERMISSION_DENIED", Some("business"));
    }
    let long = "b".repeat(129);
    let twice = [("x-business-id", &*world.clinic), ("x-business-id", &*world.clinic)];
    for unclear in [&[][..], &[("x-business-id", "")], &[("x-business-id", &*long)], &twice] {
        ask(unclear).await.fails(400, "INVALID_REQUEST", None);
    }
    assert_eq!(in_header.calls(), 1);

    let in_path = world.portcullis.resource("contacts").business_in_path("/api/{business_id}").unwrap();
    let in_path = Api::behind(in_path);
    in_path.ask("GET", &format!("/api/{}/contacts", world.clinic), &key.token).await.passes();
    for path in ["/other", "/api//x", "/api/%2e%2e/x", "/api"] {
        in_path.ask("GET", path, &key.token).await.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn a_business_that_is_not_named_leaves_those_of_the_key() {
    let world = World::new().await;
    let key = world.key(json!({"business_scope": {"only": [world.clinic]}})).await;
    let guard = world.portcullis.resource("contacts").business(|parts| match parts.uri.query() {
        Some("unclear") => Err("Say which business.".to_owned()),
        query => Ok(query.map(str::to_owned)),
    });
    let api = Api::behind(guard);
    let unnamed = api.ask("GET", "/", &key.token).await;
    assert_eq!((&unnamed.passes()["business_id"], &unnamed.body["businesses"]), (&json!(null), &json!([world.clinic])));
    assert_eq!(
        api.ask("GET", &format!("/?{}", world.clinic), &key.token).await.passes()["business_id"],
        json!(world.clinic)
    );
    let refused = api.ask("GET", "/?unclear", &key.token).await;
    refused.fails(400, "INVALID_REQUEST", None);
    assert_eq!(refused.body["detail"], "Say which business.");
}

#[tokio::test]
async fn all_businesses_are_those_of_the_owner() {
    let world = World::new().await;
    let mut own = vec![world.clinic.clone()];
    for number in 0..120 {
        own.push(world.server.business(&format!("Shop {number}"), &world.ann).await);
    }
    let bob = world.server.user("bob@example.com").await;
    world.server.business("Bob's", &bob).await;
    let disabled = own.pop().unwrap();
    world.server.post(&format!("/businesses/{disabled}/disable"), json!({})).await;
    let listed = world.portcullis.businesses_of(world.ann.parse().unwrap()).await.unwrap();
    let mut listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
    listed.sort();
    own.sort();
    assert_eq!(listed, own);

    let nobody = "usr_00000000000000000000000001".parse().unwrap();
    assert_eq!(world.portcullis.businesses_of(nobody).await, Err(Unavailable));
    let made = world.server.post("/operator-keys", json!({"name": "Verifies", "grants": ["keys:verify"]})).await;
    let verifies = Portcullis::at(&world.server.url, made["token"].as_str().unwrap()).unwrap();
    assert_eq!(verifies.businesses_of(world.ann.parse().unwrap()).await, Err(Unavailable));
}

#[tokio::test]
async fn an_allow_list_is_held_against_the_address_of_the_client() {
    let world = World::new().await;
    let key = world.key(json!({"allowed_ips": ["203.0.113.0/24"]})).await;
    let guard = world.portcullis.live_key();
    let guard = guard.address(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip()));
    let api = Api::behind(guard);
    for (address, passes) in [("203.0.113.7", true), ("::ffff:203.0.113.7", true), ("198.51.100.1", false)] {
        let mut request = request("GET", "/", &[("x-api-key", &key.token)]);
        let address: IpAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 1))));
        assert_eq!(api.send(request).await.status == 200, passes, "{address}");
    }
    api.get(&key.token).await.fails(403, "PERMISSION_DENIED", Some("ip_address"));
}

#[tokio::test]
async fn a_gate_is_asked_with_method_and_path_as_they_came() {
    let denial = r#"{"success":true,"data":{"valid":false,"code":"PERMISSION_DENIED","reason":"permission",
        "message":"No.","businesses":[],"permissions":[]}}"#;
    let server = answering(Arc::new(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{denial}"))).await;
    let portcullis = Portcullis::at(&server.url, "op_live_x").unwrap();
    let api = Api::behind(portcullis.gate("crm"));
    let answer = api.ask("PATCH", "/api/contacts/1?a=%2F&a", "ak_live_x").await;
    answer.fails(403, "PERMISSION_DENIED", Some("permission"));
    let challenge = "Bearer realm=\"portcullis\", error=\"insufficient_scope\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    let asked = server.last();
    assert!(asked.contains("authorization: Bearer op_live_x\r\n"), "{asked}");
    assert!(asked.starts_with("POST /api/v1/verify HTTP/1.1\r\n"), "{asked}");
    let (_, body) = asked.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = json!({"token": "ak_live_x", "gate": "crm", "method": "PATCH", "path": "/api/contacts/1?a=%2F&a"});
    assert_eq!(body, expected);

    let long = format!("/{}", "a".repeat(20_000));
    api.ask("GET", &long, "ak_live_x").await.fails(400, "INVALID_REQUEST", None);
    assert_eq!((server.requests(), api.calls()), (1, 0));
}

const GATE: &str = r#"
rate_limit_per_minute = 100_000_000
rate_limit_per_second = 100_000_000

[[gate.crm.rule]]
methods = ["*"]
path = "/api/{business_id}/contacts/**"
permission = "contacts"

[[gate.crm.rule]]
methods = ["GET"]
path = "/api/leads"
permission = "leads:read"
business = { header = "X-Business-Id" }

[[gate.crm.rule]]
methods = ["GET"]
path = "/api/status"
needs = "live_key"
"#;

#[tokio::test]
async fn the_rules_of_a_gate_decide() {
    let world = World::around(Server::with(GATE).await).await;
    let shop = world.server.business("Bike Shop", &world.ann).await;
    let key =
        world.key(json!({"permissions": ["contacts:read", "leads:read"], "business_scope": {"only": [world.clinic]}}));
    let key = key.await;
    let guard = world.portcullis.gate("crm").business_in_header(HeaderName::from_static("x-business-id"));
    let api = Api::behind(guard);
    let ask = async |method: &str, path: &str, business: Option<&str>| {
        let mut headers = vec![("x-api-key", &*key.token)];
        headers.extend(business.map(|business| ("x-business-id", business)));
        api.send(request(method, path, &headers)).await
    };
    let contacts = format!("/api/{}/contacts/1?a=b", world.clinic);
    // The rule takes the business from the path, and does not look at the header.
    for header in [None, Some(&*shop)] {
        assert_eq!(ask("GET", &contacts, header).await.passes()["business_id"], json!(world.clinic));
    }
    let denied = ask("POST", &contacts, None).await;
    denied.fails(403, "PERMISSION_DENIED", Some("permission"));
    ask("GET", &format!("/api/{shop}/contacts"), None).await.fails(403, "PERMISSION_DENIED", Some("business"));
    // This one takes it from the header, which then must be there.
    assert_eq!(ask("GET", "/api/leads", Some(&world.clinic)).await.passes()["business_id"], json!(world.clinic));
    ask("GET", "/api/leads", Some(&shop)).await.fails(403, "PERMISSION_DENIED", Some("business"));
    ask("GET", "/api/leads", None).await.fails(400, "INVALID_REQUEST", None);
    ask("GET", "/api/status", None).await.passes();
    assert_eq!(api.calls(), 4);
    // What no rule fits, or could be read in two ways, is denied as every other surface denies it.
    for path in ["/api/other", "/api//status", "/api/x/../status", "/api/%73tatus/..%2f", "/API/status"] {
        let answer = ask("GET", path, None).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (403, Some("PERMISSION_DENIED")),
            "{path}: {answer:?}"
        );
    }
    let unknown = Api::behind(world.portcullis.gate("no_such_gate"));
    unknown.get(&key.token).await.fails(503, "UNAVAILABLE", None);
    assert_eq!((api.calls(), unknown.calls()), (4, 0));
}

#[test]
fn what_no_layer_can_be_made_of() {
    assert!(matches!(Portcullis::at("127.0.0.1:7373", "op_live_x"), Err(SetupError::Address)));
    let portcullis = Portcullis::at("http://127.0.0.1:7373", "op_live_x").unwrap();
    let pattern = portcullis.live_key().business_in_path("/api/v1/business");
    assert!(matches!(pattern, Err(SetupError::Pattern)));
}
