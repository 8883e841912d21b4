//! Requests that no well-behaved client would send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Server, check_problem};

/// Sends bytes as they are and reads the answer until the server closes: its status, its head and its body.
pub(crate) async fn send(server: &Server, bytes: &[u8]) -> (u16, String, serde_json::Value) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // A server that has seen enough may close while we are still sending; what it answered still counts.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_default();
    if status >= 400 {
        check_problem(&body, status);
        assert!(head.to_lowercase().contains("content-type: application/problem+json"), "{head}");
    }
    (status, head.to_owned(), body)
}

/// A GET of `path` with these header lines, on a connection that ends with the answer.
pub(crate) async fn get(server: &Server, path: &str, headers: &[&[u8]]) -> (u16, String, serde_json::Value) {
    let mut bytes = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    send(server, &bytes).await
}
