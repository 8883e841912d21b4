//! A server from its socket to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::gateway::envoy;
use crate::routes;
use crate::serve::{ConnectionLimits, serve};

/// The most headers of one request.
const MAX_HEADERS: usize = 100;

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    app: Arc<App>,
    listener: TcpListener,
    pub address: SocketAddr,
    grpc: Option<TcpListener>,
    /// Where Envoy asks by gRPC.
    pub grpc_address: Option<SocketAddr>,
}

/// Why an address of the configuration cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (`{setting}`): {cause}")]
pub struct BindError {
    pub setting: &'static str,
    pub address: SocketAddr,
    pub cause: io::Error,
}

/// Takes the addresses of the configuration.
pub async fn bind(app: Arc<App>) -> Result<Bound, BindError> {
    let (listener, address) = listen("listen", app.config.listen).await?;
    app.listens_at(address);
    let (grpc, grpc_address) = match app.config.grpc_listen {
        Some(wanted) => listen("grpc_listen", wanted).await.map(|(listener, at)| (Some(listener), Some(at)))?,
        None => (None, None),
    };
    Ok(Bound { app, listener, address, grpc, grpc_address })
}

async fn listen(setting: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |cause| BindError { setting, address, cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Bound {
    /// Answers until `stop` becomes true; then says that it is not ready, finishes what has begun, and closes the store.
    pub async fn run(self, stop: watch::Receiver<bool>) -> io::Result<()> {
        let bounds = &self.app.config.connections;
        let limits = ConnectionLimits {
            header_read_timeout: Duration::from_secs(bounds.header_read_timeout_seconds),
            idle_timeout: Duration::from_secs(bounds.idle_timeout_seconds),
            max_header_bytes: bounds.max_header_bytes,
            max_headers: MAX_HEADERS,
            max_connections_per_address: bounds.max_connections_per_address,
            drain_timeout: Duration::from_secs(bounds.drain_timeout_seconds),
        };
        let router = routes::router(Arc::clone(&self.app));
        let for_ids = Arc::clone(&self.app);
        let request_ids = Arc::new(move || for_ids.request_ids.next(for_ids.clock.now()).to_string());
        let mut stopping = stop.clone();
        let for_stop = Arc::clone(&self.app);
        let not_ready = tokio::spawn(async move {
            if stopping.wait_for(|&stop| stop).await.is_ok() {
                for_stop.stop_being_ready();
            }
        });
        let asked = self.grpc.map(|listener| tokio::spawn(envoy::serve(Arc::clone(&self.app), listener, stop.clone())));
        let served = serve(self.listener, router, limits, request_ids, stop).await;
        not_ready.abort();
        if let Some(mut asked) = asked
            && tokio::time::timeout(Duration::from_secs(bounds.drain_timeout_seconds), &mut asked).await.is_err()
        {
            asked.abort();
        }
        self.app.close().await;
        served
    }
}
