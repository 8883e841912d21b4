//! The three published designs, point by point, as far as a key's own way goes. A letter and a number is a point of theirs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Server;

/// A: keys of users, with a business scope and a flag for the account. `Authorization: Token`.
#[tokio::test]
async fn a_keys_with_a_business_scope_and_user_management() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    server.member(&shop, &ann, "owner").await;
    let get_user = async |token: &str| {
        let request = server.request(Method::GET, "/user").header("Authorization", format!("Token {token}"));
        server.send(request.header("Content-Type", "application/json")).await
    };

    // A2, A4, A7: a name that says what it is for; without a list of businesses it reaches all of them.
    let everywhere = server.key(&ann, &json!({"name": "Zapier Integration - Dental Clinic"})).await;
    for business in [&clinic, &shop] {
        assert_eq!(server.verify(&json!({"token": everywhere.token, "business_id": business})).await["valid"], true);
    }
    // A3: restricted to the named ones.
    let restricted = server.key(&ann, &json!({"name": "Clinic", "business_scope": {"only": [clinic]}})).await;
    let outside = server.verify(&json!({"token": restricted.token, "business_id": shop})).await;
    assert_eq!(outside["code"], "PERMISSION_DENIED");

    // A5, A11: user management is off by default, and opens /api/v1/user.
    let refused = get_user(&everywhere.token).await;
    refused.fails(403, "PERMISSION_DENIED", Some("user_management"));
    let trusted = server.key(&ann, &json!({"name": "Account", "user_management": true})).await;
    assert_eq!(get_user(&trusted.token).await.ok()["email"], "ann@example.com");

    // A14, A15: failures have `success`, a code, and a message for a person.
    server.revoke(&ann, &trusted).await;
    let dead = get_user(&trusted.token).await;
    dead.fails(401, "INVALID_API_KEY", Some("revoked"));
    assert_eq!((&dead.body["success"], &dead.body["message"]), (&json!(false), &json!("The key was revoked.")));

    // A13: the owner, then the business.
    server.op_post(&format!("/businesses/{clinic}/disable"), &json!({})).await.ok();
    let question = json!({"token": restricted.token, "business_id": clinic});
    assert_eq!(server.verify(&question).await["code"], "BUSINESS_DISABLED");
    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    assert_eq!(server.verify(&question).await["code"], "USER_DISABLED");
}

/// B: keys with permissions by resource. `Authorization: Bearer`.
#[tokio::test]
async fn b_keys_with_permissions_by_resource() {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let create = async |wanted: Value| server.op_post(&format!("/users/{ann}/api-keys"), &wanted).await;

    // B3, B5: seven resources, analytics only to read, and at least one permission.
    let resources = ["calls", "leads", "agents", "analytics", "contacts", "knowledge_base", "integrations"];
    for resource in resources {
        for action in ["read", "write"] {
            let answer =
                create(json!({"name": "Production Backend", "permissions": [format!("{resource}:{action}")]})).await;
            assert_eq!(answer.status, if (resource, action) == ("analytics", "write") { 422 } else { 201 });
        }
    }
    create(json!({"name": "CRM Integration", "permissions": []})).await.fails_at(&["/permissions"]);

    // B4: read is GET, write is POST, PATCH and DELETE, and write does not include read.
    let reader = server.key(&ann, &json!({"name": "Reader", "permissions": ["calls:read"]})).await;
    let writer = server.key(&ann, &json!({"name": "Writer", "permissions": ["calls:write"]})).await;
    for (method, reads) in
        [("GET", true), ("HEAD", true), ("POST", false), ("PUT", false), ("PATCH", false), ("DELETE", false)]
    {
        let may = async |token: &str| {
            server.verify(&json!({"token": token, "permission": "calls", "method": method})).await["valid"].clone()
        };
        assert_eq!((may(&reader.token).await, may(&writer.token).await), (json!(reads), json!(!reads)), "{method}");
    }

    // B2: an expiry deactivates the key by itself; blank means none.
    let short = server.key(&ann, &json!({"name": "Short", "expires_at": "2026-11-20T20:30:00Z"})).await;
    server.pass(3_600_000);
    assert_eq!(server.verify(&json!({"token": short.token})).await["reason"], "expired");
    assert_eq!(server.verify(&json!({"token": reader.token})).await["valid"], true);

    // B7: revoked for good, and listed apart from the active ones.
    server.revoke(&ann, &reader).await;
    let revoked = server.op_get(&format!("/users/{ann}/api-keys?status=revoked")).await.ok();
    assert_eq!((revoked.as_array().unwrap().len(), &revoked[0]["id"]), (1, &json!(reader.id)));
}

/// C: keys that inherit what their maker may do. `X-API-Key: ak_live_…`.
#[tokio::test]
async fn c_keys_that_inherit_their_creators_role() {
    let server = Server::start().await;
    let (_, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let bob = server.user("bob@example.com").await;
    server.member(&clinic, &bob, "viewer").await;

    // C2: the header. C9: for less, a user with a limited role, and the key made there.
    let key = server.key(&bob, &json!({"name": "Read only"})).await;
    assert!(key.token.starts_with("ak_live_"));
    let me = server.send(server.request(Method::GET, "/whoami").header("X-API-Key", &key.token)).await.ok();
    assert_eq!(me["permissions"], "inherit");
    let may = async |name: &str| server.verify(&json!({"token": key.token, "permission": name})).await["valid"].clone();
    assert_eq!((may("contacts:read").await, may("contacts:write").await), (json!(true), json!(false)));

    // C3: name, created, expiry and status in the list.
    let listed = server.op_get(&format!("/users/{bob}/api-keys")).await.ok();
    assert_eq!((&listed[0]["name"], &listed[0]["status"]), (&json!("Read only"), &json!("active")));
    assert!(listed[0]["created_at"].is_string() && listed[0]["expires_at"].is_null());

    // C4: revoked is dead at once.
    server.revoke(&bob, &key).await;
    assert_eq!(may("contacts:read").await, json!(false));
}
