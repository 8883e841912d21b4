//! `/users` and `/user`

use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn a_user_is_made_shown_listed_disabled_and_enabled() {
    let server = Server::start().await;
    server.pass(1);
    let made = server.op_post("/users", &json!({"email": "Ann@Example.com", "name": "Ann"})).await.created();
    assert_eq!(made["email"], "Ann@Example.com");
    assert_eq!((&made["status"], &made["platform_admin"]), (&json!("active"), &json!(false)));
    assert_eq!(made["created_at"], "2026-11-20T19:30:00.001Z");
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("usr_") && id.len() == 30);
    assert_eq!(server.op_get(&format!("/users/{id}")).await.ok(), made);
    assert_eq!(server.op_get("/users").await.ok()[0], made);

    let disabled = server.op_post(&format!("/users/{id}/disable"), &json!({})).await.ok();
    assert_eq!(disabled["status"], "disabled");
    server.pass(1_000);
    let again = server.op_post(&format!("/users/{id}/disable"), &json!({})).await.ok();
    assert_eq!(again, disabled, "doing it again changes nothing");
    assert_eq!(server.op_post(&format!("/users/{id}/enable"), &json!({})).await.ok(), made);
}

#[tokio::test]
async fn an_address_has_one_user_whatever_its_letter_case() {
    let server = Server::start().await;
    server.user("ann@example.com").await;
    for same in ["ann@example.com", "ANN@example.com", "Ann@EXAMPLE.com"] {
        server.op_post("/users", &json!({"email": same})).await.fails(409, "CONFLICT", None);
    }
}

#[tokio::test]
async fn of_eight_at_once_one_gets_the_address() {
    let server = Server::start().await;
    let body = json!({"email": "ann@example.com"});
    let (a, b, c, d) = tokio::join!(
        server.op_post("/users", &body),
        server.op_post("/users", &body),
        server.op_post("/users", &body),
        server.op_post("/users", &body),
    );
    let mut statuses = [a.status, b.status, c.status, d.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

#[tokio::test]
async fn what_is_no_user() {
    let server = Server::start().await;
    for email in ["", "ann", "@example.com", "ann@", "a b@example.com", "ann@example..com", "<a@b>", "a@b\n"] {
        server.op_post("/users", &json!({"email": email})).await.fails_at(&["/email"]);
    }
    for name in ["", " ", "a\nb", "\u{202e}", &"x".repeat(101)] {
        server.op_post("/users", &json!({"email": "a@b", "name": name})).await.fails_at(&["/name"]);
    }
    for body in [json!({}), json!({"email": 1}), json!({"email": "a@b", "platform_admin": true}), json!([])] {
        server.op_post("/users", &body).await.fails(400, "INVALID_REQUEST", None);
    }
    for id in ["usr_00000000000000000000000001", "usr_x", "key_00000000000000000000000001", "x"] {
        server.op_get(&format!("/users/{id}")).await.fails(404, "NOT_FOUND", None);
        server.op_post(&format!("/users/{id}/disable"), &json!({})).await.fails(404, "NOT_FOUND", None);
        server.op_get(&format!("/users/{id}/api-keys")).await.fails(404, "NOT_FOUND", None);
        server.op_post(&format!("/users/{id}/api-keys"), &json!({"name": "K"})).await.fails(404, "NOT_FOUND", None);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let server = Server::start().await;
    for n in 0..7 {
        server.pass(1);
        server.user(&format!("user{n}@example.com")).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/users?limit=3".to_owned());
    loop {
        let page = server.op_get(&path).await;
        seen.extend(page.ok().as_array().unwrap().iter().map(|user| user["email"].clone()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/users?limit=3&cursor={cursor}");
    }
    let expected: Vec<Value> = (0..7).rev().map(|n| json!(format!("user{n}@example.com"))).collect();
    assert_eq!(seen[..7], expected[..]);
    assert_eq!(seen.len(), 8, "and the admin, who was first");
    server.op_get("/users?name=x").await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn a_key_with_user_management_sees_its_owner_and_one_without_does_not() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let trusted = server.key(&ann, &json!({"name": "Trusted", "user_management": true})).await;
    let plain = server.key(&ann, &json!({"name": "Plain"})).await;
    assert_eq!(server.get(&trusted.token, "/user").await.ok()["id"], ann);
    let refused = server.get(&plain.token, "/user").await;
    refused.fails(403, "PERMISSION_DENIED", Some("user_management"));
    assert_eq!(refused.header("www-authenticate"), None, "no scope would help");
    server.op_get("/user").await.fails(403, "PERMISSION_DENIED", Some("user_management"));
    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    server.get(&trusted.token, "/user").await.fails(403, "USER_DISABLED", None);
    server.get(&plain.token, "/user").await.fails(403, "USER_DISABLED", None);
}

#[tokio::test]
async fn attack_42_43_and_48_text_comes_back_as_it_was_put_in() {
    let server = Server::start().await;
    let texts = [
        "<script>alert(1)</script>",
        "\"><img onerror=x>",
        "'; DROP TABLE users; --",
        "=cmd()|' /C calc'!A0",
        "%s%n",
        "𝒜🦷",
    ];
    for (n, name) in texts.into_iter().enumerate() {
        let made =
            server.op_post("/users", &json!({"email": format!("u{n}@example.com"), "name": name})).await.created();
        let shown = server.op_get(&format!("/users/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(shown.ok()["name"], name);
        assert_eq!(shown.header("content-type"), Some("application/json"));
    }
}
