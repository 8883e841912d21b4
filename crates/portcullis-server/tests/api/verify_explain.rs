//! `POST /verify` with `"explain": true`

use serde_json::{Value, json};

use crate::support::Server;

const RULES: [&str; 9] =
    ["token", "key", "life", "owner", "address", "rate_limit", "business", "permission", "user_management"];

/// The outcomes in order, after a look at the names of the rules.
fn outcomes(decision: &Value) -> Vec<&str> {
    let rules = decision["explanation"].as_array().unwrap();
    assert_eq!(rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect::<Vec<_>>(), RULES);
    assert!(rules.iter().all(|rule| rule["detail"].as_str().is_some_and(|detail| !detail.is_empty())));
    rules.iter().map(|rule| rule["outcome"].as_str().unwrap()).collect()
}

/// So many passed, one failed, and the rest was never looked at.
fn fails_at(number: usize) -> Vec<&'static str> {
    let outcome = |n: usize| match n.cmp(&number) {
        std::cmp::Ordering::Less => "passed",
        std::cmp::Ordering::Equal => "failed",
        std::cmp::Ordering::Greater => "skipped",
    };
    (1..=9).map(outcome).collect()
}

#[tokio::test]
async fn each_rule_says_how_it_went_and_what_it_compared() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    let wanted = json!({"name": "K", "business_scope": {"only": [clinic]}, "permissions": ["calls:read"],
        "allowed_ips": ["10.0.0.0/8"], "expires_at": "2026-12-01T00:00:00Z"});
    let key = server.key(&ann, &wanted).await;
    let explain = async |members: Value| {
        let mut question = json!({"token": key.token, "ip_address": "10.1.1.1", "explain": true});
        question.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        server.verify(&question).await
    };
    let detail =
        |decision: &Value, number: usize| decision["explanation"][number - 1]["detail"].as_str().unwrap().to_owned();

    let valid = explain(json!({"business_id": clinic, "permission": "calls:read"})).await;
    assert_eq!(outcomes(&valid), ["passed"; 9]);
    assert!(detail(&valid, 2).starts_with(&key.id));
    let life = "revoked_at: never; expires_at: 2026-12-01T00:00:00Z; now: 2026-11-20T19:30:00Z";
    assert_eq!(detail(&valid, 3), life);
    assert_eq!(detail(&valid, 5), "from 10.1.1.1; allowed: 10.0.0.0/8");
    assert_eq!(detail(&valid, 7), format!("{clinic}; scope: only {clinic}; the owner is a member"));
    assert_eq!(detail(&valid, 8), "calls:read; the key was given: calls:read; the owner's role allows it: true");

    for (members, number, part) in [
        (json!({"token": "x"}), 1, "is wrong"),
        (json!({"ip_address": "11.1.1.1"}), 5, "from 11.1.1.1"),
        (json!({"ip_address": null}), 5, "not told"),
        (json!({"business_id": shop}), 7, "is not a member"),
        (json!({"business_id": "x"}), 7, "no business id"),
        (json!({"permission": "calls:write"}), 8, "businesses where key and role grant it: 0"),
        (json!({"permission": "calls:write", "business_id": clinic}), 8, "role allows it: true"),
        (json!({"path": "/api/v1/user"}), 9, "user_management: false"),
    ] {
        let decision = explain(members).await;
        assert_eq!(outcomes(&decision), fails_at(number));
        assert!(detail(&decision, number).contains(part), "{}", detail(&decision, number));
    }
    server.op_post(&format!("/businesses/{clinic}/disable"), &json!({})).await.ok();
    let disabled = explain(json!({"business_id": clinic})).await;
    assert!(detail(&disabled, 7).ends_with("the business is disabled"));
    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    assert_eq!(outcomes(&explain(json!({})).await), fails_at(4));
    server.revoke(&ann, &key).await;
    assert_eq!(outcomes(&explain(json!({})).await), fails_at(3));
}

#[tokio::test]
async fn it_is_told_only_where_it_was_asked_for() {
    let server = Server::start().await;
    let plain = server.verify(&json!({"token": "x"})).await;
    assert!(!plain.as_object().unwrap().contains_key("explanation"));
    let mut explained = server.verify(&json!({"token": "x", "explain": true})).await;
    explained.as_object_mut().unwrap().remove("explanation");
    assert_eq!(explained, plain, "and changes nothing else");
}
