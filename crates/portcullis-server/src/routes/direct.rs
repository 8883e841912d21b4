//! What is asked all the time, and is answered without a router: gateways, and `POST /verify`.
//!
//! A router and its layers make a dozen pieces of memory for each request. So what answers is called directly here, and gets what it needs
//! as arguments. Whoever is not plainly an operator key with its grant goes through the router, which knows what to tell them.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::Router;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use portcullis_core::id::RequestId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::time::Timestamp;

use super::router;
use crate::api;
use crate::app::App;
use crate::body;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::gateway::forward_auth::{self, Dialect};
use crate::metrics::Part;
use crate::serve::{Answering, Content, routed};
use crate::values::{Answer, Answered, Values};
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
            None => Box::pin(routed(&self.router, request, peer)),
            Some(direct) => {
                let came = Came::now(Arc::clone(self));
                let (parts, body) = request.into_parts();
                match direct {
                    Direct::ForwardAuth => Box::pin(async move {
                        // Hyper ends the connection over a body that nobody wants; until the answer it may still come.
                        let _unread = body;
                        let peer = peer.ip().to_canonical();
                        let answered =
                            came.guarded(forward_auth::answer(came.app(), &parts, peer, (came.id, came.at))).await;
                        came.leaves(Part::ForwardAuth, answered, parts.headers)
                    }),
                    Direct::Verify => Box::pin(async move {
                        let answered = came.guarded(verified(came.app(), &parts.headers, body, came.id)).await;
                        came.leaves(Part::Verify, answered, parts.headers)
                    }),
                }
            }
        };
        answering
    }
}

/// A request that is answered here.
#[derive(Debug)]
struct Came {
    /// Those of its connection. A count of references that all connections share would be one that all cores want.
    routes: Arc<Routes>,
    stopwatch: Stopwatch,
    at: Timestamp,
    id: RequestId,
}

impl Came {
    fn now(routes: Arc<Routes>) -> Self {
        let (stopwatch, at) = (Stopwatch::begin(), routes.app.clock.now());
        Self { id: routes.app.request_ids.next(at), routes, stopwatch, at }
    }

    fn app(&self) -> &App {
        &self.routes.app
    }

    /// What answers, which may have a bug that must not take the connection with it.
    fn guarded(&self, answering: impl Future<Output = Answered>) -> impl Future<Output = Answered> {
        let panicked = || Err(Box::new(Error::Internal("a handler panicked".to_owned()).whole(self.id)));
        AssertUnwindSafe(answering).catch_unwind().map(move |answered| answered.unwrap_or_else(|_| panicked()))
    }

    /// The answer to the request that had these headers.
    fn leaves(&self, part: Part, answered: Answered, headers: HeaderMap) -> Response<Content> {
        let answer = answered.map_or_else(|refused| *refused, |answer| answer.in_place_of(headers));
        self.app().metrics.answered(part, self.stopwatch.elapsed());
        answer.map(Content::Whole)
    }
}

async fn verified(app: &App, headers: &HeaderMap, body: Incoming, id: RequestId) -> Answered {
    let written = async {
        let question = body::json_of(headers, body, app, app.config.connections.max_body_bytes).await?;
        api::verify::written(app, &question).await
    };
    let json = written.await.map_err(|error| Box::new(error.whole(id)))?.into();
    let mut values = Values::new();
    values.put_request_id(id);
    Ok(Answer { values, json })
}
