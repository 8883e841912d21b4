//! What of a request's headers reaches the API, and what of an answer's reaches the client.

use super::{Api, OK, Proxied};

/// Nobody is trusted to tell where a request comes from.
fn untrusting(settings: &str) -> String {
    settings.replace("trusted_proxies = [\"127.0.0.1\", \"10.1.0.0/16\"]", "trusted_proxies = []")
}

#[tokio::test]
async fn attack_07_to_09_nobody_says_in_a_header_who_they_are() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let lines = [
        "X-Portcullis-User-Id: usr_spoofed",
        "x-portcullis-USER-id: usr_again",
        "X_Portcullis_User_Id: usr_spoofed",
        "X.Portcullis.User.Id: usr_spoofed",
        "X-Portcullis~User-Id: usr_spoofed",
        "X-Portcullis_Key_Id: key_spoofed",
        "X_Portcullis-Future: 1",
        "X-Portcullis-Future: 1",
        "X_Api_Key: ak_twin",
        "X_Forwarded_For: 1.2.3.4",
        "X_Forwarded-Host: evil",
        "X_Request_Id: mine",
        "X_HTTP_Method_Override: DELETE",
        "X_Real_IP: 1.2.3.4",
        "Content_Length: 5",
        "Transfer_Encoding: chunked",
        "Connection: keep-alive, X-Portcullis-User-Id, x-portcullis-business-id, Host, X-Forwarded-For, X-Request-Id",
    ];
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &lines)).await.status(), 200);
    let seen = proxied.api.one();
    assert_eq!(seen.one("x-portcullis-user-id"), proxied.guarded.user);
    assert_eq!(seen.one("x-portcullis-key-id"), proxied.guarded.key.id);
    assert_eq!(seen.one("x-portcullis-business-id"), "");
    assert_eq!((seen.one("host"), seen.one("x-forwarded-for")), ("api.example", "127.0.0.1"));
    let twins: Vec<_> = seen.headers.iter().filter(|(name, _)| name.contains('_')).collect();
    assert!(twins.is_empty(), "{twins:?}");
    assert!(!format!("{seen:?}").contains("spoofed") && !format!("{seen:?}").contains("future"));
}

#[tokio::test]
async fn attack_08_the_header_that_names_the_business_reaches_the_api_as_it_was_judged() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let named = format!("X-Business-Id: {}", proxied.guarded.business);
    let lines = [&named as &str, "X_Business_Id: biz_other", "X-Business_Id: biz_other", "Connection: X-Business-Id"];
    assert_eq!(proxied.ask(proxied.request("GET /api/calls", &lines)).await.status(), 200);
    let seen = proxied.api.one();
    assert_eq!(seen.one("x-business-id"), proxied.guarded.business);
    assert!(!format!("{seen:?}").contains("biz_other"));
}

#[tokio::test]
async fn attack_13_no_header_makes_another_method_or_path_of_it() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let names = [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-Method",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Prefix",
    ];
    let lines = names.map(|name| format!("{name}: DELETE"));
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &lines)).await.status(), 200);
    let seen = proxied.api.one();
    for name in names {
        assert!(seen.all(name).is_empty(), "{name}");
    }
    // A method in other letters is another method, and no rule is about it.
    let other = proxied.ask(proxied.request("get /api/contacts", &[])).await;
    other.fails(403, "PERMISSION_DENIED", Some("no_rule"));
}

#[tokio::test]
async fn what_is_of_one_connection_stays_on_it_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                  Proxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nX-End: 1\r\nX-End: 2\r\n\
                  X-Portcullis-User-Id: leaked\r\nX_Portcullis_User_Id: leaked\r\nX-Request-Id: theirs\r\n\
                  Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok";
    let proxied = Proxied::before(Api::answering(answer).await).await;
    let lines = [
        "Connection: close, X-Hop",
        "Connection: ,x-other-hop,,",
        "X-Hop: 1",
        "X-Other-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5",
        "TE: gzip, trailers",
        "Trailer: X-Portcullis-User-Id",
        "Upgrade: websocket",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
        "X-End: 1",
        "X-End: 2",
    ];
    let got = proxied.ask(proxied.request("GET /api/contacts", &lines)).await;
    let seen = proxied.api.one();
    for name in ["x-hop", "x-other-hop", "keep-alive", "proxy-connection", "proxy-authorization", "trailer", "upgrade"]
    {
        assert!(seen.all(name).is_empty(), "{name}: {seen:?}");
    }
    assert!(seen.all("http2-settings").is_empty());
    assert_eq!((seen.one("te"), seen.one("connection")), ("trailers", "te"));
    assert_eq!((seen.all("x-end"), got.all("x-end")), (vec!["1", "2"], vec!["1", "2"]));
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade"] {
        assert!(got.all(name).is_empty(), "{name}: {got:?}");
    }
    assert!(!format!("{got:?}").contains("leaked"));
    assert_eq!(got.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(got.one("x-request-id"), seen.one("x-request-id"));
}

#[tokio::test]
async fn no_credential_of_ours_reaches_the_api() {
    let token_parameter =
        |settings: &str| settings.replace("[gate.crm]\n", "[gate.crm]\ntoken_parameter = \"api_key\"\n");
    let proxied = Proxied::with(Api::answering(OK).await, token_parameter).await;
    let lines = [
        "Cookie: a=b; __Host-portcullis_session=ps_secret;c=\"d\"",
        "Cookie: __Host-portcullis_session=ps_secret",
        "Cookie: e=\u{e9}; __host-Portcullis_Session = ps_secret",
        "Cookie: f",
    ];
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &lines)).await.status(), 200);
    let by_query = format!("GET /api/contacts?a=%2f&api_key={}&b HTTP/1.1\r\nHost: h\r\n\r\n", proxied.token());
    assert_eq!(proxied.ask(by_query).await.status(), 200);
    let twice = format!("GET /api/contacts?api_key={0}&api_key={0} HTTP/1.1\r\nHost: h\r\n\r\n", proxied.token());
    proxied.ask(twice).await.fails(400, "AMBIGUOUS_CREDENTIALS", None);
    let public = format!("GET /health?api%5Fkey={} HTTP/1.1\r\nHost: h\r\n\r\n", proxied.token());
    assert_eq!(proxied.ask(public).await.status(), 200);
    let seen = proxied.api.seen();
    assert_eq!(seen[0].all("cookie"), ["a=b;c=\"d\"", "e=\u{e9}", "f"]);
    assert_eq!(seen[1].line, "GET /api/contacts?a=%2f&b HTTP/1.1");
    assert_eq!(seen[2].line, "GET /health HTTP/1.1");
    let all = format!("{seen:?}");
    assert!(!all.contains("ps_secret") && !all.contains(proxied.token()), "{all}");
}

#[tokio::test]
async fn the_api_gets_a_credential_of_its_own_from_a_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("authorization");
    std::fs::write(&file, "Bearer of-the-api\n").unwrap();
    let settings = |settings: &str| format!("{settings}authorization_file = \"{}\"\n", file.display());
    let proxied = Proxied::with(Api::answering(OK).await, settings).await;
    let own = format!("GET /api/contacts HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n\r\n", proxied.token());
    assert_eq!(proxied.ask(own).await.status(), 200);
    assert_eq!(proxied.api.one().one("authorization"), "Bearer of-the-api");
}

#[tokio::test]
async fn the_api_is_told_its_own_host_where_it_needs_that() {
    let proxied = Proxied::with(Api::answering(OK).await, |settings| format!("{settings}keep_host = false\n")).await;
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &[])).await.status(), 200);
    let (seen, own) = (proxied.api.one(), proxied.api.address.to_string());
    assert_eq!((seen.one("host"), seen.one("x-forwarded-host")), (&own as &str, "api.example"));
}

#[tokio::test]
async fn attack_11_what_an_untrusted_client_says_of_its_way_is_dropped() {
    let proxied = Proxied::with(Api::answering(OK).await, untrusting).await;
    let lines = [
        "X-Forwarded-For: 10.1.2.3",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 443",
        "X-Real-IP: 10.1.2.3",
        "Forwarded: for=10.1.2.3",
    ];
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &lines)).await.status(), 200);
    let seen = proxied.api.one();
    assert_eq!(seen.one("x-forwarded-for"), "127.0.0.1");
    assert_eq!((seen.one("x-forwarded-proto"), seen.one("x-forwarded-host")), ("http", "api.example"));
    for name in ["x-forwarded-port", "x-real-ip", "forwarded"] {
        assert!(seen.all(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn attack_11_what_a_trusted_proxy_says_is_passed_on_as_far_as_it_can_be_believed() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let lines = [
        "X-Forwarded-For: 6.6.6.6, ::ffff:192.0.2.7",
        "X-Forwarded-For: 10.1.0.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: www.example",
    ];
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &lines)).await.status(), 200);
    let strange =
        ["X-Forwarded-Proto: gopher", "X-Forwarded-For: nonsense", "X-Forwarded-Host: a", "X-Forwarded-Host: b"];
    assert_eq!(proxied.ask(proxied.request("GET /api/contacts", &strange)).await.status(), 200);
    let seen = proxied.api.seen();
    assert_eq!(seen[0].one("x-forwarded-for"), "192.0.2.7, 10.1.0.9, 127.0.0.1");
    assert_eq!((seen[0].one("x-forwarded-proto"), seen[0].one("x-forwarded-host")), ("https", "www.example"));
    assert_eq!((seen[1].one("x-forwarded-proto"), seen[1].one("x-forwarded-host")), ("http", "api.example"));
    assert_eq!(seen[1].one("x-forwarded-for"), "127.0.0.1");
}
