//! Who may call what: every kind of principal and role, on every operation, on their own and on a foreign tenant.
//!
//! The snapshot is the whole truth for reviewers. A cell is what the answer says of the caller alone: the bodies are empty, so that
//! `ok` means that they got as far as the body, or further.

use std::fmt::Write;

use reqwest::Method;
use serde_json::{Value, json};

use crate::anonymous_sweep::{Operation, operations};
use crate::support::{Answer, Server, Session};

/// How a principal calls.
enum By {
    Token(String),
    Session(Session),
}

/// A business with its people, and what a path can name in it.
struct World {
    server: Server,
    business: String,
    victim: String,
    principals: Vec<(&'static str, By)>,
    count: usize,
}

const GRANTS: [&str; 9] = [
    "keys:verify",
    "keys:read",
    "keys:write",
    "users:read",
    "users:write",
    "businesses:read",
    "businesses:write",
    "usage:read",
    "audit:read",
];

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let business = server.business("Dental Clinic").await;
        let victim = server.user("victim@example.com").await;
        server.member(&business, &victim, "member").await;
        let mut principals = Vec::new();
        for grant in GRANTS {
            let body = json!({"name": grant, "grants": [grant]});
            let token = server.op_post("/operator-keys", &body).await.created()["token"].as_str().unwrap().to_owned();
            principals.push((grant, By::Token(token)));
        }
        principals.push(("operator", By::Token(server.operator.clone())));
        let keyed = server.user("keyed@example.com").await;
        server.member(&business, &keyed, "owner").await;
        for (name, user_management) in [("key", false), ("key+um", true)] {
            let key = server.key(&keyed, &json!({"name": name, "user_management": user_management})).await;
            principals.push((name, By::Token(key.token)));
        }
        for role in ["owner", "admin", "member", "viewer"] {
            let user = server.user(&format!("{role}@clinic.example")).await;
            server.member(&business, &user, role).await;
            principals.push((role, By::Session(server.sign_in(&user).await)));
        }
        let (stranger, _) = server.owner_of("stranger@example.com", "Bike Shop").await;
        principals.push(("stranger", By::Session(server.sign_in(&stranger).await)));
        principals.push(("platform", By::Session(server.sign_in(&server.admin).await)));
        Self { server, business, victim, principals, count: 0 }
    }

    /// The path with something real in the place of every parameter, made anew where the call could end it.
    async fn path(&mut self, operation: &Operation) -> String {
        self.count += 1;
        let (server, business, victim) = (&self.server, &self.business, &self.victim);
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let mut path = operation.path.replace("{business_id}", business);
        let about =
            if operation.path.contains("/members/") || operation.path.starts_with("/users") { victim } else { "" };
        path = path.replace("{user_id}", about);
        if path.contains("{key_id}") {
            let key = server.key(victim, &json!({"name": "K"})).await;
            path = path.replace("{key_id}", &key.id);
        }
        if path.contains("{role_id}") {
            let body = json!({"name": format!("Role {}", self.count)});
            path = path.replace(
                "{role_id}",
                &id(&server.op_post(&format!("/businesses/{business}/roles"), &body).await.created()),
            );
        }
        if path.contains("{operator_key_id}") {
            let body = json!({"name": "K", "grants": ["keys:verify"]});
            let made = server.op_post("/operator-keys", &body).await.created();
            path = path.replace("{operator_key_id}", &id(&made["operator_key"]));
        }
        if path.contains("{invitation_id}") {
            let body = json!({"email": format!("new{}@example.com", self.count), "role_id": "viewer"});
            let made = server.op_post(&format!("/businesses/{business}/invitations"), &body).await.created();
            path = path.replace("{invitation_id}", &id(&made["invitation"]));
        }
        if path.contains("{session_id}") {
            path = path.replace("{session_id}", &server.sign_in(victim).await.id);
        }
        path
    }

    async fn call(&self, by: &By, method: &Method, path: &str) -> Answer {
        let request = self.server.request(method.clone(), path);
        let request = match by {
            By::Token(token) => request.bearer_auth(token),
            By::Session(session) => request.header("cookie", &session.cookie).header("sec-fetch-site", "same-origin"),
        };
        self.server.send(if method == Method::GET { request } else { request.json(&json!({})) }).await
    }

    /// Puts back what a call that was let through has ended.
    async fn mend(&mut self, operation: &Operation, place: usize) {
        let (server, business, victim) = (&self.server, &self.business, &self.victim);
        match operation.id.as_str() {
            "disable_user" => {
                server.op_post(&format!("/users/{victim}/enable"), &json!({})).await.ok();
            }
            "disable_business" => {
                server.op_post(&format!("/businesses/{business}/enable"), &json!({})).await.ok();
            }
            "remove_member" => server.member(business, victim, "member").await,
            "sign_out" | "end_sessions_of_caller" if matches!(self.principals[place].1, By::Session(_)) => {
                let email = match self.principals[place].0 {
                    "stranger" => "stranger@example.com".to_owned(),
                    "platform" => "admin@example.com".to_owned(),
                    role => format!("{role}@clinic.example"),
                };
                let body = json!({"email": email, "password": crate::support::PASSWORD});
                let session = server.send(server.request(Method::POST, "/session").json(&body)).await.session();
                self.principals[place].1 = By::Session(session);
            }
            _ => {}
        }
    }
}

/// What an answer says of the caller.
fn cell(answer: &Answer) -> String {
    match (answer.status, answer.body["reason"].as_str()) {
        (401 | 403 | 404, Some(reason)) => format!("{} {reason}", answer.status),
        (401 | 403 | 404, None) => answer.status.to_string(),
        (200..=299 | 400 | 409 | 415 | 422, _) => "ok".to_owned(),
        (status, _) => format!("?{status}"),
    }
}

/// Those whose cells are alike, in one line; nobody reads a hundred columns.
fn line(operation: &Operation, cells: &[(&'static str, String)]) -> String {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for (who, cell) in cells {
        match kinds.iter_mut().find(|(kind, _)| kind == cell) {
            Some((_, all)) => all.push(who),
            None => kinds.push((cell, vec![who])),
        }
    }
    kinds.sort_by_key(|(kind, _)| (*kind != "ok", kind.to_owned()));
    let mut text = format!("{} {}\n", operation.method, operation.path);
    for (kind, all) in kinds {
        writeln!(text, "    {kind}: {}", all.join(" ")).unwrap();
    }
    text
}

#[tokio::test]
async fn every_principal_on_every_operation() {
    let mut world = World::new().await;
    let mut matrix = String::new();
    for operation in operations() {
        let mut cells = Vec::new();
        for place in 0..world.principals.len() {
            let path = world.path(&operation).await;
            let (who, by) = &world.principals[place];
            let (who, answer) = (*who, world.call(by, &operation.method, &path).await);
            cells.push((who, cell(&answer)));
            if answer.status < 300 {
                world.mend(&operation, place).await;
            }
        }
        matrix.push_str(&line(&operation, &cells));
    }
    insta::assert_snapshot!("permission_matrix", matrix);
}

/// Another tenant's ids, wherever a path can have one: the same answer as for what was never there.
#[tokio::test]
async fn attack_25_what_is_somebody_elses_is_not_told_from_what_is_not_there() {
    let mut world = World::new().await;
    let stranger = world.principals.iter().position(|(who, _)| *who == "stranger").unwrap();
    let mut asked = 0;
    for operation in operations() {
        if !operation.path.contains("{business_id}") && !operation.path.contains("{user_id}") {
            continue;
        }
        let real = world.path(&operation).await;
        let absent = real.replace(&world.business, "biz_00000000000000000000000001");
        let absent = absent.replace(&world.victim, "usr_00000000000000000000000001");
        let by = &world.principals[stranger].1;
        let (mut one, mut other) =
            (world.call(by, &operation.method, &real).await, world.call(by, &operation.method, &absent).await);
        if one.status == 403 {
            // What is for those who run the platform is refused before anything is looked for.
            assert!(
                one.body["detail"].as_str().unwrap().contains("run the platform"),
                "{}: {}",
                operation.id,
                one.text
            );
        } else {
            one.fails(404, "NOT_FOUND", None);
        }
        one.body["request_id"].take();
        other.body["request_id"].take();
        assert_eq!((one.status, &one.body), (other.status, &other.body), "{}", operation.id);
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
}
