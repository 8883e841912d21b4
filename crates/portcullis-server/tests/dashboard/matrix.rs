//! Who sees which page: what each of them answers to each kind of person, in a snapshot that reviewers read.

use std::fmt::Write;

use reqwest::Method;
use serde_json::json;

use super::visit;
use crate::support::Server;

const PATHS: [&str; 38] = [
    "/api-keys",
    "/api-keys/new",
    "/api-keys/KEY",
    "/api-keys/KEY/edit",
    "/api-keys/KEY/rotate",
    "/api-keys/KEY/revoke",
    "/api-keys/KEY/explain",
    "/users/OWNER/api-keys",
    "/users/OWNER/api-keys/new",
    "/users/OWNER/api-keys/KEY",
    "/users/OWNER/api-keys/KEY/revoke",
    "/usage",
    "/businesses",
    "/businesses/new",
    "/businesses/BUSINESS",
    "/businesses/BUSINESS/settings",
    "/businesses/BUSINESS/api-keys",
    "/businesses/BUSINESS/usage",
    "/businesses/BUSINESS/members/OWNER",
    "/businesses/BUSINESS/members/OWNER/remove",
    "/businesses/BUSINESS/roles",
    "/businesses/BUSINESS/roles/new",
    "/businesses/BUSINESS/roles/ROLE",
    "/audit-log",
    "/audit-log?of=BUSINESS",
    "/audit-log/export?of=BUSINESS",
    "/profile",
    "/platform/users",
    "/platform/users/OWNER",
    "/platform/users/OWNER/disable",
    "/platform/businesses",
    "/platform/businesses/BUSINESS/disable",
    "/platform/operator-keys",
    "/platform/operator-keys/OPERATOR/revoke",
    "/platform/policy",
    "/platform/nodes",
    "/reference",
    "/changes",
];

#[tokio::test]
async fn who_sees_which_page() {
    let server = Server::start().await;
    let (owner, business) = server.owner_of("owner@example.com", "Dental Clinic").await;
    let (stranger, _) = server.owner_of("stranger@example.com", "Bike Shop").await;
    let mut people = vec![("stranger", stranger)];
    for role in ["viewer", "member", "admin"] {
        let user = server.user(&format!("the.{role}@example.com")).await;
        server.member(&business, &user, role).await;
        people.push((role, user));
    }
    people.push(("owner", owner.clone()));
    people.push(("platform", server.admin.clone()));
    let key = server.key(&owner, &json!({"name": "The owner's"})).await.id;
    let role = server.op_post(&format!("/businesses/{business}/roles"), &json!({"name": "Front desk"})).await.created();
    let role = role["id"].as_str().unwrap();
    let operator = server.op_get("/operator-keys").await.ok()[0]["id"].as_str().unwrap().to_owned();
    let mut matrix = format!("{:42}", "");
    let mut sessions = Vec::new();
    for (name, user) in &people {
        write!(matrix, "{name:>10}").unwrap();
        sessions.push(server.sign_in(user).await);
    }
    for path in PATHS {
        write!(matrix, "\n{path:42}").unwrap();
        let ids = [
            ("BUSINESS", business.as_str()),
            ("KEY", &key),
            ("OWNER", &owner),
            ("ROLE", role),
            ("OPERATOR", &operator),
        ];
        let filled = ids.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        for session in &sessions {
            let answer = visit(&server, Some(session), Method::GET, &filled).await;
            write!(matrix, "{:>10}", answer.status().as_u16()).unwrap();
        }
    }
    insta::assert_snapshot!("who_sees_which_page", matrix);
}

/// Whoever tries doors leaves a trace, at pages too; a page that asks by itself leaves none.
#[tokio::test]
async fn a_refused_page_is_in_the_audit_log_of_its_business() {
    let server = Server::start().await;
    let (_, business) = server.owner_of("owner@example.com", "Dental Clinic").await;
    let viewer = server.user("viewer@example.com").await;
    server.member(&business, &viewer, "viewer").await;
    let session = server.sign_in(&viewer).await;
    assert_eq!(
        visit(&server, Some(&session), Method::GET, &format!("/businesses/{business}/roles/new")).await.status(),
        403
    );
    let events = server.op_get(&format!("/businesses/{business}/audit-events?action=call.refused")).await.ok();
    assert_eq!(events[0]["actor_id"], viewer, "{events}");
    assert_eq!(events[0]["after"]["path"], format!("/businesses/{business}/roles/new"));
    server.op_post(&format!("/users/{viewer}/disable"), &json!({})).await.ok();
    for _ in 0..3 {
        assert_ne!(visit(&server, Some(&session), Method::GET, "/changes").await.status(), 200);
    }
    let events = server.op_get(&format!("/audit-events?action=call.refused&actor_id={viewer}")).await.ok();
    assert_eq!(events.as_array().unwrap().len(), 1, "{events}");
}
