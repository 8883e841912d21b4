//! A small API of the kind that Portcullis guards: calls, leads, agents, contacts and more, of businesses, in SQLite.
//!
//! What is worth copying is how little of it is about keys: [`routes`] puts a guard before each resource, and [`reach`] turns the
//! decision into the businesses whose rows a request may touch. Every statement of [`store`] asks for them, so no handler can forget.
//!
//! - [`resources`]: what there is, and which fields each has
//! - [`records`], [`analytics`], [`account`]: the handlers
//! - [`gateway`]: the same API behind a gateway that has asked Portcullis already
//! - [`problem`]: how a failure reads
//! - [`demo`]: rows to look at

mod account;
mod analytics;
mod demo;
mod fields;
mod gateway;
mod paging;
mod problem;
mod reach;
mod records;
mod resources;
mod routes;
mod store;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use portcullis_tower::{BusinessId, Portcullis, RequestIds};
use tokio::net::TcpListener;

pub use store::{Store, StoreError};

/// Everything a request may use.
#[derive(Debug)]
pub struct Crm {
    store: Store,
    portcullis: Portcullis,
    front: Front,
    request_ids: RequestIds,
}

/// Who asks Portcullis about each request.
#[derive(Debug, Clone)]
pub enum Front {
    /// This program.
    Itself,
    /// A gateway in front of it, at one of these addresses; nobody else's word is taken.
    Gateway(Vec<IpAddr>),
}

impl Crm {
    pub fn new(store: Store, portcullis: Portcullis, front: Front) -> Self {
        Self { store, portcullis, front, request_ids: RequestIds::new() }
    }

    /// Puts rows to look at into businesses that have none.
    pub async fn demonstrate(&self, businesses: &[BusinessId]) -> Result<(), StoreError> {
        demo::fill(&self.store, businesses).await
    }
}

/// Answers until `stop` is done.
pub async fn serve(crm: Crm, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let router = routes::router(Arc::new(crm)).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
