//! A server from its socket to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::gateway::envoy;
use crate::gateway::proxy::{Proxy, Proxying};
use crate::routes;
use crate::serve::{ConnectionLimits, RequestIds, serve};

/// The most headers of one request.
const MAX_HEADERS: usize = 100;

/// A server that has its addresses and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    app: Arc<App>,
    listener: TcpListener,
    pub address: SocketAddr,
    grpc: Option<TcpListener>,
    /// Where Envoy asks by gRPC.
    pub grpc_address: Option<SocketAddr>,
    /// Where the proxies of gates with an upstream listen, by the gate's name.
    pub proxies: Vec<(String, SocketAddr)>,
    proxied: Vec<(TcpListener, Arc<Proxy>)>,
}

/// Why a server cannot begin to listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen on {address} (`{setting}`): {cause}")]
    Listen { setting: String, address: SocketAddr, cause: io::Error },
    #[error("cannot be the proxy of gate `{gate}`: {cause}")]
    Upstream { gate: String, cause: io::Error },
}

impl BindError {
    /// Whether it is the address of this setting that cannot be had.
    pub fn is_of(&self, name: &str) -> bool {
        matches!(self, Self::Listen { setting, .. } if setting == name)
    }
}

/// Takes the addresses of the configuration.
pub async fn bind(app: Arc<App>) -> Result<Bound, BindError> {
    let (listener, address) = listen("listen", app.config.listen).await?;
    app.listens_at(address);
    let (grpc, grpc_address) = match app.config.grpc_listen {
        Some(wanted) => listen("grpc_listen", wanted).await.map(|(listener, at)| (Some(listener), Some(at)))?,
        None => (None, None),
    };
    let (mut addresses, mut proxied) = (Vec::new(), Vec::new());
    for gate in &app.config.gates {
        let Some(upstream) = &gate.upstream else { continue };
        let name = &gate.rules.name;
        let proxy = Proxy::new(&app, gate, upstream);
        let proxy = proxy.map_err(|cause| BindError::Upstream { gate: name.clone(), cause })?;
        let (listener, at) = listen(&format!("gate.{name}.upstream.listen"), upstream.listen).await?;
        addresses.push((name.clone(), at));
        proxied.push((listener, Arc::new(proxy)));
    }
    Ok(Bound { app, listener, address, grpc, grpc_address, proxies: addresses, proxied })
}

async fn listen(setting: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |cause| BindError::Listen { setting: setting.to_owned(), address, cause };
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
            uncapped: self.app.config.trusted_proxies.clone(),
            drain_timeout: Duration::from_secs(bounds.drain_timeout_seconds),
        };
        let router = routes::Routes::new(Arc::clone(&self.app));
        let for_ids = Arc::clone(&self.app);
        let request_ids: RequestIds = Arc::new(move || for_ids.request_ids.next(for_ids.clock.now()).to_string());
        let mut stopping = stop.clone();
        let for_stop = Arc::clone(&self.app);
        let not_ready = tokio::spawn(async move {
            if stopping.wait_for(|&stop| stop).await.is_ok() {
                for_stop.stop_being_ready();
            }
        });
        let asked = self.grpc.map(|listener| tokio::spawn(envoy::serve(Arc::clone(&self.app), listener, stop.clone())));
        let mut proxies = JoinSet::new();
        for (listener, proxy) in self.proxied {
            proxies.spawn(run_proxy(listener, proxy, limits.clone(), Arc::clone(&request_ids), stop.clone()));
        }
        let (served, ()) = tokio::join!(serve(self.listener, router, limits, request_ids, stop), ended(proxies));
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

/// What looks at the open requests and what takes new ones live and die together: no stream goes on that nobody looks at.
async fn run_proxy(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    limits: ConnectionLimits,
    request_ids: RequestIds,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    tokio::select! {
        served = serve(listener, Proxying(Arc::clone(&proxy)), limits, request_ids, stop) => served,
        never = proxy.watch() => match never {},
    }
}

/// Waits for the end of all proxies.
async fn ended(mut proxies: JoinSet<io::Result<()>>) {
    while let Some(ended) = proxies.join_next().await {
        if let Err(error) = ended.map_err(io::Error::other).flatten() {
            tracing::error!(%error, "a proxy ended before its time; its gate lets nothing through until the next start");
        }
    }
}
