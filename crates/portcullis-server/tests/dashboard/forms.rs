//! Forms, as a browser without JavaScript sends them: more than once, when somebody is quick.

use serde_json::Value;

use super::browser;
use crate::support::{Server, Session};

struct Sent {
    status: u16,
    text: String,
}

/// Sends a form with these fields; what a browser says of itself says that it comes from a page of this server.
async fn send(server: &Server, session: &Session, path: &str, fields: &[(&str, &str)]) -> Sent {
    let body = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('@', "%40")))
        .collect::<Vec<_>>()
        .join("&");
    let request = browser().post(format!("{}{path}", server.url)).header("cookie", &session.cookie);
    let request = request.header("origin", &server.url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.unwrap();
    Sent { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
}

/// Eight times the same at once: how many of the answers have this status, and all texts.
async fn eight(
    server: &Server,
    session: &Session,
    path: &str,
    fields: &[(&str, &str)],
    status: u16,
) -> (usize, Vec<String>) {
    let all = futures_util::future::join_all((0..8).map(|_| send(server, session, path, fields))).await;
    (all.iter().filter(|sent| sent.status == status).count(), all.into_iter().map(|sent| sent.text).collect())
}

fn count(all: &Value, name: &str) -> usize {
    all.as_array().unwrap().iter().filter(|one| one["name"] == name || one["email"] == name).count()
}

#[tokio::test]
async fn a_form_that_is_sent_eight_times_is_acted_on_once() {
    let server = Server::start().await;
    let (id, session) = (server.admin.clone(), server.sign_in(&server.admin).await);

    let key =
        [("name", "Once"), ("grant", "inherit"), ("scope", "unrestricted"), ("expiry", "30"), ("environment", "live")];
    let key = [&key[..], &[("reviewed", "yes"), ("once", "1795203000000-aa")]].concat();
    let (_, texts) = eight(&server, &session, "/api-keys/new", &key, 200).await;
    assert_eq!(count(&server.op_get(&format!("/users/{id}/api-keys")).await.ok(), "Once"), 1);
    let shown = texts.iter().filter(|text| text.contains("<code id=\"token\"")).count();
    assert!(shown <= 1, "the token is in one answer at most, and was in {shown}");

    let (led_on, _) = eight(&server, &session, "/businesses/new", &[("name", "Once"), ("once", "b")], 303).await;
    assert!(led_on >= 1);
    let businesses = server.op_get("/businesses").await.ok();
    assert_eq!(count(&businesses, "Once"), 1);

    let business =
        businesses.as_array().unwrap().iter().find(|one| one["name"] == "Once").unwrap()["id"].as_str().unwrap();
    let invitation = [("email", "guest@example.com"), ("role_id", "viewer"), ("once", "c")];
    let (made, _) = eight(&server, &session, &format!("/businesses/{business}"), &invitation, 200).await;
    assert_eq!(made, 1);
    let open = server.op_get(&format!("/businesses/{business}/invitations")).await.ok();
    assert_eq!(count(&open, "guest@example.com"), 1);

    let operator = [("name", "Once"), ("grants", "keys:verify"), ("once", "d")];
    let (made, texts) = eight(&server, &session, "/platform/operator-keys", &operator, 200).await;
    assert_eq!(made, 1);
    assert_eq!(count(&server.op_get("/operator-keys").await.ok(), "Once"), 1);
    let again = send(&server, &session, "/platform/operator-keys", &operator).await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("This was sent before") && !again.text.contains("op_live_0"), "{}", texts.len());

    let user = [("email", "new@example.com"), ("name", "New"), ("once", "e")];
    let (made, _) = eight(&server, &session, "/platform/users", &user, 303).await;
    assert!(made >= 1);
    assert_eq!(count(&server.op_get("/users").await.ok(), "new@example.com"), 1);
    assert_eq!(
        send(&server, &session, "/platform/users", &user).await.status,
        303,
        "what was done is not told as refused"
    );

    let role = [("name", "Once"), ("permissions", "calls:read"), ("once", "f")];
    let at = format!("/businesses/{business}/roles/new");
    assert!(eight(&server, &session, &at, &role, 303).await.0 >= 1);
    assert_eq!(send(&server, &session, &at, &role).await.status, 303);
    assert_eq!(count(&server.op_get(&format!("/businesses/{business}/roles")).await.ok(), "Once"), 1);
}

#[tokio::test]
async fn a_form_without_its_mark_is_a_form_of_its_own() {
    let server = Server::start().await;
    let session = server.sign_in(&server.admin).await;
    for once in ["", &"x".repeat(101)] {
        for _ in 0..2 {
            let sent = send(&server, &session, "/businesses/new", &[("name", "Twice"), ("once", once)]).await;
            assert_eq!(sent.status, 303, "{}", sent.text);
        }
    }
    assert_eq!(count(&server.op_get("/businesses").await.ok(), "Twice"), 4);
}
