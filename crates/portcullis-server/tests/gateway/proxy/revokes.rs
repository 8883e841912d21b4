//! What is under way when its key ends is cut within a second, and never looks whole.

use std::time::Duration;

use portcullis_engines::Postgres;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::{Api, Proxied, SOON, Talk, upstream};
use crate::support::Server;

/// An API whose answers never end.
async fn endless() -> Api {
    Api::new(|mut talk: Talk| async move {
        if talk.next().await.is_none() {
            return;
        }
        talk.say("HTTP/1.1 200 OK\r\n\r\n").await;
        while talk.stream.get_mut().write_all(b"more ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

/// A download that has begun.
async fn download(proxied: &Proxied, version: &str) -> Talk {
    let mut client = proxied.client().await;
    client.say(proxied.request("GET /api/contacts", &[]).replace("HTTP/1.1", &format!("HTTP/{version}"))).await;
    assert_eq!(client.head().await.unwrap().status(), 200);
    client.exactly(100).await.unwrap();
    client
}

#[tokio::test]
async fn a_long_download_ends_with_its_key() {
    let proxied = Proxied::before(endless().await).await;
    for version in ["1.1", "1.0"] {
        let proxied = Proxied::before(endless().await).await;
        let mut client = download(&proxied, version).await;
        proxied.revoke().await;
        let (_, in_order) = timeout(SOON, client.drained()).await.expect("it is cut");
        assert!(!in_order, "HTTP/{version}: the end looks like one");
        proxied.api.is_left().await;
    }
    // What others do goes on.
    let mut other = download(&proxied, "1.1").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    other.exactly(100).await.unwrap();
}

#[tokio::test]
async fn whatever_ends_a_key_ends_what_it_has_under_way() {
    for ends in ["expiry", "user", "permission"] {
        let proxied = Proxied::before(endless().await).await;
        let (server, user) = (&proxied.guarded.server, &proxied.guarded.user);
        let expires = json!({"name": "short", "expires_at": "2026-11-20T20:30:00Z"});
        let key = server.key(user, &expires).await;
        let mut client = proxied.client().await;
        client.say(proxied.request("GET /api/contacts", &[]).replace(proxied.token(), &key.token)).await;
        client.exactly(100).await.unwrap();
        match ends {
            "expiry" => server.pass(3_600_000),
            "user" => {
                server.op_post(&format!("/users/{user}/disable"), &json!({})).await.ok();
            }
            _ => {
                let path = format!("/users/{user}/api-keys/{}", key.id);
                server.patch(&server.operator, &path, &json!({"permissions": ["calls:read"]})).await.ok();
            }
        }
        let (_, in_order) = timeout(SOON, client.drained()).await.expect("it is cut");
        assert!(!in_order, "{ends}");
    }
}

#[tokio::test]
async fn an_upload_whose_answer_has_not_begun_is_answered_with_what_happened() {
    let api = Api::new(|mut talk: Talk| async move {
        talk.head().await;
        talk.drained().await;
    });
    let proxied = Proxied::before(api.await).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("POST /api/contacts", &["Content-Length: 1000"]) + "some").await;
    // Also where the client stays silent.
    proxied.revoke().await;
    let answer = timeout(SOON, client.next()).await.expect("it is cut").unwrap();
    answer.fails(401, "INVALID_API_KEY", Some("revoked"));
    assert_eq!(answer.one("connection"), "close");
    proxied.api.is_left().await;
}

#[tokio::test]
async fn a_download_that_its_client_does_not_take_ends_too() {
    let api = Api::new(|mut talk: Talk| async move {
        if talk.next().await.is_none() {
            return;
        }
        talk.say("HTTP/1.1 200 OK\r\n\r\n").await;
        let piece = vec![b'x'; 64 * 1024];
        while talk.stream.get_mut().write_all(&piece).await.is_ok() {}
    });
    let proxied = Proxied::before(api.await).await;
    let client = download(&proxied, "1.1").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxied.revoke().await;
    timeout(SOON, proxied.api.is_left()).await.expect("the API is let go");
    drop(client);
}

#[tokio::test]
async fn what_needs_no_key_is_nobodys_to_end() {
    let proxied = Proxied::before(endless().await).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("GET /health", &[])).await;
    client.head().await.unwrap();
    proxied.revoke().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.exactly(100).await.unwrap();
}

#[tokio::test]
async fn a_revoke_on_another_node_is_as_quick_and_without_a_lease_nothing_goes_on() {
    let api = endless().await;
    let settings = format!("lease_ms = 1000\nslack_ms = 100\n{}", upstream(&api));
    let first = Server::node(&settings).await;
    let second = first.beside(&settings).await;
    let (ann, _) = first.owner_of("ann@example.com", "Dental Clinic").await;
    let begin = async |path: &str, token: &str| {
        let mut client = Talk::to(second.proxies[0].1).await;
        client.say(format!("GET {path} HTTP/1.1\r\nHost: h\r\nX-API-Key: {token}\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        client
    };
    let (gone, live) = (first.key(&ann, &json!({"name": "G"})).await, first.key(&ann, &json!({"name": "L"})).await);
    let mut revoked = begin("/api/contacts", &gone.token).await;
    let mut other = begin("/api/contacts", &live.token).await;
    let mut public = begin("/health", &live.token).await;
    first.revoke(&ann, &gone).await;
    let (_, in_order) = timeout(SOON, revoked.drained()).await.expect("it is cut");
    assert!(!in_order);
    other.exactly(100).await.unwrap();
    // Nobody can renew a lease in a table that is not there.
    Postgres::shared().sql(first.database(), "ALTER TABLE leases RENAME TO away");
    let (_, in_order) = timeout(SOON * 2, other.drained()).await.expect("it is cut");
    assert!(!in_order);
    public.exactly(500).await.unwrap();
}
