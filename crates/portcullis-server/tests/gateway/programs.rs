//! nginx, Caddy, Envoy (by HTTP and by gRPC) and HAProxy, each as `gateways/` configures it, between a client and the API.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_engines::{Gateway, Kind, Others};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Guarded;
use super::api::{Api, Line, Wire};
use super::tricks::{reads_as_account, smuggled, tricks};
use crate::support::{Answer, check_problem};

/// No gateway waits so long for Portcullis.
const PATIENCE: Duration = Duration::from_secs(20);
const IDENTITY: [&str; 5] = ["key-id", "user-id", "business-id", "businesses", "permissions"];

/// A client's side of a gateway, with all that stands behind it.
pub(crate) struct Setup {
    pub(crate) guarded: Guarded,
    pub(crate) api: Api,
    pub(crate) wire: Wire,
    grpc: Wire,
    pub(crate) kind: Kind,
    pub(crate) gateway: Gateway,
}

impl Setup {
    pub(crate) async fn start(kind: Kind) -> Self {
        let (wire, grpc) = (Wire::closed().await, Wire::closed().await);
        // Whoever looks up where to ask is led the same way as those who are told.
        let own = format!("public_url = \"http://127.0.0.1:{}\"\ngrpc_listen = \"127.0.0.1:0\"\n", wire.port);
        let guarded = Guarded::with(&own).await;
        let api = Api::start().await;
        let asking = json!({"name": "gateway", "grants": ["keys:verify"]});
        let operator = guarded.server.op_post("/operator-keys", &asking).await.created();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, token) = (text(&operator["operator_key"]["id"]), text(&operator["token"]));
        let environment = [("OPERATOR_ID", id.as_str()), ("OPERATOR_TOKEN", &token)];
        let others = Others { api: api.address.port(), portcullis: wire.port, grpc: grpc.port };
        let gateway = Gateway::start(kind, others, &environment);
        let setup = Self { guarded, api, wire, grpc, kind, gateway };
        setup.line(None).await;
        setup
    }

    /// Has the gateway reach this in place of Portcullis.
    pub(crate) async fn line(&self, line: Option<Line>) {
        let (http, grpc) = (self.guarded.server.address, self.guarded.server.grpc.unwrap());
        self.wire.is(line.unwrap_or(Line::To(http)));
        self.grpc.is(line.unwrap_or(Line::To(grpc)));
        // Connections that were kept end now, and the gateway hears of it.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    pub(crate) async fn ask(&self, request: &str, headers: &[(&str, &str)]) -> Answer {
        let (method, target) = request.split_once(' ').unwrap();
        let url = format!("http://127.0.0.1:{}{target}", self.gateway.port);
        let mut asking = self.guarded.server.client.request(method.parse::<Method>().unwrap(), url);
        for (name, value) in headers {
            asking = asking.header(*name, *value);
        }
        Answer::to(asking.timeout(PATIENCE)).await
    }

    /// A refusal of the gateway, with the API untouched.
    async fn refuses(&self, request: &str, headers: &[(&str, &str)], expected: (u16, &str, Value)) -> Answer {
        let answer = self.ask(request, headers).await;
        let seen = (answer.status, answer.body["code"].as_str().unwrap_or_default(), answer.body["reason"].clone());
        assert_eq!(seen, expected, "{:?} {request} {headers:?}: {}\n{}", self.kind, answer.text, self.gateway.log());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        check_problem(&answer.body, answer.status);
        assert!(self.api.seen().is_empty(), "{:?} {request} reached the API", self.kind);
        answer
    }

    /// Sends bytes as they are, and waits for an answer or a second of silence.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        const SILENCE: Duration = Duration::from_millis(800);
        let mut stream = TcpStream::connect(("127.0.0.1", self.gateway.port)).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        while tokio::time::timeout(SILENCE, stream.read_buf(&mut answer))
            .await
            .is_ok_and(|read| read.is_ok_and(|read| read > 0))
        {}
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn lets_through_who_may(&self) {
        let Guarded { user, business, key, .. } = &self.guarded;
        let (bearer, token) = (format!("Bearer {}", key.token), format!("Token {}", key.token));
        for credential in [("authorization", &bearer), ("authorization", &token), ("x-api-key", &key.token)] {
            let request = format!("PATCH /api/v1/business/{business}/contacts/7?x=%2F..&y");
            let answer = self.ask(&request, &[(credential.0, credential.1)]).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, "the API's answer"), "{}", self.gateway.log());
            let policy = answer.header("ratelimit-policy").unwrap_or_default();
            assert!(
                policy.contains("\"minute\"") && answer.header("x-ratelimit-remaining").is_some(),
                "{:?}",
                answer.headers
            );
            let seen = self.api.one();
            assert_eq!(format!("{} {}", seen.method, seen.target), request);
            let identity = IDENTITY.map(|name| {
                let mut all = seen.headers.get_all(format!("x-portcullis-{name}")).iter();
                let first = all.next().map_or("", |value| value.to_str().unwrap());
                assert!(all.next().is_none());
                first.to_owned()
            });
            assert_eq!(identity[..4], [&key.id as &str, user, business, business]);
            assert!(identity[4].contains("contacts:write"), "{identity:?}");
            for gone in ["authorization", "x-api-key"] {
                assert!(!seen.headers.contains_key(gone), "{:?}", self.kind);
            }
        }
        let answer = self.ask("GET /health", &[]).await;
        assert_eq!((answer.status, self.api.one().target.as_str()), (200, "/health"));
    }

    async fn refuses_who_may_not(&self) {
        let Guarded { server, user, key, .. } = &self.guarded;
        let foreign = server.business("Foreign").await;
        let reads = self.guarded.may(&["contacts:read"]).await;
        let missing = self.refuses("GET /api/contacts", &[], (401, "INVALID_API_KEY", json!("missing"))).await;
        assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"portcullis\""));
        let one = async |request: &str, token: &str, status, code: &str, reason: Value| {
            self.refuses(request, &[("x-api-key", token)], (status, code, reason)).await
        };
        one("GET /api/contacts", "ak_live_x", 401, "INVALID_API_KEY", json!("malformed")).await;
        let lacks = one("POST /api/contacts", &reads.token, 403, "PERMISSION_DENIED", json!("permission")).await;
        let scope = "Bearer realm=\"portcullis\", error=\"insufficient_scope\", scope=\"contacts:write\"";
        let challenges: Vec<_> = lacks.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges, [scope], "{:?}", self.kind);
        let elsewhere = format!("GET /api/v1/business/{foreign}/contacts");
        one(&elsewhere, &key.token, 403, "PERMISSION_DENIED", json!("business")).await;
        one("GET /api/v1/user", &key.token, 403, "PERMISSION_DENIED", json!("user_management")).await;
        one("GET /elsewhere", &key.token, 403, "PERMISSION_DENIED", json!("no_rule")).await;
        one("GET /API/contacts", &key.token, 403, "PERMISSION_DENIED", json!("no_rule")).await;
        one("GET /api/calls", &key.token, 400, "INVALID_REQUEST", Value::Null).await;
        let bearer = format!("Bearer {}", key.token);
        let two = [("authorization", bearer.as_str()), ("x-api-key", &key.token)];
        self.refuses("GET /api/contacts", &two, (400, "AMBIGUOUS_CREDENTIALS", Value::Null)).await;
        let twice = self.ask("GET /api/contacts", &[("authorization", &bearer), ("authorization", &bearer)]).await;
        assert!(matches!(twice.status, 400 | 401), "{}", twice.status);
        assert!(self.api.seen().is_empty());

        let limited = self.guarded.may(&["contacts:read"]).await;
        let path = format!("/users/{user}/api-keys/{}/rate-limit", limited.id);
        server.op_put(&path, &json!({"per_minute": 1, "per_second": 1})).await.ok();
        let headers = [("x-api-key", limited.token.as_str())];
        assert_eq!(self.ask("GET /api/contacts", &headers).await.status, 200);
        assert_eq!(self.api.seen().len(), 1);
        let answer = self.refuses("GET /api/contacts", &headers, (429, "RATE_LIMITED", Value::Null)).await;
        assert_eq!(answer.header("retry-after"), Some("60"), "{:?}", self.kind);
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));

        let revoked = self.guarded.may(&["contacts:read"]).await;
        let headers = [("x-api-key", revoked.token.as_str())];
        assert_eq!(self.ask("GET /api/contacts", &headers).await.status, 200);
        assert_eq!(self.api.seen().len(), 1);
        server.revoke(user, &revoked).await;
        self.refuses("GET /api/contacts", &headers, (401, "INVALID_API_KEY", json!("revoked"))).await;
    }

    /// What ends or closes by itself, or by somebody's doing.
    async fn refuses_what_is_over(&self) {
        let server = &self.guarded.server;
        let (user, business) = server.owner_of("bob@example.com", "Garage").await;
        let key = server.key(&user, &json!({"name": "Bob's"})).await;
        let office = server.key(&user, &json!({"name": "office", "allowed_ips": ["203.0.113.7"]})).await;
        let expired = server.key(&user, &json!({"name": "old", "expires_at": "2026-11-20T19:30:01Z"})).await;
        server.pass(1_000);
        let one = async |path: &str, token: &str, status, code: &str, reason: Value| {
            self.refuses(&format!("GET {path}"), &[("x-api-key", token)], (status, code, reason)).await
        };
        one("/api/contacts", &expired.token, 401, "INVALID_API_KEY", json!("expired")).await;
        one("/api/contacts", &office.token, 403, "PERMISSION_DENIED", json!("ip_address")).await;
        server.op_post(&format!("/businesses/{business}/disable"), &json!({})).await.ok();
        let path = format!("/api/v1/business/{business}/contacts");
        one(&path, &key.token, 403, "BUSINESS_DISABLED", Value::Null).await;
        server.op_post(&format!("/users/{user}/disable"), &json!({})).await.ok();
        one(&path, &key.token, 403, "USER_DISABLED", Value::Null).await;
    }

    /// The API sees no identity but ours, whatever the client says of itself.
    async fn believes_no_client(&self) {
        let Guarded { user, key, .. } = &self.guarded;
        let spoofed = "X-Portcullis-User-Id: usr_spoofed\r\nx-portcullis-key-id: key_spoofed\r\nX-Portcullis-Business-Id: biz_spoofed\r\n\
            X-Portcullis-Businesses: *,biz_spoofed\r\nX-Portcullis-Permissions: spoofed:write\r\n";
        let twins = "X_Portcullis_User_Id: usr_spoofed\r\nX-Portcullis_User-Id: usr_spoofed\r\nX.Portcullis.User.Id: usr_spoofed\r\n";
        let words = "X-Forwarded-Uri: /health\r\nX-Forwarded-Method: GET\r\nX-Original-URI: /health\r\nX-Original-Method: GET\r\n\
            X-Forwarded-For: 203.0.113.66\r\nX-Forwarded-Prefix: /health\r\nX-HTTP-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\n";
        let connection = "Connection: X-Portcullis-User-Id, X-Portcullis-Key-Id, X-Portcullis-Business-Id\r\n";
        for lines in [spoofed, twins, words, connection, &format!("{connection}{spoofed}")] {
            for (path, credential) in
                [("/api/contacts", format!("X-API-Key: {}\r\n", key.token)), ("/health", String::new())]
            {
                let close = if lines.contains("Connection") { "" } else { "Connection: close\r\n" };
                let request = format!("GET {path} HTTP/1.1\r\nHost: api\r\n{credential}{lines}{close}\r\n");
                self.raw(request.as_bytes()).await;
                for seen in self.api.seen() {
                    assert_eq!(seen.target, path);
                    let told = seen.headers.get("x-portcullis-user-id").map_or("", |value| value.to_str().unwrap());
                    let expected = if path == "/health" { "" } else { user as &str };
                    assert_eq!(told, expected, "{:?} {lines}", self.kind);
                    for (name, value) in &seen.headers {
                        let plain = !value.to_str().unwrap().contains("spoofed");
                        assert!(plain && !name.as_str().contains("override"), "{:?} {name}: {value:?}", self.kind);
                        let names_ours =
                            name == "connection" && value.to_str().unwrap().to_lowercase().contains("portcullis");
                        assert!(!names_ours, "{:?}: another proxy would take our headers off", self.kind);
                        assert!(value != "203.0.113.66", "{:?} believes X-Forwarded-For", self.kind);
                    }
                }
            }
        }
        let answer = self.ask("GET /elsewhere", &[("x-api-key", &key.token), ("x-forwarded-uri", "/health")]).await;
        assert_eq!(answer.status, 403);
        assert!(self.api.seen().is_empty());
    }

    /// No tunnel but a WebSocket's: what goes through one is not looked at. And the dashboard's session is nobody else's.
    pub(crate) async fn opens_no_other_tunnel(&self, path: &str) {
        let key = &self.guarded.key.token;
        for upgrade in [
            "h2c",
            "h2c, websocket",
            "websocket, h2c",
            "h2c\r\nUpgrade: websocket",
            "websocket\r\nUpgrade: h2c",
            "TLS/1.0",
        ] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: api\r\nX-API-Key: {key}\r\nCookie: a=1; __Host-portcullis_session=ps_live_x; b=2\r\n\
                 Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Version: 13\r\nUpgrade: {upgrade}\r\n\r\n"
            );
            self.raw(request.as_bytes()).await;
            for seen in self.api.seen() {
                for name in ["upgrade", "http2-settings"] {
                    let offered: Vec<_> = seen.headers.get_all(name).iter().collect();
                    assert!(
                        offered.iter().all(|value| *value == "websocket"),
                        "{:?} {upgrade}: {offered:?}",
                        self.kind
                    );
                }
                // Envoy and Traefik cannot cut a cookie out; their pages say so.
                let cut = !matches!(self.kind, Kind::EnvoyHttp | Kind::EnvoyGrpc);
                let cookies = seen.headers.get("cookie").map_or("", |value| value.to_str().unwrap());
                assert!(!cut || cookies == "a=1; b=2", "{:?}: {cookies}", self.kind);
            }
        }
    }

    /// Nothing that a server could read as the user's account reaches the API with a key that may not go there, nor anything but the
    /// public path without a key.
    async fn falls_for_no_path_trick(&self) {
        let Guarded { key, .. } = &self.guarded;
        let credential = format!("X-API-Key: {}\r\n", key.token);
        let tricks: Vec<_> = tricks().into_iter().flat_map(|trick| [(trick.clone(), true), (trick, false)]).collect();
        let requests = tricks.iter().enumerate().map(|(number, (target, with_key))| {
            let credential = if *with_key { &credential } else { "" };
            format!("GET {target} HTTP/1.1\r\nHost: api\r\nX-Trick: {number}\r\nConnection: close\r\n{credential}\r\n")
        });
        self.all(requests.collect()).await;
        for seen in self.api.seen() {
            let number: usize = seen.headers["x-trick"].to_str().unwrap().parse().unwrap();
            let (trick, with_key) = &tricks[number];
            let path = seen.target.split('?').next().unwrap_or_default();
            let open = path.trim_end_matches('/') == "/health" || (*with_key && path.starts_with("/api/contacts"));
            assert!(open && !reads_as_account(path), "{:?} {trick}: the API saw {}", self.kind, seen.target);
        }
        self.all(smuggled().iter().map(|smuggled| smuggled.replace("{key}", &key.token)).collect()).await;
        for seen in self.api.seen() {
            assert!(seen.target.starts_with("/api/contacts"), "{:?}: {}", self.kind, seen.target);
        }
    }

    /// Sends all of these, some of them at once.
    pub(crate) async fn all(&self, requests: Vec<String>) {
        const AT_ONCE: usize = 16;
        for requests in requests.chunks(AT_ONCE) {
            join_all(requests.iter().map(|request| self.raw(request.as_bytes()))).await;
        }
    }

    /// Whatever has become of Portcullis, nothing gets through.
    async fn is_closed_without_portcullis(&self) {
        let headers = [("x-api-key", self.guarded.key.token.as_str())];
        let empty = |status: &str| -> &'static str {
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").leak()
        };
        for line in [
            Line::Closed,
            Line::Silent,
            Line::Saying("nonsense\r\n\r\n"),
            Line::Saying("HTTP/1.1 200 OK\r\n"),
            Line::Saying(empty("500 Internal Server Error")),
            Line::Saying(empty("503 Service Unavailable")),
            Line::Saying(empty("204 No Content")),
            Line::Saying(empty("302 Found")),
        ] {
            self.line(Some(line)).await;
            let answer = self.ask("GET /api/contacts", &headers).await;
            assert!(self.api.seen().is_empty(), "{:?} lets through: {line:?}", self.kind);
            // Envoy tells the client all statuses but 5xx as they came.
            let as_it_came = self.kind == Kind::EnvoyHttp && matches!(answer.status, 204 | 302);
            if !as_it_came {
                assert_eq!(answer.status, 503, "{:?} {line:?}: {}", self.kind, answer.text);
                if !answer.text.is_empty() {
                    check_problem(&answer.body, 503);
                    assert_eq!(answer.body["code"], "UNAVAILABLE");
                }
            }
        }
        self.line(None).await;
        let mut answered = 0;
        for _ in 0..100 {
            answered = self.ask("GET /api/contacts", &headers).await.status;
            if answered == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(answered, 200, "{:?} does not find Portcullis again\n{}", self.kind, self.gateway.log());
        self.api.seen();
    }

    async fn carries_bodies(&self) {
        const BYTES: usize = 900_000;
        let url = format!("http://127.0.0.1:{}/api/contacts/import", self.gateway.port);
        let asking = self.guarded.server.client.post(url).body(vec![b'x'; BYTES]);
        let answer = Answer::to(asking.header("x-api-key", &self.guarded.key.token)).await;
        assert_eq!((answer.status, self.api.one().body_bytes), (200, BYTES));
    }
}

async fn battery(kind: Kind) {
    let setup = Setup::start(kind).await;
    setup.lets_through_who_may().await;
    setup.refuses_who_may_not().await;
    setup.refuses_what_is_over().await;
    setup.believes_no_client().await;
    setup.opens_no_other_tunnel("/health").await;
    setup.opens_no_other_tunnel("/api/contacts").await;
    setup.carries_bodies().await;
    setup.falls_for_no_path_trick().await;
    setup.is_closed_without_portcullis().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_07_to_15_nginx() {
    battery(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_07_to_15_caddy() {
    battery(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_07_to_15_envoy_by_http() {
    battery(Kind::EnvoyHttp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_07_to_15_envoy_by_grpc() {
    battery(Kind::EnvoyGrpc).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_07_to_15_haproxy() {
    battery(Kind::HaProxy).await;
}
