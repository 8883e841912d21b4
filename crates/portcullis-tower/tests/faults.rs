//! Portcullis away, slow, or not itself: every request is refused with 503, and the service behind is never called.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_tower::Portcullis;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Api, World};

/// A server that gives the same answer to every request, and keeps what it was asked.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(crate) fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> String {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

/// A server that answers with these bytes and closes; with none, it only closes.
pub(crate) async fn answering(answer: Arc<String>) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = whole(&mut stream).await;
            keeps.lock().unwrap().push(request);
            // A client that has read enough goes away; that is its right.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Fake { url, asked }
}

/// A request with its body.
async fn whole(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let read = stream.read_buf(&mut text).await.unwrap();
        let so_far = String::from_utf8_lossy(&text);
        let length = |head: &str| head.split("content-length: ").nth(1)?.lines().next()?.parse::<usize>().ok();
        let complete = so_far.split_once("\r\n\r\n").is_some_and(|(head, body)| Some(body.len()) == length(head));
        if complete || read == 0 {
            return so_far.into_owned();
        }
    }
}

/// A guard that asks there. A passing test waits for none of its time-outs but those it is about.
fn asking(url: &str) -> Api {
    Api::behind(Portcullis::at(url, "op_live_x").unwrap().timeout(Duration::from_secs(20)).resource("contacts"))
}

fn success(data: &serde_json::Value) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", json!({"success": true, "data": data}))
}

#[tokio::test]
async fn answers_that_are_no_decision() {
    let head = |line: &str| format!("HTTP/1.1 {line}\r\nconnection: close\r\n");
    let valid = json!({"valid": true, "code": "VALID", "businesses": "*", "permissions": []});
    let decision = World::new().await;
    let decision = {
        let key = decision.any_key().await;
        decision.server.post("/verify", json!({"token": key.token})).await
    };
    let body = json!({"success": true, "data": decision}).to_string();
    let huge = format!("{}\r\n{}", head("200 OK"), " ".repeat(3 << 20) + &body);
    let mut contradicting = decision.clone();
    contradicting["valid"] = json!(false);
    let mut unknown = decision.clone();
    (unknown["valid"], unknown["code"], unknown["message"]) = (json!(false), json!("NEW"), json!("No."));
    for answer in [
        String::new(),
        "garbage".to_owned(),
        head("200 OK") + "\r\n",
        head("200 OK") + "\r\ntrue",
        head("200 OK") + "content-length: 5000\r\n\r\n" + &body,
        head("200 OK") + "\r\n" + &json!({"success": false, "data": decision}).to_string(),
        head("201 Created") + "\r\n" + &body,
        head("204 No Content") + "\r\n",
        head("302 Found") + "location: /api/v1/verify\r\n\r\n" + &body,
        head("307 Temporary Redirect") + "location: /api/v1/verify\r\n\r\n",
        head("401 Unauthorized") + "\r\n" + &body,
        head("403 Forbidden") + "\r\n" + &json!({"code": "PERMISSION_DENIED"}).to_string(),
        head("429 Too Many Requests") + "retry-after: 1\r\n\r\n",
        head("500 Internal Server Error") + "\r\n" + &body,
        head("503 Service Unavailable") + "\r\n",
        success(&valid),
        success(&contradicting),
        success(&unknown),
        huge,
    ] {
        let fake = answering(Arc::new(answer)).await;
        let api = asking(&fake.url);
        let refused = api.get("ak_live_x").await;
        refused.fails(503, "UNAVAILABLE", None);
        assert_eq!(refused.header("www-authenticate"), None);
        assert_eq!((fake.requests(), api.calls()), (1, 0), "asked once, and not again");
    }
    // The same fake with an answer that is one lets pass, so that the refusals above are about the answers.
    let fake = answering(Arc::new(success(&decision))).await;
    asking(&fake.url).get("ak_live_x").await.passes();
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let portcullis = Portcullis::at(&url, "op_live_x").unwrap().timeout(Duration::from_millis(100));
    let api = Api::behind(portcullis.resource("contacts"));
    // Connections are taken by the operating system, and then nothing happens on them.
    api.get("ak_live_x").await.fails(503, "UNAVAILABLE", None);
    // More of them than there are connections: those who wait for a turn are answered too.
    let waiting = futures_util::future::join_all((0..100).map(|_| api.get("ak_live_x"))).await;
    for refused in waiting {
        refused.fails(503, "UNAVAILABLE", None);
    }
    drop(listener);
    api.get("ak_live_x").await.fails(503, "UNAVAILABLE", None);
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn portcullis_stops_or_the_operator_key_is_no_good() {
    let world = World::new().await;
    let key = world.any_key().await;
    let api = Api::behind(world.portcullis.resource("contacts"));
    api.get(&key.token).await.passes();

    let made = world.server.post("/operator-keys", json!({"name": "Reads", "grants": ["users:read"]})).await;
    for operator in [made["token"].as_str().unwrap(), "op_live_made_up"] {
        let wrong = Portcullis::at(&world.server.url, operator).unwrap();
        Api::behind(wrong.live_key()).get(&key.token).await.fails(503, "UNAVAILABLE", None);
    }
    let unknown = Api::behind(world.portcullis.resource("no_such_resource"));
    unknown.get(&key.token).await.fails(503, "UNAVAILABLE", None);

    world.server.stop().await;
    api.get(&key.token).await.fails(503, "UNAVAILABLE", None);
    assert_eq!(api.calls(), 1);
}
