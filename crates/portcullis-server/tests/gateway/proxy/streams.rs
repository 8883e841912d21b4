//! Bodies of any length, in constant memory: who does not read holds up who writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Api, OK, PATIENCE, Proxied, SOON, Talk};

const PIECE: usize = 64 * 1024;
const UPLOAD: usize = 100 * 1024 * 1024;
/// What may be between two ends that do not read: the buffers of three programs and of four sockets.
const AHEAD: usize = 24 * 1024 * 1024;

/// Writes until the other side has taken nothing for a second; how much it was.
async fn write_until_held_up(talk: &mut Talk, most: usize) -> usize {
    let (piece, mut written) = (vec![b'x'; PIECE], 0);
    while written < most {
        let step =
            timeout(Duration::from_secs(1), talk.stream.get_mut().write(&piece[..PIECE.min(most - written)])).await;
        match step {
            Ok(Ok(length)) => written += length,
            _ => break,
        }
    }
    written
}

#[tokio::test]
async fn an_upload_is_held_up_by_an_api_that_does_not_read_and_then_goes_on_to_its_end() {
    let (read_on, total) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (reading, counting) = (Arc::clone(&read_on), Arc::clone(&total));
    let api = Api::new(move |mut talk: Talk| {
        let (reading, counting) = (Arc::clone(&reading), Arc::clone(&counting));
        async move {
            if talk.head().await.is_none() {
                return;
            }
            reading.notified().await;
            let mut buffer = vec![0; PIECE];
            while counting.load(Ordering::SeqCst) < UPLOAD {
                counting.fetch_add(talk.stream.read(&mut buffer).await.unwrap(), Ordering::SeqCst);
            }
            talk.say(OK).await;
        }
    });
    let proxied = Proxied::before(api.await).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("POST /api/contacts", &[&format!("Content-Length: {UPLOAD}")])).await;
    let ahead = write_until_held_up(&mut client, UPLOAD).await;
    assert!(ahead < AHEAD, "the client is {ahead} bytes ahead of an API that does not read");
    read_on.notify_one();
    let rest = vec![b'x'; UPLOAD - ahead];
    timeout(PATIENCE, client.stream.get_mut().write_all(&rest)).await.unwrap().unwrap();
    assert_eq!(client.next().await.unwrap().status(), 200);
    assert_eq!(total.load(Ordering::SeqCst), UPLOAD);
}

#[tokio::test]
async fn an_endless_answer_is_held_up_by_a_client_that_does_not_read_and_ends_with_it() {
    let ahead = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&ahead);
    let api = Api::new(move |mut talk: Talk| {
        let counting = Arc::clone(&counting);
        async move {
            if talk.next().await.is_none() {
                return;
            }
            talk.say("HTTP/1.1 200 OK\r\n\r\n").await;
            let piece = vec![b'x'; PIECE];
            while let Ok(length) = talk.stream.get_mut().write(&piece).await {
                counting.fetch_add(length, Ordering::SeqCst);
            }
        }
    });
    let proxied = Proxied::before(api.await).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("GET /api/contacts", &[])).await;
    assert_eq!(client.head().await.unwrap().status(), 200);
    let mut before = usize::MAX;
    while ahead.load(Ordering::SeqCst) != before {
        before = ahead.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(before < AHEAD, "the API is {before} bytes ahead of a client that does not read");
    // It goes on as soon as the client does, and much further than any memory of it would.
    client.exactly(UPLOAD).await.unwrap();
    assert!(ahead.load(Ordering::SeqCst) >= UPLOAD);
    drop(client);
    proxied.api.is_left().await;
}

#[tokio::test]
async fn pieces_come_through_as_they_come() {
    let proxied = Proxied::before(
        Api::new(|mut talk: Talk| async move {
            let Some(_) = talk.head().await else { return };
            talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            // Each piece of the answer is an answer to one of the request: neither side waits for the end of the other.
            for _ in 0..5 {
                assert_eq!(talk.line().await, "4");
                let piece = talk.line().await;
                talk.say(format!("4\r\n{piece}\r\n")).await;
            }
            talk.say("0\r\n\r\n").await;
            talk.drained().await;
        })
        .await,
    )
    .await;
    let mut client = proxied.client().await;
    client.say(proxied.request("POST /api/contacts", &["Transfer-Encoding: chunked"])).await;
    for number in 0..5 {
        client.say(format!("4\r\nno {number}\r\n")).await;
        if number == 0 {
            assert_eq!(client.head().await.unwrap().status(), 200);
        }
        assert_eq!(client.line().await, "4");
        assert_eq!(client.line().await, format!("no {number}"));
    }
    assert_eq!((client.line().await.as_str(), client.line().await.as_str()), ("0", ""));
    client.say("0\r\n\r\n").await;
    // Nothing follows a chunked body, whose end two readers could see in two places.
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    for answering in [false, true] {
        let api = Api::new(move |mut talk: Talk| async move {
            if talk.next().await.is_none() {
                return;
            }
            if answering {
                talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
            }
            talk.drained().await;
        });
        let proxied = Proxied::before(api.await).await;
        let mut client = proxied.client().await;
        client.say(proxied.request("GET /api/contacts", &[])).await;
        if answering {
            client.head().await.unwrap();
            client.exactly(4).await.unwrap();
        } else {
            proxied.guarded.server.until(async || proxied.api.seen().len() == 1).await;
        }
        drop(client);
        timeout(SOON, proxied.api.is_left()).await.expect("the API sees that nobody waits any more");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_none_for_the_api() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    for lines in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut client = proxied.client().await;
        client.say(proxied.request("POST /api/contacts", &[lines]) + "5\r\nabcde\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(client);
        timeout(SOON, proxied.api.is_left()).await.expect("the API sees that the upload broke off");
    }
    assert!(proxied.api.seen().is_empty(), "{:?}", proxied.api.seen());
}

#[tokio::test]
async fn an_api_may_answer_before_it_has_read_the_body() {
    let early = "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo long";
    let api = Api::new(move |mut talk: Talk| async move {
        if talk.head().await.is_some() {
            talk.exactly(PIECE).await;
            talk.say(early).await;
            // With what is unread the socket is reset: the proxy must have kept the answer, also where it is just writing.
        }
    });
    let proxied = Proxied::before(api.await).await;
    for _ in 0..50 {
        let mut client = proxied.client().await;
        client.say(proxied.request("POST /api/contacts", &[&format!("Content-Length: {UPLOAD}")])).await;
        let (mut reading, mut writing) = client.stream.into_inner().into_split();
        // Clients read while they write, and stop when they are told.
        let uploading = tokio::spawn(async move {
            let _ = writing.write_all(&vec![b'x'; 16 * PIECE]).await;
            writing
        });
        let mut answer = String::new();
        timeout(PATIENCE, reading.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too long"), "{answer}");
        uploading.await.unwrap();
    }
}
