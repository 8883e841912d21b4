//! `GET /users/{user_id}/api-keys` and one key of it

use serde_json::json;

use crate::support::{Key, Server};

async fn with_keys(count: usize) -> (Server, String, Vec<Key>) {
    let server = Server::start().await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let mut keys = Vec::new();
    for n in 0..count {
        server.pass(1);
        keys.push(server.key(&ann, &json!({"name": format!("Key {n}")})).await);
    }
    (server, ann, keys)
}

async fn ids(server: &Server, path: &str) -> Vec<String> {
    let listed = server.op_get(path).await.ok();
    listed.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn newest_first_a_page_at_a_time() {
    let (server, ann, keys) = with_keys(7).await;
    let newest: Vec<String> = keys.iter().rev().map(|key| key.id.clone()).collect();
    let path = format!("/users/{ann}/api-keys");
    assert_eq!(ids(&server, &path).await, newest);
    let first = server.op_get(&format!("{path}?limit=4")).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert_eq!(first.ok().as_array().unwrap().len(), 4);
    let second = server.op_get(&format!("{path}?limit=4&cursor={cursor}")).await;
    assert_eq!(second.body["next_cursor"], json!(null));
    assert_eq!(second.ok()[0]["id"], newest[4]);
    // A page that is full to the brim is the last one if nothing comes after it.
    assert_eq!(server.op_get(&format!("{path}?limit=7")).await.body["next_cursor"], json!(null));
}

#[tokio::test]
async fn by_status() {
    let (server, ann, keys) = with_keys(3).await;
    let expiring = server.key(&ann, &json!({"name": "Short", "expires_at": "2026-11-20T19:31:00Z"})).await;
    server.revoke(&ann, &keys[0]).await;
    server.pass(60_000);
    let path = format!("/users/{ann}/api-keys?status=");
    assert_eq!(ids(&server, &format!("{path}active")).await, [keys[2].id.as_str(), &keys[1].id]);
    assert_eq!(ids(&server, &format!("{path}revoked")).await, [keys[0].id.as_str()]);
    assert_eq!(ids(&server, &format!("{path}expired")).await, [expiring.id.as_str()]);
    server.op_get(&format!("{path}dead")).await.fails(400, "INVALID_REQUEST", None);
    // A key that was revoked after it expired is revoked.
    server.revoke(&ann, &expiring).await;
    assert_eq!(ids(&server, &format!("{path}revoked")).await.len(), 2);
}

#[tokio::test]
async fn attack_21_limits_and_cursors_that_were_made_up() {
    let (server, ann, _) = with_keys(3).await;
    let (bob, _) = server.owner_of("bob@example.com", "Bike Shop").await;
    let path = format!("/users/{ann}/api-keys");
    for limit in ["0", "-1", "101", "1000000000", "99999999999999999999", "abc", "1.5", "", "%31%00"] {
        server.op_get(&format!("{path}?limit={limit}")).await.fails(400, "INVALID_REQUEST", None);
    }
    let page = server.op_get(&format!("{path}?limit=1")).await;
    let cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
    for place in 0..cursor.len() {
        let mut letters = cursor.clone().into_bytes();
        letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
        let edited = String::from_utf8(letters).unwrap();
        let answer = server.op_get(&format!("{path}?limit=1&cursor={edited}")).await;
        answer.fails(400, "INVALID_REQUEST", None);
    }
    for made_up in ["", "x", "====", "key_00000000000000000000000001", &cursor[1..], &"A".repeat(5_000)] {
        server.op_get(&format!("{path}?cursor={made_up}")).await.fails(400, "INVALID_REQUEST", None);
    }
    // A cursor of another list, or of the same list under another filter, is none of this one.
    for other in [format!("/users/{bob}/api-keys?"), format!("{path}?status=active&"), "/users?".to_owned()] {
        server.op_get(&format!("{other}cursor={cursor}")).await.fails(400, "INVALID_REQUEST", None);
    }
    server.op_get(&format!("{path}?cursor={cursor}&cursor={cursor}")).await.fails(400, "INVALID_REQUEST", None);
    server.op_get(&format!("{path}?colour=red")).await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn attack_25_another_users_key_is_the_same_404_as_none() {
    let (server, ann, keys) = with_keys(1).await;
    let (bob, _) = server.owner_of("bob@example.com", "Bike Shop").await;
    let bobs = server.key(&bob, &json!({"name": "Bob's", "user_management": true})).await;
    let anonymous = |mut answer: crate::support::Answer| {
        answer.body["request_id"] = json!(null);
        (answer.status, answer.body)
    };
    let none = "key_00000000000000000000000001";
    for end in ["", "/revoke"] {
        let mut answers = Vec::new();
        for id in [keys[0].id.as_str(), none, "key_x", &keys[0].id.to_uppercase(), &bob] {
            let path = format!("/user/api-keys/{id}{end}");
            answers.push(anonymous(match end {
                "" => server.get(&bobs.token, &path).await,
                _ => server.post(&bobs.token, &path, &json!({})).await,
            }));
        }
        assert_eq!(answers[0].0, 404);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    // Nor through an operator who names the wrong owner.
    server.op_get(&format!("/users/{bob}/api-keys/{}", keys[0].id)).await.fails(404, "NOT_FOUND", None);
    let wrong_owner = format!("/users/{bob}/api-keys/{}/revoke", keys[0].id);
    server.op_post(&wrong_owner, &json!({})).await.fails(404, "NOT_FOUND", None);
    assert_eq!(server.verify(&json!({"token": keys[0].token})).await["valid"], true);
    assert_eq!(ids(&server, &format!("/users/{ann}/api-keys")).await.len(), 1);
    let own = server.get(&bobs.token, "/user/api-keys").await.ok();
    assert_eq!((own.as_array().unwrap().len(), &own[0]["id"]), (1, &json!(bobs.id)));
}

#[tokio::test]
async fn one_key() {
    let (server, ann, keys) = with_keys(2).await;
    let shown = server.op_get(&format!("/users/{ann}/api-keys/{}", keys[0].id)).await.ok();
    assert_eq!(shown["name"], "Key 0");
    let listed = server.op_get(&format!("/users/{ann}/api-keys")).await.ok();
    assert_eq!(listed[1], shown);
}

#[tokio::test]
async fn by_name_and_by_business() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Bike Shop").await;
    server.member(&shop, &ann, "owner").await;
    let make = async |name: &str, only: Option<&str>| {
        server.pass(1);
        let scope = only.map_or(json!("unrestricted"), |business| json!({"only": [business]}));
        server.key(&ann, &json!({"name": name, "business_scope": scope})).await.id
    };
    let all = make("Reporting ÄRZTE 100%", None).await;
    let of_clinic = make("Zapier_clinic", Some(&clinic)).await;
    let of_shop = make("Zapier shop", Some(&shop)).await;
    let path = format!("/users/{ann}/api-keys");
    assert_eq!(ids(&server, &format!("{path}?q=ZAPIER")).await, [of_shop.as_str(), &of_clinic]);
    assert_eq!(ids(&server, &format!("{path}?q=%C3%A4rzte")).await, [all.as_str()]);
    // The signs of a pattern mean themselves.
    assert_eq!(ids(&server, &format!("{path}?q=%25")).await, [all.as_str()]);
    assert_eq!(ids(&server, &format!("{path}?q=_")).await, [of_clinic.as_str()]);
    assert_eq!(ids(&server, &format!("{path}?q=%5C")).await, [""; 0]);
    assert_eq!(ids(&server, &format!("{path}?q=%27%20OR%20%271%27%3D%271")).await, [""; 0]);
    assert_eq!(ids(&server, &format!("{path}?business_id={clinic}")).await, [of_clinic.as_str(), &all]);
    assert_eq!(ids(&server, &format!("{path}?business_id={shop}&q=zap&status=active")).await, [of_shop.as_str()]);
    for bad in ["q=", "business_id=x", "owner=x", &format!("q={}", "x".repeat(101))] {
        server.op_get(&format!("{path}?{bad}")).await.fails(400, "INVALID_REQUEST", None);
    }
}

/// A page looks at so many rows and no more; where few fit, it is short, and the cursor leads on.
#[tokio::test]
async fn a_search_for_what_is_rare_goes_on_over_short_pages() {
    let (server, ann, keys) = with_keys(1).await;
    server.pass(1);
    let lines = |from: usize| -> serde_json::Value {
        let line = |n: usize| json!({"name": format!("Line {n}"), "sha256": format!("{:064x}", from + n)});
        json!({"keys": (0..1_000).map(line).collect::<Vec<_>>()})
    };
    for from in [0, 1_000] {
        server.op_post(&format!("/users/{ann}/api-keys/import"), &lines(from)).await.ok();
    }
    let (mut cursor, mut found, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = server.op_get(&format!("/users/{ann}/api-keys?q=key%200{cursor}")).await;
        pages += 1;
        found.extend(page.ok().as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((found, pages), (vec![keys[0].id.clone()], 3));
}

#[tokio::test]
async fn every_key_that_reaches_a_business_and_no_other() {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let (bob, shop) = server.owner_of("bob@example.com", "Bike Shop").await;
    let carol = server.user("carol@example.com").await;
    server.member(&clinic, &carol, "viewer").await;
    let make = async |user: &str, name: &str, scope: serde_json::Value| {
        server.pass(1);
        server.key(user, &json!({"name": name, "business_scope": scope})).await
    };
    let first = make(&ann, "Everywhere", json!("unrestricted")).await;
    let second = make(&carol, "Carol's", json!({"only": [clinic]})).await;
    make(&bob, "Bob's", json!("unrestricted")).await;
    let third = make(&carol, "Carol's too", json!("unrestricted")).await;
    let path = format!("/businesses/{clinic}/api-keys");
    assert_eq!(ids(&server, &path).await, [third.id.as_str(), &second.id, &first.id]);
    assert_eq!(ids(&server, &format!("{path}?user_id={carol}")).await, [third.id.as_str(), &second.id]);
    assert_eq!(ids(&server, &format!("{path}?q=TOO&status=active")).await, [third.id.as_str()]);
    let page = server.op_get(&format!("{path}?limit=2")).await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&server, &format!("{path}?limit=2&cursor={cursor}")).await, [first.id.as_str()]);
    server.op_get(&format!("/businesses/{shop}/api-keys?limit=2&cursor={cursor}")).await.fails(
        400,
        "INVALID_REQUEST",
        None,
    );

    let ann = server.sign_in(&ann).await;
    assert_eq!(server.by_get(&ann, &path).await.ok().as_array().unwrap().len(), 3);
    server.by_get(&ann, &format!("/businesses/{shop}/api-keys")).await.fails(404, "NOT_FOUND", None);
    let carol_session = server.sign_in(&carol).await;
    server.by_get(&carol_session, &path).await.fails(403, "PERMISSION_DENIED", Some("permission"));
    // Whoever leaves takes their keys along.
    server.op_delete(&format!("/businesses/{clinic}/members/{carol}")).await.ok();
    assert_eq!(ids(&server, &path).await, [first.id.as_str()]);
}
