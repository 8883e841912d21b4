//! The layer, and the service that it makes.

use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{Either, Full};
use tower::{Layer, Service};

use crate::credential;
use crate::decision::{Decision, Verdict};
use crate::need::{Business, Need, Pattern};
use crate::portcullis::{NoAnswer, Portcullis, Question, SetupError, Told};
use crate::refusal::Refusal;

/// A path at or below which the server asks for user management.
const OWN_ACCOUNT: &str = "/api/v1/user";
/// A longer path is no path of an API, and would not fit into a question.
const LONGEST_PATH: usize = 16 * 1024;

type AddressOf = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// A layer that lets requests through where Portcullis says so. [`Portcullis`] makes it.
#[derive(Clone)]
pub struct Guard {
    portcullis: Portcullis,
    need: Need,
    business: Business,
    address: Option<Arc<AddressOf>>,
}

/// A service that is only called with requests that may pass.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

/// What the service behind has answered, or what the guard has.
pub type GuardedBody<B> = Either<B, Full<Bytes>>;

impl Guard {
    pub(crate) fn new(portcullis: &Portcullis, need: Need) -> Self {
        Self { portcullis: portcullis.clone(), need, business: Business::Unnamed, address: None }
    }

    /// Every request names the business that it is about in this header. One that does not is refused with 400.
    ///
    /// With a gate, it is the header that some of its rules take the business from; to other rules it is not told.
    #[must_use]
    pub fn business_in_header(mut self, name: HeaderName) -> Self {
        self.business = Business::Header(name);
        self
    }

    /// Every request names the business that it is about in its path, which begins like this pattern, e.g.
    /// `/api/v1/business/{business_id}`. One that does not is refused with 400. The rules of a gate have patterns of their own.
    pub fn business_in_path(mut self, pattern: &str) -> Result<Self, SetupError> {
        self.business = Business::Path(Pattern::read(pattern).ok_or(SetupError::Pattern)?);
        Ok(self)
    }

    /// Reads of each request which business it is about. `Ok(None)` asks about none in particular: then
    /// [`Decision::businesses`] says where the request may act, and the handler must keep to that. `Err` is a sentence for
    /// the client, who is refused with 400.
    #[must_use]
    pub fn business(mut self, read: impl Fn(&Parts) -> Result<Option<String>, String> + Send + Sync + 'static) -> Self {
        self.business = Business::Read(Arc::new(read));
        self
    }

    /// Reads of each request where it came from, for keys that may only be used from some addresses; without it they are
    /// refused. With axum: `|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip())`.
    #[must_use]
    pub fn address(mut self, read: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.address = Some(Arc::new(read));
        self
    }

    /// Asks about a request, and makes it what the service behind may see. What is returned goes into the answer.
    async fn admit(&self, parts: &mut Parts) -> Result<HeaderMap, Refusal> {
        let permission = self.need.permission(parts);
        let told = self.decide(self.question(parts, permission.as_deref())?).await?;
        match told.verdict {
            Verdict::Denied(denied) => Err(Refusal::denied(denied, permission, told.limits)),
            Verdict::Passes(decision) => {
                credential::strip(&mut parts.headers);
                parts.extensions.insert::<Decision>(*decision);
                Ok(told.limits)
            }
        }
    }

    async fn decide(&self, mut question: Question<'_>) -> Result<Told, Refusal> {
        let mut asked = self.portcullis.ask(&question).await;
        // Only the server knows which rule of a gate fits, and whether it takes the business from a header. It says so before it
        // decides or charges anything.
        if question.gate.is_some() && asked.as_ref().is_err_and(NoAnswer::is_about_the_business) {
            if question.business_id.take().is_none() {
                return Err(Refusal::unclear(
                    "Say which business the request is about: its rule takes it from a header.",
                ));
            }
            asked = self.portcullis.ask(&question).await;
        }
        asked.map_err(|cause| {
            tracing::error!(%cause, "a request is refused with 503, because there is no decision about it");
            Refusal::unavailable()
        })
    }

    fn question<'a>(&'a self, parts: &'a Parts, permission: Option<&'a str>) -> Result<Question<'a>, Refusal> {
        let token = credential::token(&parts.headers)?;
        let (gate, method, path) = match &self.need {
            Need::Gate(gate) => (Some(&**gate), Some(parts.method.as_str()), Some(path(parts)?)),
            Need::UserManagement => (None, None, Some(OWN_ACCOUNT)),
            Need::LiveKey | Need::Permission(_) | Need::Resource(_) => (None, None, None),
        };
        // One machine has one address, however a socket of both kinds writes it.
        let ip_address = self.address.as_ref().and_then(|read| read(parts)).map(|address| address.to_canonical());
        let business_id = self.business.of(parts, gate.is_some())?;
        Ok(Question { token, permission, business_id, ip_address, gate, method, path })
    }
}

/// The path as the client wrote it, with its query: it is for the gate to say whether it can be read in two ways.
fn path(parts: &Parts) -> Result<&str, Refusal> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if path.len() > LONGEST_PATH { Err(Refusal::unclear("The path is too long.")) } else { Ok(path) }
}

impl fmt::Debug for Guard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { portcullis, need, business, address } = self;
        out.debug_struct("Guard")
            .field("portcullis", portcullis)
            .field("need", need)
            .field("business", business)
            .field("address", &address.is_some())
            .finish()
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

impl<S, Q, B> Service<Request<Q>> for Guarded<S>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    Q: Send + 'static,
    B: http_body::Body<Data = Bytes>,
{
    type Response = Response<GuardedBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // It is this one that was found ready; a clone need not be.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match guard.admit(&mut parts).await {
                Err(refusal) => {
                    let request_id = guard.portcullis.request_id(&parts.headers);
                    Ok(refusal.answer(&parts.headers, request_id).map(Either::Right))
                }
                Ok(limits) => {
                    let mut answer = inner.call(Request::from_parts(parts, body)).await?;
                    for (name, value) in &limits {
                        answer.headers_mut().entry(name).or_insert_with(|| value.clone());
                    }
                    Ok(answer.map(Either::Left))
                }
            }
        })
    }
}
