//! A Portcullis for one test. The tests of `examples/voice-crm` use it too.

use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::config::Config;
use portcullis_server::setup::{self, FirstUser};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running server on an empty store, and an operator key that may do everything.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) operator: String,
    http: reqwest::Client,
    stop: watch::Sender<bool>,
    running: JoinHandle<std::io::Result<()>>,
    data: TempDir,
}

/// A key as a test knows it.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) token: String,
}

impl Server {
    /// With room for every request: the limits of most tests are not what they are about.
    pub(crate) async fn start() -> Self {
        Self::with("rate_limit_per_minute = 100_000_000\nrate_limit_per_second = 100_000_000\n").await
    }

    /// With settings of its own, as the text of a configuration file.
    pub(crate) async fn with(settings: &str) -> Self {
        let data = TempDir::new().unwrap();
        let mut config = Config::read(settings, std::iter::empty()).unwrap();
        config.listen = ([127, 0, 0, 1], 0).into();
        config.data = data.path().join("store");
        config.pepper_file = config.data.join("pepper");
        let app = App::open(config, Clock::System).await.unwrap();
        let first = FirstUser { email: "admin@example.com".to_owned(), name: None, password: None };
        let operator = setup::initialise(&app, first).await.unwrap().operator_token.expose().to_owned();
        let bound = portcullis_server::bind(app).await.unwrap();
        let (address, (stop, told)) = (bound.address, watch::channel(false));
        let running = tokio::spawn(bound.run(told));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: format!("http://{address}"), operator, http, stop, running, data }
    }

    /// Ends when it has stopped.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.running.await.unwrap().unwrap();
        drop(self.data);
    }

    /// What the operator asks of the API, and what a success answers.
    #[track_caller]
    pub(crate) fn operate(&self, method: Method, path: &str, body: &Value) -> impl Future<Output = Value> {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.url)).bearer_auth(&self.operator);
        let request = request.json(body);
        let what = path.to_owned();
        async move {
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            assert_eq!(answer["success"], true, "{what}: {answer}");
            answer["data"].clone()
        }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.operate(Method::POST, path, &body).await
    }

    pub(crate) async fn user(&self, email: &str) -> String {
        self.post("/users", json!({"email": email})).await["id"].as_str().unwrap().to_owned()
    }

    /// A business with this user as its owner.
    pub(crate) async fn business(&self, name: &str, owner: &str) -> String {
        self.post("/businesses", json!({"name": name, "owner_id": owner})).await["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn key(&self, user: &str, wanted: Value) -> Key {
        let made = self.post(&format!("/users/{user}/api-keys"), wanted).await;
        let text = |pointer: &str| made.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Key { id: text("/api_key/id"), user: user.to_owned(), token: text("/token") }
    }

    pub(crate) async fn revoke(&self, key: &Key) {
        self.post(&format!("/users/{}/api-keys/{}/revoke", key.user, key.id), json!({})).await;
    }
}
