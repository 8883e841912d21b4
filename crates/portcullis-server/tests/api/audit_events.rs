//! `GET /audit-events` and `GET /businesses/{business_id}/audit-events`

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::support::Server;

async fn actions(server: &Server, path: &str) -> Vec<String> {
    let events = server.op_get(path).await.ok();
    events.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_edit_leaves_its_event_with_who_what_and_from_where() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let clinic = server.business("Dental Clinic").await;
    server.member(&clinic, &ann, "owner").await;
    let key = server.key(&ann, &json!({"name": "K", "user_management": true})).await;
    let own = server.post(&key.token, "/user/api-keys", &json!({"name": "Made by a key"})).await.created();
    let path = format!("/users/{ann}/api-keys/{}", key.id);
    server.patch(&server.operator, &path, &json!({"name": "Renamed"})).await.ok();
    server.op_post(&format!("{path}/rotate"), &json!({})).await.created();
    server.op_post(&format!("{path}/revoke"), &json!({"reason": "Lost"})).await.ok();
    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    server.op_post(&format!("/businesses/{clinic}/disable"), &json!({})).await.ok();
    let expected = [
        "business.disabled",
        "user.disabled",
        "api_key.revoked",
        "api_key.created",
        "api_key.rotated",
        "api_key.updated",
        "api_key.created",
        "api_key.created",
        "member.set",
        "business.created",
        "user.created",
        "operator_key.created",
        "user.created",
    ];
    assert_eq!(actions(&server, "/audit-events").await, expected);

    let made = server.op_get(&format!("/audit-events?target_id={}", own["api_key"]["id"].as_str().unwrap())).await.ok();
    let event = &made[0];
    assert_eq!((&event["actor_kind"], &event["actor_id"]), (&json!("api_key"), &json!(key.id)));
    assert_eq!((&event["address"], &event["user_id"]), (&json!("127.0.0.1"), &json!(ann)));
    assert!(event["request_id"].as_str().unwrap().starts_with("req_"));
    assert_eq!((&event["before"], &event["after"]["name"]), (&Value::Null, &json!("Made by a key")));
    let updated = server.op_get("/audit-events?action=api_key.updated").await.ok();
    assert_eq!((&updated[0]["before"]["name"], &updated[0]["after"]["name"]), (&json!("K"), &json!("Renamed")));
    let revoked = server.op_get("/audit-events?action=api_key.revoked").await.ok();
    assert_eq!(revoked[0]["after"]["reason"], "Lost");
    assert!(!server.op_get("/audit-events").await.text.contains(&key.token[8..40]));
}

#[tokio::test]
async fn what_changed_nothing_leaves_nothing() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    server.revoke(&ann, &key).await;
    let before = actions(&server, "/audit-events").await;
    server.revoke(&ann, &key).await;
    server.member(&clinic, &ann, "owner").await;
    server.op_post(&format!("/users/{ann}/enable"), &json!({})).await.ok();
    server.op_post("/users", &json!({"email": "no"})).await.fails_at(&["/email"]);
    assert_eq!(actions(&server, "/audit-events").await, before);
}

#[tokio::test]
async fn filters_and_pages() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    server.pass(60_000);
    server.member(&shop, &ann, "viewer").await;
    let of_clinic = format!("/businesses/{clinic}/audit-events");
    assert_eq!(actions(&server, &of_clinic).await, ["member.set", "business.created"]);
    assert_eq!(actions(&server, "/audit-events?from=2026-11-20T19:31:00Z").await, ["member.set"]);
    assert_eq!(actions(&server, "/audit-events?to=2026-11-20T19:31:00Z&action=member.set").await.len(), 1);
    assert_eq!(actions(&server, "/audit-events?actor_id=nobody").await.len(), 0);

    let (mut numbers, mut path) = (Vec::new(), "/audit-events?limit=2".to_owned());
    loop {
        let page = server.op_get(&path).await;
        numbers.extend(page.ok().as_array().unwrap().iter().map(|event| event["number"].as_i64().unwrap()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/audit-events?limit=2&cursor={cursor}");
    }
    assert_eq!(numbers, (1..=7).rev().collect::<Vec<_>>());
    let cursor = server.op_get("/audit-events?limit=2").await.body["next_cursor"].clone();
    let foreign = format!("/audit-events?limit=2&action=member.set&cursor={}", cursor.as_str().unwrap());
    server.op_get(&foreign).await.fails(400, "INVALID_REQUEST", None);
    for bad in ["from=yesterday", "to=", "colour=red", "limit=0"] {
        server.op_get(&format!("/audit-events?{bad}")).await.fails(400, "INVALID_REQUEST", None);
    }
    let missing = "/businesses/biz_00000000000000000000000001/audit-events";
    server.op_get(missing).await.fails(404, "NOT_FOUND", None);
}

/// The chain is walked on the store of a running server, and hangs together over restarts.
#[tokio::test]
async fn attack_52_the_chain_is_whole() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let server = server.restart().await;
    server.key(&ann, &json!({"name": "K"})).await;
    let mut numbers = Vec::new();
    let config = server.config();
    let whole = portcullis_server::audit::walk(&config, |event, _| {
        numbers.push(event.number);
        ControlFlow::Continue(())
    });
    assert_eq!(whole.await.unwrap(), Ok(6));
    assert_eq!(numbers, (1..=6).collect::<Vec<_>>());
}

#[tokio::test]
async fn refused_calls_and_sign_ins_leave_their_trace() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let bob = server.user("bob@example.com").await;
    server.member(&clinic, &bob, "member").await;
    let (ann, bob_session) = (server.sign_in(&ann).await, server.sign_in(&bob).await);
    let key = server.key(&bob, &json!({"name": "K"})).await;
    let member = format!("/businesses/{clinic}/members/{bob}");
    server.by(&bob_session, "PUT", &member, &json!({"role_id": "owner"})).await.fails(
        403,
        "PERMISSION_DENIED",
        Some("permission"),
    );
    server.post(&key.token, "/user/api-keys", &json!({"name": "More"})).await.fails(
        403,
        "PERMISSION_DENIED",
        Some("user_management"),
    );
    server.get(&key.token, "/users").await.fails(401, "INVALID_API_KEY", Some("unknown"));
    // A made-up token is nobody's, and what a key may ask about itself is no management.
    server.get("ak_live_x", "/users").await.fails(401, "INVALID_API_KEY", Some("malformed"));
    server.verify(&json!({"token": key.token, "permission": "calls:read", "business_id": "biz_x"})).await;

    let refused = server.op_get("/audit-events?action=call.refused").await.ok();
    let told: Vec<_> = refused
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let after = &event["after"];
            (
                text(&event["actor_kind"]),
                text(&event["actor_id"]),
                text(&after["method"]),
                text(&after["path"]),
                text(&after["code"]),
            )
        })
        .collect();
    let line = |kind: &str, id: &str, method: &str, path: &str, code: &str| {
        (kind.to_owned(), id.to_owned(), method.to_owned(), format!("/api/v1{path}"), code.to_owned())
    };
    assert_eq!(
        told,
        [
            line("api_key", &key.id, "GET", "/users", "INVALID_API_KEY"),
            line("api_key", &key.id, "POST", "/user/api-keys", "PERMISSION_DENIED"),
            line("user", &bob, "PUT", &member, "PERMISSION_DENIED"),
        ]
    );
    // Whoever looks after the business's log finds what concerns it.
    let seen = server.by_get(&ann, &format!("/businesses/{clinic}/audit-events?action=call.refused")).await.ok();
    assert_eq!(seen.as_array().unwrap().len(), 1);

    let body = json!({"email": "bob@example.com", "password": "wrong horse battery"});
    server.send(server.request(reqwest::Method::POST, "/session").json(&body)).await.fails(
        401,
        "INVALID_CREDENTIALS",
        None,
    );
    let events = server.op_get(&format!("/audit-events?target_id={bob}&action=session.refused")).await.ok();
    assert_eq!((&events[0]["actor_kind"], &events[0]["address"]), (&json!("anonymous"), &json!("127.0.0.1")));
    let begun = server.op_get(&format!("/audit-events?actor_id={bob}&action=session.created")).await.ok();
    assert_eq!(begun[0]["target_id"], json!(bob_session.id));
    assert!(!server.op_get("/audit-events").await.text.contains("wrong horse"));
}

/// Who was disabled is told no, and it is known who asked.
#[tokio::test]
async fn a_session_of_a_disabled_user_leaves_its_trace_too() {
    let server = Server::start().await;
    let bob = server.user("bob@example.com").await;
    let session = server.sign_in(&bob).await;
    server.op_post(&format!("/users/{bob}/disable"), &json!({})).await.ok();
    server.by_get(&session, "/user").await.fails(403, "USER_DISABLED", None);
    let events = server.op_get(&format!("/audit-events?actor_id={bob}&action=call.refused")).await.ok();
    assert_eq!(events[0]["after"]["code"], "USER_DISABLED");
}

/// A key that concerns one business alone is found in that business's log.
#[tokio::test]
async fn a_business_sees_what_happens_to_keys_that_are_its_own() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let own = server.key(&ann, &json!({"name": "Own", "business_scope": {"only": [clinic]}})).await;
    server.key(&ann, &json!({"name": "Everywhere"})).await;
    server.revoke(&ann, &own).await;
    let path = format!("/businesses/{clinic}/audit-events");
    assert_eq!(actions(&server, &path).await, ["api_key.revoked", "api_key.created", "member.set", "business.created"]);
}

#[tokio::test]
async fn filters_narrow_whatever_index_they_take() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let operator = server.op_get("/whoami").await.ok()["key_id"].as_str().unwrap().to_owned();
    server.pass(1_000);
    let count =
        async |query: &str| server.op_get(&format!("/audit-events?{query}")).await.ok().as_array().unwrap().len();
    assert_eq!(count(&format!("actor_id={operator}")).await, 3);
    assert_eq!(count(&format!("actor_id={operator}&action=member.set")).await, 1);
    assert_eq!(count(&format!("target_id={ann}&actor_id={operator}&action=user.created")).await, 1);
    assert_eq!(count("action=member.set&from=2026-11-20T19:30:00.500Z").await, 0);
    assert_eq!(count("to=2026-11-20T19:30:00.500Z").await, 5);
    assert_eq!(count("actor_id=opk_x").await, 0);
}

/// The head is signed; whoever kept it can tell a log that was cut, and one that was written anew.
#[tokio::test]
async fn attack_52_a_head_that_was_kept_shows_a_cut_tail() {
    use portcullis_core::audit_head::SignedHead;

    let server = Server::start().await;
    let head = async || -> SignedHead {
        server.op_get("/audit-events/head").await.ok()["head"].as_str().unwrap().parse().unwrap()
    };
    let first = head().await;
    server.user("ann@example.com").await;
    let second = head().await;
    assert!(first.is_genuine() && second.is_genuine());
    assert_eq!((second.number, second.public_key), (first.number + 1, first.public_key));
    let mut hashes = Vec::new();
    let config = server.config();
    let walk = portcullis_server::audit::walk(&config, |event, hash| {
        hashes.push((event.number, *hash));
        ControlFlow::Continue(())
    });
    walk.await.unwrap().unwrap();
    assert!(hashes.contains(&(first.number, first.hash)) && hashes.contains(&(second.number, second.hash)));
}
