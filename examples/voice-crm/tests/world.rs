//! A CRM with somebody in it.

use std::net::IpAddr;

use portcullis_engines::{Gateway, Kind, Others, free_port};
use portcullis_tower::Portcullis;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use voice_crm::{Crm, Front, Store, serve};

use crate::problem::check_problem;
use crate::support::{Key, Server};

/// Every resource that can be written, with a body that makes one and another that changes it.
pub(crate) fn writable() -> [(&'static str, Value, Value); 6] {
    let call = json!({"from": "+1 555 0100", "to": "+1 555 0199", "direction": "inbound"});
    [
        ("calls", call, json!({"status": "answered", "duration_seconds": 61})),
        ("leads", json!({"name": "Ada"}), json!({"status": "won"})),
        ("agents", json!({"name": "Reception"}), json!({"voice": "alto"})),
        ("contacts", json!({"name": "Ada"}), json!({"phone": "+1 555 0100"})),
        ("knowledge_base", json!({"title": "Hours", "content": "9 to 17"}), json!({"content": "8 to 18"})),
        ("integrations", json!({"name": "Diary", "kind": "calendar"}), json!({"address": "https://diary.example"})),
    ]
}

/// Portcullis, a CRM that asks it, and Ann, who owns a clinic and a shop.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) ann: String,
    pub(crate) clinic: String,
    pub(crate) shop: String,
    data: TempDir,
    /// What stands in front of the CRM, for as long as the test goes on.
    gateway: Option<Gateway>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        let mut world = Self::with("").await;
        world.url = world.crm(Front::Itself, 0).await;
        world
    }

    /// Behind nginx, as `gateways/nginx` has it.
    pub(crate) async fn through_nginx() -> Self {
        let mut world = Self::with("").await;
        let crm = world.behind("127.0.0.1").await;
        let port = |url: &str| url.rsplit(':').next().unwrap().parse().unwrap();
        let others = Others { api: port(&crm), portcullis: port(&world.server.url), grpc: port(&world.server.url) };
        let nginx = Gateway::start(Kind::Nginx, others, &[]);
        world.url = format!("http://127.0.0.1:{}", world.gateway.insert(nginx).port);
        world
    }

    /// Behind Portcullis itself, as a proxy.
    pub(crate) async fn through_proxy() -> Self {
        let (proxy, crm) = (free_port(), free_port());
        let upstream =
            format!("[gate.crm.upstream]\nurl = \"http://127.0.0.1:{crm}\"\nlisten = \"127.0.0.1:{proxy}\"\n");
        let mut world = Self::with(&upstream).await;
        world.crm(Front::Gateway(vec!["127.0.0.1".parse().unwrap()]), crm).await;
        world.url = format!("http://127.0.0.1:{proxy}");
        world
    }

    /// Without a CRM.
    async fn with(settings: &str) -> Self {
        let roomy = "rate_limit_per_minute = 100_000_000\nrate_limit_per_second = 100_000_000\n";
        let server = Server::with(&format!("{roomy}{}{settings}", include_str!("../gate.toml"))).await;
        let data = TempDir::new().unwrap();
        let ann = server.user("ann@example.com").await;
        let (clinic, shop) = (server.business("Dental Clinic", &ann).await, server.business("Bike Shop", &ann).await);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, url: String::new(), http, ann, clinic, shop, data, gateway: None }
    }

    /// The address of another CRM on the same rows.
    pub(crate) async fn behind(&self, gateway: &str) -> String {
        let gateway: IpAddr = gateway.parse().unwrap();
        self.crm(Front::Gateway(vec![gateway]), 0).await
    }

    async fn crm(&self, front: Front, port: u16) -> String {
        let store = Store::open(&self.data.path().join("crm.db")).await.unwrap();
        let portcullis = Portcullis::at(&self.server.url, &self.server.operator).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(Crm::new(store, portcullis, front), listener, std::future::pending()));
        url
    }

    /// A key of Ann's.
    pub(crate) async fn key(&self, mut wanted: Value) -> Key {
        wanted["name"] = json!("A key");
        self.server.key(&self.ann, wanted).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, key: &Key, path: &str) -> Answer {
        send(self.request("GET", path).bearer_auth(&key.token)).await
    }

    pub(crate) async fn send(&self, key: &Key, method: &str, path: &str, body: &Value) -> Answer {
        send(self.request(method, path).bearer_auth(&key.token).json(body)).await
    }

    /// Puts a contact into a business, with a key that may.
    pub(crate) async fn contact(&self, key: &Key, business: &str, name: &str) -> String {
        let made =
            self.send(key, "POST", &format!("/api/v1/business/{business}/contacts"), &json!({"name": name})).await;
        made.is(201)["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let answer = Answer { status, headers, body };
    answer.check_contract();
    answer
}

impl Answer {
    /// The data of a success with this status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{self:?}");
        &self.body["data"]
    }

    /// One member of each row of a list.
    #[track_caller]
    pub(crate) fn column(&self, member: &str) -> Vec<String> {
        let rows = self.is(200).as_array().unwrap();
        rows.iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str, reason: Option<&str>) {
        let seen = (self.status, self.body["code"].as_str(), self.body["reason"].as_str());
        assert_eq!(seen, (status, Some(code), reason), "{self:?}");
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What holds of every answer, whether the guard gave it or a handler.
    #[track_caller]
    fn check_contract(&self) {
        let id = self.header("x-request-id").unwrap_or_default();
        assert!(id.starts_with("req_") && id.len() == 30, "{id}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        if self.status < 400 || self.body.is_null() {
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        check_problem(&self.body, self.status);
        assert_eq!(self.body["request_id"], id);
    }
}
