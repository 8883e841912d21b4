//! What every answer has, also where no router gave it.

use reqwest::Method;

use super::Guarded;
use crate::support::Answer;

#[tokio::test]
async fn an_answer_to_a_gateway_has_what_every_answer_has_and_nothing_of_the_request() {
    let guarded = Guarded::start().await;
    let server = &guarded.server;
    let asked = |method: Method, path: &str, token: &str| {
        let request = server.client.request(method, format!("{}{path}", server.url)).bearer_auth(token);
        let request = request.header("x-forwarded-method", "GET").header("x-forwarded-uri", "/api/contacts/1");
        Answer::to(request.header("x-portcullis-user-id", "forged").header("x-note", "kept nowhere").header("via", "x"))
    };
    for (token, status) in [(guarded.key.token.as_str(), 200), ("made up", 401)] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, "PURGE".parse().unwrap()] {
            let answer = asked(method.clone(), "/auth/crm", token).await;
            assert_eq!(answer.status, status, "{method}: {}", answer.text);
            let id = answer.header("x-request-id").unwrap();
            assert!(id.starts_with("req_") && id.len() == 30, "{id}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_ne!(answer.header("x-portcullis-user-id"), Some("forged"));
            for name in ["x-note", "via", "authorization", "x-forwarded-uri", "host"] {
                assert_eq!(answer.header(name), None, "{method}: {name}");
            }
        }
    }
    let numbers = [asked(Method::GET, "/auth/crm", "x").await, asked(Method::GET, "/auth/crm", "x").await];
    assert_ne!(numbers[0].header("x-request-id"), numbers[1].header("x-request-id"));
    for nowhere in
        ["/auth/", "/auth//envoy", "/auth/crm/", "/auth/crm/nginx/", "/auth/crm/envoys", "/auth", "/AUTH/crm"]
    {
        assert_eq!(asked(Method::GET, nowhere, &guarded.key.token).await.status, 404, "{nowhere}");
    }
    // Whoever asks at a gate that is not there has misspelt it, which is no client's fault.
    assert_eq!(asked(Method::GET, "/auth/cRm", &guarded.key.token).await.status, 503);
}
