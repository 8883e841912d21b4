//! What follows a 101: bytes both ways, of whatever the client and the API have agreed on.

use std::io;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;

use super::exchange::{Exchange, Opened};
use super::upstream::Line;
use crate::serve::Takeover;

const BUFFER_BYTES: usize = 16 * 1024;

/// Joins the client's socket, once hyper is done with it, with the connection to the API.
pub(super) fn takeover(api: OnUpgrade, line: Line, opened: Opened) -> Takeover {
    Takeover::new(Box::new(move |mut client, read| {
        Box::pin(async move {
            let cut = tokio::select! {
                _ = opened.exchange().severed() => true,
                ended = join(&mut client, read, api, opened.exchange()) => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a tunnel ended");
                    }
                    false
                }
            };
            if cut {
                // Not in order: whoever is cut off shall not take what was said so far for all there was to say.
                let _ = client.set_zero_linger();
            }
            drop((client, line));
        })
    }))
}

async fn join(client: &mut TcpStream, read: Bytes, api: OnUpgrade, exchange: &Exchange) -> io::Result<()> {
    let (from_api, mut to_api) = split(TokioIo::new(api.await.map_err(io::Error::other)?));
    to_api.write_all(&read).await?;
    to_api.flush().await?;
    exchange.move_on();
    let (from_client, to_client) = client.split();
    tokio::try_join!(pump(from_client, to_api, exchange), pump(from_api, to_client, exchange))?;
    Ok(())
}

/// Passes bytes on, never more than one buffer ahead of who takes them, and then the end.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    exchange: &Exchange,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        exchange.move_on();
        to.write_all(buffer.get(..length).unwrap_or_default()).await?;
        to.flush().await?;
        exchange.move_on();
    }
}
