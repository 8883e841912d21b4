//! Named limits and quotas of keys, users and businesses.

use serde_json::{Value, json};

use crate::support::{Answer, Key, Server};

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// Ann owns two businesses and has two keys.
struct Place {
    server: Server,
    ann: String,
    clinic: String,
    shop: String,
    one: Key,
    other: Key,
}

async fn place() -> Place {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let shop = server.business("Shop").await;
    server.member(&shop, &ann, "owner").await;
    let one = server.key(&ann, &json!({"name": "One"})).await;
    let other = server.key(&ann, &json!({"name": "Other", "permissions": ["calls:read"]})).await;
    Place { server, ann, clinic, shop, one, other }
}

impl Place {
    fn of_key(&self, key: &Key) -> String {
        format!("/users/{}/api-keys/{}", self.ann, key.id)
    }

    async fn set(&self, of: &str, limits: &Value) -> Answer {
        self.server.op_put(&format!("{of}/limits"), limits).await
    }

    async fn ask(&self, key: &Key) -> Value {
        self.server.verify(&json!({"token": key.token})).await
    }

    async fn ask_about(&self, key: &Key, business: &str) -> Value {
        self.server.verify(&json!({"token": key.token, "business_id": business})).await
    }
}

fn named(name: &str, limit: u32, window_seconds: u32) -> Value {
    json!({"limits": [{"name": name, "limit": limit, "window_seconds": window_seconds}]})
}

/// Which limit is the tightest, and how much it leaves.
fn stands(decision: &Value) -> (&str, u64) {
    let limit = &decision["rate_limit"];
    (limit["name"].as_str().unwrap(), limit["remaining"].as_u64().unwrap())
}

#[tokio::test]
async fn what_is_set_is_shown_and_a_whole() {
    let at = place().await;
    let key = at.of_key(&at.one);
    let nothing = json!({"limits": [], "quotas": {"per_day": null, "per_month": null}});
    let all = json!({"limits": [{"name": "hourly", "limit": 5_000, "window_seconds": 3_600},
        {"name": "a-30_days", "limit": 100_000_000, "window_seconds": 2_592_000}],
        "quotas": {"per_day": 1_000_000_000, "per_month": 1}});
    for of in [key.as_str(), &format!("/users/{}", at.ann), &format!("/businesses/{}", at.clinic)] {
        assert_eq!(at.server.op_get(&format!("{of}/limits")).await.ok(), nothing);
        assert_eq!(at.set(of, &all).await.ok(), all);
        assert_eq!(at.server.op_get(&format!("{of}/limits")).await.ok(), all);
        assert_eq!(at.set(of, &json!({"quotas": {"per_day": 5}})).await.ok()["limits"], json!([]));
        assert_eq!(at.set(of, &json!({})).await.ok(), nothing);
    }
    let ann = at.server.sign_in(&at.ann).await;
    at.set(&format!("/users/{}", at.ann), &all).await.ok();
    assert_eq!(at.server.by_get(&ann, "/user/limits").await.ok(), all);
    assert_eq!(at.server.by_get(&ann, &format!("/user/api-keys/{}/limits", at.one.id)).await.ok(), nothing);
    at.server.by(&ann, "PUT", &format!("/users/{}/limits", at.ann), &nothing).await.fails(
        403,
        "PERMISSION_DENIED",
        Some("permission"),
    );
}

#[tokio::test]
async fn bad_limits_are_refused_with_all_that_is_wrong() {
    let at = place().await;
    let of = at.of_key(&at.one);
    let limit = |name: &str| json!({"name": name, "limit": 1, "window_seconds": 1});
    let limits = |limits: &[Value]| json!({"limits": limits});
    let nine: Vec<Value> = (0..9).map(|n| limit(&format!("n{n}"))).collect();
    at.set(&of, &limits(&nine[..8])).await.ok();
    at.set(&of, &limits(&nine)).await.fails_at(&["/limits"]);
    at.set(&of, &limits(&[limit("a"), limit("b"), limit("a")])).await.fails_at(&["/limits/2/name"]);
    for name in ["", "A", "1a", "a b", "é", "a\"b", "minute", "second", "quota-day", "quota-month", &"a".repeat(33)] {
        at.set(&of, &limits(&[limit(name)])).await.fails_at(&["/limits/0/name"]);
    }
    at.set(
        &of,
        &json!({"limits": [{"name": "a", "limit": 0, "window_seconds": 0}], "quotas": {"per_day": 0, "per_month": -5}}),
    )
    .await
    .fails_at(&["/limits/0/limit", "/limits/0/window_seconds", "/quotas/per_day", "/quotas/per_month"]);
    at.set(&of, &json!({"limits": [{"name": "a", "limit": 100_000_001, "window_seconds": 2_592_001}], "quotas": {"per_day": 1_000_000_001}}))
        .await
        .fails_at(&["/limits/0/limit", "/limits/0/window_seconds", "/quotas/per_day"]);
    for bad in [
        json!({"limits": [{"name": "a", "limit": 1.5, "window_seconds": 1}]}),
        json!({"limits": [{"name": "a", "limit": 1}]}),
        json!({"limits": [["a", 1, 1]]}),
        json!({"limits": {}}),
        json!({"limits": [{"name": "a", "limit": 1, "window_seconds": 1e30}]}),
        json!({"quotas": {"per_week": 1}}),
        json!({"quotas": [1, 2]}),
        json!({"rate": 1}),
    ] {
        at.set(&of, &bad).await.fails(400, "INVALID_REQUEST", None);
    }
    assert_eq!(
        at.server.op_get(&format!("{of}/limits")).await.ok()["limits"].as_array().unwrap().len(),
        8,
        "nothing is lost"
    );
}

#[tokio::test]
async fn a_users_limit_is_shared_by_all_their_keys() {
    let at = place().await;
    at.set(&format!("/users/{}", at.ann), &named("burst", 3, 60)).await.ok();
    assert_eq!(stands(&at.ask(&at.one).await), ("user/burst", 2));
    assert_eq!(stands(&at.ask(&at.other).await), ("user/burst", 1));
    assert_eq!(stands(&at.ask(&at.one).await), ("user/burst", 0));
    for key in [&at.one, &at.other] {
        let refused = at.ask(key).await;
        assert_eq!((&refused["code"], &refused["rate_limit"]["retry_after"]), (&json!("RATE_LIMITED"), &json!(60)));
    }
    let (bob, _) = at.server.owner_of("bob@example.com", "Elsewhere").await;
    let bobs = at.server.key(&bob, &json!({"name": "K"})).await;
    assert_eq!(at.ask(&bobs).await["valid"], true);
}

#[tokio::test]
async fn a_business_limit_is_shared_by_all_requests_about_it_and_by_nobody_elses() {
    let at = place().await;
    at.set(&format!("/businesses/{}", at.clinic), &named("burst", 4, 60)).await.ok();
    let only = at.server.key(&at.ann, &json!({"name": "Only", "business_scope": {"only": [at.clinic]}})).await;
    assert_eq!(stands(&at.ask_about(&at.one, &at.clinic).await), ("business/burst", 3));
    assert_eq!(stands(&at.ask(&only).await), ("business/burst", 2), "it is the only one that the key reaches");
    assert_eq!(at.ask(&at.one).await["rate_limit"]["name"], "minute", "this one is about none");
    assert_eq!(at.ask_about(&at.one, &at.shop).await["rate_limit"]["name"], "minute");
    // Whoever does not reach it cannot use it up.
    let (bob, _) = at.server.owner_of("bob@example.com", "Elsewhere").await;
    let bobs = at.server.key(&bob, &json!({"name": "K"})).await;
    for _ in 0..9 {
        assert_eq!(at.ask_about(&bobs, &at.clinic).await["reason"], "business");
    }
    assert_eq!(stands(&at.ask_about(&at.other, &at.clinic).await), ("business/burst", 1));
    assert_eq!(stands(&at.ask(&only).await), ("business/burst", 0));
    assert_eq!(at.ask_about(&at.one, &at.clinic).await["code"], "RATE_LIMITED");
    assert_eq!(at.ask_about(&at.one, &at.shop).await["valid"], true);
}

#[tokio::test]
async fn all_that_apply_are_checked_and_then_all_are_charged() {
    let at = place().await;
    at.set(&at.of_key(&at.one), &named("key", 5, 60)).await.ok();
    at.set(&format!("/users/{}", at.ann), &named("user", 4, 60)).await.ok();
    at.set(&format!("/businesses/{}", at.clinic), &named("business", 2, 10)).await.ok();
    for _ in 0..2 {
        assert_eq!(at.ask_about(&at.one, &at.clinic).await["valid"], true);
    }
    // The business refuses, and neither the key nor its owner is charged for it.
    for _ in 0..20 {
        assert_eq!(stands(&at.ask_about(&at.one, &at.clinic).await), ("business/business", 0));
    }
    assert_eq!(stands(&at.ask(&at.one).await), ("user/user", 1));
    assert_eq!(stands(&at.ask(&at.other).await), ("user/user", 0));
    server_is_told_of_all(&at).await;
    at.server.pass(60 * SECOND);
    assert_eq!(at.ask_about(&at.one, &at.clinic).await["valid"], true);
}

/// The announcement to the key itself names every limit that its requests come to.
async fn server_is_told_of_all(at: &Place) {
    let answer = at.server.get(&at.one.token, "/whoami").await;
    answer.fails(429, "RATE_LIMITED", None);
    let policy = answer.header("ratelimit-policy").unwrap();
    let names: Vec<_> = policy.split(", ").map(|part| part.split(';').next().unwrap()).collect();
    assert_eq!(names, ["\"minute\"", "\"second\"", "\"key\"", "\"user/user\""]);
    assert_eq!(answer.header("retry-after"), Some("60"));
}

#[tokio::test]
async fn a_window_may_have_thirty_days() {
    let at = place().await;
    at.set(&at.of_key(&at.one), &named("month", 3, 2_592_000)).await.ok();
    for _ in 0..3 {
        assert_eq!(at.ask(&at.one).await["valid"], true);
        at.server.pass(10 * 24 * HOUR - 1);
    }
    assert_eq!(at.ask(&at.one).await["rate_limit"]["retry_after"], 1);
    at.server.pass(3);
    assert_eq!(at.ask(&at.one).await["valid"], true);
}

#[tokio::test]
async fn a_quota_is_spent_and_filled_again_at_midnight() {
    let at = place().await;
    at.set(&at.of_key(&at.one), &json!({"quotas": {"per_day": 250}})).await.ok();
    for left in (0..250).rev() {
        assert_eq!(stands(&at.ask(&at.one).await), ("quota-day", left));
    }
    let spent = at.ask(&at.one).await;
    assert_eq!((&spent["code"], &spent["reason"]), (&json!("RATE_LIMITED"), &json!("quota")));
    let expected = json!({"name": "quota-day", "limit": 250, "remaining": 0, "reset_at": "2026-11-21T00:00:00Z", "retry_after": 16_200});
    assert_eq!(spent["rate_limit"], expected);
    at.server.pass(16_200 * SECOND - 1);
    assert_eq!(at.ask(&at.one).await["reason"], "quota");
    at.server.pass(1);
    assert_eq!(stands(&at.ask(&at.one).await), ("quota-day", 249));
    // A clock that goes back fills nothing, and takes nothing away.
    at.server.pass(-HOUR);
    assert_eq!(stands(&at.ask(&at.one).await), ("quota-day", 248));
}

#[tokio::test]
async fn a_quota_is_charged_only_where_all_the_rest_passes() {
    let at = place().await;
    at.set(&format!("/users/{}", at.ann), &json!({"quotas": {"per_month": 3}})).await.ok();
    for _ in 0..9 {
        let denied = at.server.verify(&json!({"token": at.other.token, "permission": "calls:write"})).await;
        assert_eq!(denied["reason"], "permission");
    }
    for left in [2, 1, 0] {
        assert_eq!(stands(&at.ask(&at.other).await), ("user/quota-month", left));
    }
    assert_eq!(at.ask(&at.one).await["reason"], "quota", "it is the user's");
    let denied = at.server.verify(&json!({"token": at.other.token, "permission": "calls:write"})).await;
    assert_eq!(denied["reason"], "permission", "the other rules come first");
    at.server.pass(11 * 24 * HOUR);
    assert_eq!(at.ask(&at.one).await["valid"], true, "it is December");
}

#[tokio::test]
async fn quotas_and_windows_are_charged_together_or_not_at_all() {
    let at = place().await;
    let both = json!({"limits": [{"name": "burst", "limit": 2, "window_seconds": 60}], "quotas": {"per_day": 10, "per_month": 7}});
    at.set(&at.of_key(&at.one), &both).await.ok();
    let mut passed = 0;
    for _ in 0..10 {
        for _ in 0..5 {
            passed += usize::from(at.ask(&at.one).await["valid"] == true);
        }
        at.server.pass(60 * SECOND);
    }
    assert_eq!(passed, 7, "what the window refuses takes nothing from a quota");
    assert_eq!(at.ask(&at.one).await["rate_limit"]["name"], "quota-month");
}

#[tokio::test]
async fn no_restart_gives_calls_back() {
    for mode in ["fast", "exact"] {
        let settings = format!("rate_limit_per_minute = 100_000\nrate_limit_per_second = 100_000\nquotas = \"{mode}\"");
        let mut server = Server::with(&settings).await;
        let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
        let key = server.key(&ann, &json!({"name": "K"})).await;
        let of = format!("/users/{ann}/api-keys/{}/limits", key.id);
        server.op_put(&of, &json!({"quotas": {"per_day": 1_000}})).await.ok();
        let mut left = 1_000;
        for spent in [1, 37, 200] {
            let answer = server.verify(&json!({"token": key.token, "cost": spent})).await;
            left -= spent;
            assert_eq!(answer["rate_limit"]["remaining"], left, "{mode}");
            server = server.restart().await;
        }
        assert_eq!(server.verify(&json!({"token": key.token, "cost": 763})).await["reason"], "quota");
        assert_eq!(server.verify(&json!({"token": key.token, "cost": 762})).await["valid"], true, "and none is lost");
        server = server.restart().await;
        assert_eq!(server.verify(&json!({"token": key.token})).await["reason"], "quota");
        // More can be given, and less: it holds from then on.
        server.op_put(&of, &json!({"quotas": {"per_day": 1_002}})).await.ok();
        for reason in [Value::Null, Value::Null, json!("quota")] {
            assert_eq!(server.verify(&json!({"token": key.token})).await["reason"], reason);
        }
        server.op_put(&of, &json!({"quotas": {"per_day": 5}})).await.ok();
        assert_eq!(server.verify(&json!({"token": key.token})).await["reason"], "quota");
    }
}

/// Each part of a quota that runs out is taken anew while others wait for the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn many_at_once_spend_just_what_there_is() {
    let at = std::sync::Arc::new(place().await);
    at.set(&at.of_key(&at.one), &json!({"quotas": {"per_day": 300}})).await.ok();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let at = std::sync::Arc::clone(&at);
            tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..100 {
                    passed += usize::from(at.ask(&at.one).await["valid"] == true);
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for thread in threads {
        passed += thread.await.unwrap();
    }
    assert_eq!(passed, 300);
}
