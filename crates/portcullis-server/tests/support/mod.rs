//! A server for one test, and words to ask it with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::config::{Config, SecretUrl};
use portcullis_server::setup::{self, FirstUser};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod engine;
mod problem;
pub(crate) mod raw;

pub(crate) use problem::check_problem;

/// 2026-11-20T19:30:00Z: when the tests with a clock of their own begin.
pub(crate) const START: i64 = 1_795_203_000_000;

/// A running server on an empty store, with a first user and an operator key that may do everything.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) grpc: Option<SocketAddr>,
    /// Where the proxies of gates with an upstream listen.
    pub(crate) proxies: Vec<(String, SocketAddr)>,
    pub(crate) operator: String,
    pub(crate) admin: String,
    pub(crate) data: TempDir,
    settings: String,
    /// The database, where it is not in `data`.
    database: Option<String>,
    clock: Arc<AtomicI64>,
    pub(crate) client: reqwest::Client,
    stop: watch::Sender<bool>,
    running: JoinHandle<std::io::Result<()>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// Where a test is not about limits: the clock of most tests stands still, and a second never ends.
const ROOMY: &str = "rate_limit_per_minute = 100_000_000\nrate_limit_per_second = 100_000_000\n";

/// The password of everybody who has one.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A session as a browser has it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) cookie: String,
    pub(crate) id: String,
}

/// A key as a test knows it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// A server with settings of its own, as the text of a configuration file.
    pub(crate) async fn with(settings: &str) -> Self {
        Self::first(settings, engine::database().await).await
    }

    /// The first node on a PostgreSQL database of its own.
    pub(crate) async fn node(settings: &str) -> Self {
        Self::first(settings, Some(engine::postgres().await)).await
    }

    /// The first node on this database.
    pub(crate) async fn on(settings: &str, database: &str) -> Self {
        Self::first(settings, Some(database.to_owned())).await
    }

    /// Another node on the same database, with settings of its own.
    pub(crate) async fn beside(&self, settings: &str) -> Self {
        let data = TempDir::new().unwrap();
        std::fs::create_dir(data.path().join("store")).unwrap();
        std::fs::copy(self.data.path().join("store/pepper"), data.path().join("store/pepper")).unwrap();
        let clock = Arc::clone(&self.clock);
        let app = open(settings, &data, self.database.as_deref(), &clock).await;
        let ((address, grpc, proxies), stop, running) = run(app).await;
        Self {
            url: format!("http://{address}"),
            address,
            grpc,
            proxies,
            operator: self.operator.clone(),
            admin: self.admin.clone(),
            data,
            settings: settings.to_owned(),
            database: self.database.clone(),
            clock,
            client: self.client.clone(),
            stop,
            running,
        }
    }

    /// The name of its database.
    pub(crate) fn database(&self) -> &str {
        self.database.as_deref().unwrap().rsplit('/').next().unwrap()
    }

    async fn first(settings: &str, database: Option<String>) -> Self {
        let data = TempDir::new().unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let app = open(settings, &data, database.as_deref(), &clock).await;
        let first = FirstUser { email: "admin@example.com".to_owned(), name: Some("Admin".to_owned()), password: None };
        let first = setup::initialise(&app, first).await.unwrap();
        let ((address, grpc, proxies), stop, running) = run(app).await;
        Self {
            url: format!("http://{address}"),
            address,
            grpc,
            proxies,
            operator: first.operator_token.expose().to_owned(),
            admin: first.user_id.to_string(),
            data,
            settings: settings.to_owned(),
            database,
            clock,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop,
            running,
        }
    }

    /// The settings it runs with.
    pub(crate) fn config(&self) -> Config {
        config(&self.settings, &self.data, self.database.as_deref())
    }

    /// Stops gracefully and starts again on the same data, with the same settings.
    pub(crate) async fn restart(self) -> Self {
        let Self { data, settings, database, clock, stop, running, operator, admin, client, .. } = self;
        stop.send_replace(true);
        running.await.unwrap().unwrap();
        let app = open(&settings, &data, database.as_deref(), &clock).await;
        let ((address, grpc, proxies), stop, running) = run(app).await;
        let url = format!("http://{address}");
        Self { url, address, grpc, proxies, operator, admin, data, settings, database, clock, client, stop, running }
    }

    /// Tells the server to stop; what is returned ends when it has, with the address it had.
    pub(crate) fn stop(self) -> impl Future<Output = SocketAddr> {
        self.stop.send_replace(true);
        async move {
            let Self { running, data, address, .. } = self;
            running.await.unwrap().unwrap();
            drop(data);
            address
        }
    }

    /// Lets time pass for the server.
    pub(crate) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Waits until something that the server does by itself is done.
    pub(crate) async fn until(&self, done: impl AsyncFn() -> bool) {
        for _ in 0..800 {
            if done().await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("it was not done in twenty seconds");
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = Answer::to(request).await;
        answer.check_contract();
        answer
    }

    /// A request to a path of `/api/v1`, without a credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}/api/v1{path}", self.url))
    }

    /// A GET of a path outside the API.
    pub(crate) fn request_root(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    /// What is measured.
    pub(crate) async fn op_metrics(&self) -> String {
        self.send(self.request_root("/metrics").bearer_auth(&self.operator)).await.text
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    /// A GET as the operator.
    pub(crate) async fn op_get(&self, path: &str) -> Answer {
        self.get(&self.operator, path).await
    }

    /// A POST as the operator.
    pub(crate) async fn op_post(&self, path: &str, body: &Value) -> Answer {
        self.post(&self.operator, path, body).await
    }

    /// A PUT as the operator.
    pub(crate) async fn op_put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).bearer_auth(&self.operator).json(body)).await
    }

    /// A PATCH with this token.
    pub(crate) async fn patch(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).bearer_auth(token).json(body)).await
    }

    /// A DELETE as the operator.
    pub(crate) async fn op_delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).bearer_auth(&self.operator)).await
    }

    pub(crate) async fn user(&self, email: &str) -> String {
        self.op_post("/users", &json!({"email": email})).await.created()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn business(&self, name: &str) -> String {
        self.op_post("/businesses", &json!({"name": name})).await.created()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn member(&self, business: &str, user: &str, role: &str) {
        self.op_put(&format!("/businesses/{business}/members/{user}"), &json!({"role_id": role})).await.ok();
    }

    /// A user who owns a new business.
    pub(crate) async fn owner_of(&self, email: &str, business: &str) -> (String, String) {
        let (user, business) = (self.user(email).await, self.business(business).await);
        self.member(&business, &user, "owner").await;
        (user, business)
    }

    /// The cookie of a new session of this user, who is given a password first.
    pub(crate) async fn sign_in(&self, user: &str) -> Session {
        let link = self.op_post(&format!("/users/{user}/password-links"), &json!({})).await.created();
        let (_, token) = link["url"].as_str().unwrap().split_once('#').unwrap();
        let body = json!({"token": token, "password": PASSWORD});
        self.send(self.request(Method::POST, "/password").json(&body)).await.session()
    }

    /// A request in a session, as a page of this server makes it.
    pub(crate) async fn by(&self, session: &Session, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method.parse().unwrap(), path).header("cookie", &session.cookie);
        let request = request.header("sec-fetch-site", "same-origin");
        self.send(if method == "GET" || body.is_null() { request } else { request.json(body) }).await
    }

    /// A GET in a session.
    pub(crate) async fn by_get(&self, session: &Session, path: &str) -> Answer {
        self.by(session, "GET", path, &Value::Null).await
    }

    /// A key of this user, made by the operator.
    pub(crate) async fn key(&self, user: &str, wanted: &Value) -> Key {
        let answer = self.op_post(&format!("/users/{user}/api-keys"), wanted).await;
        let made = answer.created();
        Key {
            id: made["api_key"]["id"].as_str().unwrap().to_owned(),
            token: made["token"].as_str().unwrap().to_owned(),
        }
    }

    /// The decision about a question.
    pub(crate) async fn verify(&self, question: &Value) -> Value {
        self.op_post("/verify", question).await.ok()
    }

    pub(crate) async fn revoke(&self, user: &str, key: &Key) -> Value {
        self.op_post(&format!("/users/{user}/api-keys/{}/revoke", key.id), &json!({})).await.ok()
    }
}

impl Answer {
    /// The answer to a request, of whatever server.
    pub(crate) async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    /// The data of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body["data"].clone()
    }

    /// The data of a success that made something.
    #[track_caller]
    pub(crate) fn created(&self) -> Value {
        assert_eq!(self.status, 201, "{}", self.text);
        self.body["data"].clone()
    }

    /// The session that an answer begins.
    #[track_caller]
    pub(crate) fn session(&self) -> Session {
        let data = self.created();
        let cookie = self.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Session { cookie, id: data["session"]["id"].as_str().unwrap().to_owned() }
    }

    /// Checks status, code and reason of a failure.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str, reason: Option<&str>) {
        let seen = (self.status, self.body["code"].as_str(), self.body["reason"].as_str());
        assert_eq!(seen, (status, Some(code), reason), "{}", self.text);
    }

    /// Checks that the request failed validation at exactly these members.
    #[track_caller]
    pub(crate) fn fails_at(&self, pointers: &[&str]) {
        self.fails(422, "VALIDATION_FAILED", None);
        let errors = self.body["errors"].as_array().unwrap();
        let seen: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(seen, pointers, "{}", self.text);
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What holds of every answer, whatever was asked.
    #[track_caller]
    fn check_contract(&self) {
        let id = self.header("x-request-id").unwrap_or_default();
        assert!(id.starts_with("req_") && id.len() == 30, "{id}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        if self.status < 400 {
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        check_problem(&self.body, self.status);
        assert_eq!(self.body["request_id"], id);
    }
}

async fn open(settings: &str, data: &TempDir, database: Option<&str>, clock: &Arc<AtomicI64>) -> Arc<App> {
    App::open(config(settings, data, database), Clock::Set(Arc::clone(clock))).await.unwrap()
}

fn config(settings: &str, data: &TempDir, database: Option<&str>) -> Config {
    let settings = if settings.contains("rate_limit_per_") { settings.to_owned() } else { ROOMY.to_owned() + settings };
    let mut config = Config::read(&settings, std::iter::empty()).unwrap();
    config.listen = ([127, 0, 0, 1], 0).into();
    config.data = data.path().join("store");
    config.pepper_file = config.data.join("pepper");
    config.database.url = database.map(|url| SecretUrl::new(url.to_owned()));
    config
}

/// The addresses of the server: of HTTP, of gRPC where it has that, and of its proxies.
type Addresses = (SocketAddr, Option<SocketAddr>, Vec<(String, SocketAddr)>);

async fn run(app: Arc<App>) -> (Addresses, watch::Sender<bool>, JoinHandle<std::io::Result<()>>) {
    let bound = portcullis_server::bind(app).await.unwrap();
    let addresses = (bound.address, bound.grpc_address, bound.proxies.clone());
    let (stop, told) = watch::channel(false);
    (addresses, stop, tokio::spawn(bound.run(told)))
}
