//! In front of other services than axum's: hyper on a socket, and gRPC.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_tower::{Decision, Portcullis};
use serde_json::json;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::world::{World, read, seen};

#[tokio::test]
async fn a_hyper_service_on_a_socket_streams_both_ways() {
    let world = World::new().await;
    let key = world.any_key().await;
    let echo = service_fn(async |request: Request<Incoming>| {
        assert!(request.extensions().get::<Decision>().is_some());
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let service = TowerToHyperService::new(world.portcullis.resource("contacts").layer(echo));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/contacts", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(serving);
        }
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let long = "x".repeat(1 << 20);
    let answer = http.post(&url).bearer_auth(&key.token).body(long.clone()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap() == long), (200, true));
    world.server.revoke(&key).await;
    let answer = http.post(&url).bearer_auth(&key.token).body("x").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["reason"], "revoked");
}

#[tokio::test]
async fn grpc_is_answered_in_its_own_words() {
    let world = World::new().await;
    let key = world.key(json!({"permissions": ["contacts:read"]})).await;
    let inner = service_fn(async |request: Request<Empty<Bytes>>| {
        let decision = request.extensions().get::<Decision>().unwrap();
        Ok::<_, Infallible>(Response::new(Full::from(seen(decision, request.headers()).to_string())))
    });
    let away = Portcullis::at("http://127.0.0.1:1", "op_live_x").unwrap();
    let ask = async |portcullis: &Portcullis, credentials: &[&str]| {
        let mut request = Request::post("/crm.Contacts/List").header("content-type", "application/grpc+proto");
        for credential in credentials {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let guarded = portcullis.permission("contacts:read").layer(inner);
        read(guarded.oneshot(request.body(Empty::new()).unwrap()).await.unwrap()).await
    };
    let passing = ask(&world.portcullis, &[&key.token]).await;
    assert_eq!(passing.passes()["key_id"], json!(key.id));
    assert!(passing.header("ratelimit").is_some() && passing.header("grpc-status").is_none());

    let writer = world.key(json!({"permissions": ["contacts:write"]})).await;
    world.server.revoke(&key).await;
    for (portcullis, credentials, status, message) in [
        (&world.portcullis, &[][..], "16", "Send an API key, e.g. as `Authorization: Bearer <token>`."),
        (&world.portcullis, &[&*key.token], "16", "The key was revoked."),
        (&world.portcullis, &[&*writer.token], "7", "The key lacks the permission that this request needs."),
        (&world.portcullis, &["ak_a", "ak_b"], "3", "Send one credential: this request has more than one."),
        (&away, &["ak_a"], "14", "This server cannot answer now; ask again. Your key is not the reason."),
    ] {
        let answer = ask(portcullis, credentials).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/grpc")));
        assert_eq!((answer.header("grpc-status"), answer.header("grpc-message")), (Some(status), Some(message)));
        assert!(answer.body.is_null(), "trailers only: {answer:?}");
    }
}

/// A service whose clones are not ready until they are asked, as tower allows.
struct Strict {
    ready: bool,
    called_unready: Arc<AtomicBool>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, called_unready: Arc::clone(&self.called_unready) }
    }
}

impl Service<Request<Empty<Bytes>>> for Strict {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        self.called_unready.fetch_or(!self.ready, Ordering::Relaxed);
        self.ready = false;
        std::future::ready(Ok(Response::new(Empty::new())))
    }
}

#[tokio::test]
async fn the_service_that_was_found_ready_is_the_one_that_is_called() {
    let world = World::new().await;
    let key = world.any_key().await;
    let called_unready = Arc::new(AtomicBool::new(false));
    let strict = Strict { ready: false, called_unready: Arc::clone(&called_unready) };
    let mut guarded = world.portcullis.live_key().layer(strict);
    for _ in 0..3 {
        let request = Request::get("/").header("x-api-key", &key.token).body(Empty::new()).unwrap();
        let answer = guarded.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
    assert!(!called_unready.load(Ordering::Relaxed));
}
