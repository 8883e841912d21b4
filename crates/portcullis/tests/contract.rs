//! The HTTP contract, held against by programs that others wrote and that know nothing but `openapi.json`.
//!
//! The tools are installed by `./test`, with the versions that `tests/contract` pins, into `target/tools`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::json;

use crate::dashboard;
use crate::support::{Quickstart, directory};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A program that `./test` installs.
fn tool(path: &str) -> Command {
    let program = root().join("target/tools").join(path);
    assert!(program.exists(), "{} is missing: run ./test once, which installs it", program.display());
    Command::new(program)
}

#[track_caller]
fn succeeded(what: &str, output: &Output) -> String {
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what} failed:\n{out}\n{errors}");
    out.into_owned()
}

/// Thousands of requests that fit the document, and thousands that do not: every answer is as the document says.
#[tokio::test]
async fn schemathesis_finds_nothing() {
    let directory = directory();
    let server = Quickstart::start_quietly(directory.path());
    let session = server.session().await;
    let output = tool("schemathesis/bin/schemathesis")
        .current_dir(directory.path())
        .arg("--config-file")
        .arg(root().join("tests/contract/schemathesis.toml"))
        .arg("run")
        .arg(root().join("openapi.json"))
        .args(["--url", server.text("url"), "--no-color"])
        .env("OPERATOR_TOKEN", server.text("operator_token"))
        .env("API_KEY", server.text("token"))
        .env("SESSION", session)
        .env("ORIGIN", server.text("url"))
        .output()
        .unwrap();
    let report = succeeded("schemathesis", &output);
    assert!(!report.contains('❌'), "{report}");
    let selected = report.lines().find(|line| line.contains("Selected:")).unwrap_or_default();
    let (tested, all) = selected.trim().trim_start_matches("Selected: ").split_once('/').unwrap();
    assert_eq!(tested, all, "every operation is tested");
    assert!(all.parse::<u32>().unwrap() >= 60, "{selected}");
    // An exploration that ended its own credentials would have seen nothing but refusals from then on.
    for token in [server.text("operator_token"), server.text("token")] {
        let (status, me) = server.send(Method::GET, token, "/whoami", &serde_json::Value::Null).await;
        assert_eq!(status, 200, "{me}");
    }
}

/// A client that a generator makes of the document creates, lists, rotates and revokes a key.
#[test]
fn a_generated_python_client_works() {
    let directory = directory();
    let server = Quickstart::start_quietly(directory.path());
    let package = directory.path().join("client");
    let tools = root().join("target/tools/client/bin");
    let generated = tool("client/bin/openapi-python-client")
        .args(["generate", "--meta", "none", "--fail-on-warning", "--path"])
        .arg(root().join("openapi.json"))
        .arg("--output-path")
        .arg(package.join("portcullis_client"))
        // The generator formats what it makes with a program of its own environment.
        .env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default()))
        .output()
        .unwrap();
    succeeded("the generator", &generated);
    let run = tool("client/bin/python")
        .arg(root().join("tests/contract/client.py"))
        .arg(server.text("url"))
        .arg(&package)
        .env("OPERATOR_TOKEN", server.text("operator_token"))
        .env("USER_ID", server.text("user_id"))
        .output()
        .unwrap();
    succeeded("the generated client", &run);
}

/// OAuth clients that others wrote find the way by the metadata, introspect and revoke: two of npm's and one of PyPI's.
#[tokio::test]
async fn oauth_clients_introspect_and_revoke() {
    let directory = directory();
    let server = Quickstart::start_quietly(directory.path());
    let (operator, user) = (server.text("operator_token"), server.text("user_id"));
    let asking = json!({"name": "clients", "grants": ["keys:verify", "keys:write"]});
    let (_, made) = server.send(Method::POST, operator, "/operator-keys", &asking).await;
    let (id, token) = (made["data"]["operator_key"]["id"].clone(), made["data"]["token"].clone());
    // Node looks for what a program imports beside and above it.
    let modules = root().join("target/tools/oauth");
    std::fs::copy(root().join("tests/contract/oauth/client.mjs"), modules.join("client.mjs")).unwrap();
    let mut of_node = Command::new("node");
    of_node.arg(modules.join("client.mjs"));
    let mut of_python = tool("authlib/bin/python");
    of_python.arg(root().join("tests/contract/oauth/client.py"));
    for mut client in [of_node, of_python] {
        let mut tokens = Vec::new();
        for name in ["good", "revoked", "to revoke"] {
            let (_, made) =
                server.send(Method::POST, operator, &format!("/users/{user}/api-keys"), &json!({"name": name})).await;
            tokens.push(made["data"]["token"].as_str().unwrap().to_owned());
            if name == "revoked" {
                let key = made["data"]["api_key"]["id"].as_str().unwrap();
                let path = format!("/users/{user}/api-keys/{key}/revoke");
                server.send(Method::POST, operator, &path, &json!({})).await;
            }
        }
        let output = client
            .env("PORTCULLIS_URL", server.text("url"))
            .env("OPERATOR_ID", id.as_str().unwrap())
            .env("OPERATOR_TOKEN", token.as_str().unwrap())
            .env("GOOD_TOKEN", &tokens[0])
            .env("REVOKED_TOKEN", &tokens[1])
            .env("TO_REVOKE_TOKEN", &tokens[2])
            .output()
            .unwrap();
        succeeded("the OAuth client", &output);
        assert_eq!(server.verify(operator, &tokens[2]).await["reason"], "revoked");
    }
}

/// The reference is read in a browser: a request is sent with a pasted key, and nothing is asked of any other origin.
#[test]
fn the_reference_asks_nobody_else() {
    let directory = directory();
    let server = Quickstart::start_quietly(directory.path());
    let seen = dashboard::node("reference", &server.first_line.to_string(), &[]);
    let seen = succeeded("the browser", &seen);
    assert!(seen.contains("\"requests\":[]") && seen.contains("\"status\":200"), "{seen}");
}
