//! The requests of the three published designs, for every resource, to read and to write.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::world::{World, send, writable};

/// The three ways to send a key.
fn ways(token: &str) -> [(&'static str, String); 3] {
    [
        ("authorization", format!("Token {token}")),
        ("authorization", format!("Bearer {token}")),
        ("x-api-key", token.to_owned()),
    ]
}

#[tokio::test]
async fn every_resource_is_read_and_written_in_every_way() {
    read_and_write(&World::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_through_nginx() {
    read_and_write(&World::through_nginx().await).await;
}

#[tokio::test]
async fn so_it_is_through_proxy_mode() {
    read_and_write(&World::through_proxy().await).await;
}

async fn read_and_write(world: &World) {
    let only = json!({"business_scope": {"only": [world.clinic]}});
    let key = world.key(only).await;
    for (name, value) in ways(&key.token) {
        let with_key = |request: RequestBuilder| request.header(name, &value);
        for (resource, new, change) in writable() {
            for place in ["/api".to_owned(), format!("/api/v1/business/{}", world.clinic)] {
                let all = format!("{place}/{resource}");
                let ask = async |method: &str, path: &str, body: &Value| {
                    let request = with_key(world.request(method, path));
                    send(if body.is_null() { request } else { request.json(body) }).await
                };
                let made = ask("POST", &all, &new).await;
                let made = made.is(201);
                assert_eq!(made["business_id"], json!(world.clinic));
                let one = format!("{all}/{}", made["id"].as_str().unwrap());
                assert_eq!(ask("GET", &one, &Value::Null).await.is(200), made);
                assert_eq!(ask("GET", &all, &Value::Null).await.is(200), &json!([made]));
                assert_eq!(ask("HEAD", &all, &Value::Null).await.status, 200);
                let changed = ask("PATCH", &one, &change).await;
                let expected = new.as_object().unwrap().iter().chain(change.as_object().unwrap());
                for (field, value) in expected.filter(|(field, _)| change.get(field).is_none()) {
                    assert_eq!(&changed.is(200)[field], value, "{field}");
                }
                for (field, value) in change.as_object().unwrap() {
                    assert_eq!(&changed.is(200)[field], value, "{field}");
                }
                ask("DELETE", &one, &Value::Null).await.is(200);
                ask("GET", &one, &Value::Null).await.fails(404, "NOT_FOUND", None);
                ask("DELETE", &one, &Value::Null).await.fails(404, "NOT_FOUND", None);
                ask("PUT", &all, &new).await.fails(405, "METHOD_NOT_ALLOWED", None);
            }
        }
        // What a published example asks for besides: the account, which a key reaches where it was told so.
        let account = send(with_key(world.request("GET", "/api/v1/user"))).await;
        account.fails(403, "PERMISSION_DENIED", Some("user_management"));
        let analytics = send(with_key(world.request("GET", "/api/analytics"))).await;
        assert_eq!(analytics.column("id"), [&*world.clinic]);
    }
}

#[tokio::test]
async fn read_is_not_write_and_write_is_not_read() {
    let world = World::new().await;
    for (resource, new, change) in writable() {
        let key = async |action: &str| world.key(json!({"permissions": [format!("{resource}:{action}")]})).await;
        let (reader, writer) = (key("read").await, key("write").await);
        let all = format!("/api/v1/business/{}/{resource}", world.shop);
        let denied = world.send(&reader, "POST", &all, &new).await;
        denied.fails(403, "PERMISSION_DENIED", Some("permission"));
        let scope = format!("scope=\"{resource}:write\"");
        assert!(denied.header("www-authenticate").unwrap().ends_with(&scope), "{denied:?}");
        let made = world.send(&writer, "POST", &all, &new).await;
        let one = format!("{all}/{}", made.is(201)["id"].as_str().unwrap());
        for path in [&all, &one] {
            world.get(&writer, path).await.fails(403, "PERMISSION_DENIED", Some("permission"));
            world.get(&reader, path).await.is(200);
        }
        world.send(&reader, "PATCH", &one, &change).await.fails(403, "PERMISSION_DENIED", Some("permission"));
        world.send(&reader, "DELETE", &one, &json!({})).await.fails(403, "PERMISSION_DENIED", Some("permission"));
        world.send(&writer, "PATCH", &one, &change).await.is(200);
        world.send(&writer, "DELETE", &one, &json!({})).await.is(200);
        // A permission for one resource opens no other.
        let other = if resource == "calls" { "leads" } else { "calls" };
        world.get(&reader, &format!("/api/{other}")).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    }
}

#[tokio::test]
async fn analytics_is_computed_and_only_read() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    for (duration, status) in [(60, "answered"), (40, "answered"), (0, "missed")] {
        let call =
            json!({"from": "a", "to": "b", "direction": "inbound", "duration_seconds": duration, "status": status});
        world.send(&key, "POST", &format!("/api/calls?business_id={}", world.clinic), &call).await.is(201);
    }
    world
        .send(&key, "POST", &format!("/api/leads?business_id={}", world.clinic), &json!({"name": "A", "status": "won"}))
        .await
        .is(201);
    let reader = world.key(json!({"permissions": ["analytics:read"]})).await;
    let expected = json!({
        "id": world.clinic, "calls": {"total": 3, "answered": 2, "duration_seconds": 100},
        "leads": {"total": 1, "won": 1}, "contacts": {"total": 0},
    });
    let path = format!("/api/analytics/{}", world.clinic);
    assert_eq!(world.get(&reader, &path).await.is(200), &expected);
    let all = world.get(&reader, "/api/analytics").await;
    assert_eq!((all.is(200).as_array().unwrap().len(), &all.body["data"][0]), (2, &expected));
    world.get(&reader, "/api/calls").await.fails(403, "PERMISSION_DENIED", Some("permission"));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/api/analytics", &path] {
            let answer = world.send(&key, method, path, &json!({})).await;
            answer.fails(405, "METHOD_NOT_ALLOWED", None);
            assert_eq!(answer.header("allow"), Some("GET,HEAD"));
        }
    }
}

#[tokio::test]
async fn the_account_takes_user_management() {
    let world = World::new().await;
    let get = async |token: &str| {
        let request = world.request("GET", "/api/v1/user").header("Authorization", format!("Token {token}"));
        send(request.header("Content-Type", "application/json")).await
    };
    let plain = world.key(json!({})).await;
    get(&plain.token).await.fails(403, "PERMISSION_DENIED", Some("user_management"));
    let trusted = world.key(json!({"user_management": true})).await;
    let account = get(&trusted.token).await;
    assert_eq!((&account.is(200)["id"], &account.is(200)["profile"]["name"]), (&json!(world.ann), &Value::Null));
    let change = json!({"profile": {"name": "Ann"}, "branding": {"color": "#204060"}});
    world.send(&trusted, "PATCH", "/api/v1/user", &change).await.is(200);
    let cleared = json!({"branding": {"color": null, "product_name": "Voice"}});
    let account = world.send(&trusted, "PATCH", "/api/v1/user", &cleared).await;
    assert_eq!(account.is(200)["profile"]["name"], "Ann");
    assert_eq!(account.is(200)["branding"], json!({"product_name": "Voice", "color": null, "logo_url": null}));
    for wrong in [json!({"id": "usr_x"}), json!({"profile": {"role": "owner"}}), json!({"profile": 1})] {
        world.send(&trusted, "PATCH", "/api/v1/user", &wrong).await.fails(400, "INVALID_REQUEST", None);
    }
    // It is the account of the key's owner, whoever that is.
    let bob = world.server.user("bob@example.com").await;
    let key = world.server.key(&bob, json!({"name": "Bob's", "user_management": true})).await;
    let account = get(&key.token).await;
    assert_eq!((&account.is(200)["id"], &account.is(200)["profile"]["name"]), (&json!(bob), &Value::Null));
}

#[tokio::test]
async fn a_revoked_key_is_dead_for_the_next_request() {
    let world = World::new().await;
    let key = world.key(json!({"user_management": true})).await;
    for path in ["/api/contacts", "/api/v1/user"] {
        world.get(&key, path).await.is(200);
    }
    world.server.revoke(&key).await;
    for path in ["/api/contacts", "/api/v1/user", "/api/analytics"] {
        world.get(&key, path).await.fails(401, "INVALID_API_KEY", Some("revoked"));
    }
    send(world.request("GET", "/api/contacts")).await.fails(401, "INVALID_API_KEY", Some("missing"));
    let twice = world.request("GET", "/api/contacts").bearer_auth(&key.token).header("x-api-key", &key.token);
    send(twice).await.fails(400, "AMBIGUOUS_CREDENTIALS", None);
}
