//! `portcullis quickstart`, and what a process that dies takes with it: nothing.

use reqwest::Method;
use serde_json::json;

use crate::support::{Quickstart, directory, portcullis, printed};

#[tokio::test]
async fn the_first_line_is_all_that_a_program_needs() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let decision = server.verify(server.text("operator_token"), server.text("token")).await;
    assert_eq!(decision["valid"], true, "{decision}");
    assert_eq!(decision["key_id"], server.first_line["api_key_id"]);
    assert_eq!(decision["user_id"], server.first_line["user_id"]);
    assert_eq!(server.first_line["business_ids"].as_array().unwrap().len(), 2);
    let (_, me) = server.send(Method::GET, server.text("token"), "/whoami", &json!(null)).await;
    let reached: Vec<_> = me["data"]["businesses"].as_array().unwrap().iter().map(|one| &one["business_id"]).collect();
    assert_eq!(reached, server.first_line["business_ids"].as_array().unwrap().iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_second_start_keeps_everything_and_shows_no_token() {
    let directory = directory();
    let first = Quickstart::start(directory.path());
    let (operator, token) = (first.text("operator_token").to_owned(), first.text("token").to_owned());
    assert!(first.terminate().success(), "a stop that was asked for is a success");

    let second = Quickstart::start(directory.path());
    assert_eq!(second.first_line["operator_token"], json!(null));
    assert_eq!(second.first_line["token"], json!(null));
    assert_eq!(second.verify(&operator, &token).await["valid"], true);
}

#[tokio::test]
async fn a_revoke_that_returned_survives_kill_9() {
    let directory = directory();
    let mut server = Quickstart::start(directory.path());
    let (operator, user) = (server.text("operator_token").to_owned(), server.text("user_id").to_owned());
    for round in 0..10 {
        let path = format!("/users/{user}/api-keys");
        let (status, made) = server.send(Method::POST, &operator, &path, &json!({"name": format!("{round}")})).await;
        assert_eq!(status, 201, "{made}");
        let (id, token) = (made["data"]["api_key"]["id"].clone(), made["data"]["token"].clone());
        let (id, token) = (id.as_str().unwrap(), token.as_str().unwrap());
        let (status, _) = server.send(Method::POST, &operator, &format!("{path}/{id}/revoke"), &json!({})).await;
        assert_eq!(status, 200);
        server.kill();

        server = Quickstart::start(directory.path());
        let decision = server.verify(&operator, token).await;
        assert_eq!((&decision["valid"], &decision["reason"]), (&json!(false), &json!("revoked")), "round {round}");
    }
}

#[test]
fn an_address_that_is_taken_costs_no_token() {
    let (first, second) = (directory(), directory());
    let server = Quickstart::start(first.path());
    let taken = server.text("url").trim_start_matches("http://").to_owned();
    let data = second.path().join("store");
    let refused = portcullis(&["quickstart", "--data", data.to_str().unwrap(), "--listen", &taken]).output().unwrap();
    printed(&refused, 1);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--listen"));
    let again = Quickstart::start(second.path());
    assert!(again.text("token").starts_with("ak_live_"), "the store was still empty");
}

#[test]
fn attack_63_a_second_server_on_the_directory_says_so_and_ends() {
    let directory = directory();
    let _server = Quickstart::start(directory.path());
    let data = directory.path().join("store");
    let second = portcullis(&["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]).output().unwrap();
    printed(&second, 1);
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server is running"));
}

#[test]
fn attack_65_a_pepper_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory();
    Quickstart::start(directory.path()).terminate();
    let data = directory.path().join("store");
    let pepper = data.join("pepper");
    std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o640)).unwrap();
    let serve =
        || portcullis(&["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]).output().unwrap();
    let refused = serve();
    printed(&refused, 1);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"));

    // With another pepper every good key would be unknown, so the server does not start at all.
    std::fs::write(&pepper, "0".repeat(64)).unwrap();
    std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o600)).unwrap();
    let refused = serve();
    printed(&refused, 1);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not the one"));
}

#[test]
fn a_person_is_shown_lines_to_paste() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let directory = directory();
    let data = directory.path().join("store");
    let mut process = portcullis(&["quickstart", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let shown: Vec<String> = lines.take_while(|line| !line.starts_with("Ctrl-C")).collect();
    process.kill().unwrap();
    process.wait().unwrap();
    let shown = shown.join("\n");
    for part in
        ["export OPERATOR=op_live_", "export KEY=ak_live_", "Authorization: Token $KEY", "X-API-Key: $KEY", "/revoke"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
