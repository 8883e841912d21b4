//! Running the binary.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server in a process of its own, with what `quickstart --json` printed of it.
pub(crate) struct Quickstart {
    process: Child,
    pub(crate) first_line: Value,
    pub(crate) log: PathBuf,
    client: reqwest::Client,
}

/// The binary with these arguments, without anything of ours in its environment.
pub(crate) fn portcullis(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PORTCULLIS_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with this text on its standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Output {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that needs no input may be gone before it is written.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

impl Quickstart {
    /// Starts a server on this directory and a free port. Everything is logged, so that a secret in the log is found.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, "trace")
    }

    /// Like [`Quickstart::start`], for so many requests that a log of everything would be the most of the work.
    pub(crate) fn start_quietly(directory: &Path) -> Self {
        Self::start_with(directory, "warn")
    }

    /// Starts a server by a command that is the binary, or that becomes it.
    pub(crate) fn start_as(command: Command, directory: &Path) -> Self {
        Self::start_by(command, directory, "warn")
    }

    fn start_with(directory: &Path, log_level: &str) -> Self {
        Self::start_by(portcullis(&[]), directory, log_level)
    }

    fn start_by(mut command: Command, directory: &Path, log_level: &str) -> Self {
        let log = directory.join("log");
        let data = directory.join("store");
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        for limit in ["PORTCULLIS_RATE_LIMIT_PER_MINUTE", "PORTCULLIS_RATE_LIMIT_PER_SECOND"] {
            // Where a test is not about limits, they are roomy.
            if !command.get_envs().any(|(name, value)| name == limit && value.is_some()) {
                command.env(limit, "100_000_000");
            }
        }
        let mut process = command
            .args(["quickstart", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0", "--json"])
            .env("PORTCULLIS_LOG_LEVEL", log_level)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let first_line = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("the first line was `{line}`; the log: {}", std::fs::read_to_string(&log).unwrap())
        });
        // A kept connection may end at the server's `idle_timeout` (60 s) in the instant in which the next request is sent on it.
        let client = reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(20)).build().unwrap();
        Self { process, first_line, log, client }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.first_line[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.first_line))
    }

    pub(crate) async fn send(&self, method: Method, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.text("url"));
        let request = self.client.request(method, url).bearer_auth(token).json(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// What the cookie of a session of a new user holds.
    pub(crate) async fn session(&self) -> String {
        let operator = self.text("operator_token");
        let (_, user) = self.send(Method::POST, operator, "/users", &json!({"email": "visitor@example.com"})).await;
        let path = format!("/users/{}/password-links", user["data"]["id"].as_str().unwrap());
        let (_, made) = self.send(Method::POST, operator, &path, &json!({})).await;
        let (_, token) = made["data"]["url"].as_str().unwrap().split_once('#').unwrap();
        let body = json!({"token": token, "password": "correct horse battery"});
        let url = format!("{}/api/v1/password", self.text("url"));
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned()
    }

    /// What Prometheus reads.
    pub(crate) async fn metrics(&self) -> String {
        let request = self.client.get(format!("{}/metrics", self.text("url")));
        request.bearer_auth(self.text("operator_token")).send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn verify(&self, operator: &str, token: &str) -> Value {
        let (status, answer) = self.send(Method::POST, operator, "/verify", &json!({"token": token})).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    /// A command of the binary that asks this server as its operator.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = portcullis(arguments);
        command.env("PORTCULLIS_URL", self.text("url")).env("PORTCULLIS_TOKEN", self.text("operator_token"));
        command
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends the process as a failing machine would.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the process to stop, and returns how it ended.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap()
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A directory that goes when the test ends.
pub(crate) fn directory() -> TempDir {
    tempfile::Builder::new().prefix("portcullis-").tempdir().unwrap()
}

/// What a command printed, if it ended with this code.
#[track_caller]
pub(crate) fn printed(output: &Output, exit_code: i32) -> String {
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(exit_code), "{out}\n{errors}");
    out.into_owned()
}
