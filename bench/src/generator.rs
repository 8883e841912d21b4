//! The load: kept-alive connections that ask again as soon as they are answered.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Done;

const CONNECTIONS: usize = 64;
/// What stands between two requests in the file of requests: no request has it.
pub(crate) const BETWEEN: &str = "\n%%\n";

/// Sends the requests of a file in turn for some seconds; prints how many were answered, and in how many seconds.
pub(crate) fn run(address: &str, seconds: f64, requests: &str) -> Done<()> {
    let text = std::fs::read_to_string(requests)?;
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(text.split(BETWEEN).map(|one| one.as_bytes().to_vec()).collect());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let end = begun + Duration::from_secs_f64(seconds);
        let mut connections = JoinSet::new();
        for n in 0..CONNECTIONS {
            connections.spawn(connection(address.to_owned(), Arc::clone(&requests), n, end));
        }
        let mut answered = 0_u64;
        while let Some(done) = connections.join_next().await {
            answered += done??;
        }
        println!("{answered} {}", begun.elapsed().as_secs_f64());
        Ok(())
    })
}

async fn connect(address: &str) -> Done<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connection(address: String, requests: Arc<Vec<Vec<u8>>>, first: usize, end: Instant) -> Done<u64> {
    let mut stream = connect(&address).await?;
    let mut buffer = vec![0; 256 * 1024];
    let mut answered = 0;
    let mut n = first * 311;
    'requests: while Instant::now() < end {
        let request = requests.get(n % requests.len()).ok_or("no request")?;
        let _ = stream.write_all(request).await;
        let mut filled = 0;
        loop {
            let read = stream.read(buffer.get_mut(filled..).ok_or("the answer is too long")?).await.unwrap_or(0);
            // Gateways end a connection after so many requests, between two of them.
            if read == 0 && filled == 0 {
                stream = connect(&address).await?;
                continue 'requests;
            }
            if read == 0 {
                return Err("the server closed the connection in the middle of an answer".into());
            }
            filled += read;
            let answer = buffer.get(..filled).unwrap_or_default();
            if let Some(whole) = length(answer)
                && filled >= whole
            {
                check(answer)?;
                break;
            }
        }
        answered += 1;
        n += 1;
    }
    Ok(answered)
}

/// How long the whole answer is, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = str::from_utf8(answer.get(..head)?).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + length.map_or(Some(0), |length| length.trim().parse().ok())?)
}

fn check(answer: &[u8]) -> Done<()> {
    let good = answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.1 204");
    let denied = answer.windows(13).any(|window| window == b"\"valid\":false");
    if good && !denied { Ok(()) } else { Err(String::from_utf8_lossy(answer).into_owned().into()) }
}
