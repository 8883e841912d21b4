//! What is asked all the time, and is answered without a router: gateways, and `POST /verify`.
//!
//! A router and its layers make a dozen pieces of memory for each request. So what answers is called directly here, and gets what it needs
//! as arguments. Whoever is not plainly an operator key with its grant goes through the router, which knows what to tell them.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use portcullis_core::id::RequestId;
use portcullis_core::operator::OperatorGrant;

use super::router;
use crate::api;
use crate::app::App;
use crate::body;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::gateway::forward_auth::{self, Dialect};
use crate::metrics::Part;
use crate::serve::{Answering, Content, routed};
use crate::values::{Values, emptied};
use crate::verify;
use crate::verify::credentials::{Sent, sent};

/// Everything this server answers.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    app: Arc<App>,
    router: Router,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direct {
    /// `/auth/{gate}`, `/auth/{gate}/nginx`, `/auth/{gate}/envoy` and what is below it, by any method.
    ForwardAuth,
    /// `POST /api/v1/verify`
    Verify,
}

impl Routes {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { router: router(Arc::clone(&app)), app }
    }

    /// Who answers a request, where no router is needed for it.
    fn direct(&self, request: &Request<Incoming>) -> Option<Direct> {
        let path = request.uri().path();
        if Dialect::of(path).is_some() {
            return Some(Direct::ForwardAuth);
        }
        let verifies = path == "/api/v1/verify" && request.method() == Method::POST;
        (verifies && self.is_operators(request.headers())).then_some(Direct::Verify)
    }

    /// Whether the one credential is an operator key that may verify, and that is found in memory.
    fn is_operators(&self, headers: &HeaderMap) -> bool {
        let Ok(Sent::Token(text)) = sent(headers) else { return false };
        let found = verify::operator_in_memory(&self.app, text);
        found.is_some_and(|(_, grants)| grants.contains(OperatorGrant::KeysVerify))
    }
}

impl Answering for Routes {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Content>> + Send + use<> {
        // A bug in one request must not take the connection with it, here as below.
        let direct = catch_unwind(AssertUnwindSafe(|| self.direct(&request))).unwrap_or_default();
        let answering: BoxFuture<'static, Response<Content>> = match direct {
            None => routed(&self.router, request, peer).boxed(),
            Some(direct) => {
                let routes = Arc::clone(self);
                async move { direct.answer(&routes.app, request, peer.ip().to_canonical()).await.map(Content::Whole) }
                    .boxed()
            }
        };
        answering
    }
}

impl Direct {
    async fn answer(self, app: &App, request: Request<Incoming>, peer: IpAddr) -> Response<Bytes> {
        let (stopwatch, at) = (Stopwatch::begin(), app.clock.now());
        let id = app.request_ids.next(at);
        let (parts, body) = request.into_parts();
        let answering = async {
            match self {
                Self::ForwardAuth => forward_auth::answer(app, parts, peer, (id, at)).await,
                Self::Verify => verified(app, parts, body, id).await,
            }
        };
        // A bug in one request must not take the connection with it.
        let answered = AssertUnwindSafe(answering).catch_unwind().await;
        let answered = answered.unwrap_or_else(|_| Error::Internal("a handler panicked".to_owned()).whole(id));
        app.metrics.answered(self.part(), stopwatch.elapsed());
        answered
    }

    const fn part(self) -> Part {
        match self {
            Self::ForwardAuth => Part::ForwardAuth,
            Self::Verify => Part::Verify,
        }
    }
}

async fn verified(app: &App, parts: Parts, body: Incoming, id: RequestId) -> Response<Bytes> {
    let answered = async {
        let question = body::json_of(&parts.headers, body, app, app.config.connections.max_body_bytes).await?;
        api::verify::written(app, &question).await
    };
    match answered.await {
        Ok(written) => {
            let mut response = emptied(parts.headers);
            let mut values = Values::new();
            values.put_request_id(id);
            let headers = response.headers_mut();
            values.put_into(headers);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(body::JSON));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            *response.body_mut() = written.into();
            response
        }
        Err(error) => error.whole(id),
    }
}
