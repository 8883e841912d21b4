//! `/businesses`, their members and roles

use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn a_business_is_made_shown_listed_disabled_and_enabled() {
    let server = Server::start().await;
    let ann = server.user("ann@example.com").await;
    let made = server.op_post("/businesses", &json!({"name": "Dental Clinic", "owner_id": ann})).await.created();
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("biz_") && id.len() == 30);
    assert_eq!(server.op_get(&format!("/businesses/{id}")).await.ok(), made);
    assert_eq!(server.op_get("/businesses").await.ok(), json!([made]));
    let members = server.op_get(&format!("/businesses/{id}/members")).await.ok();
    assert_eq!((&members[0]["user_id"], &members[0]["role_name"]), (&json!(ann), &json!("owner")));
    assert_eq!(server.op_post(&format!("/businesses/{id}/disable"), &json!({})).await.ok()["status"], "disabled");
    assert_eq!(server.op_post(&format!("/businesses/{id}/enable"), &json!({})).await.ok(), made);
}

#[tokio::test]
async fn the_businesses_of_a_user_are_listed() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    server.pass(1);
    let (bob, shop) = server.owner_of("bob@example.com", "Bike Shop").await;
    let of = async |user: &str| {
        let listed = server.op_get(&format!("/users/{user}/businesses")).await.ok();
        let ids = listed.as_array().unwrap().iter().map(|business| business["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!((of(&ann).await, of(&bob).await), (vec![clinic.clone()], vec![shop.clone()]));
    server.member(&shop, &ann, "viewer").await;
    assert_eq!(of(&ann).await, [shop.as_str(), clinic.as_str()], "newest first");
    let page = server.op_get(&format!("/users/{ann}/businesses?limit=1")).await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = server.op_get(&format!("/users/{ann}/businesses?limit=1&cursor={cursor}")).await;
    assert_eq!((rest.ok()[0]["id"].as_str(), &rest.body["next_cursor"]), (Some(clinic.as_str()), &Value::Null));
    server.op_delete(&format!("/businesses/{shop}/members/{ann}")).await.ok();
    assert_eq!(of(&ann).await, [clinic.as_str()]);

    let session = server.sign_in(&ann).await;
    assert_eq!(server.by_get(&session, &format!("/users/{ann}/businesses")).await.ok()[0]["id"], json!(clinic));
    server.by_get(&session, &format!("/users/{bob}/businesses")).await.fails(404, "NOT_FOUND", None);
    for nobody in ["usr_00000000000000000000000001", "usr_x"] {
        server.op_get(&format!("/users/{nobody}/businesses")).await.fails(404, "NOT_FOUND", None);
    }
}

#[tokio::test]
async fn what_is_no_business() {
    let server = Server::start().await;
    for name in ["", "  ", "a\u{7}b", &"x".repeat(101)] {
        server.op_post("/businesses", &json!({"name": name})).await.fails_at(&["/name"]);
    }
    for owner in ["usr_00000000000000000000000001", "usr_x", ""] {
        let answer = server.op_post("/businesses", &json!({"name": "A", "owner_id": owner})).await;
        answer.fails_at(&["/owner_id"]);
    }
    assert_eq!(server.op_get("/businesses").await.ok(), json!([]), "a refusal leaves nothing behind");
    server.op_post("/businesses", &json!({"title": "A"})).await.fails(400, "INVALID_REQUEST", None);
    for id in ["biz_00000000000000000000000001", "biz_x"] {
        for path in ["", "/members", "/roles"] {
            server.op_get(&format!("/businesses/{id}{path}")).await.fails(404, "NOT_FOUND", None);
        }
        server.op_post(&format!("/businesses/{id}/disable"), &json!({})).await.fails(404, "NOT_FOUND", None);
    }
}

#[tokio::test]
async fn the_built_in_roles_say_what_they_allow() {
    let server = Server::start().await;
    let clinic = server.business("Dental Clinic").await;
    let roles = server.op_get(&format!("/businesses/{clinic}/roles")).await.ok();
    let names: Vec<_> = roles.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["owner", "admin", "member", "viewer"]);
    assert!(roles.as_array().unwrap().iter().all(|role| role["built_in"] == true));
    assert_eq!(roles[0]["manages"], json!(["members", "roles", "api_keys", "audit"]));
    assert_eq!(roles[2]["manages"], json!([]));
    assert_eq!(roles[2]["permissions"].as_array().unwrap().len(), 13);
    let viewer = roles[3]["permissions"].as_array().unwrap();
    assert_eq!(viewer.len(), 7);
    assert!(viewer.iter().all(|name| name.as_str().unwrap().ends_with(":read")));
}

#[tokio::test]
async fn members_come_change_and_go() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let bob = server.user("bob@example.com").await;
    let path = format!("/businesses/{clinic}/members/{bob}");
    let roles = server.op_get(&format!("/businesses/{clinic}/roles")).await.ok();
    let member = server.op_put(&path, &json!({"role_id": roles[1]["id"]})).await.ok();
    assert_eq!((&member["role_name"], &member["email"]), (&json!("admin"), &json!("bob@example.com")));
    server.pass(1_000);
    let changed = server.op_put(&path, &json!({"role_id": "viewer"})).await.ok();
    assert_eq!((&changed["role_name"], &changed["created_at"]), (&json!("viewer"), &member["created_at"]));
    assert_eq!(server.op_put(&path, &json!({"role_id": "viewer"})).await.ok(), changed);
    let listed = server.op_get(&format!("/businesses/{clinic}/members")).await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(server.op_delete(&path).await.ok(), Value::Null);
    server.op_delete(&path).await.fails(404, "NOT_FOUND", None);
    let left = server.op_get(&format!("/businesses/{clinic}/members")).await.ok();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["user_id"]), (1, &json!(ann)));
}

#[tokio::test]
async fn a_business_keeps_an_owner() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let bob = server.user("bob@example.com").await;
    let place = |user: &str| format!("/businesses/{clinic}/members/{user}");
    server.op_delete(&place(&ann)).await.fails(409, "CONFLICT", None);
    server.op_put(&place(&ann), &json!({"role_id": "admin"})).await.fails(409, "CONFLICT", None);
    server.op_put(&place(&ann), &json!({"role_id": "owner"})).await.ok();
    server.member(&clinic, &bob, "owner").await;
    server.op_put(&place(&ann), &json!({"role_id": "admin"})).await.ok();
    server.op_delete(&place(&bob)).await.fails(409, "CONFLICT", None);
}

#[tokio::test]
async fn who_cannot_be_a_member() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let nobody = "usr_00000000000000000000000001";
    let put =
        async |user: &str, body: Value| server.op_put(&format!("/businesses/{clinic}/members/{user}"), &body).await;
    put(nobody, json!({"role_id": "member"})).await.fails(404, "NOT_FOUND", None);
    put("usr_x", json!({"role_id": "member"})).await.fails(404, "NOT_FOUND", None);
    for role in ["Owner", "", "root", "rol_00000000000000000000000009", "rol_x"] {
        put(&ann, json!({"role_id": role})).await.fails_at(&["/role_id"]);
    }
    put(&ann, json!({"role": "owner"})).await.fails(400, "INVALID_REQUEST", None);
    let elsewhere = format!("/businesses/biz_00000000000000000000000001/members/{ann}");
    server.op_put(&elsewhere, &json!({"role_id": "owner"})).await.fails(404, "NOT_FOUND", None);
    server.op_delete(&elsewhere).await.fails(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn the_catalogue_is_the_configurations() {
    let server =
        Server::with("token_prefix = \"acme\"\n[catalogue]\nnotes = [\"read\", \"write\"]\nfiles = [\"read\"]").await;
    let shown = server.op_get("/catalogue").await.ok();
    let expected = json!({"resources": [
        {"name": "notes", "actions": ["read", "write"]}, {"name": "files", "actions": ["read"]}]});
    assert_eq!(shown, expected);
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K", "permissions": ["files:read"]})).await;
    assert!(key.token.starts_with("acme_live_"));
    assert_eq!(server.get(&key.token, "/catalogue").await.ok(), expected);
    assert_eq!(server.verify(&json!({"token": key.token, "permission": "files:read"})).await["valid"], true);
    assert_eq!(server.verify(&json!({"token": key.token.replace("acme", "ak")})).await["reason"], "malformed");
}
