//! What pages answer to one who is not signed in.

use reqwest::Method;

use reqwest::header::HeaderValue;

use super::{browser, visit};
use crate::support::Server;

/// Every address of a page, with those that it is shown at and those that take its form. A new route is added here too.
const ROUTES: &str = include_str!("../../src/routes/pages.rs");
const SIGN_IN: HeaderValue = HeaderValue::from_static("/sign-in");
const KEY: &str = "key_00000000000000000000000001";
const BUSINESS: &str = "biz_00000000000000000000000001";
const USER: &str = "usr_00000000000000000000000001";

/// Shown to those who are signed in alone.
fn shown() -> Vec<String> {
    let mut paths: Vec<String> = ["", "/new", "/K", "/K/edit", "/K/rotate", "/K/revoke", "/K/explain"]
        .iter()
        .flat_map(|rest| ["/api-keys".to_owned(), format!("/users/{USER}/api-keys")].map(|list| list + rest))
        .collect();
    paths.extend(
        ["", "/settings", "/api-keys", "/usage", "/members/U", "/members/U/remove", "/roles", "/roles/new", "/roles/R"]
            .map(|rest| format!("/businesses/{BUSINESS}{rest}")),
    );
    paths.extend(
        [
            "/businesses",
            "/businesses/new",
            "/usage",
            "/audit-log",
            "/audit-log/export",
            "/profile",
            "/platform/users",
            "/platform/users/U",
            "/platform/users/U/disable",
            "/platform/businesses",
            "/platform/businesses/B/disable",
            "/platform/operator-keys",
            "/platform/operator-keys/O/revoke",
            "/platform/policy",
            "/platform/nodes",
            "/changes",
        ]
        .map(str::to_owned),
    );
    paths.iter().map(|path| filled(path)).collect()
}

/// Taken from those who are signed in alone.
fn taken() -> Vec<String> {
    let mut paths: Vec<String> = ["/new", "/new/summary", "/K/edit", "/K/rotate", "/K/revoke"]
        .iter()
        .flat_map(|rest| ["/api-keys".to_owned(), format!("/users/{USER}/api-keys")].map(|list| list + rest))
        .collect();
    paths.extend(
        [
            "/settings",
            "/members/U",
            "/members/U/remove",
            "",
            "/invitations/L/revoke",
            "/roles/new",
            "/roles/R",
            "/roles/R/delete",
        ]
        .map(|rest| format!("/businesses/{BUSINESS}{rest}")),
    );
    paths.extend(
        [
            "/businesses/new",
            "/profile",
            "/profile/password",
            "/profile/sessions/end",
            "/profile/sessions/S/end",
            "/platform/users",
            "/platform/users/U",
            "/platform/users/U/password-link",
            "/platform/users/U/disable",
            "/platform/users/U/enable",
            "/platform/businesses/B/disable",
            "/platform/businesses/B/enable",
            "/platform/operator-keys",
            "/platform/operator-keys/O/revoke",
            "/platform/policy",
        ]
        .map(str::to_owned),
    );
    paths.iter().map(|path| filled(path)).collect()
}

fn filled(path: &str) -> String {
    let ids = [
        ("/K", KEY),
        ("/U", USER),
        ("/B", BUSINESS),
        ("/R", "rol_00000000000000000000000001"),
        ("/O", "opk_00000000000000000000000001"),
        ("/L", "lnk_00000000000000000000000001"),
        ("/S", "ses_00000000000000000000000001"),
    ];
    let whole = path.split('/').skip(1).map(|part| {
        let name = format!("/{part}");
        ids.iter().find(|(short, _)| *short == name).map_or(name.clone(), |(_, id)| format!("/{id}"))
    });
    whole.collect()
}

/// What anybody may see or send: the ways in, the reference, and what leads on.
const OPEN: usize = 11;

#[tokio::test]
async fn no_page_is_shown_and_no_form_taken_without_signing_in() {
    let server = Server::start().await;
    let (shown, taken) = (shown(), taken());
    // Two lists of keys share their routes.
    let both: std::collections::BTreeSet<&String> = shown.iter().chain(&taken).collect();
    let of_users = both.iter().filter(|path| path.starts_with("/users/")).count();
    let routes = ROUTES.matches(".route(").count();
    assert_eq!(both.len() - of_users + OPEN, routes, "a route of routes/pages.rs is in none of the lists of this file");
    for path in &shown {
        let answer = visit(&server, None, Method::GET, path).await;
        assert_eq!(answer.status(), 303, "{path}");
        let to = answer.headers()["location"].to_str().unwrap();
        assert!(to.starts_with("/sign-in?next=%2F"), "{path} leads to {to}");
    }
    for path in &taken {
        let answer = visit(&server, None, Method::POST, path).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &SIGN_IN), "{path}");
        // What was written is kept for after that.
        let form = browser().post(format!("{}{path}", server.url)).header("origin", &server.url);
        let form =
            form.header("content-type", "application/x-www-form-urlencoded").body("name=Written&password=secret");
        let answer = form.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        let text = answer.text().await.unwrap();
        assert!(
            text.contains("Sign in to go on") && text.contains("name=Written") && !text.contains("secret"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_set_up_page_is_closed_where_there_is_a_user() {
    let server = Server::start().await;
    assert_eq!(visit(&server, None, Method::GET, "/setup").await.headers()["location"], "/sign-in");
    assert_eq!(visit(&server, None, Method::GET, "/").await.headers()["location"], "/sign-in");
    let answer = visit(&server, None, Method::POST, "/setup").await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains("not the code"));
}

#[tokio::test]
async fn what_is_nowhere_is_a_page_for_browsers_and_a_problem_for_programs() {
    let server = Server::start().await;
    let answer = visit(&server, None, Method::GET, "/nothing-here").await;
    assert_eq!(answer.status(), 404);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let answer = visit(&server, None, Method::GET, "/sign-out").await;
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "POST"));
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let answer = visit(&server, None, Method::DELETE, "/api/v1/verify").await;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let answer = visit(&server, None, Method::GET, "/api/v1/nothing-here").await;
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    server.send(server.request(Method::GET, "/nothing-here")).await.fails(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn files_of_pages_are_kept_by_their_content() {
    let server = Server::start().await;
    let page = visit(&server, None, Method::GET, "/sign-in").await.text().await.unwrap();
    let at = page.split('"').find(|part| part.ends_with("/dashboard.css")).unwrap().to_owned();
    let file = visit(&server, None, Method::GET, &at).await;
    assert_eq!(file.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(file.headers()["content-type"], "text/css; charset=utf-8");
    let plain = file.bytes().await.unwrap();
    let small = browser().get(format!("{}{at}", server.url)).header("accept-encoding", "br, gzip");
    let small = small.send().await.unwrap();
    assert_eq!(small.headers()["content-encoding"], "gzip");
    assert!(small.bytes().await.unwrap().len() * 2 < plain.len());
    // Another version of this server asks for its own: it gets the file, and does not keep it.
    let old = visit(&server, None, Method::GET, "/assets/0123456789abcdef/dashboard.css").await;
    assert_eq!((old.status().as_u16(), old.headers()["cache-control"].to_str().unwrap()), (200, "no-cache"));
    for path in ["/assets/0123456789abcdef/secret", "/assets/x/../../pepper", "/assets/x/%2e%2e%2fpepper"] {
        assert_eq!(visit(&server, None, Method::GET, path).await.status(), 404, "{path}");
    }
}
