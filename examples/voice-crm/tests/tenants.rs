//! Whose rows a key sees.

use reqwest::Method;
use serde_json::json;

use crate::world::{World, send};

#[tokio::test]
async fn a_key_sees_the_businesses_that_it_reaches_and_no_others() {
    let world = World::new().await;
    let everywhere = world.key(json!({})).await;
    let restricted = world.key(json!({"business_scope": {"only": [world.clinic]}})).await;
    let in_clinic = world.contact(&everywhere, &world.clinic, "In the clinic").await;
    let in_shop = world.contact(&everywhere, &world.shop, "In the shop").await;
    // Somebody else, with a business and a row of their own.
    let bob = world.server.user("bob@example.com").await;
    let garage = world.server.business("Garage", &bob).await;
    let bobs = world.server.key(&bob, json!({"name": "Bob's"})).await;
    let in_garage = world.contact(&bobs, &garage, "In the garage").await;

    assert_eq!(world.get(&everywhere, "/api/contacts").await.column("id"), [&*in_shop, &in_clinic]);
    assert_eq!(world.get(&restricted, "/api/contacts").await.column("id"), [&*in_clinic]);
    assert_eq!(world.get(&bobs, "/api/contacts").await.column("id"), [&*in_garage]);

    // Another's row is not there, whatever is done with it, and wherever it is looked for.
    for (key, foreign) in
        [(&everywhere, &in_garage), (&restricted, &in_garage), (&restricted, &in_shop), (&bobs, &in_clinic)]
    {
        let path = format!("/api/contacts/{foreign}");
        world.get(key, &path).await.fails(404, "NOT_FOUND", None);
        world.send(key, "PATCH", &path, &json!({"name": "Mine"})).await.fails(404, "NOT_FOUND", None);
        world.send(key, "DELETE", &path, &json!({})).await.fails(404, "NOT_FOUND", None);
    }
    world.get(&everywhere, &format!("/api/v1/business/{}/contacts/{in_shop}", world.clinic)).await.fails(
        404,
        "NOT_FOUND",
        None,
    );
    world.get(&everywhere, &format!("/api/leads/{in_clinic}")).await.fails(404, "NOT_FOUND", None);
    for (key, business) in [(&everywhere, &garage), (&restricted, &world.shop), (&bobs, &world.clinic)] {
        for path in [format!("/api/v1/business/{business}/contacts"), format!("/api/contacts?business_id={business}")] {
            world.get(key, &path).await.fails(403, "PERMISSION_DENIED", Some("business"));
        }
        world.get(key, &format!("/api/analytics/{business}")).await.fails(404, "NOT_FOUND", None);
    }
    assert_eq!(world.get(&bobs, &format!("/api/contacts/{in_garage}")).await.is(200)["name"], "In the garage");
}

#[tokio::test]
async fn a_business_is_named_in_three_ways_but_only_one() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    let in_clinic = world.contact(&key, &world.clinic, "Ada").await;
    world.contact(&key, &world.shop, "Grace").await;
    let named = format!("/api/contacts?business_id={}", world.clinic);
    assert_eq!(world.get(&key, &named).await.column("id"), [&*in_clinic]);
    let with = |path: &str, business: &str| {
        send(world.request("GET", path).bearer_auth(&key.token).header("X-Business-Id", business))
    };
    assert_eq!(with("/api/contacts", &world.clinic).await.column("id"), [&*in_clinic]);
    assert_eq!(with(&named, &world.clinic).await.column("id"), [&*in_clinic]);
    with(&named, &world.shop).await.fails(400, "INVALID_REQUEST", None);
    with(&format!("/api/v1/business/{}/contacts", world.clinic), &world.shop).await.fails(400, "INVALID_REQUEST", None);
    world.get(&key, &format!("{named}&business_id={}", world.shop)).await.fails(400, "INVALID_REQUEST", None);
    with("/api/contacts", "").await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn something_new_needs_one_business_to_belong_to() {
    let world = World::new().await;
    let everywhere = world.key(json!({})).await;
    let unclear = world.send(&everywhere, "POST", "/api/contacts", &json!({"name": "Ada"})).await;
    unclear.fails(422, "VALIDATION_FAILED", None);
    assert!(unclear.body["errors"][0]["detail"].as_str().unwrap().contains("X-Business-Id"), "{unclear:?}");
    // A key that reaches one business means that one; so does one whose owner has no other.
    let restricted = world.key(json!({"business_scope": {"only": [world.clinic]}})).await;
    let made = world.send(&restricted, "POST", "/api/contacts", &json!({"name": "Ada"})).await;
    assert_eq!(made.is(201)["business_id"], json!(world.clinic));
    world
        .server
        .operate(
            Method::DELETE,
            &format!("/businesses/{}/members/{}", world.shop, replace_owner(&world).await),
            &json!({}),
        )
        .await;
    let made = world.send(&everywhere, "POST", "/api/contacts", &json!({"name": "Grace"})).await;
    assert_eq!(made.is(201)["business_id"], json!(world.clinic));
}

/// Gives the shop another owner, so that Ann can leave it.
async fn replace_owner(world: &World) -> &str {
    let carol = world.server.user("carol@example.com").await;
    let member = format!("/businesses/{}/members/{carol}", world.shop);
    world.server.operate(Method::PUT, &member, &json!({"role_id": "owner"})).await;
    &world.ann
}

#[tokio::test]
async fn what_happens_to_a_membership_holds_for_the_next_request() {
    let world = World::new().await;
    let everywhere = world.key(json!({})).await;
    for business in [&world.clinic, &world.shop] {
        world.contact(&everywhere, business, "Ada").await;
    }
    let businesses = async || {
        let mut seen = world.get(&everywhere, "/api/contacts").await.column("business_id");
        seen.sort();
        seen
    };
    let both = vec![world.clinic.clone(), world.shop.clone()];
    assert_eq!(businesses().await, both);
    replace_owner(&world).await;
    let member = format!("/businesses/{}/members/{}", world.shop, world.ann);
    // In a business where her role cannot write, Ann's key cannot; where it can, it can.
    world.server.operate(Method::PUT, &member, &json!({"role_id": "viewer"})).await;
    assert_eq!(businesses().await, both);
    let path = format!("/api/v1/business/{}/contacts", world.shop);
    let denied = world.send(&everywhere, "POST", &path, &json!({"name": "B"})).await;
    denied.fails(403, "PERMISSION_DENIED", Some("permission"));
    let made = world.send(&everywhere, "POST", "/api/contacts", &json!({"name": "B"})).await;
    assert_eq!(made.is(201)["business_id"], json!(world.clinic), "it is the only one that can be meant");

    world.server.operate(Method::DELETE, &member, &json!({})).await;
    assert_eq!(businesses().await, [&*world.clinic, &world.clinic]);
    world.server.operate(Method::PUT, &member, &json!({"role_id": "member"})).await;
    assert_eq!(businesses().await, [&*world.clinic, &world.clinic, &world.shop]);
    world.server.post(&format!("/businesses/{}/disable", world.shop), json!({})).await;
    assert_eq!(businesses().await, [&*world.clinic, &world.clinic]);
    world.get(&everywhere, &path).await.fails(403, "BUSINESS_DISABLED", None);
    world.server.post(&format!("/users/{}/disable", world.ann), json!({})).await;
    world.get(&everywhere, "/api/contacts").await.fails(403, "USER_DISABLED", None);
}

#[tokio::test]
async fn without_portcullis_nothing_is_shown() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    world.get(&key, "/api/contacts").await.is(200);
    let World { server, url, http, .. } = world;
    server.stop().await;
    let answer = send(http.get(format!("{url}/api/contacts")).bearer_auth(&key.token)).await;
    answer.fails(503, "UNAVAILABLE", None);
}
