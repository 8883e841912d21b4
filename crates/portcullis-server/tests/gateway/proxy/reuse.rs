//! Connections to the API are kept, and what to do where one is dead.

use std::time::Duration;

use super::{Api, OK, Proxied, Talk};

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other_and_is_closed_when_nobody_needs_it() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    for line in ["GET /api/contacts", "POST /api/contacts", "HEAD /api/contacts/1", "GET /api/contacts"] {
        let mut client = proxied.client().await;
        client.say(proxied.request(line, &[])).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        if line.starts_with("HEAD") {
            // What this API sends after the head of an answer to HEAD is nobody's, and so the connection is.
            proxied.api.is_left().await;
        }
    }
    let numbers: Vec<_> = proxied.api.seen().iter().map(|seen| seen.number).collect();
    assert_eq!(numbers, [0, 0, 0, 1]);
    proxied.api.is_left().await;
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let api = Api::new(|mut talk: Talk| async move {
        while let Some(seen) = talk.next().await {
            tokio::time::sleep(Duration::from_millis(200)).await;
            talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", seen.line.len(), seen.line)).await;
        }
    });
    let proxied = Proxied::before(api.await).await;
    let asks = (0..20).map(|number| {
        let request = proxied.request(&format!("GET /api/contacts/{number}"), &[]);
        let proxied = &proxied;
        async move { (number, proxied.ask(request).await.text()) }
    });
    for (number, text) in futures_util::future::join_all(asks).await {
        assert_eq!(text, format!("GET /api/contacts/{number} HTTP/1.1"));
    }
}

/// An API that answers the first request of its first connection, and hangs up on the second after it has read it.
async fn forgetful(answers_in_part: bool) -> Proxied {
    let api = Api::new(move |mut talk: Talk| async move {
        let mut answered = 0;
        while talk.next().await.is_some() {
            if talk.number < 2 && answered == 1 {
                if answers_in_part {
                    talk.say("HTTP/1.1 2").await;
                }
                return;
            }
            talk.say(OK).await;
            answered += 1;
        }
    });
    let proxied = Proxied::before(api.await).await;
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &[])).await.status(), 200);
    proxied
}

#[tokio::test]
async fn what_changes_nothing_is_sent_once_more_where_a_kept_connection_died() {
    for line in ["GET /api/contacts", "HEAD /api/contacts"] {
        let proxied = forgetful(false).await;
        let mut client = proxied.client().await;
        client.say(proxied.request(line, &[])).await;
        assert_eq!(client.head().await.unwrap().status(), 200, "{line}");
        let seen = proxied.api.seen();
        assert_eq!(seen.iter().map(|seen| seen.number).collect::<Vec<_>>(), [0, 0, 1], "{line}");
        assert_eq!((&seen[1].line, &seen[1].headers), (&seen[2].line, &seen[2].headers));
    }
}

#[tokio::test]
async fn what_may_change_something_is_never_sent_again() {
    for (line, lines, body) in [
        ("POST /api/contacts", &["Content-Length: 2"][..], "ab"),
        ("POST /api/contacts", &[], ""),
        ("DELETE /api/contacts/1", &[], ""),
        ("PUT /api/contacts/1", &["Transfer-Encoding: chunked"], "2\r\nab\r\n0\r\n\r\n"),
        ("GET /api/contacts", &["Content-Length: 2"], "ab"),
    ] {
        let proxied = forgetful(false).await;
        proxied.ask(proxied.request(line, lines) + body).await.fails(502, "BAD_GATEWAY", None);
        assert_eq!(proxied.api.seen().len(), 2, "{line}");
    }
    // Nor is anything whose answer had begun.
    let proxied = forgetful(true).await;
    proxied.ask(proxied.request("GET /api/contacts", &[])).await.fails(502, "BAD_GATEWAY", None);
    assert_eq!(proxied.api.seen().len(), 2);
}

#[tokio::test]
async fn a_connection_that_ended_unasked_is_not_used_for_anything() {
    let api = Api::new(|mut talk: Talk| async move {
        if talk.next().await.is_some() {
            talk.say(OK).await;
        }
    });
    let proxied = Proxied::before(api.await).await;
    for _ in 0..5 {
        assert_eq!(proxied.ask(proxied.request("POST /api/contacts", &[])).await.status(), 200);
        proxied.api.is_left().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(proxied.api.seen().len(), 5);
}

#[tokio::test]
async fn a_stop_waits_for_what_has_begun() {
    let api = Api::new(|mut talk: Talk| async move {
        while talk.next().await.is_some() {
            talk.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            talk.say("half").await;
        }
    });
    let Proxied { guarded, api, address } = Proxied::before(api.await).await;
    let mut client = Talk::to(address).await;
    let key = &guarded.key.token;
    client.say(format!("GET /api/contacts HTTP/1.1\r\nHost: h\r\nX-API-Key: {key}\r\n\r\n")).await;
    client.head().await.unwrap();
    let stopping = guarded.server.stop();
    assert_eq!(client.exactly(8).await.unwrap(), b"halfhalf");
    assert_eq!(client.line().await, "");
    stopping.await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    api.is_left().await;
}
