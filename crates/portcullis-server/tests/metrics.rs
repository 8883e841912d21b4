//! `/metrics`: what Prometheus reads.

use serde_json::json;

use crate::support::{Answer, Server};

async fn scraped(server: &Server, token: Option<&str>) -> Answer {
    let request = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{}/metrics", server.url));
    server.send(token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth)).await
}

/// The value of a line, as it is written.
fn value(text: &str, line: &str) -> Option<f64> {
    text.lines().find_map(|other| other.strip_prefix(line)?.trim().parse().ok())
}

#[tokio::test]
async fn decisions_are_counted_by_code_and_surface_and_nothing_names_a_key() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    for _ in 0..3 {
        server.verify(&json!({"token": key.token, "business_id": clinic})).await;
    }
    server.verify(&json!({"token": "x"})).await;
    server.get(&key.token, "/whoami").await.ok();
    server.get(&key.token, "/user").await.fails(403, "PERMISSION_DENIED", Some("user_management"));
    let answer = scraped(&server, Some(&server.operator)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    let text = answer.text;
    let decisions =
        |code, surface| value(&text, &format!("portcullis_decisions_total{{code=\"{code}\",surface=\"{surface}\"}}"));
    assert_eq!(decisions("VALID", "verify"), Some(3.0));
    assert_eq!(decisions("INVALID_API_KEY", "verify"), Some(1.0));
    assert_eq!(decisions("RATE_LIMITED", "verify"), Some(0.0), "what has not happened yet is there too");
    assert_eq!((decisions("VALID", "own"), decisions("PERMISSION_DENIED", "own")), (Some(1.0), Some(1.0)));
    assert_eq!(value(&text, "portcullis_keyring_keys "), Some(1.0));
    assert_eq!(value(&text, "portcullis_node_ready "), Some(1.0));
    assert_eq!(value(&text, "portcullis_limits_in_use "), Some(1.0));
    assert_eq!(value(&text, "portcullis_spool_volatile "), Some(0.0));
    assert_eq!(value(&text, "portcullis_request_duration_seconds_count{part=\"verify\"} "), Some(4.0));
    assert!(value(&text, "portcullis_request_duration_seconds_sum{part=\"verify\"} ").unwrap() > 0.0);
    assert!(text.ends_with("# EOF\n"));
    for secret in [ann.as_str(), &clinic, &key.id, &key.token, "ann@example.com"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn it_takes_an_operator_with_the_grant_unless_the_configuration_opens_it() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    scraped(&server, None).await.fails(401, "INVALID_API_KEY", Some("missing"));
    scraped(&server, Some(&key.token)).await.fails(401, "INVALID_API_KEY", Some("unknown"));
    let made =
        server.op_post("/operator-keys", &json!({"name": "Lacks it", "grants": ["keys:verify"]})).await.created();
    let lacking = made["token"].as_str().unwrap();
    scraped(&server, Some(lacking)).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    let open = Server::with("metrics_public = true").await;
    assert_eq!(scraped(&open, None).await.status, 200);
}
