//! `POST /users/{user_id}/api-keys` and `POST /user/api-keys`

use serde_json::{Value, json};

use crate::support::{Answer, Server};

/// A server, and a user who owns a business.
async fn with_owner() -> (Server, String, String) {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    (server, ann, clinic)
}

/// What comes of a key with this name and these members.
async fn create(server: &Server, user: &str, members: Value) -> Answer {
    let mut wanted = json!({"name": "K"});
    wanted.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    server.op_post(&format!("/users/{user}/api-keys"), &wanted).await
}

#[tokio::test]
async fn a_key_has_what_it_was_given_and_the_defaults_of_the_rest() {
    let (server, ann, clinic) = with_owner().await;
    let made = create(&server, &ann, json!({})).await.created();
    let (key, token) = (&made["api_key"], made["token"].as_str().unwrap());
    assert!(token.starts_with("ak_live_") && token.len() == 46);
    assert_eq!(key["hint"], token[36..40]);
    let expected = json!({
        "id": key["id"], "family_id": key["family_id"], "hint": key["hint"], "name": "K", "environment": "live",
        "prefix": "ak_live_", "status": "active", "user_id": ann, "business_scope": "unrestricted", "permissions": "inherit",
        "user_management": false, "allowed_ips": [], "metadata": {},
        "rate_limit": {"per_minute": 100_000_000, "per_second": 100_000_000},
        "created_at": "2026-11-20T19:30:00Z", "expires_at": null, "last_used_at": null, "last_used_address": null, "revoked_at": null,
        "revoked_reason": null, "rotated_to": null, "rotated_from": null, "rotation_due_at": "2027-02-18T19:30:00Z",
        "usage": {"last_24h": 0, "last_7d": 0, "last_30d": 0}});
    assert_eq!(*key, expected);

    let wanted = json!({"name": "Zapier Integration - Dental Clinic", "environment": "test",
        "expires_at": "2027-01-01T00:00:00Z", "business_scope": {"only": [clinic]}, "user_management": true,
        "permissions": ["leads:write", "calls:read"], "allowed_ips": ["192.0.2.7", "10.0.0.0/8"], "metadata": {"n": 1}});
    let made = create(&server, &ann, wanted.clone()).await.created();
    for member in ["name", "environment", "expires_at", "business_scope", "user_management", "metadata"] {
        assert_eq!(made["api_key"][member], wanted[member], "{member}");
    }
    assert_eq!(made["api_key"]["permissions"], json!(["calls:read", "leads:write"]), "in the catalogue's order");
    assert_eq!(made["api_key"]["allowed_ips"], json!(["192.0.2.7/32", "10.0.0.0/8"]));
    assert!(made["token"].as_str().unwrap().starts_with("ak_test_"));
}

#[tokio::test]
async fn null_is_the_same_as_leaving_out() {
    let (server, ann, _) = with_owner().await;
    let nulls = json!({"environment": null, "expires_at": null, "business_scope": null, "user_management": null,
        "permissions": null, "allowed_ips": null, "metadata": null});
    assert_eq!(create(&server, &ann, nulls).await.created()["api_key"]["permissions"], "inherit");
}

#[tokio::test]
async fn names() {
    let (server, ann, _) = with_owner().await;
    for good in ["x", &"é".repeat(100), "Zapier <b>", "  padded  "] {
        let made = create(&server, &ann, json!({"name": good})).await.created();
        assert_eq!(made["api_key"]["name"], good);
    }
    for bad in ["", " ", "\t", &"é".repeat(101), "a\0b", "a\nb", "a\u{1b}[1m", "a\u{202e}b", "\u{200b}", "\u{feff}a"] {
        create(&server, &ann, json!({"name": bad})).await.fails_at(&["/name"]);
    }
}

#[tokio::test]
async fn expiries() {
    let (server, ann, _) = with_owner().await;
    for good in ["2026-11-20T19:30:00.001Z", "2026-11-20T20:31:00+01:00", "9999-12-30T00:00:00Z"] {
        create(&server, &ann, json!({"expires_at": good})).await.created();
    }
    for bad in [
        "2026-11-20T19:30:00Z",
        "2020-01-01T00:00:00Z",
        "tomorrow",
        "",
        "2027-01-01",
        "2027-02-30T00:00:00Z",
        "300000-01-01T00:00:00Z",
        "1795203000000",
    ] {
        create(&server, &ann, json!({"expires_at": bad})).await.fails_at(&["/expires_at"]);
    }
    for wrong in [json!(1_795_203_000), json!(true), json!({})] {
        create(&server, &ann, json!({"expires_at": wrong})).await.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn attack_31_permissions_are_of_the_catalogue_and_at_least_one() {
    let (server, ann, _) = with_owner().await;
    create(&server, &ann, json!({"permissions": []})).await.fails_at(&["/permissions"]);
    for bad in ["analytics:write", "contacts", "contacts:*", "*", "", "Contacts:read", "contacts:read\u{0}"] {
        create(&server, &ann, json!({"permissions": ["calls:read", bad]})).await.fails_at(&["/permissions/1"]);
    }
    create(&server, &ann, json!({"permissions": ["calls:read", "calls:read"]})).await.fails_at(&["/permissions/1"]);
    for wrong in [json!("all"), json!({"calls": "read"}), json!([1]), json!(true)] {
        create(&server, &ann, json!({"permissions": wrong})).await.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn attack_29_an_empty_list_of_businesses_is_never_all_of_them() {
    let (server, ann, clinic) = with_owner().await;
    create(&server, &ann, json!({"business_scope": {"only": []}})).await.fails_at(&["/business_scope/only"]);
    let foreign = server.business("Of somebody else").await;
    for other in [foreign.as_str(), "biz_00000000000000000000000001", "biz_x", ""] {
        let wanted = json!({"business_scope": {"only": [clinic, other]}});
        let answer = create(&server, &ann, wanted).await;
        answer.fails_at(&["/business_scope/only/1"]);
        assert_eq!(answer.body["errors"][0]["detail"], "the key's owner is not a member of such a business");
    }
    let twice = json!({"business_scope": {"only": [clinic, clinic]}});
    create(&server, &ann, twice).await.fails_at(&["/business_scope/only/1"]);
    for wrong in [json!("all"), json!({}), json!([clinic]), json!({"only": clinic}), json!({"only": null})] {
        create(&server, &ann, json!({"business_scope": wrong})).await.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn allow_lists() {
    let (server, ann, _) = with_owner().await;
    let many: Vec<String> = (0..65).map(|n| format!("10.0.{n}.0/24")).collect();
    create(&server, &ann, json!({"allowed_ips": many[..64]})).await.created();
    create(&server, &ann, json!({"allowed_ips": many})).await.fails_at(&["/allowed_ips"]);
    for bad in ["", "10.0.0.0/33", "10.1.2.3/8", "::1/129", "example.com", "10.0.0", "0x7f.0.0.1", "10.0.0.0-10.0.0.9"]
    {
        create(&server, &ann, json!({"allowed_ips": [bad]})).await.fails_at(&["/allowed_ips/0"]);
    }
}

#[tokio::test]
async fn metadata_is_small_flat_and_loses_nothing() {
    let (server, ann, _) = with_owner().await;
    let good = json!({"text": "\"<é\u{1F9B7}", "n": -3, "big": i64::MAX, "bigger": u64::MAX, "half": 0.5, "yes": true, "": ""});
    let made = create(&server, &ann, json!({"metadata": good})).await.created();
    assert_eq!(made["api_key"]["metadata"], good);
    let decision = server.verify(&json!({"token": made["token"]})).await;
    assert_eq!(decision["metadata"], good);

    let many: serde_json::Map<String, Value> = (0..17).map(|n| (format!("m{n}"), json!(1))).collect();
    create(&server, &ann, json!({"metadata": many})).await.fails_at(&["/metadata"]);
    create(&server, &ann, json!({"metadata": {"a": "x".repeat(4_096)}})).await.fails_at(&["/metadata"]);
    create(&server, &ann, json!({"metadata": {"a/b~c": {"d": 1}}})).await.fails_at(&["/metadata/a~1b~0c"]);
    create(&server, &ann, json!({"metadata": {"a": null}})).await.fails_at(&["/metadata/a"]);
    create(&server, &ann, json!({"metadata": {"a": 1.8e19}})).await.fails_at(&["/metadata/a"]);
    create(&server, &ann, json!({"metadata": [1]})).await.fails(400, "INVALID_REQUEST", None);
}

#[tokio::test]
async fn attack_28_what_the_server_decides_is_not_for_the_caller_to_say() {
    let (server, ann, _) = with_owner().await;
    for member in
        ["owner", "user_id", "id", "hash", "digest", "status", "token", "created_at", "family_id", "rate_limit"]
    {
        let answer = create(&server, &ann, json!({member: "x"})).await;
        answer.fails(400, "INVALID_REQUEST", None);
        assert!(answer.body["detail"].as_str().unwrap().contains(member), "{}", answer.text);
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let (server, ann, _) = with_owner().await;
    let wanted = json!({"name": "", "environment": "prod", "expires_at": "x", "business_scope": {"only": []},
        "permissions": [], "allowed_ips": ["x"], "metadata": {"a": []}});
    create(&server, &ann, wanted).await.fails_at(&[
        "/name",
        "/environment",
        "/expires_at",
        "/business_scope/only",
        "/permissions",
        "/allowed_ips/0",
        "/metadata/a",
    ]);
    let listed = server.op_get(&format!("/users/{ann}/api-keys")).await.ok();
    assert_eq!(listed, json!([]), "a refusal leaves nothing behind");
}

#[tokio::test]
async fn the_token_is_in_the_answer_to_the_create_and_in_no_other() {
    let (server, ann, _) = with_owner().await;
    let key = server.key(&ann, &json!({"name": "K", "user_management": true})).await;
    let random = &key.token[8..40];
    let paths =
        [format!("/users/{ann}/api-keys"), format!("/users/{ann}/api-keys/{}", key.id), format!("/users/{ann}")];
    for path in &paths {
        assert!(!server.op_get(path).await.text.contains(random), "{path}");
    }
    for path in ["/whoami", "/user", "/user/api-keys"] {
        assert!(!server.get(&key.token, path).await.text.contains(random), "{path}");
    }
    for question in [json!({"token": key.token}), json!({"token": key.token, "x": 1}), json!({"token": [key.token]})] {
        assert!(!server.op_post("/verify", &question).await.text.contains(random), "{question}");
    }
    assert!(!server.op_post(&format!("{}/revoke", paths[1]), &json!({})).await.text.contains(random));
    assert!(!server.get(&key.token, "/whoami").await.text.contains(random));
}
