//! Behind a gateway the answers are the same, and nobody else's word is taken.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Key;
use crate::world::{Answer, World, send};

/// Asks Portcullis by forward auth, as a gateway does, and goes on to the CRM with what it is told, where the request may pass.
async fn through(world: &World, crm: &str, key: &Key, method: &str, path: &str, body: &Value) -> Answer {
    let asking = world.http.get(format!("{}/auth/crm", world.server.url)).bearer_auth(&key.token);
    let asked = send(asking.header("x-forwarded-method", method).header("x-forwarded-uri", path)).await;
    if asked.status != 200 {
        return asked;
    }
    let request = world.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{crm}{path}"));
    let identity = asked.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-portcullis-"));
    let request = identity.fold(request, |request, (name, value)| request.header(name, value));
    send(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test]
async fn the_answers_are_the_same() {
    let world = World::new().await;
    let crm = world.behind("127.0.0.1").await;
    let everywhere = world.key(json!({"user_management": true})).await;
    let restricted = world.key(json!({"business_scope": {"only": [world.clinic]}})).await;
    let reader = world.key(json!({"permissions": ["contacts:read"]})).await;
    let revoked = world.key(json!({})).await;
    world.server.revoke(&revoked).await;
    let bob = world.server.user("bob@example.com").await;
    let garage = world.server.business("Garage", &bob).await;
    let bobs = world.server.key(&bob, json!({"name": "Bob's"})).await;
    let in_clinic = world.contact(&everywhere, &world.clinic, "Ada").await;
    let in_shop = world.contact(&everywhere, &world.shop, "Grace").await;
    let in_garage = world.contact(&bobs, &garage, "Bob").await;
    for key in [&everywhere, &restricted, &reader, &revoked, &bobs] {
        for path in [
            "/api/contacts".to_owned(),
            "/api/calls".to_owned(),
            "/api/v1/user".to_owned(),
            "/api/contacts?limit=0".to_owned(),
            format!("/api/contacts/{in_clinic}"),
            format!("/api/contacts/{in_shop}"),
            format!("/api/contacts/{in_garage}"),
            format!("/api/contacts?business_id={}", world.clinic),
            format!("/api/contacts?business_id={garage}"),
            format!("/api/v1/business/{}/contacts", world.shop),
            format!("/api/v1/business/{garage}/contacts"),
        ] {
            let direct = world.get(key, &path).await;
            let through = through(&world, &crm, key, "GET", &path, &Value::Null).await;
            assert_eq!(through.status, direct.status, "{path}: {through:?} {direct:?}");
            let parts = ["data", "code", "reason", "message"];
            assert_eq!(parts.map(|part| &through.body[part]), parts.map(|part| &direct.body[part]), "{path}");
        }
        let new = json!({"name": "New"});
        let made = async |answer: Answer| {
            (answer.status, answer.body["data"]["business_id"].clone(), answer.body["code"].clone())
        };
        let direct = made(world.send(key, "POST", "/api/contacts", &new).await).await;
        assert_eq!(made(through(&world, &crm, key, "POST", "/api/contacts", &new).await).await, direct);
    }
}

#[tokio::test]
async fn headers_are_believed_from_the_gateway_alone() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    world.contact(&key, &world.clinic, "Ada").await;
    let ask = async |crm: &str, headers: &[(&str, &str)]| {
        let request = world.http.get(format!("{crm}/api/contacts"));
        send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    let identity = [
        ("x-portcullis-user-id", &*world.ann),
        ("x-portcullis-businesses", "*"),
        ("x-portcullis-permissions", "contacts:read"),
    ];
    let (trusting, other) = (world.behind("127.0.0.1").await, world.behind("203.0.113.1").await);
    assert_eq!(ask(&trusting, &identity).await.column("business_id"), [&*world.clinic]);
    // Not to a CRM that asks by itself, and not from elsewhere.
    ask(&world.url, &identity).await.fails(401, "INVALID_API_KEY", Some("missing"));
    ask(&other, &identity).await.fails(401, "INVALID_API_KEY", Some("missing"));
    // A key means nothing here: nobody has looked at it.
    let bearer = format!("Bearer {}", key.token);
    ask(&trusting, &[("authorization", &bearer)]).await.fails(401, "INVALID_API_KEY", Some("missing"));
    let empty = [("x-portcullis-user-id", ""), ("x-portcullis-businesses", "*")];
    ask(&trusting, &empty).await.fails(401, "INVALID_API_KEY", Some("missing"));

    // What the gateway did not ask for is not there.
    let [user, everywhere, _] = identity;
    ask(&trusting, &[user, everywhere]).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    let nowhere = [user, ("x-portcullis-businesses", ""), identity[2]];
    assert_eq!(ask(&trusting, &nowhere).await.is(200), &json!([]));
    let twice = [user, user, everywhere, identity[2]];
    ask(&trusting, &twice).await.fails(503, "UNAVAILABLE", None);
    let unreadable = [user, ("x-portcullis-businesses", "everywhere"), identity[2]];
    ask(&trusting, &unreadable).await.fails(503, "UNAVAILABLE", None);
    // Of two words about the business, only what both allow is left.
    let of_shop =
        [user, everywhere, identity[2], ("x-portcullis-business-id", &*world.shop), ("x-business-id", &*world.clinic)];
    ask(&trusting, &of_shop).await.fails(403, "PERMISSION_DENIED", Some("business"));
}
