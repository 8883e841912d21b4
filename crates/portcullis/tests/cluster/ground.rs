//! A PostgreSQL, the nodes on it, and what their clients ask them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_engines::Postgres;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clock::now;
use super::ledger::{Key, Ledger, Verdict};
use super::node::{Place, configured};
use super::proxy::Proxy;
use crate::support::{directory, portcullis, printed};

/// A request waits for a stopped node longer than any node is stopped: what is answered late counts by when it was sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whoever edits does not wait so long before asking another node.
const EDITORS_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Ground {
    // The nodes end before their database does.
    pub(crate) places: Vec<Place>,
    pub(crate) postgres: Postgres,
    pub(crate) ledger: Ledger,
    client: reqwest::Client,
    operator: String,
    user: String,
    _directory: TempDir,
}

impl Ground {
    /// So many nodes on a new database, that all make this mistake.
    pub(crate) async fn start(nodes: usize, mutant: Option<&'static str>) -> Arc<Self> {
        let directory = directory();
        let (postgres, first) = {
            let pepper = directory.path().join("pepper");
            let place = directory.path().join("init");
            tokio::task::spawn_blocking(move || {
                let postgres = Postgres::start(&[]);
                postgres.sql("postgres", "CREATE DATABASE cluster");
                let arguments = ["init", "--email", "ann@example.com", "--json", "--data", place.to_str().unwrap()];
                let mut init = portcullis(&arguments);
                configured(&mut init, postgres.port).env("PORTCULLIS_PEPPER_FILE", pepper);
                let first: Value = serde_json::from_str(&printed(&init.output().unwrap(), 0)).unwrap();
                (postgres, first)
            })
            .await
            .unwrap()
        };
        let mut places = Vec::new();
        for number in 0..nodes {
            let proxy = Proxy::start(postgres.port).await;
            places.push(Place::new(number, proxy, directory.path().join(format!("node-{number}")), mutant));
        }
        let text = |name: &str| first[name].as_str().unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (operator, user, ledger) = (text("operator_token"), text("user_id"), Ledger::default());
        let ground = Arc::new(Self { places, postgres, ledger, client, operator, user, _directory: directory });
        let starting = Arc::clone(&ground);
        tokio::task::spawn_blocking(move || starting.places.iter().for_each(Place::start)).await.unwrap();
        ground
    }

    /// The status and the body of an answer, if there is one.
    async fn send(&self, place: usize, method: Method, token: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.places[place].url()?);
        let patience = if path.starts_with("/users/") { EDITORS_PATIENCE } else { PATIENCE };
        let request = self.client.request(method, url).timeout(patience).bearer_auth(token).json(body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    /// A new key, if the call returned one. If not, nobody knows whether there is one.
    pub(crate) async fn create(&self, place: usize) -> Option<Arc<Key>> {
        let path = format!("/users/{}/api-keys", self.user);
        let (status, made) = self.send(place, Method::POST, &self.operator, &path, &json!({"name": "K"})).await?;
        if status != 201 {
            self.must_be_unavailable("create", status, &made);
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some(self.ledger.made(text(&made["data"]["api_key"]["id"]), text(&made["data"]["token"])))
    }

    /// Revokes a key, if the call returned that it did. If not, nobody knows.
    pub(crate) async fn revoke(&self, place: usize, key: &Key) -> bool {
        let path = format!("/users/{}/api-keys/{}/revoke", self.user, key.id);
        let answer = self.send(place, Method::POST, &self.operator, &path, &json!({})).await;
        let Some((status, body)) = answer else { return false };
        if status == 200 {
            key.is_revoked();
            self.ledger.revoked.fetch_add(1, Ordering::Relaxed);
        } else {
            self.must_be_unavailable("revoke", status, &body);
        }
        status == 200
    }

    /// An edit may fail because the database is away, and for no other reason.
    fn must_be_unavailable(&self, what: &str, status: u16, body: &Value) {
        if status != 503 {
            self.ledger.complain(format!("{what} was answered with {status}: {body}"));
        }
    }

    /// Asks with the key itself.
    pub(crate) async fn knock(&self, place: usize, key: &Key) -> Verdict {
        let sent = now();
        let verdict = match self.send(place, Method::GET, &key.token, "/whoami", &Value::Null).await {
            Some((200, _)) => Verdict::Accepted,
            Some((401 | 403, body)) => Verdict::Refused(body["reason"].to_string()),
            Some((503, _)) | None => Verdict::Unknown,
            Some((status, body)) => Verdict::Strange(format!("{status} {body}")),
        };
        self.ledger.note(key, place, "whoami", sent, verdict.clone());
        verdict
    }

    /// Asks about some keys as whoever guards an API does.
    pub(crate) async fn verify(&self, place: usize, keys: &[Arc<Key>]) -> Vec<Verdict> {
        let questions: Vec<Value> = keys.iter().map(|key| json!({"token": key.token})).collect();
        let sent = now();
        let answer = if let [question] = &questions[..] {
            self.send(place, Method::POST, &self.operator, "/verify", question).await
        } else {
            self.send(place, Method::POST, &self.operator, "/verify/batch", &json!({"requests": questions})).await
        };
        let verdicts: Vec<Verdict> = match &answer {
            Some((200, body)) => {
                let one = std::slice::from_ref(&body["data"]);
                let decisions = body["data"].as_array().map_or(one, Vec::as_slice);
                assert_eq!(decisions.len(), keys.len(), "{body}");
                decisions.iter().map(verdict).collect()
            }
            Some((503, _)) | None => vec![Verdict::Unknown; keys.len()],
            // Also a good operator key that is refused.
            Some((status, body)) => vec![Verdict::Strange(format!("{status} {body}")); keys.len()],
        };
        for (key, verdict) in keys.iter().zip(&verdicts) {
            self.ledger.note(key, place, "verify", sent, verdict.clone());
        }
        verdicts
    }

    /// How the node says that the keys have been used, for which it waits until it does not write counts to the database.
    pub(crate) async fn usage(&self, place: usize) -> Option<u16> {
        let path = format!("/users/{}/usage?window=7d", self.user);
        self.send(place, Method::GET, &self.operator, &path, &Value::Null).await.map(|(status, _)| status)
    }

    /// Whether the node takes requests.
    pub(crate) async fn is_ready(&self, place: usize) -> bool {
        let Some(url) = self.places[place].url() else { return false };
        let request = self.client.get(url.replace("/api/v1", "/readyz")).timeout(PATIENCE);
        let answer = request.send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }
}

fn verdict(decision: &Value) -> Verdict {
    match decision["valid"].as_bool() {
        Some(true) => Verdict::Accepted,
        Some(false) => Verdict::Refused(format!("{} {}", decision["code"], decision["reason"])),
        None => Verdict::Strange(decision.to_string()),
    }
}
