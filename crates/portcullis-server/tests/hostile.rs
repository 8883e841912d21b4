//! Bytes that no well-behaved client sends. The numbers are those of the list of attacks.

use serde_json::json;

use crate::support::{Server, raw};

#[tokio::test]
async fn attack_04_bytes_beyond_ascii_in_a_credential() {
    let server = Server::start().await;
    for value in [&b"Bearer \xff\xfe\xfd"[..], b"Bearer ak_live_\xc3\xa9", b"Bearer \xed\xa0\x80", b"Bearer ak\x01live"]
    {
        let header = [b"Authorization: ", value].concat();
        let (status, _, body) = raw::get(&server, "/api/v1/whoami", &[&header]).await;
        assert!(status == 401 || status == 400, "{status}");
        assert!(body["code"] == "INVALID_API_KEY" || body["code"] == "INVALID_REQUEST", "{body}");
    }
    for control in [b'\0', b'\r', b'\n'] {
        let header = [b"X-API-Key: ak_live", &[control][..], b"x"].concat();
        let (status, _, body) = raw::get(&server, "/api/v1/whoami", &[&header]).await;
        assert_eq!((status, &body["code"]), (400, &json!("INVALID_REQUEST")), "{control}");
    }
}

#[tokio::test]
async fn attack_05_headers_beyond_the_limits_are_431_and_the_end_of_the_connection() {
    let server = Server::start().await;
    let megabyte = format!("X-API-Key: {}", "a".repeat(1 << 20)).into_bytes();
    let (status, head, body) = raw::get(&server, "/api/v1/whoami", &[&megabyte]).await;
    assert_eq!((status, &body["code"]), (431, &json!("HEADERS_TOO_LARGE")));
    assert!(head.to_lowercase().contains("connection: close"), "{head}");

    let seventeen = format!("X-Long: {}", "a".repeat(17 * 1024)).into_bytes();
    let (status, _, body) = raw::get(&server, "/api/v1/whoami", &[&seventeen]).await;
    assert_eq!((status, &body["code"]), (431, &json!("HEADERS_TOO_LARGE")));

    let many: Vec<Vec<u8>> = (0..101).map(|n| format!("X-{n}: 1").into_bytes()).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    let (status, _, body) = raw::get(&server, "/api/v1/whoami", &many).await;
    assert_eq!((status, &body["code"]), (431, &json!("HEADERS_TOO_LARGE")));
}

#[tokio::test]
async fn attack_13_a_method_is_what_it_is_called() {
    let server = Server::start().await;
    let head = |method: &str| {
        format!(
            "{method} /api/v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-HTTP-Method-Override: GET\r\n\r\n"
        )
    };
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", "FOO", "TRACE"] {
        let (status, answer_head, body) = raw::send(&server, head(method).as_bytes()).await;
        assert_eq!((status, &body["code"]), (405, &json!("METHOD_NOT_ALLOWED")), "{method}");
        assert!(answer_head.to_lowercase().contains("allow: get,head"), "{answer_head}");
    }
}

#[tokio::test]
async fn attack_15_a_length_that_two_readers_could_read_differently() {
    let server = Server::start().await;
    let head = "POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for framing in [
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Content-Length: -1\r\n\r\n{}",
        "Content-Length: +2\r\n\r\n{}",
        "Content-Length: 99999999999999999999\r\n\r\n{}",
        "X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        "X-Bare: a\nContent-Length: 2\r\n\r\n{}",
        "X Spaced: a\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let (status, _, body) = raw::send(&server, format!("{head}{framing}").as_bytes()).await;
        assert_eq!((status, &body["code"]), (400, &json!("INVALID_REQUEST")), "{framing:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_at_all_is_told_so() {
    let server = Server::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let (status, _, body) = raw::send(&server, bytes).await;
        assert_eq!((status, &body["code"]), (400, &json!("INVALID_REQUEST")), "{bytes:?}");
    }
}

#[tokio::test]
async fn attack_12_odd_paths_lead_nowhere() {
    let server = Server::start().await;
    for path in [
        "//api/v1/whoami",
        "/api//v1/whoami",
        "/api/v1/./whoami",
        "/api/v1/x/../whoami",
        "/api/v1/%2e%2e/whoami",
        "/api%2fv1%2fwhoami",
        "/API/V1/WHOAMI",
        "/api/v1/whoami/",
        "/api/v1/whoami;x=1",
        "/api/v1/whoami%00",
        "/api/v1/user/../users",
        "/api/v1/users/%ff",
        "/api/v1/users/%2e%2e",
    ] {
        let (status, _, body) = raw::get(&server, path, &[]).await;
        assert!(matches!(status, 400 | 401 | 404), "{path}: {status} {body}");
        assert_ne!(body["success"], true);
    }
}

/// None of these may take the server down, and it answers the next request as before.
#[tokio::test]
async fn attack_20_json_that_means_harm() {
    let server = Server::start().await;
    let post = async |body: String| {
        let request = server.request(reqwest::Method::POST, "/verify").bearer_auth(&server.operator);
        server.send(request.header("content-type", "application/json").body(body)).await
    };
    for body in [
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{{\"token\":{}", "{\"a\":".repeat(5_000)),
        r#"{"token":"a","token":"b"}"#.to_owned(),
        r#"{"token":1e400}"#.to_owned(),
        r#"{"token":18446744073709551616}"#.to_owned(),
        r#"{"token":NaN}"#.to_owned(),
        r#"{"token":"\ud800"}"#.to_owned(),
        r#"{"token":"a"} {"token":"b"}"#.to_owned(),
        r#"{"token":"a",}"#.to_owned(),
        "{\"token\":\"a\u{0}\"}".to_owned(),
        "\u{feff}{\"token\":\"a\"}".to_owned(),
        "null".to_owned(),
        "\"token\"".to_owned(),
        "[]".to_owned(),
        r#"{"Token":"a"}"#.to_owned(),
        r#"{"token":"a","is_admin":true}"#.to_owned(),
        String::new(),
    ] {
        post(body).await.fails(400, "INVALID_REQUEST", None);
    }
    post(format!("{{\"token\":\"{}\"}}", "a".repeat(70_000))).await.fails(413, "PAYLOAD_TOO_LARGE", None);
    assert_eq!(post(r#"{"token":"a\u0000"}"#.to_owned()).await.ok()["reason"], "malformed");
    assert_eq!(post(format!("{{\"token\":\"{}\"}}", "a".repeat(60_000))).await.ok()["reason"], "malformed");
}

#[tokio::test]
async fn the_content_type_is_json_and_said_once() {
    let server = Server::start().await;
    for types in [&[][..], &["text/plain"], &["application/jsonx"], &["application/json", "text/plain"], &["é"]] {
        let mut request = server.request(reqwest::Method::POST, "/verify").bearer_auth(&server.operator);
        for value in types {
            request =
                request.header("content-type", reqwest::header::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        server.send(request.body("{\"token\":\"a\"}")).await.fails(415, "UNSUPPORTED_MEDIA_TYPE", None);
    }
    for value in ["application/json", "Application/JSON; charset=utf-8"] {
        let request = server.request(reqwest::Method::POST, "/verify").bearer_auth(&server.operator);
        server.send(request.header("content-type", value).body("{\"token\":\"a\"}")).await.ok();
    }
}

#[tokio::test]
async fn attack_17_a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::with("body_read_timeout_seconds = 1").await;
    let head = format!(
        "POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 20\r\n\r\n{{\"token\":",
        server.operator
    );
    let (status, answer, body) = raw::send(&server, head.as_bytes()).await;
    assert_eq!((status, &body["code"]), (408, &json!("REQUEST_TIMEOUT")));
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}

/// Attacks 42, 43 and 48: text that means something to a browser, a spreadsheet or a database is text here. It comes back as it was
/// put in, from every field that people write; what no reader sees is refused in every one of them.
#[tokio::test]
async fn attack_42_43_48_text_comes_back_as_it_was_put_in() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let harmless = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "=cmd|'/C calc'!A0",
        "+1+1",
        "@SUM(A1)",
        "'; DROP TABLE api_keys; --",
        "%00%0d%0aSet-Cookie: a=b",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "javascript:alert(1)",
        "Zahnärzte 牙医 🦷",
        "\\u0000 \\n",
    ];
    let unseen = ["a\r\nSet-Cookie: x=y", "a\0b", "\u{1b}[31mred", "a\u{202e}b", "a\u{200b}b", "\u{feff}a", "\t=1+1"];
    for text in harmless {
        let key = json!({"name": text, "metadata": {text: text}});
        let key = server.op_post(&format!("/users/{ann}/api-keys"), &key).await.created()["api_key"].clone();
        assert_eq!((&key["name"], &key["metadata"][text]), (&json!(text), &json!(text)));
        let path = format!("/users/{ann}/api-keys/{}", key["id"].as_str().unwrap());
        assert_eq!(server.op_get(&path).await.ok()["name"], text);
        let revoked = server.op_post(&format!("{path}/revoke"), &json!({"reason": text})).await.ok();
        assert_eq!(revoked["revoked_reason"], text);
        let event =
            server.op_get(&format!("/audit-events?target_id={}&limit=1", key["id"].as_str().unwrap())).await.ok();
        assert_eq!(event[0]["after"]["reason"], text);
        let role = server.op_post(&format!("/businesses/{clinic}/roles"), &json!({"name": text})).await.created();
        assert_eq!(role["name"], text);
        assert_eq!(server.op_post("/businesses", &json!({"name": text})).await.created()["name"], text);
        assert_eq!(
            server.patch(&server.operator, &format!("/users/{ann}"), &json!({"name": text})).await.ok()["name"],
            text
        );
        let grants = json!({"name": text, "grants": ["keys:verify"]});
        assert_eq!(server.op_post("/operator-keys", &grants).await.created()["operator_key"]["name"], text);
        let request = server.request(reqwest::Method::GET, &format!("/users/{ann}/api-keys")).query(&[("q", text)]);
        let found = server.send(request.bearer_auth(&server.operator)).await.ok();
        assert_eq!(found[0]["name"], text);
    }
    for text in unseen {
        server.op_post(&format!("/users/{ann}/api-keys"), &json!({"name": text})).await.fails_at(&["/name"]);
        server.op_post(&format!("/businesses/{clinic}/roles"), &json!({"name": text})).await.fails_at(&["/name"]);
        server.op_post("/businesses", &json!({"name": text})).await.fails_at(&["/name"]);
        server.patch(&server.operator, &format!("/users/{ann}"), &json!({"name": text})).await.fails_at(&["/name"]);
        let key = server.key(&ann, &json!({"name": "K"})).await;
        let revoke = format!("/users/{ann}/api-keys/{}/revoke", key.id);
        server.op_post(&revoke, &json!({"reason": text})).await.fails_at(&["/reason"]);
        let invite = json!({"email": format!("{text}@example.com"), "role_id": "viewer"});
        server.op_post(&format!("/businesses/{clinic}/invitations"), &invite).await.fails_at(&["/email"]);
    }
}
