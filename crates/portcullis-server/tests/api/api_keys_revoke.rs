//! `POST /users/{user_id}/api-keys/{key_id}/revoke`

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_revoke_says_when_and_why_and_doing_it_again_changes_nothing() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let path = format!("/users/{ann}/api-keys/{}/revoke", key.id);
    server.pass(1_000);
    let revoked = server.op_post(&path, &json!({"reason": "The laptop was lost"})).await.ok();
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["revoked_at"], "2026-11-20T19:30:01Z");
    assert_eq!(revoked["revoked_reason"], "The laptop was lost");
    server.pass(1_000);
    assert_eq!(server.op_post(&path, &json!({"reason": "Another"})).await.ok(), revoked);
    let without_body = server.request(Method::POST, &path).bearer_auth(&server.operator);
    assert_eq!(server.send(without_body).await.ok(), revoked, "the body may be left out");
}

#[tokio::test]
async fn reasons() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let path = format!("/users/{ann}/api-keys/{}/revoke", key.id);
    for reason in ["", " ", "a\nb", &"x".repeat(201)] {
        server.op_post(&path, &json!({"reason": reason})).await.fails_at(&["/reason"]);
    }
    server.op_post(&path, &json!({"why": "x"})).await.fails(400, "INVALID_REQUEST", None);
    assert_eq!(server.verify(&json!({"token": key.token})).await["valid"], true, "a refusal revokes nothing");
    server.op_post(&path, &json!({"reason": null})).await.ok();
}

#[tokio::test]
async fn attack_57_no_verification_after_the_revoke_returned_is_valid() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    for n in 0..50 {
        let key = server.key(&ann, &json!({"name": format!("{n}")})).await;
        let question = json!({"token": key.token});
        // Others ask all the while, so that the memory is in use when it changes.
        let (_, before) = tokio::join!(server.revoke(&ann, &key), server.verify(&question));
        assert!(before["valid"] == true || before["reason"] == "revoked", "{before}");
        assert_eq!(server.verify(&question).await["reason"], "revoked", "{n}");
    }
}

#[tokio::test]
async fn sixteen_at_once_all_succeed_with_one_and_the_same_end_and_one_event() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let revokes = join_all((0..16).map(|_| server.revoke(&ann, &key))).await;
    assert!(revokes.iter().all(|revoked| *revoked == revokes[0]), "{revokes:?}");
    let events = server.op_get(&format!("/audit-events?target_id={}&action=api_key.revoked", key.id)).await.ok();
    assert_eq!(events.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn attack_35_a_key_that_revokes_itself_makes_no_more_keys() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K", "user_management": true})).await;
    let revoke = format!("/user/api-keys/{}/revoke", key.id);
    server.post(&key.token, &revoke, &json!({})).await.ok();
    let more = server.post(&key.token, "/user/api-keys", &json!({"name": "More"})).await;
    more.fails(401, "INVALID_API_KEY", Some("revoked"));
    server.post(&key.token, &revoke, &json!({})).await.fails(401, "INVALID_API_KEY", Some("revoked"));
}
