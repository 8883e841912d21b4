//! How a token is sent: what passes, what does not, and what the challenge says. The key asks `/whoami` what it is.

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::support::{Answer, Server};

/// A server, its user, and the token of a key that may do all that its owner may.
async fn with_key() -> (Server, String) {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "Production Backend"})).await;
    (server, key.token)
}

async fn whoami(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    server.send(server.request(Method::GET, "/whoami").headers(map)).await
}

const REALM: &str = "Bearer realm=\"portcullis\"";
const INVALID_TOKEN: &str = "Bearer realm=\"portcullis\", error=\"invalid_token\"";

#[tokio::test]
async fn three_ways_in_any_spelling_of_the_scheme() {
    let (server, token) = with_key().await;
    for value in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("Token {token}"),
        format!("token     {token}"),
        format!("  ToKeN {token}  "),
    ] {
        whoami(&server, &[("authorization", &value)]).await.ok();
    }
    for name in ["X-API-Key", "x-api-key", "X-Api-KEY"] {
        whoami(&server, &[(name, &token)]).await.ok();
    }
}

#[tokio::test]
async fn without_a_credential_the_challenge_names_no_error() {
    let (server, _) = with_key().await;
    let answer = whoami(&server, &[]).await;
    answer.fails(401, "INVALID_API_KEY", Some("missing"));
    assert_eq!(answer.header("www-authenticate"), Some(REALM));
}

#[tokio::test]
async fn attack_03_to_05_what_is_no_token_is_malformed() {
    let (server, token) = with_key().await;
    let long = "a".repeat(300);
    let authorization = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("ApiKey {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer {token} and more"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token};"),
        format!("Bearer \"{token}\""),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {}", token.replace("ak_live", "ak_test")),
        format!("Bearer {}", token.replace("ak_", "kk_")),
        format!("Bearer {}", &token[..45]),
        format!("Bearer {token}0"),
        format!("Bearer {}é", &token[..44]),
        format!("Bearer {}%41", &token[..43]),
        format!("Bearer {long}"),
    ];
    for value in &authorization {
        let answer = whoami(&server, &[("authorization", value)]).await;
        answer.fails(401, "INVALID_API_KEY", Some("malformed"));
        assert_eq!(answer.header("www-authenticate"), Some(INVALID_TOKEN), "{value}");
    }
    for value in ["", " ", "é", &format!("Bearer {token}"), &format!("{token},{token}"), &long] {
        whoami(&server, &[("x-api-key", value)]).await.fails(401, "INVALID_API_KEY", Some("malformed"));
    }
}

/// The checksum finds it, so no table is looked at: the answer is `malformed` and never `unknown`.
#[tokio::test]
async fn a_token_one_character_off_is_malformed() {
    let (server, token) = with_key().await;
    for place in 0..token.len() {
        let mut letters = token.clone().into_bytes();
        letters[place] = if letters[place] == b'x' { b'y' } else { b'x' };
        let damaged = String::from_utf8(letters).unwrap();
        let answer = whoami(&server, &[("x-api-key", &damaged)]).await;
        answer.fails(401, "INVALID_API_KEY", Some("malformed"));
        let decision = server.verify(&json!({"token": damaged})).await;
        assert_eq!(decision["reason"], "malformed");
        assert_eq!(decision["key_id"], json!(null));
    }
}

#[tokio::test]
async fn attack_01_and_02_two_credentials_are_refused_even_if_equal() {
    let (server, token) = with_key().await;
    let bearer = format!("Bearer {token}");
    let other = format!("Token {}", server.operator);
    for pair in [
        [("authorization", bearer.as_str()), ("authorization", bearer.as_str())],
        [("authorization", bearer.as_str()), ("authorization", other.as_str())],
        [("x-api-key", token.as_str()), ("x-api-key", token.as_str())],
        [("authorization", bearer.as_str()), ("x-api-key", token.as_str())],
        [("authorization", ""), ("x-api-key", token.as_str())],
        [("x-api-key", ""), ("authorization", bearer.as_str())],
    ] {
        whoami(&server, &pair).await.fails(400, "AMBIGUOUS_CREDENTIALS", None);
    }
}

#[tokio::test]
async fn attack_06_and_07_other_places_are_not_looked_at() {
    let (server, token) = with_key().await;
    for query in ["api_key", "access_token", "token", "key"] {
        let request = server.request(Method::GET, &format!("/whoami?{query}={token}"));
        server.send(request).await.fails(401, "INVALID_API_KEY", Some("missing"));
    }
    for name in ["X_Api_Key", "api-key", "x-token", "cookie", "proxy-authorization"] {
        whoami(&server, &[(name, &token)]).await.fails(401, "INVALID_API_KEY", Some("missing"));
    }
}

#[tokio::test]
async fn an_unknown_key_is_told_apart_from_a_malformed_one_and_from_a_revoked_one() {
    let (server, token) = with_key().await;
    let other = Server::start().await;
    let (bob, _) = other.owner_of("bob@example.com", "Elsewhere").await;
    let foreign = other.key(&bob, &json!({"name": "Of another server"})).await;
    let answer = whoami(&server, &[("x-api-key", &foreign.token)]).await;
    answer.fails(401, "INVALID_API_KEY", Some("unknown"));
    assert_eq!(answer.header("www-authenticate"), Some(INVALID_TOKEN));

    let me = whoami(&server, &[("x-api-key", &token)]).await.ok();
    let path = format!("/users/{}/api-keys/{}/revoke", me["user_id"].as_str().unwrap(), me["key_id"].as_str().unwrap());
    server.op_post(&path, &json!({})).await.ok();
    whoami(&server, &[("x-api-key", &token)]).await.fails(401, "INVALID_API_KEY", Some("revoked"));
}

/// One function builds the principal for every carrier, so the three can never disagree.
#[tokio::test]
async fn attack_14_every_carrier_answers_alike() {
    let (server, token) = with_key().await;
    for path in ["/whoami", "/user", "/user/api-keys", "/catalogue", "/verify"] {
        let mut answers = Vec::new();
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("Token {token}")),
            ("x-api-key", token.clone()),
        ] {
            let request = server.request(Method::GET, path).header(name, value);
            let answer = server.send(request).await;
            answers.push((answer.status, answer.body["code"].clone(), answer.body["data"].clone()));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], answers[2]);
    }
}
