//! What is no request, or not one request, is answered with a problem and a closed connection.

use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::{ConnectionLimits, SHORT, assert_problem, limits, read_all, replies, start};

/// The one answer to `bytes` is this problem, and the connection is closed behind it.
async fn assert_refused(bytes: impl AsRef<[u8]>, status: u16, code: &str) {
    let running = start(limits()).await;
    let shown = String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]).into_owned();
    let replies = running.exchange(bytes).await;
    assert_eq!(replies.len(), 1, "{shown:?}");
    assert_problem(&replies[0], status, code);
}

#[tokio::test]
async fn attack_15_malformed_requests_are_refused() {
    for request in [
        "\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h/@evil?\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
        "GET / HTTP/9.1\r\nHost: h\r\n\r\n",
        "GET /\u{7f} HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded: b\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n",
    ] {
        assert_refused(request, 400, "INVALID_REQUEST").await;
    }
}

#[tokio::test]
async fn attack_15_requests_of_two_lengths_are_refused() {
    const SMUGGLED: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "transfer-encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "Transfer-Encoding: chunked\r\n , identity\r\n",
        "Content-Length: 5\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: h\r\n{headers}\r\n0\r\n\r\n{SMUGGLED}");
        assert_refused(request, 400, "INVALID_REQUEST").await;
    }
    assert_refused(format!("GET / HTTP/1.1\nHost: h\n\n{SMUGGLED}"), 400, "INVALID_REQUEST").await;
    assert_refused(
        format!("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
        400,
        "INVALID_REQUEST",
    )
    .await;
}

#[tokio::test]
async fn attack_15_an_ambiguous_request_is_refused_however_it_arrives() {
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
        Content-Length: 5\r\n\r\n0\r\n\r\n";
    let running = start(limits()).await;
    for cut in 1..request.len() {
        let mut stream = running.connect().await;
        stream.set_nodelay(true).unwrap();
        stream.write_all(&request[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(&request[cut..]).await.unwrap();
        let replies = replies(&read_all(&mut stream).await);
        assert_eq!((replies.len(), replies[0].status), (2, 200), "cut at {cut}");
        assert_problem(&replies[1], 400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn attack_05_a_huge_header_is_refused_while_it_is_sent() {
    for _ in 0..10 {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nX-Api-Key: {}\r\n\r\n", "k".repeat(1024 * 1024));
        assert_refused(request, 431, "HEADERS_TOO_LARGE").await;
    }
    let request = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "k".repeat(70_000));
    assert_refused(request, 431, "HEADERS_TOO_LARGE").await;
}

#[tokio::test]
async fn attack_05_a_target_that_is_too_long_is_refused() {
    let running = start(ConnectionLimits { max_header_bytes: 128 * 1024, ..limits() }).await;
    let request = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "k".repeat(70_000));
    assert_problem(&running.exchange(request).await[0], 414, "INVALID_REQUEST");
}

#[tokio::test]
async fn attack_05_header_counts_and_sizes_end_at_the_limit() {
    for (max_headers, status) in [(101, 200), (100, 431), (5, 431)] {
        let running = start(ConnectionLimits { max_headers, ..limits() }).await;
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{}\r\n", "A: b\r\n".repeat(99));
        let replies = running.exchange(request).await;
        assert_eq!((replies.len(), replies[0].status), (1, status), "at most {max_headers}");
        if status == 431 {
            assert_problem(&replies[0], 431, "HEADERS_TOO_LARGE");
        }
    }
    let around = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nA: \r\n\r\n".len();
    for (size, status) in [(16 * 1024, 200), (16 * 1024 + 1, 431)] {
        let running = start(limits()).await;
        let padding = "b".repeat(size - around);
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nA: {padding}\r\n\r\n");
        assert_eq!(running.exchange(request).await[0].status, status, "{size} bytes");
    }
}

/// Without reading on, the server's socket would answer the next bytes with a reset, which takes the answer along.
#[tokio::test]
async fn attack_05_a_client_that_goes_on_sending_still_gets_its_answer() {
    let running = start(limits()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX-Api-Key: ").await.unwrap();
    for _ in 0..16 {
        stream.write_all(&vec![b'k'; 64 * 1024]).await.unwrap();
        sleep(SHORT / 10).await;
    }
    let replies = replies(&read_all(&mut stream).await);
    assert_eq!(replies.len(), 1);
    assert_problem(&replies[0], 431, "HEADERS_TOO_LARGE");
}
