//! The connection layer through raw sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Answering, ConnectionLimits, Content, routed, serve};

mod refusals;

/// Longer than anything here may take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_mins(1);

/// What hyper says where it refuses a request, as a body of ours.
const LOOKS_REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const BIG_BYTES: usize = 32 * 1024 * 1024;

impl Answering for Router {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Content>> + Send + use<> {
        routed(self, request, peer)
    }
}

struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        header_read_timeout: LONG,
        idle_timeout: LONG,
        max_header_bytes: 16 * 1024,
        max_headers: 100,
        max_connections_per_address: 0,
        uncapped: Vec::new(),
        drain_timeout: LONG,
    }
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/echo", post(|body: String| async move { body }))
        .route("/unread", post(|| async { "unread" }))
        .route("/refused", get(|| async { LOOKS_REFUSED }))
        .route(
            "/slow",
            get(|| async {
                sleep(SHORT * 4).await;
                "slow"
            }),
        )
        .route("/panic", get(|| async { [(); 0][std::hint::black_box(0)] }))
        .route("/never", get(|| async { std::future::pending::<()>().await }))
        .route("/big", get(|| async { vec![b'x'; BIG_BYTES] }))
}

async fn start(limits: ConnectionLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(listener, router(), limits, Arc::new(|| "req_test".to_owned()), stopped));
    Running { address, stop, task }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends all of it and reads until the server closes.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Vec<Reply> {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        replies(&read_all(&mut stream).await)
    }

    async fn ended(self) -> std::io::Result<()> {
        timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}

async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection should close").unwrap();
    bytes
}

async fn read_one(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    loop {
        if let Some(reply) = first_reply(&bytes) {
            return reply.0;
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut bytes)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
    }
}

fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let (reply, length) = first_reply(bytes).unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(bytes)));
        replies.push(reply);
        bytes = &bytes[length..];
    }
    replies
}

fn first_reply(bytes: &[u8]) -> Option<(Reply, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().unwrap();
    let body = bytes.get(end..end + length)?.to_vec();
    let status = head[9..12].parse().unwrap();
    Some((Reply { status, head, body }, end + length))
}

fn assert_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.head);
    for line in [
        "content-type: application/problem+json\r\n",
        "cache-control: no-store\r\n",
        "x-request-id: req_test\r\n",
        "connection: close\r\n",
    ] {
        assert!(reply.head.contains(line), "{line:?} is not in {}", reply.head);
    }
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["type"], format!("/problems/{code}"));
    assert_eq!(body["status"], status);
    assert_eq!(body["code"], code);
    assert_eq!(body["success"], false);
    assert_eq!(body["message"], body["detail"]);
    assert_eq!(body["request_id"], "req_test");
    assert!(body.as_object().unwrap().contains_key("reason") && body["reason"].is_null());
}

#[tokio::test]
async fn requests_share_a_connection_and_know_its_peer() {
    let running = start(limits()).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /peer HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let reply = read_one(&mut stream).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, stream.local_addr().unwrap().to_string().into_bytes());
    }
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
    assert_eq!(read_one(&mut stream).await.body, b"abc");
}

#[tokio::test]
async fn responses_that_look_like_hypers_refusals_pass() {
    let running = start(limits()).await;
    let request = "GET /refused HTTP/1.1\r\nHost: h\r\n\r\n".repeat(40) + "GARBAGE\r\n\r\n";
    let replies = running.exchange(request).await;
    assert_eq!(replies.len(), 41);
    for reply in &replies[..40] {
        assert_eq!((reply.status, reply.body.as_slice()), (200, LOOKS_REFUSED.as_bytes()));
    }
    assert_problem(&replies[40], 400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_response_under_way_is_never_cut() {
    let running = start(limits()).await;
    let mut stream = running.connect().await;
    let request = "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGARBAGE\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(SHORT).await;
    let replies = replies(&read_all(&mut stream).await);
    assert_eq!(replies.len(), 2);
    assert_eq!((replies[0].status, replies[0].body.len()), (200, BIG_BYTES));
    assert!(replies[0].body.iter().all(|byte| *byte == b'x'));
    assert_eq!(replies[1].status, 400);
}

#[tokio::test]
async fn old_clients_are_served() {
    let running = start(limits()).await;
    let replies = running.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((replies[0].status, replies[0].body.as_slice()), (200, b"hello".as_slice()));
}

#[tokio::test]
async fn a_chunked_request_is_served_and_is_the_last() {
    let running = start(limits()).await;
    let request = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
        GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let replies = running.exchange(request).await;
    assert_eq!(replies.len(), 1);
    assert_eq!((replies[0].status, replies[0].body.as_slice()), (200, b"abc".as_slice()));
    assert!(replies[0].head.contains("connection: close\r\n"), "{}", replies[0].head);
}

#[tokio::test]
async fn an_answer_to_a_body_that_nobody_reads_arrives() {
    let running = start(limits()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
    stream.write_all(&vec![b'x'; 1_000_000]).await.unwrap();
    let replies = replies(&read_all(&mut stream).await);
    assert_eq!((replies.len(), replies[0].body.as_slice()), (1, b"unread".as_slice()));
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_connection() {
    let running = start(limits()).await;
    assert!(running.exchange("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await.is_empty());
    assert_eq!(running.exchange("GET / HTTP/1.0\r\n\r\n").await[0].status, 200);
}

#[tokio::test]
async fn attack_17_headers_that_drip_time_out() {
    let running = start(ConnectionLimits { header_read_timeout: SHORT * 4, ..limits() }).await;
    let mut stream = running.connect().await;
    let mut first = running.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(read_one(&mut first).await.status, 200);
    for stream in [&mut stream, &mut first] {
        // The writes go on after the deadline; what they meet then does not matter.
        for byte in b"GET / HTTP/1.1\r\nHost: h\r\nA: bbbbbbbbb" {
            let _ = stream.write_all(&[*byte]).await;
            sleep(SHORT / 5).await;
        }
        let replies = replies(&read_all(stream).await);
        assert_eq!(replies.len(), 1);
        assert_problem(&replies[0], 408, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn attack_17_silent_connections_close_without_an_answer() {
    let running = start(ConnectionLimits { header_read_timeout: SHORT, ..limits() }).await;
    assert!(running.exchange("").await.is_empty());
    let running = start(ConnectionLimits { idle_timeout: SHORT, ..limits() }).await;
    let replies = running.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((replies.len(), replies[0].status), (1, 200));
}

#[tokio::test]
async fn idle_connections_and_slow_handlers_outlive_the_header_timeout() {
    let running = start(ConnectionLimits { header_read_timeout: SHORT, ..limits() }).await;
    let mut stream = running.connect().await;
    for path in ["/", "/slow", "/"] {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).await.unwrap();
        assert_eq!(read_one(&mut stream).await.status, 200);
        sleep(SHORT * 3).await;
    }
}

#[tokio::test]
async fn attack_17_a_client_that_reads_nothing_is_let_go() {
    let running = start(ConnectionLimits { idle_timeout: SHORT, drain_timeout: PATIENCE, ..limits() }).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    sleep(SHORT * 4).await;
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection should close");
    assert!(bytes.len() < BIG_BYTES);
}

#[tokio::test]
async fn attack_17_connections_over_the_cap_are_turned_away() {
    let running = start(ConnectionLimits { max_connections_per_address: 2, ..limits() }).await;
    let mut kept = [running.connect().await, running.connect().await];
    for stream in &mut kept {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        assert_eq!(read_one(stream).await.status, 200);
    }
    let turned_away = replies(&read_all(&mut running.connect().await).await);
    assert_problem(&turned_away[0], 503, "UNAVAILABLE");
    drop(kept);
    timeout(PATIENCE, async {
        loop {
            let mut stream = running.connect().await;
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            if stream.read_u8().await.is_ok() && stream.read_buf(&mut Vec::with_capacity(11)).await.is_ok() {
                break;
            }
        }
    })
    .await
    .expect("a closed connection should give its place back");
}

#[tokio::test]
async fn whoever_speaks_for_many_has_no_cap() {
    let uncapped = vec!["127.0.0.0/8".parse().unwrap()];
    let running = start(ConnectionLimits { max_connections_per_address: 1, uncapped, ..limits() }).await;
    let mut kept = [running.connect().await, running.connect().await, running.connect().await];
    for stream in &mut kept {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        assert_eq!(read_one(stream).await.status, 200);
    }
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_lets_requests_end() {
    let running = start(limits()).await;
    let (mut fresh, mut idle, mut busy) = (running.connect().await, running.connect().await, running.connect().await);
    idle.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(read_one(&mut idle).await.status, 200);
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    sleep(SHORT).await;
    running.stop.send(true).unwrap();
    assert!(read_all(&mut idle).await.is_empty());
    assert!(read_all(&mut fresh).await.is_empty());
    assert!(!running.task.is_finished());
    let replies = replies(&read_all(&mut busy).await);
    assert_eq!((replies.len(), replies[0].body.as_slice()), (1, b"slow".as_slice()));
    assert!(TcpStream::connect(running.address).await.is_err());
    running.ended().await.unwrap();
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_it_may() {
    let running = start(ConnectionLimits { drain_timeout: SHORT, ..limits() }).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    sleep(SHORT).await;
    running.stop.send(true).unwrap();
    running.ended().await.unwrap();
}
