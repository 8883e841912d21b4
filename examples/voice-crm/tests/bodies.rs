//! What is sent, and how lists are read.

use serde_json::{Value, json};

use crate::world::{World, send};

#[tokio::test]
async fn bodies_are_checked() {
    let world = World::new().await;
    let key = world.key(json!({"business_scope": {"only": [world.clinic]}})).await;
    let id = world.contact(&key, &world.clinic, "Ada").await;
    let one = format!("/api/contacts/{id}");
    for (sent, pointer) in [
        (json!({}), "/name"),
        (json!({"name": null}), "/name"),
        (json!({"name": ""}), "/name"),
        (json!({"name": "a".repeat(101)}), "/name"),
        (json!({"name": "A", "notes": "a".repeat(2_001)}), "/notes"),
    ] {
        let answer = world.send(&key, "POST", "/api/contacts", &sent).await;
        answer.fails(422, "VALIDATION_FAILED", None);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{sent}");
    }
    let wrong = world.send(&key, "POST", "/api/calls", &json!({"direction": "up", "duration_seconds": 86_401})).await;
    assert_eq!(wrong.body["errors"].as_array().unwrap().len(), 4, "{wrong:?}");
    for sent in
        [json!({"name": "A", "id": "x"}), json!({"name": 1}), json!({"business_id": world.shop}), json!([]), json!(1)]
    {
        world.send(&key, "POST", "/api/contacts", &sent).await.fails(400, "INVALID_REQUEST", None);
        world.send(&key, "PATCH", &one, &sent).await.fails(400, "INVALID_REQUEST", None);
    }
    world.send(&key, "PATCH", &one, &json!({"name": null})).await.fails(422, "VALIDATION_FAILED", None);
    let changed = world.send(&key, "PATCH", &one, &json!({"notes": "x", "phone": null})).await;
    assert_eq!((&changed.is(200)["name"], &changed.is(200)["notes"]), (&json!("Ada"), &json!("x")));
    let cleared = world.send(&key, "PATCH", &one, &json!({"notes": null})).await;
    assert_eq!(cleared.is(200)["notes"], Value::Null);

    let post = |content_type: &str, body: String| {
        let request = world.request("POST", "/api/contacts").bearer_auth(&key.token);
        send(request.header("content-type", content_type).body(body))
    };
    post("text/plain", "{}".to_owned()).await.fails(415, "UNSUPPORTED_MEDIA_TYPE", None);
    post("application/json", "{".to_owned()).await.fails(400, "INVALID_REQUEST", None);
    post("application/json", r#"{"name": "a", "name": "b"}"#.to_owned()).await.fails(400, "INVALID_REQUEST", None);
    post("application/json", format!("{{\"name\": \"{}\"}}", "a".repeat(70_000))).await.fails(
        413,
        "PAYLOAD_TOO_LARGE",
        None,
    );
    post("application/json; charset=utf-8", r#"{"name": "Ok"}"#.to_owned()).await.is(201);
    world.get(&key, "/api/nothing").await.fails(404, "NOT_FOUND", None);
    world.get(&key, "/api/contacts/%ff").await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    let mut made = Vec::new();
    for number in 0..7 {
        let business = if number % 2 == 0 { &world.clinic } else { &world.shop };
        made.push(world.contact(&key, business, &format!("Number {number}")).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&key, &format!("/api/contacts?limit=3{cursor}")).await;
        seen.extend(page.column("id"));
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first: {seen:?}");
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
    let page = world.get(&key, "/api/analytics?limit=1").await;
    let next = page.body["next_cursor"].as_str().unwrap();
    let rest = world.get(&key, &format!("/api/analytics?limit=1&cursor={next}")).await;
    assert_eq!([page.column("id"), rest.column("id")].concat(), [&*world.clinic, &world.shop]);
    assert_eq!(rest.body["next_cursor"], Value::Null);
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=%20", "limit=1&limit=2", "page=2"] {
        world.get(&key, &format!("/api/contacts?{wrong}")).await.fails(400, "INVALID_REQUEST", None);
    }
}
