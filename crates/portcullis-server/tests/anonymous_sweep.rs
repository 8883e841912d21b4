//! What every operation answers to one who has no credential, a made-up one, or a customer's key where an operator is meant.
//!
//! The operations are those of the OpenAPI document, which is made from the routes themselves, so none can be forgotten. What is
//! open without a credential is a list here, in full.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Server;

/// What anybody may call: each of these looks for a password, or for a link's token, in its body.
const OPEN: [&str; 4] = ["accept_invitation", "request_password_link", "set_password", "sign_in"];

/// Beside the API: pages and files that are the same for everybody.
const PAGES: [&str; 11] = [
    "/.well-known/authzen-configuration",
    "/.well-known/oauth-authorization-server",
    "/livez",
    "/readyz",
    "/openapi.json",
    "/reference",
    "/reference/reference.js",
    "/reference/reference.css",
    "/sign-in",
    "/problems/NOT_FOUND",
    "/problems.css",
];

/// One operation of the document.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    /// Below `/api/v1`, with its parameters as the document has them.
    pub(crate) path: String,
    /// The names of the schemes by which it can be called; empty is without a credential.
    pub(crate) schemes: Vec<String>,
}

/// Every operation there is, in the order of their paths.
pub(crate) fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&portcullis_server::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schemes = operation["security"].as_array().unwrap().iter();
            let schemes = schemes.map(|scheme| scheme.as_object().unwrap().keys().next().cloned().unwrap_or_default());
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.strip_prefix("/api/v1").unwrap().to_owned(),
                schemes: schemes.collect(),
            });
        }
    }
    operations.sort_by(|one, other| (&one.path, one.method.as_str()).cmp(&(&other.path, other.method.as_str())));
    operations
}

fn filled(path: &str) -> String {
    path.replace("{user_id}", "usr_00000000000000000000000001")
        .replace("{key_id}", "key_00000000000000000000000001")
        .replace("{operator_key_id}", "opk_00000000000000000000000001")
        .replace("{business_id}", "biz_00000000000000000000000001")
        .replace("{role_id}", "rol_00000000000000000000000001")
        .replace("{session_id}", "ses_00000000000000000000000001")
        .replace("{invitation_id}", "lnk_00000000000000000000000001")
}

#[tokio::test]
async fn nothing_answers_to_nobody_but_what_is_for_everybody() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let plain = server.key(&ann, &json!({"name": "Plain"})).await;
    let mut open = Vec::new();
    for operation in operations() {
        let ask = |token: Option<&str>| {
            let request = server.request(operation.method.clone(), &filled(&operation.path)).json(&json!({}));
            server.send(if let Some(token) = token { request.bearer_auth(token) } else { request })
        };
        let by = |scheme: &str| operation.schemes.iter().any(|known| known == scheme);
        if by("") {
            open.push(operation.id.clone());
            let nobody = ask(None).await;
            assert!([400, 422].contains(&nobody.status), "{}: {}", operation.id, nobody.text);
            continue;
        }
        ask(None).await.fails(401, "INVALID_API_KEY", Some("missing"));
        ask(Some("ak_live_x")).await.fails(401, "INVALID_API_KEY", Some("malformed"));
        let customer = ask(Some(&plain.token)).await;
        match (by("api_key"), by("operator_key")) {
            (true, true) => assert_eq!(customer.status, 200, "{}", operation.id),
            (true, false) => {
                customer.fails(403, "PERMISSION_DENIED", Some("user_management"));
                let operator = ask(Some(&server.operator)).await;
                operator.fails(403, "PERMISSION_DENIED", Some("user_management"));
            }
            // Attack 33: a customer's key on the platform's paths is told no more than a made-up one.
            (false, true) => customer.fails(401, "INVALID_API_KEY", Some("unknown")),
            (false, false) => customer.fails(403, "PERMISSION_DENIED", Some("session")),
        }
    }
    open.sort_unstable();
    assert_eq!(open, OPEN);
    server.send(server.request(Method::GET, "/nothing-here")).await.fails(404, "NOT_FOUND", None);
}

/// What is outside `/api/v1` is the same for everybody, is kept by no cache but where it says so, and frames nothing.
#[tokio::test]
async fn pages_are_open_and_closed_in_themselves() {
    let server = Server::start().await;
    for path in PAGES {
        let answer = reqwest::get(format!("{}{path}", server.url)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers().get("content-security-policy").map(|policy| policy.to_str().unwrap().to_owned());
        let is_a_page =
            answer.headers().get("content-type").is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
        assert!(!is_a_page || policy.is_some_and(|policy| policy.starts_with("default-src 'none'")), "{path}");
    }
    for path in
        ["/problems/NO_SUCH_CODE", "/problems/not_found", "/reference/vendor/manifest.toml", "/reference/../secret"]
    {
        let answer = reqwest::get(format!("{}{path}", server.url)).await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}
