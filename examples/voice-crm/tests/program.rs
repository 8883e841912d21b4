//! The program itself, and the published lines of curl against it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::Server;

/// A running program, which ends with the test.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(server: &Server, data: &std::path::Path, demo: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voice-crm"));
        command.args(["--listen", "127.0.0.1:0", "--portcullis", &server.url, "--data"]).arg(data.join("crm.db"));
        command.arg("--demo").args(demo).env("PORTCULLIS_TOKEN", &server.operator).env("NO_COLOR", "1");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("listens on ")).unwrap();
        let url = line.split("listens on ").nth(1).unwrap().trim().to_owned();
        Self { child, url }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_lines_of_curl_work_word_for_word() {
    let curl = Command::new("curl").arg("--version").output();
    assert!(curl.is_ok_and(|output| output.status.success()), "curl is missing: ./test installs it");
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let (clinic, shop) = (server.business("Dental Clinic", &ann).await, server.business("Bike Shop", &ann).await);
    let inherits = server.key(&ann, json!({"name": "Inherits"})).await;
    let trusted = server.key(&ann, json!({"name": "Account", "user_management": true})).await;
    let calls = json!({"name": "Calls", "permissions": ["calls:read"], "business_scope": {"only": [clinic]}});
    let calls = server.key(&ann, calls).await;
    let data = tempfile::TempDir::new().unwrap();
    let program = Program::start(&server, data.path(), &[&clinic, &shop]);
    let run = |token: &str, line: &str| -> (String, Value) {
        let line = format!("{line} -sS --noproxy '*' -w '\\n%{{http_code}}'");
        let output =
            Command::new("sh").args(["-c", &line]).env("HOST", &program.url).env("KEY", token).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), serde_json::from_str(body).unwrap())
    };

    let account =
        r#"curl -X GET "$HOST/api/v1/user" -H "Authorization: Token $KEY" -H "Content-Type: application/json""#;
    let (status, body) = run(&trusted.token, account);
    assert_eq!((&*status, &body["data"]["id"]), ("200", &json!(ann)));
    let (status, body) = run(&inherits.token, account);
    assert_eq!((&*status, &body["code"]), ("403", &json!("PERMISSION_DENIED")));

    let contacts = r#"curl -H "X-API-Key: $KEY" $HOST/api/contacts"#;
    let (status, body) = run(&inherits.token, contacts);
    assert_eq!((&*status, body["data"].as_array().unwrap().len()), ("200", 4), "both businesses have two: {body}");
    let seen: std::collections::BTreeSet<_> =
        body["data"].as_array().unwrap().iter().map(|row| row["business_id"].to_string()).collect();
    assert_eq!(seen.len(), 2);

    let read = r#"curl -H "Authorization: Bearer $KEY" $HOST/api/calls"#;
    let (status, body) = run(&calls.token, read);
    assert_eq!((&*status, body["data"].as_array().unwrap().len()), ("200", 2));
    let write = r#"curl -X POST $HOST/api/calls -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '{"from": "a", "to": "b", "direction": "inbound"}'"#;
    assert_eq!(run(&calls.token, write).0, "403");
    server.revoke(&calls).await;
    let (status, body) = run(&calls.token, read);
    assert_eq!((&*status, &body["code"]), ("401", &json!("INVALID_API_KEY")));
}

#[test]
fn what_is_missing_is_said() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voice-crm"));
        let output =
            command.args(arguments).env_remove("PORTCULLIS_TOKEN").env_remove("PORTCULLIS_TOKEN_FILE").output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (success, said) = run(&[]);
    assert!(!success && said.contains("set PORTCULLIS_TOKEN to an operator token"), "{said}");
    let (success, said) = run(&["--demo", "clinic"]);
    assert!(!success && said.contains("biz_"), "{said}");
}
