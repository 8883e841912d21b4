//! `POST /users/{user_id}/api-keys/{key_id}/rotate`

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Key, Server};

async fn with_key(members: Value) -> (Server, String, Key) {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let mut wanted = json!({"name": "K"});
    wanted.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let key = server.key(&ann, &wanted).await;
    (server, ann, key)
}

fn path(user: &str, key: &str) -> String {
    format!("/users/{user}/api-keys/{key}/rotate")
}

async fn passes(server: &Server, token: &Value) -> bool {
    server.verify(&json!({"token": token})).await["valid"].as_bool().unwrap()
}

#[tokio::test]
async fn both_tokens_work_until_the_overlap_is_over() {
    let settings =
        json!({"permissions": ["calls:read"], "metadata": {"a": 1}, "user_management": true, "environment": "test"});
    let (server, ann, key) = with_key(settings.clone()).await;
    server.pass(1_000);
    let rotated = server.op_post(&path(&ann, &key.id), &json!({})).await.created();
    let (new, old) = (&rotated["api_key"], &rotated["previous"]);
    for (member, value) in settings.as_object().unwrap() {
        assert_eq!(new[member], *value, "{member}");
    }
    assert_eq!((&new["rotated_from"], &old["rotated_to"]), (&json!(key.id), &new["id"]));
    assert_eq!(new["family_id"], old["family_id"]);
    assert_eq!((&old["expires_at"], &new["expires_at"]), (&json!("2026-11-21T19:30:01Z"), &json!(null)));
    let old_token = json!(key.token);
    assert!(passes(&server, &old_token).await && passes(&server, &rotated["token"]).await);
    server.pass(86_400_000 - 1);
    assert!(passes(&server, &old_token).await);
    server.pass(1);
    assert!(!passes(&server, &old_token).await && passes(&server, &rotated["token"]).await);

    let server = server.restart().await;
    assert!(!passes(&server, &old_token).await && passes(&server, &rotated["token"]).await);
}

#[tokio::test]
async fn without_overlap_the_old_token_is_dead_when_the_call_returns() {
    let (server, ann, key) = with_key(json!({})).await;
    let rotated = server.op_post(&path(&ann, &key.id), &json!({"overlap_seconds": 0})).await.created();
    assert!(!passes(&server, &json!(key.token)).await && passes(&server, &rotated["token"]).await);
    assert_eq!(rotated["previous"]["status"], "expired");
}

#[tokio::test]
async fn attack_55_an_overlap_never_gives_more_time_than_there_was() {
    let (server, ann, key) = with_key(json!({"expires_at": "2026-11-20T20:00:00Z"})).await;
    let rotated = server.op_post(&path(&ann, &key.id), &json!({"overlap_seconds": 2_592_000})).await.created();
    assert_eq!(rotated["previous"]["expires_at"], "2026-11-20T20:00:00Z");
    assert_eq!(rotated["api_key"]["expires_at"], "2026-11-20T20:00:00Z", "nor does the new key");
    for wrong in [json!(-1), json!(2_592_001), json!(i64::MAX), json!(i64::MIN)] {
        server.op_post(&path(&ann, &key.id), &json!({"overlap_seconds": wrong})).await.fails_at(&["/overlap_seconds"]);
    }
    for wrong in [json!(1.5), json!("1"), json!(u64::MAX)] {
        let answer = server.op_post(&path(&ann, &key.id), &json!({"overlap_seconds": wrong})).await;
        answer.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn attack_55_of_eight_rotations_at_once_one_wins() {
    let (server, ann, key) = with_key(json!({})).await;
    let path = path(&ann, &key.id);
    let answers = join_all((0..8).map(|_| server.op_post(&path, &Value::Null))).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    let lost = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((won, lost), (0, 0), "null is no object");

    let body = json!({});
    let answers = join_all((0..8).map(|_| server.op_post(&path, &body))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!((won.len(), answers.iter().filter(|answer| answer.status == 409).count()), (1, 7));
    let listed = server.op_get(&format!("/users/{ann}/api-keys")).await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_that_ended_has_no_successor() {
    let (server, ann, key) = with_key(json!({})).await;
    server.revoke(&ann, &key).await;
    server.op_post(&path(&ann, &key.id), &json!({})).await.fails(409, "CONFLICT", None);
    let missing = path(&ann, "key_00000000000000000000000001");
    server.op_post(&missing, &json!({})).await.fails(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn attack_26_a_key_rotates_itself_but_none_that_is_more_than_itself() {
    let (server, ann, key) = with_key(json!({"permissions": ["calls:read"], "user_management": true})).await;
    let wide = server.key(&ann, &json!({"name": "Wide"})).await;
    let refused = server.post(&key.token, &format!("/user/api-keys/{}/rotate", wide.id), &json!({})).await;
    refused.fails(403, "PERMISSION_DENIED", Some("permission"));
    let rotated = server.post(&key.token, &format!("/user/api-keys/{}/rotate", key.id), &json!({})).await.created();
    assert!(passes(&server, &rotated["token"]).await);
}
