//! What most tests stand on: a guarded API that tells what it saw, and somebody with a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use axum::{Extension, Json, Router};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use portcullis_tower::{Businesses, Decision, Guard, Portcullis};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Key, Server};

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) portcullis: Portcullis,
    pub(crate) ann: String,
    pub(crate) clinic: String,
}

/// A guarded service, and how often it was called.
pub(crate) struct Api {
    router: Router,
    calls: Arc<AtomicUsize>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::around(Server::start().await).await
    }

    pub(crate) async fn around(server: Server) -> Self {
        let portcullis = Portcullis::at(&server.url, &server.operator).unwrap();
        let ann = server.user("ann@example.com").await;
        let clinic = server.business("Dental Clinic", &ann).await;
        Self { server, portcullis, ann, clinic }
    }

    pub(crate) async fn key(&self, mut wanted: Value) -> Key {
        wanted["name"] = json!("A key");
        self.server.key(&self.ann, wanted).await
    }

    /// A key that may do what Ann may.
    pub(crate) async fn any_key(&self) -> Key {
        self.key(json!({})).await
    }
}

impl Api {
    pub(crate) fn behind(guard: Guard) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let echo = any(move |Extension(decision): Extension<Decision>, headers: HeaderMap| async move {
            counted.fetch_add(1, Ordering::Relaxed);
            Json(seen(&decision, &headers))
        });
        Self { router: Router::new().fallback(echo).layer(guard), calls }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, token: &str) -> Answer {
        self.send(request(method, path, &[("authorization", &format!("Bearer {token}"))])).await
    }

    pub(crate) async fn get(&self, token: &str) -> Answer {
        self.ask("GET", "/api/contacts", token).await
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let built = Request::builder().method(method).uri(path);
    headers.iter().fold(built, |built, (name, value)| built.header(*name, *value)).body(Body::empty()).unwrap()
}

/// What the service behind the layer sees.
pub(crate) fn seen(decision: &Decision, headers: &HeaderMap) -> Value {
    let headers: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    let businesses = match &decision.businesses {
        Businesses::All(_) => json!("*"),
        Businesses::These(businesses) => json!(businesses),
    };
    json!({
        "key_id": decision.key_id, "user_id": decision.user_id, "name": decision.name,
        "business_id": decision.business_id, "businesses": businesses, "permissions": decision.permissions,
        "metadata": decision.metadata, "headers": headers,
    })
}

pub(crate) async fn read<B>(answer: Response<B>) -> Answer
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that the request went through.
    #[track_caller]
    pub(crate) fn passes(&self) -> &Value {
        assert_eq!(self.status, 200, "{self:?}");
        &self.body
    }

    /// Checks status, code and reason of a refusal, and what the contract says of each.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str, reason: Option<&str>) {
        let body = &self.body;
        let seen = (self.status, body["code"].as_str(), body["reason"].as_str());
        assert_eq!(seen, (status, Some(code), reason), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("x-request-id"), body["request_id"].as_str());
        assert_eq!((&body["status"], &body["success"]), (&json!(status), &json!(false)), "{body}");
        assert_eq!(body["type"], format!("/problems/{code}"));
        assert_eq!(body["message"], body["detail"]);
        for member in ["title", "detail", "request_id"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {body}");
        }
        assert!(body.as_object().unwrap().contains_key("reason"), "{body}");
    }
}
