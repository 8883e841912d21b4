//! `/businesses/{business_id}/roles` and members, for people.

use serde_json::{Value, json};

use crate::support::{Server, Session};

/// A business with one member of each built-in role, each signed in.
struct Clinic {
    server: Server,
    business: String,
    owner: (String, Session),
    admin: (String, Session),
    member: (String, Session),
    viewer: (String, Session),
}

async fn clinic() -> Clinic {
    let server = Server::start().await;
    let business = server.business("Dental Clinic").await;
    let mut people = Vec::new();
    for role in ["owner", "admin", "member", "viewer"] {
        let user = server.user(&format!("{role}@clinic.example")).await;
        server.member(&business, &user, role).await;
        let session = server.sign_in(&user).await;
        people.push((user, session));
    }
    let [owner, admin, member, viewer] = people.try_into().unwrap();
    Clinic { server, business, owner, admin, member, viewer }
}

impl Clinic {
    fn path(&self, rest: &str) -> String {
        format!("/businesses/{}{rest}", self.business)
    }

    async fn role(&self, body: &Value) -> String {
        let made = self.server.by(&self.owner.1, "POST", &self.path("/roles"), body).await.created();
        made["id"].as_str().unwrap().to_owned()
    }

    async fn set(&self, by: &Session, user: &str, role: &str) -> crate::support::Answer {
        self.server.by(by, "PUT", &self.path(&format!("/members/{user}")), &json!({"role_id": role})).await
    }
}

#[tokio::test]
async fn a_role_is_made_given_narrowed_and_deleted_and_keys_follow_at_once() {
    let clinic = clinic().await;
    let server = &clinic.server;
    let desk = json!({"name": "Front desk", "permissions": ["contacts:read", "calls:read"], "manages": ["members"]});
    let role = clinic.role(&desk).await;
    let path = clinic.path(&format!("/roles/{role}"));
    let shown = server.by_get(&clinic.viewer.1, &path).await.ok();
    assert_eq!(shown["permissions"], json!(["calls:read", "contacts:read"]), "in the catalogue's order");
    assert_eq!((&shown["built_in"], &shown["manages"]), (&json!(false), &json!(["members"])));
    let listed = server.by_get(&clinic.viewer.1, &clinic.path("/roles")).await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 5);

    let key = server.key(&clinic.member.0, &json!({"name": "K"})).await;
    let verify = async |permission: &str| {
        let question = json!({"token": key.token, "permission": permission, "business_id": clinic.business});
        server.verify(&question).await["reason"].clone()
    };
    assert_eq!(verify("leads:write").await, Value::Null);
    clinic.set(&clinic.owner.1, &clinic.member.0, &role).await.ok();
    assert_eq!(verify("leads:write").await, "permission");
    assert_eq!(verify("contacts:read").await, Value::Null);
    server.by(&clinic.owner.1, "PATCH", &path, &json!({"permissions": ["calls:read"]})).await.ok();
    assert_eq!(verify("contacts:read").await, "permission");
    let server = clinic.server.restart().await;
    let question = json!({"token": key.token, "permission": "calls:read", "business_id": clinic.business});
    assert_eq!(server.verify(&question).await["valid"], true);

    let in_use = server.by(&clinic.owner.1, "DELETE", &path, &Value::Null).await;
    in_use.fails(409, "CONFLICT", None);
    server.member(&clinic.business, &clinic.member.0, "viewer").await;
    server.by(&clinic.owner.1, "DELETE", &path, &Value::Null).await.ok();
    server.by(&clinic.owner.1, "DELETE", &path, &Value::Null).await.fails(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn nobody_gives_takes_or_shapes_more_than_they_are() {
    let clinic = clinic().await;
    let server = &clinic.server;
    let denied = |answer: crate::support::Answer| answer.fails(403, "PERMISSION_DENIED", Some("permission"));
    // A member making themselves owner, an admin making an owner, an admin unmaking one.
    denied(clinic.set(&clinic.member.1, &clinic.member.0, "owner").await);
    denied(clinic.set(&clinic.viewer.1, &clinic.viewer.0, "member").await);
    denied(clinic.set(&clinic.admin.1, &clinic.admin.0, "owner").await);
    denied(clinic.set(&clinic.admin.1, &clinic.owner.0, "viewer").await);
    let owner = clinic.path(&format!("/members/{}", clinic.owner.0));
    denied(server.by(&clinic.admin.1, "DELETE", &owner, &Value::Null).await);
    // One who looks after roles and members, and after nothing else, with one permission.
    let narrow = json!({"name": "HR", "permissions": ["calls:read"], "manages": ["members", "roles"]});
    let role = clinic.role(&narrow).await;
    clinic.set(&clinic.owner.1, &clinic.member.0, &role).await.ok();
    let hr = &clinic.member.1;
    denied(clinic.set(hr, &clinic.viewer.0, "viewer").await);
    denied(clinic.set(hr, &clinic.viewer.0, "admin").await);
    let make = async |body: Value| server.by(hr, "POST", &clinic.path("/roles"), &body).await;
    denied(make(json!({"name": "A", "permissions": ["calls:write"]})).await);
    denied(make(json!({"name": "A", "manages": ["audit"]})).await);
    make(json!({"name": "A", "permissions": ["calls:read"], "manages": ["roles"]})).await.created();
    let own = clinic.path(&format!("/roles/{role}"));
    denied(server.by(hr, "PATCH", &own, &json!({"permissions": ["calls:read", "calls:write"]})).await);
    let wide = clinic.role(&json!({"name": "Wide", "permissions": ["leads:write"]})).await;
    let wide = clinic.path(&format!("/roles/{wide}"));
    denied(server.by(hr, "PATCH", &wide, &json!({"permissions": []})).await);
    denied(server.by(hr, "DELETE", &wide, &Value::Null).await);
    denied(server.by_get(hr, &clinic.path("/audit-events")).await);
    denied(server.by_get(hr, &clinic.path("/api-keys")).await);
    denied(server.by(hr, "PATCH", &clinic.path(""), &json!({"name": "Mine"})).await);
}

#[tokio::test]
async fn a_business_keeps_an_owner_and_everybody_else_may_leave() {
    let clinic = clinic().await;
    let server = &clinic.server;
    let leave = async |who: &(String, Session)| {
        server.by(&who.1, "DELETE", &clinic.path(&format!("/members/{}", who.0)), &Value::Null).await
    };
    leave(&clinic.owner).await.fails(409, "CONFLICT", None);
    clinic.set(&clinic.owner.1, &clinic.owner.0, "viewer").await.fails(409, "CONFLICT", None);
    leave(&clinic.viewer).await.ok();
    server.by_get(&clinic.viewer.1, &clinic.path("")).await.fails(404, "NOT_FOUND", None);
    clinic.set(&clinic.owner.1, &clinic.admin.0, "owner").await.ok();
    leave(&clinic.owner).await.ok();
    server.by_get(&clinic.owner.1, &clinic.path("/members")).await.fails(404, "NOT_FOUND", None);
    assert_eq!(server.by_get(&clinic.admin.1, &clinic.path("/members")).await.ok().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_role_cannot_be() {
    let clinic = clinic().await;
    let server = &clinic.server;
    clinic.role(&json!({"name": "Straße"})).await;
    for (body, pointers) in [
        (json!({"name": ""}), &["/name"][..]),
        (json!({"name": "Owner"}), &["/name"]),
        (
            json!({"name": "A", "permissions": ["calls:fly", "calls:read", "calls:read"]}),
            &["/permissions/0", "/permissions/2"],
        ),
        (json!({"name": "A", "manages": ["everything", "audit", "audit"]}), &["/manages/0", "/manages/2"]),
    ] {
        server.by(&clinic.owner.1, "POST", &clinic.path("/roles"), &body).await.fails_at(pointers);
    }
    let twin = server.by(&clinic.owner.1, "POST", &clinic.path("/roles"), &json!({"name": "STRAßE"})).await;
    twin.fails(409, "CONFLICT", None);
    for (method, body) in [("PATCH", json!({"name": "Boss"})), ("DELETE", Value::Null)] {
        let path = clinic.path("/roles/rol_00000000000000000000000001");
        server.by(&clinic.owner.1, method, &path, &body).await.fails(409, "CONFLICT", None);
    }
    // A role of another business is not there, neither to see nor to have.
    let bike_shop = server.by(&clinic.owner.1, "POST", "/businesses", &json!({"name": "Bike Shop"})).await.created();
    let elsewhere = format!("/businesses/{}", bike_shop["id"].as_str().unwrap());
    let foreign =
        server.by(&clinic.owner.1, "POST", &format!("{elsewhere}/roles"), &json!({"name": "A"})).await.created();
    let foreign = foreign["id"].as_str().unwrap();
    server.by_get(&clinic.owner.1, &clinic.path(&format!("/roles/{foreign}"))).await.fails(404, "NOT_FOUND", None);
    clinic.set(&clinic.owner.1, &clinic.member.0, foreign).await.fails_at(&["/role_id"]);
}

#[tokio::test]
async fn an_invitation_makes_an_account_a_member_or_lets_one_join() {
    let clinic = clinic().await;
    let server = &clinic.server;
    let invite = async |by: &Session, email: &str, role: &str| {
        server.by(by, "POST", &clinic.path("/invitations"), &json!({"email": email, "role_id": role})).await
    };
    let token = |answer: &crate::support::Answer| {
        let made = answer.created();
        made["url"].as_str().unwrap().split_once("/invitation#").unwrap().1.to_owned()
    };
    let accept =
        async |body: Value| server.send(server.request(reqwest::Method::POST, "/invitations/accept").json(&body)).await;
    invite(&clinic.member.1, "bob@example.com", "viewer").await.fails(403, "PERMISSION_DENIED", Some("permission"));
    invite(&clinic.admin.1, "bob@example.com", "owner").await.fails(403, "PERMISSION_DENIED", Some("permission"));
    invite(&clinic.admin.1, "bob", "viewer").await.fails_at(&["/email"]);
    let bob = token(&invite(&clinic.admin.1, "bob@example.com", "member").await);
    assert_eq!(server.by_get(&clinic.admin.1, &clinic.path("/invitations")).await.ok()[0]["email"], "bob@example.com");
    accept(json!({"token": bob})).await.fails_at(&["/password"]);
    let joined = accept(json!({"token": bob, "name": "Bob", "password": crate::support::PASSWORD})).await;
    let cookie = joined.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(joined.created()["business_id"], clinic.business);
    accept(json!({"token": bob, "password": crate::support::PASSWORD})).await.fails_at(&["/token"]);
    assert_eq!(server.by_get(&clinic.admin.1, &clinic.path("/invitations")).await.ok(), json!([]));
    let bob = Session { cookie, id: String::new() };
    assert_eq!(server.by_get(&bob, "/businesses").await.ok()[0]["id"], clinic.business);

    // One who has an account joins when signed in to it, and with no password that the inviter could choose.
    let carol = server.user("carol@example.com").await;
    let carol_session = server.sign_in(&carol).await;
    let link = token(&invite(&clinic.owner.1, "Carol@example.com", "viewer").await);
    accept(json!({"token": link, "password": crate::support::PASSWORD})).await.fails(409, "CONFLICT", None);
    server.by(&bob, "POST", "/invitations/accept", &json!({"token": link})).await.fails(409, "CONFLICT", None);
    server.by(&carol_session, "POST", "/invitations/accept", &json!({"token": link})).await.created();
    server.by_get(&carol_session, &clinic.path("/members")).await.ok();

    let taken_back = invite(&clinic.owner.1, "dan@example.com", "viewer").await;
    let id = taken_back.created()["invitation"]["id"].as_str().unwrap().to_owned();
    let path = clinic.path(&format!("/invitations/{id}/revoke"));
    server.by(&clinic.owner.1, "POST", &path, &json!({})).await.ok();
    let dead = accept(json!({"token": token(&taken_back), "password": crate::support::PASSWORD})).await;
    dead.fails_at(&["/token"]);
    let late = token(&invite(&clinic.owner.1, "eve@example.com", "viewer").await);
    server.pass(7 * 86_400_000);
    accept(json!({"token": late, "password": crate::support::PASSWORD})).await.fails_at(&["/token"]);
}

/// A disabled business is there to see, and nothing in it can be changed by its own people.
#[tokio::test]
async fn a_disabled_business_stands_still() {
    let clinic = clinic().await;
    let server = &clinic.server;
    let invitation = json!({"email": "bob@example.com", "role_id": "viewer"});
    let invited = server.op_post(&clinic.path("/invitations"), &invitation).await.created();
    let (_, token) = invited["url"].as_str().unwrap().split_once('#').unwrap();
    server.op_post(&clinic.path("/disable"), &json!({})).await.ok();
    let accept = json!({"token": token, "password": crate::support::PASSWORD});
    let accepted = server.send(server.request(reqwest::Method::POST, "/invitations/accept").json(&accept)).await;
    accepted.fails(403, "BUSINESS_DISABLED", None);
    assert_eq!(server.by_get(&clinic.viewer.1, &clinic.path("")).await.ok()["status"], "disabled");
    clinic.set(&clinic.owner.1, &clinic.viewer.0, "member").await.fails(403, "BUSINESS_DISABLED", None);
    let make = server.by(&clinic.owner.1, "POST", &clinic.path("/roles"), &json!({"name": "A"})).await;
    make.fails(403, "BUSINESS_DISABLED", None);
    server.by(&clinic.owner.1, "POST", &clinic.path("/enable"), &json!({})).await.fails(
        403,
        "PERMISSION_DENIED",
        Some("permission"),
    );
}
