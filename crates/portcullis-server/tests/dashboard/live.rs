//! Pages that look by themselves whether they are still true.

use reqwest::Method;
use serde_json::json;

use super::{browser, visit};
use crate::support::{Server, Session};

const MINUTE: i64 = 60_000;

async fn changes(server: &Server, session: &Session) -> String {
    visit(server, Some(session), Method::GET, "/changes").await.text().await.unwrap()
}

#[tokio::test]
async fn every_edit_has_another_mark() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let session = server.sign_in(&ann).await;
    let before = changes(&server, &session).await;
    assert_eq!(changes(&server, &session).await, before);
    let key = server.key(&ann, &json!({"name": "New"})).await;
    let made = changes(&server, &session).await;
    assert_ne!(made, before);
    server.revoke(&ann, &key).await;
    assert!(![before, made].contains(&changes(&server, &session).await));
}

/// A page that is left open asks every second; its session ends all the same when nobody uses it.
#[tokio::test]
async fn what_asks_by_itself_keeps_no_session_alive() {
    let server = Server::with("session_idle_minutes = 30").await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    let left_alone = server.sign_in(&ann).await;
    let in_use = server.sign_in(&bob).await;
    let by_itself = async || {
        let request = browser().get(format!("{}/changes", server.url)).header("cookie", &left_alone.cookie);
        let request = request.header("hx-request", "true").header("x-portcullis-by-itself", "1");
        request.send().await.unwrap().status().as_u16()
    };
    for minute in 0..40 {
        let expected = if minute < 30 { 200 } else { 401 };
        assert_eq!(by_itself().await, expected, "after {minute} minutes");
        assert_eq!(visit(&server, Some(&in_use), Method::GET, "/api-keys").await.status(), 200);
        server.pass(MINUTE);
    }
}
