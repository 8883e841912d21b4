//! Targets that two programs could read differently: what is judged is what the API gets, byte for byte.

use super::{Api, OK, Proxied};

#[tokio::test]
async fn attack_12_paths_with_two_readings_reach_nobody() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    for path in [
        "//api/contacts",
        "/api//contacts",
        "/api/./contacts",
        "/health/../api/contacts",
        "/api/contacts/..",
        "/api/contacts/%2e%2e/whoami",
        "/api/%2E/contacts",
        "/api%2fcontacts",
        "/api/contacts%2F1",
        "/api%5ccontacts",
        "/api\\contacts",
        "/api/contacts;x=1",
        "/api/contacts%3bx",
        "/api/contacts/%00",
        "/api/contacts/%0a",
        "/api/contacts/%252e%252e/whoami",
        "/api/contacts/%zz",
        "/api/contacts/%ff",
        "/api/contacts/%23",
    ] {
        let answer = proxied.ask(proxied.request(&format!("GET {path}"), &[])).await;
        answer.fails(403, "PERMISSION_DENIED", Some("path"));
    }
    for path in ["/API/contacts", "/Api/Contacts", "/api/contacts.", "/health/", "/api/v1/user"] {
        let answer = proxied.ask(proxied.request(&format!("GET {path}"), &[])).await;
        assert!(answer.status() == 403 || path == "/health/", "{path}: {answer:?}");
    }
    assert!(proxied.api.seen().iter().all(|seen| seen.line.contains("/health/")), "{:?}", proxied.api.seen());
}

#[tokio::test]
async fn what_has_one_reading_goes_on_as_it_was_sent() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let targets = [
        "/api/contacts",
        "/api/contacts/",
        "/api/%63ontacts/%C3%A9%20x",
        "/api/contacts?",
        "/api/contacts?a=/../b&c=%2e%2e&&d=%zz;e\\{}|^`",
        "/api/contacts/a.b..c/{x}|~!$&'()*+,=:@-_\"",
    ];
    for target in targets {
        assert_eq!(proxied.ask(proxied.request(&format!("GET {target}"), &[])).await.status(), 200, "{target}");
    }
    // A fragment is nothing that a client sends, and nothing that is judged or passed on.
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts#/../whoami", &[])).await.status(), 200);
    let seen: Vec<_> = proxied.api.seen().into_iter().map(|seen| seen.line).collect();
    let expected: Vec<_> =
        targets.iter().chain(&["/api/contacts"]).map(|target| format!("GET {target} HTTP/1.1")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_target_that_names_another_host_or_none_is_refused() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    for line in [
        "GET http://evil.example/api/contacts",
        "GET http://user@api.example/api/contacts",
        "GET http://api.example:81/api/contacts",
        "GET http://api.example?/api/contacts",
        "OPTIONS *",
        "CONNECT api.example:443",
        "CONNECT evil.example:443",
    ] {
        proxied.ask(proxied.request(line, &[])).await.fails(400, "INVALID_REQUEST", None);
    }
    for line in ["GET api/contacts", "GET *", "GET ", "GET /api contacts", "GET http:///api/contacts"] {
        let status = proxied.ask(proxied.request(line, &[])).await.status();
        assert!([400, 403].contains(&status), "{line}: {status}");
    }
    assert!(proxied.api.seen().is_empty());
    let absolute = proxied.request("GET http://API.example/api/contacts?x", &[]);
    assert_eq!(proxied.ask(absolute).await.status(), 200);
    assert_eq!(proxied.api.one().line, "GET /api/contacts?x HTTP/1.1");
}
