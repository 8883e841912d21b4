//! WebSockets, and whatever else an API goes on with after a 101.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Api, OK, Proxied, SOON, Seen, Talk};

const HANDSHAKE: [&str; 4] = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Portcullis-User-Id: leaked\r\n\r\n";

/// An API that says back what it is told after a handshake, and greets first.
async fn echo() -> Api {
    Api::new(|mut talk: Talk| async move {
        let Some(seen) = talk.next().await else { return };
        if seen.all("upgrade").is_empty() {
            talk.say(OK).await;
            return;
        }
        talk.say(format!("{SWITCHED}hello")).await;
        let mut buffer = vec![0; 4096];
        while let Ok(length @ 1..) = talk.stream.read(&mut buffer).await {
            talk.say(&buffer[..length]).await;
        }
        let _ = talk.stream.get_mut().write_all(b"bye").await;
    })
    .await
}

async fn tunnel(proxied: &Proxied, early: &str) -> (Talk, Seen) {
    let mut client = proxied.client().await;
    client.say(proxied.request("GET /api/contacts", &HANDSHAKE) + early).await;
    let head = client.head().await.unwrap();
    assert_eq!(head.status(), 101, "{head:?}");
    assert_eq!(client.exactly(5).await.unwrap(), b"hello");
    (client, head)
}

#[tokio::test]
async fn bytes_go_both_ways_after_a_handshake_and_so_does_the_end() {
    let proxied = Proxied::before(echo().await).await;
    let (mut client, head) = tunnel(&proxied, "early").await;
    assert_eq!((head.one("connection"), head.one("upgrade")), ("upgrade", "websocket"));
    assert_eq!(head.one("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(head.one("x-request-id").starts_with("req_") && head.all("x-portcullis-user-id").is_empty());
    assert!(head.one("ratelimit-policy").contains("minute"));
    let seen = proxied.api.one();
    assert_eq!((seen.one("connection"), seen.one("upgrade")), ("upgrade", "websocket"));
    assert_eq!(seen.one("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(seen.one("x-portcullis-user-id"), proxied.guarded.user);
    assert!(seen.all("x-api-key").is_empty());
    assert_eq!(client.exactly(5).await.unwrap(), b"early");
    for length in [1, 1000, 1_000_000] {
        let sent: Vec<_> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let Talk { stream, .. } = &mut client;
        let (mut from, mut to) = tokio::io::split(stream);
        let mut got = vec![0; length];
        let both = futures_util::future::join(to.write_all(&sent), from.read_exact(&mut got));
        let (wrote, read) = timeout(super::PATIENCE, both).await.unwrap();
        wrote.unwrap();
        read.unwrap();
        assert!(got == sent);
    }
    // Half an end is passed on as half an end.
    client.stream.get_mut().shutdown().await.unwrap();
    assert_eq!(client.exactly(3).await.unwrap(), b"bye");
    assert_eq!(client.drained().await, (0, true));
    proxied.api.is_left().await;
}

#[tokio::test]
async fn a_tunnel_ends_with_its_key() {
    let proxied = Proxied::before(echo().await).await;
    let (mut client, _) = tunnel(&proxied, "").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    client.say("still here").await;
    assert_eq!(client.exactly(10).await.unwrap(), b"still here");
    proxied.revoke().await;
    let (length, in_order) = timeout(SOON, client.drained()).await.expect("it is cut");
    assert_eq!((length, in_order), (0, false));
    proxied.api.is_left().await;
}

#[tokio::test]
async fn a_tunnel_that_nobody_uses_is_closed_and_one_whose_client_is_gone() {
    let idle = |settings: &str| format!("{settings}idle_timeout_seconds = 1\n");
    let proxied = Proxied::with(echo().await, idle).await;
    let (mut client, _) = tunnel(&proxied, "").await;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.say("x").await;
        assert_eq!(client.exactly(1).await.unwrap(), b"x");
    }
    timeout(SOON, client.drained()).await.expect("it is closed");
    let (client, _) = tunnel(&proxied, "").await;
    drop(client);
    timeout(SOON, proxied.api.is_left()).await.expect("the API sees it");
}

#[tokio::test]
async fn no_other_request_makes_a_tunnel() {
    let proxied = Proxied::before(echo().await).await;
    for (line, lines, status) in [
        ("GET /api/contacts", &["Upgrade: websocket"][..], 200),
        ("GET /api/contacts", &["Connection: Upgrade"], 200),
        (
            "GET /api/contacts",
            &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
            200,
        ),
        ("GET /api/contacts", &["Connection: Upgrade", "Upgrade: websocket, H2C"], 200),
        ("GET /api/contacts", &["Connection: Upgrade", "Upgrade: TLS/1.0, HTTP/1.1"], 200),
        ("GET /api/contacts", &["Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"], 200),
        ("POST /api/contacts", &["Connection: Upgrade", "Upgrade: websocket"], 200),
        ("GET /api/contacts", &["Connection: Upgrade", "Upgrade: websocket", "Content-Length: 1"], 200),
    ] {
        let answer = proxied.ask(proxied.request(line, lines) + "x").await;
        assert_eq!(answer.status(), status, "{line} {lines:?}");
        let seen = proxied.api.seen().pop().unwrap();
        assert!(seen.all("upgrade").is_empty() && seen.all("http2-settings").is_empty(), "{seen:?}");
    }
    let count = proxied.api.seen().len();
    let unknown = proxied.request("GET /api/contacts", &HANDSHAKE).replace(proxied.token(), "ak_live_x");
    proxied.ask(unknown).await.fails(401, "INVALID_API_KEY", Some("malformed"));
    assert_eq!(proxied.api.seen().len(), count);
}

#[tokio::test]
async fn an_api_may_refuse_a_handshake_in_its_own_words() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\n{\"no\":\"sock\"}";
    let proxied = Proxied::before(Api::answering(refusal).await).await;
    let answer = proxied.ask(proxied.request("GET /api/contacts", &HANDSHAKE)).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status(), body["no"].as_str()), (403, Some("sock")));
}
