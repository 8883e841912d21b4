//! The guarded API of these tests: it takes everything, and keeps what it saw. And a line to Portcullis that can be bad.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// One request as it came to the API.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// The path and the query, as they stood in the request line.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body_bytes: usize,
}

/// A running API.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let answer = service_fn(move |request| answer(request, Arc::clone(&kept)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, seen }
    }

    /// What came since the last look.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// The one request that came since the last look.
    #[track_caller]
    pub(crate) fn one(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

async fn answer(request: Request<Incoming>, kept: Arc<Mutex<Vec<Seen>>>) -> hyper::Result<Response<String>> {
    let (parts, body) = request.into_parts();
    // A body that breaks off is none: the request was not whole, and nobody acts on it.
    let body = body.collect().await?.to_bytes();
    kept.lock().unwrap().push(Seen {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers,
        body_bytes: body.len(),
    });
    let mut response = Response::new("the API's answer".to_owned());
    response.headers_mut().insert("x-portcullis-user-id", "usr_of_the_api".parse().unwrap());
    Ok(response)
}

/// What becomes of connections to Portcullis.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Line {
    /// They go on to this address.
    To(SocketAddr),
    /// They are closed.
    Closed,
    /// They are taken, and nothing is ever said on them.
    Silent,
    /// They are answered so, whatever was asked.
    Saying(&'static str),
}

/// A port by which a gateway reaches Portcullis, or what there is instead.
pub(crate) struct Wire {
    pub(crate) port: u16,
    line: Arc<Mutex<Line>>,
}

impl Wire {
    /// One that leads nowhere yet.
    pub(crate) async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(Mutex::new(Line::Closed));
        let now = Arc::clone(&line);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, Arc::clone(&now)));
            }
        });
        Self { port, line }
    }

    pub(crate) fn is(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }
}

async fn carry(mut stream: TcpStream, line: Arc<Mutex<Line>>) {
    const LOOK: std::time::Duration = std::time::Duration::from_millis(20);
    let now = *line.lock().unwrap();
    match now {
        Line::To(address) => {
            let Ok(mut other) = TcpStream::connect(address).await else { return };
            // A connection that was kept is no better than a new one once the line is bad.
            let changed = async {
                while matches!(*line.lock().unwrap(), Line::To(to) if to == address) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::select! {
                _ = copy_bidirectional(&mut stream, &mut other) => {}
                () = changed => {}
            }
        }
        Line::Closed => {}
        Line::Silent => {
            let mut sink = [0; 4_096];
            while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
        }
        Line::Saying(text) => {
            let mut sink = [0; 4_096];
            let _ = stream.read(&mut sink).await;
            let _ = stream.write_all(text.as_bytes()).await;
        }
    }
}
