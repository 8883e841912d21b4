//! `/session`, `…/sessions`, `/user/password`, and one-time links to a password.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server};

async fn sign_in(server: &Server, email: &str, password: &str) -> crate::support::Answer {
    let body = json!({"email": email, "password": password});
    server.send(server.request(Method::POST, "/session").json(&body)).await
}

#[tokio::test]
async fn from_signing_in_to_signing_out() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    server.sign_in(&ann).await;
    let answer = sign_in(&server, " Ann@Example.com ", PASSWORD).await;
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    for part in [
        "__Host-portcullis_session=ps_live_",
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Max-Age=604800",
    ] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Domain"));
    assert!(!answer.text.contains("ps_live_"), "the token is in the cookie and nowhere else");
    let session = answer.session();
    assert_eq!(server.by_get(&session, "/whoami").await.ok()["user_id"], ann);
    assert_eq!(server.by_get(&session, "/user").await.ok()["email"], "ann@example.com");
    assert_eq!(server.by_get(&session, "/session").await.ok()["current"], true);
    let listed = server.by_get(&session, "/user/sessions").await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["address"], "127.0.0.1");

    let gone = server.by(&session, "DELETE", "/session", &Value::Null).await;
    gone.ok();
    assert!(gone.header("set-cookie").unwrap().contains("Max-Age=0"));
    server.by_get(&session, "/user").await.fails(401, "SIGNED_OUT", None);
}

#[tokio::test]
async fn attack_41_every_sign_in_has_a_new_session_and_what_ends_one_ends_it_at_once() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let (first, second) = (server.sign_in(&ann).await, sign_in(&server, "ann@example.com", PASSWORD).await.session());
    assert_ne!(first.cookie, second.cookie);
    server.by(&second, "DELETE", &format!("/user/sessions/{}", first.id), &Value::Null).await.ok();
    server.by_get(&first, "/user").await.fails(401, "SIGNED_OUT", None);
    server.by(&second, "DELETE", &format!("/user/sessions/{}", first.id), &Value::Null).await.fails(
        404,
        "NOT_FOUND",
        None,
    );

    let third = sign_in(&server, "ann@example.com", PASSWORD).await.session();
    let change = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
    server.by(&third, "PUT", "/user/password", &change).await.ok();
    server.by_get(&second, "/user").await.fails(401, "SIGNED_OUT", None);
    server.by_get(&third, "/user").await.ok();
    sign_in(&server, "ann@example.com", PASSWORD).await.fails(401, "INVALID_CREDENTIALS", None);
    let fourth = sign_in(&server, "ann@example.com", "another horse battery").await.session();

    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    for session in [&third, &fourth] {
        server.by_get(session, "/user").await.fails(403, "USER_DISABLED", None);
    }
    sign_in(&server, "ann@example.com", "another horse battery").await.fails(403, "USER_DISABLED", None);
    server.op_post(&format!("/users/{ann}/enable"), &json!({})).await.ok();
    for session in [&third, &fourth] {
        server.by_get(session, "/user").await.fails(401, "SIGNED_OUT", None);
    }
    let last = sign_in(&server, "ann@example.com", "another horse battery").await.session();
    server.by(&last, "DELETE", "/user/sessions", &Value::Null).await.ok();
    server.by_get(&last, "/user").await.fails(401, "SIGNED_OUT", None);
}

#[tokio::test]
async fn a_session_ends_unused_and_it_ends_however_it_is_used() {
    let server = Server::with("session_idle_minutes = 30\nsession_lifetime_hours = 2").await;
    let ann = server.user("ann@example.com").await;
    let (used, unused) = (server.sign_in(&ann).await, sign_in(&server, "ann@example.com", PASSWORD).await.session());
    for minute in [20, 40, 60, 80, 100] {
        server.pass(20 * 60_000);
        server.by_get(&used, "/user").await.ok();
        if minute > 30 {
            server.by_get(&unused, "/user").await.fails(401, "SIGNED_OUT", None);
        }
    }
    server.pass(20 * 60_000);
    server.by_get(&used, "/user").await.fails(401, "SIGNED_OUT", None);
}

#[tokio::test]
async fn attack_40_another_site_makes_nobody_do_anything() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let session = server.sign_in(&ann).await;
    let host = server.address.to_string();
    let patch = async |headers: &[(&str, &str)]| {
        let request =
            server.request(Method::PATCH, "/user").header("cookie", &session.cookie).json(&json!({"name": "A"}));
        server.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    let here = format!("http://{host}");
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "")],
        &[("sec-fetch-site", "cross-site"), ("origin", &here)],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://")],
        &[("origin", &format!("http://{host}.evil.example"))],
        &[("referer", &here)],
        &[],
    ] {
        patch(headers).await.fails(403, "PERMISSION_DENIED", Some("origin"));
    }
    for headers in [&[("sec-fetch-site", "same-origin")][..], &[("origin", &here)], &[("sec-fetch-site", "none")]] {
        patch(headers).await.ok();
    }
    // A form of another site cannot send JSON; what it can send is refused whatever it says.
    let form = server.request(Method::PATCH, "/user").header("cookie", &session.cookie).header("origin", &here);
    let form = form.header("content-type", "text/plain").body("{\"name\":\"A\"}");
    server.send(form).await.fails(415, "UNSUPPORTED_MEDIA_TYPE", None);
    // Nor is anybody signed in as somebody else.
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    let forged = server.request(Method::POST, "/session").header("sec-fetch-site", "cross-site").json(&body);
    server.send(forged).await.fails(403, "PERMISSION_DENIED", Some("origin"));
    // A GET changes nothing, and is answered whoever asks for it: what it says, another site cannot read.
    let read =
        server.request(Method::GET, "/user").header("cookie", &session.cookie).header("sec-fetch-site", "cross-site");
    server.send(read).await.ok();
}

#[tokio::test]
async fn attack_02_a_session_and_a_token_are_two_credentials() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let session = server.sign_in(&ann).await;
    let both = server.request(Method::GET, "/user").header("cookie", &session.cookie).bearer_auth(&server.operator);
    server.send(both).await.fails(400, "AMBIGUOUS_CREDENTIALS", None);
    let other = server.request(Method::GET, "/user").header("cookie", "theme=dark; lang=de");
    server.send(other).await.fails(401, "INVALID_API_KEY", Some("missing"));
    for token in ["", "x", "ps_live_x", &server.operator] {
        let made_up =
            server.request(Method::GET, "/user").header("cookie", format!("__Host-portcullis_session={token}"));
        server.send(made_up).await.fails(401, "SIGNED_OUT", None);
    }
    // What is in a cookie is no token, and what is in a header no session.
    let (_, token) = session.cookie.split_once('=').unwrap();
    server.get(token, "/user").await.fails(401, "INVALID_API_KEY", Some("malformed"));
}

#[tokio::test]
async fn attack_44_guessing_ends_and_says_nothing_about_accounts() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    server.sign_in(&ann).await;
    let bob = server.user("bob@example.com").await;
    let known = sign_in(&server, "ann@example.com", "wrong horse battery").await;
    let unknown = sign_in(&server, "nobody@example.com", "wrong horse battery").await;
    let without = sign_in(&server, "bob@example.com", "").await;
    known.fails(401, "INVALID_CREDENTIALS", None);
    let same = |answer: &crate::support::Answer| {
        let mut body = answer.body.clone();
        body["request_id"].take();
        body
    };
    assert_eq!(same(&known), same(&unknown));
    assert_eq!(same(&known), same(&without));
    for _ in 0..9 {
        sign_in(&server, "ann@example.com", "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS", None);
    }
    let limited = sign_in(&server, "ANN@example.com", PASSWORD).await;
    limited.fails(429, "RATE_LIMITED", None);
    let seconds: i64 = limited.header("retry-after").unwrap().parse().unwrap();
    server.pass(seconds * 1_000);
    sign_in(&server, "ann@example.com", PASSWORD).await.created();
    let _ = bob;
}

#[tokio::test]
async fn a_link_to_a_new_password_works_once_and_for_a_day() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let old = server.sign_in(&ann).await;
    let make = async || {
        let link = server.op_post(&format!("/users/{ann}/password-links"), &json!({})).await.created();
        let url = link["url"].as_str().unwrap().to_owned();
        url.split_once("/password#").unwrap().1.to_owned()
    };
    let set = async |token: &str, password: &str| {
        server
            .send(server.request(Method::POST, "/password").json(&json!({"token": token, "password": password})))
            .await
    };
    let (first, second) = (make().await, make().await);
    set(&first, "another horse battery").await.fails_at(&["/token"]);
    set(&second, "too short").await.fails_at(&["/password"]);
    set(&second, "another horse battery").await.created();
    set(&second, "a third horse battery").await.fails_at(&["/token"]);
    server.by_get(&old, "/user").await.fails(401, "SIGNED_OUT", None);
    sign_in(&server, "ann@example.com", "another horse battery").await.created();
    let third = make().await;
    server.pass(24 * 3_600_000);
    set(&third, "another horse battery").await.fails_at(&["/token"]);
    let fourth = make().await;
    server.patch(&server.operator, &format!("/users/{ann}"), &json!({"email": "ann@new.example"})).await.ok();
    set(&fourth, "another horse battery").await.fails_at(&["/token"]);
    for token in ["", "pl_live_x", &server.operator] {
        set(token, "another horse battery").await.fails_at(&["/token"]);
    }
    // The request for one is answered the same for every address.
    for email in ["ann@example.com", "nobody@example.com", "no address"] {
        let answer = server.send(server.request(Method::POST, "/password-links").json(&json!({"email": email}))).await;
        assert_eq!((answer.status, answer.body["data"].clone()), (202, Value::Null));
    }
}

/// Who can set a platform admin's password can do all that one can.
#[tokio::test]
async fn an_operator_key_does_not_become_a_platform_admin() {
    let server = Server::start().await;
    let grants = json!({"name": "Users", "grants": ["users:read", "users:write"]});
    let key = server.op_post("/operator-keys", &grants).await.created();
    let token = key["token"].as_str().unwrap();
    let admin = format!("/users/{}", server.admin);
    server.post(token, &format!("{admin}/password-links"), &json!({})).await.fails(
        403,
        "PERMISSION_DENIED",
        Some("permission"),
    );
    let change = json!({"email": "mine@example.com"});
    server.patch(token, &admin, &change).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    let ann = server.user("ann@example.com").await;
    let promote = server.patch(token, &format!("/users/{ann}"), &json!({"platform_admin": true})).await;
    promote.fails_at(&["/platform_admin"]);
    server.post(token, &format!("/users/{ann}/password-links"), &json!({})).await.created();
    server.patch(&server.operator, &format!("/users/{ann}"), &json!({"platform_admin": true})).await.ok();
    let ann = server.sign_in(&ann).await;
    server.by_get(&ann, "/users").await.ok();
    server.by(&ann, "POST", "/verify", &json!({"token": "x"})).await.ok();
}
