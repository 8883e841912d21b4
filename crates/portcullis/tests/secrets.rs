//! A token is shown once: it is in no file and in no log.

use reqwest::Method;
use serde_json::json;

use crate::support::{Quickstart, directory};

#[tokio::test]
async fn attack_51_no_token_is_on_the_disk_or_in_the_log() {
    let directory = directory();
    let server = Quickstart::start(directory.path());
    let operator = server.text("operator_token").to_owned();
    let mut tokens = vec![operator.clone(), server.text("token").to_owned()];
    let path = format!("/users/{}/api-keys", server.text("user_id"));
    for n in 0..40 {
        let (_, made) = server.send(Method::POST, &operator, &path, &json!({"name": format!("Key {n}")})).await;
        let (id, token) = (made["data"]["api_key"]["id"].clone(), made["data"]["token"].clone());
        let (id, token) = (id.as_str().unwrap(), token.as_str().unwrap().to_owned());
        // Every way in which a token travels, right and wrong, with the log at its loudest.
        server.verify(&operator, &token).await;
        server.send(Method::GET, &token, "/whoami", &json!(null)).await;
        server.send(Method::GET, &format!("{token}x"), "/whoami", &json!(null)).await;
        server.send(Method::POST, &operator, &token, &json!({"tokn": token})).await;
        server.send(Method::POST, &operator, "/verify", &json!({"token": {"is": token}})).await;
        server.send(Method::POST, &operator, "/verify", &json!({"token": token, "permission": token})).await;
        server.send(Method::GET, &operator, &format!("/users?cursor={token}"), &json!(null)).await;
        if n % 2 == 0 {
            server.send(Method::POST, &operator, &format!("{path}/{id}/revoke"), &json!({})).await;
        }
        tokens.push(token);
    }
    let log = server.log.clone();
    // While it runs, the write-ahead log is there too.
    let mut files: Vec<_> =
        std::fs::read_dir(directory.path().join("store")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(log);
    assert!(files.len() >= 5, "{files:?}");
    let held: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(held.iter().any(|bytes| find(bytes, b"Key 39")), "the search can find what is there");
    for token in &tokens {
        // Without its prefix and checksum, in case somebody stored only the part that matters.
        let random = &token.as_bytes()[8..40];
        for (path, bytes) in files.iter().zip(&held) {
            assert!(!find(bytes, random), "a token is in {}", path.display());
        }
    }
    server.terminate();
    let database = std::fs::read(directory.path().join("store/portcullis.db")).unwrap();
    assert!(tokens.iter().all(|token| !find(&database, &token.as_bytes()[8..40])));
}

fn find(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
