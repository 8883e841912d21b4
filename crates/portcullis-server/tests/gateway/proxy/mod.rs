//! Proxy mode, between clients that are raw sockets and an API that is one too: each side sees the other's every byte.

mod decisions;
mod failures;
mod framing;
mod headers;
mod reuse;
mod revokes;
mod streams;
mod targets;
mod tunnels;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{GATE, Guarded};
use crate::support::check_problem;

/// Longer than anything here may take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a stream may outlive its key in a test; what is promised is a second.
const SOON: Duration = Duration::from_secs(5);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One side of a connection.
struct Talk {
    stream: BufReader<TcpStream>,
    /// Which connection of the API this is, from 0.
    number: usize,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request or an answer, as it came.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// The first line.
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<String>,
    /// On which connection.
    number: usize,
}

impl Seen {
    /// All values of a header.
    fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header.
    #[track_caller]
    fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }

    fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that it is this problem.
    #[track_caller]
    fn fails(&self, status: u16, code: &str, reason: Option<&str>) {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        assert_eq!((self.status(), body["code"].as_str(), body["reason"].as_str()), (status, Some(code), reason));
        check_problem(&body, status);
        assert_eq!(self.one("content-type"), "application/problem+json");
        assert_eq!(body["request_id"], self.one("x-request-id"));
        assert_eq!(self.one("cache-control"), "no-store");
    }
}

impl Talk {
    async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream: BufReader::new(stream), number: 0, seen: Arc::default() }
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.stream.get_mut().write_all(bytes.as_ref()))
            .await
            .expect("the other side takes it")
            .unwrap();
    }

    /// The next line; empty at the end.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_until(b'\n', &mut line)).await.expect("a line comes");
        read.map(|_| String::from_utf8_lossy(&line).trim_end().to_owned()).unwrap_or_default()
    }

    /// The next head, past interim answers; `None` at the end.
    async fn head(&mut self) -> Option<Seen> {
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return None;
            }
            let mut headers = Vec::new();
            loop {
                let line = self.line().await;
                let Some((name, value)) = line.split_once(':') else { break };
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            if !line.starts_with("HTTP/1.1 100 ") {
                return Some(Seen { line, headers, number: self.number, ..Seen::default() });
            }
        }
    }

    /// The next request or answer, whole, and noted; `None` where there is none, or only a part of one.
    async fn next(&mut self) -> Option<Seen> {
        let mut seen = self.head().await?;
        if seen.all("transfer-encoding") == ["chunked"] {
            loop {
                let size = usize::from_str_radix(self.line().await.split(';').next()?, 16).ok()?;
                if size == 0 {
                    break;
                }
                seen.body.extend(self.exactly(size).await?);
                self.line().await;
            }
            loop {
                match self.line().await {
                    line if line.is_empty() => break,
                    line => seen.trailers.push(line),
                }
            }
        } else if let Some(length) = seen.all("content-length").first() {
            seen.body = self.exactly(length.parse().unwrap()).await?;
        } else if seen.line.starts_with("HTTP/") {
            timeout(PATIENCE, self.stream.read_to_end(&mut seen.body)).await.expect("it ends").ok()?;
        }
        self.seen.lock().unwrap().push(seen.clone());
        Some(seen)
    }

    async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await.expect("the bytes come").ok()?;
        Some(bytes)
    }

    /// Reads away what comes until the end: how much it was, and whether the end was in order.
    async fn drained(&mut self) -> (usize, bool) {
        let mut buffer = vec![0; 64 * 1024];
        let mut total = 0;
        loop {
            match timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("it ends") {
                Ok(0) => return (total, true),
                Ok(read) => total += read,
                Err(_) => return (total, false),
            }
        }
    }
}

/// An API that does what the test says, and remembers what it saw.
struct Api {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that are still open.
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Api {
    /// That does this on each connection.
    async fn new<F: Future<Output = ()> + Send + 'static>(on: impl Fn(Talk) -> F + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Seen>>>::default());
        let open = Arc::new(AtomicUsize::new(0));
        let (noting, counting) = (Arc::clone(&seen), Arc::clone(&open));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                counting.fetch_add(1, Ordering::SeqCst);
                let talking = on(Talk { stream: BufReader::new(stream), number, seen: Arc::clone(&noting) });
                let counting = Arc::clone(&counting);
                connections.spawn(async move {
                    talking.await;
                    counting.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, seen, open, task }
    }

    /// That gives each request this answer.
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::new(move |mut talk| {
            let answer = Arc::clone(&answer);
            async move {
                while talk.next().await.is_some() {
                    talk.say(&*answer).await;
                }
            }
        })
        .await
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that came.
    #[track_caller]
    fn one(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// Waits until it has no connection any more.
    async fn is_left(&self) {
        for _ in 0..800 {
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the API still has a connection after twenty seconds");
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that is the proxy in front of an API.
struct Proxied {
    guarded: Guarded,
    api: Api,
    address: SocketAddr,
}

/// The gate, with this API behind it.
fn upstream(api: &Api) -> String {
    format!("{GATE}\n[gate.crm.upstream]\nurl = \"http://{}\"\nlisten = \"127.0.0.1:0\"\n", api.address)
}

impl Proxied {
    async fn before(api: Api) -> Self {
        Self::with(api, str::to_owned).await
    }

    /// With settings that are changed first.
    async fn with(api: Api, change: impl Fn(&str) -> String) -> Self {
        let guarded = Guarded::of(&change(&upstream(&api))).await;
        let (_, address) = guarded.server.proxies[0];
        Self { guarded, api, address }
    }

    fn token(&self) -> &str {
        &self.guarded.key.token
    }

    async fn client(&self) -> Talk {
        Talk::to(self.address).await
    }

    /// The head of a request with a good key, and with these lines.
    fn request(&self, line: &str, lines: &[&str]) -> String {
        let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
        format!("{line} HTTP/1.1\r\nHost: api.example\r\nX-API-Key: {}\r\n{lines}\r\n", self.token())
    }

    /// The answer to these bytes, on a connection of their own.
    async fn ask(&self, bytes: impl AsRef<[u8]>) -> Seen {
        let mut client = self.client().await;
        client.say(bytes).await;
        client.next().await.expect("an answer")
    }

    async fn revoke(&self) {
        self.guarded.server.revoke(&self.guarded.user, &self.guarded.key).await;
    }
}
