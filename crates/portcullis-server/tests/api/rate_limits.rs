//! The two windows of every key: what they let in, what they say, and how an operator sets others.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Key, Server};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The limits that a server has by itself: 100 a minute, 10 a second.
const DEFAULTS: &str = "rate_limit_per_minute = 100\nrate_limit_per_second = 10\n";

async fn with_key(settings: &str) -> (Server, String, Key) {
    let server = Server::with(settings).await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K", "user_management": true})).await;
    (server, ann, key)
}

/// The outcome of a request that costs one.
async fn ask(server: &Server, key: &Key) -> Value {
    server.verify(&json!({"token": key.token})).await
}

async fn set_rate(server: &Server, user: &str, key: &Key, rate: Value) -> Answer {
    server.op_put(&format!("/users/{user}/api-keys/{}/rate-limit", key.id), &rate).await
}

#[tokio::test]
async fn at_ten_a_second_a_hundred_pass_and_then_there_is_room_in_fifty_seconds() {
    let (server, _, key) = with_key(DEFAULTS).await;
    for n in 0..100 {
        assert_eq!(ask(&server, &key).await["valid"], true, "request {n}");
        server.pass(100);
    }
    let refused = ask(&server, &key).await;
    assert_eq!((&refused["code"], &refused["reason"]), (&json!("RATE_LIMITED"), &Value::Null));
    let expected =
        json!({"name": "minute", "limit": 100, "remaining": 0, "reset_at": "2026-11-20T19:31:00Z", "retry_after": 50});
    assert_eq!(refused["rate_limit"], expected);
    server.pass(50 * SECOND - 1);
    assert_eq!(ask(&server, &key).await["valid"], false);
    server.pass(1);
    assert_eq!(ask(&server, &key).await["valid"], true);
}

#[tokio::test]
async fn a_client_that_keeps_to_the_pace_is_never_refused() {
    let (server, _, key) = with_key(DEFAULTS).await;
    for n in 0..400 {
        assert_eq!(ask(&server, &key).await["valid"], true, "request {n}");
        server.pass(600);
    }
}

#[tokio::test]
async fn attack_39_whoever_is_refused_takes_nothing_and_puts_nothing_off() {
    let (server, _, key) = with_key(DEFAULTS).await;
    for _ in 0..10 {
        assert_eq!(ask(&server, &key).await["valid"], true);
    }
    for _ in 0..50 {
        let refused = ask(&server, &key).await;
        assert_eq!(
            (&refused["rate_limit"]["name"], &refused["rate_limit"]["retry_after"]),
            (&json!("second"), &json!(1))
        );
        server.pass(10);
    }
    server.pass(500);
    for _ in 0..10 {
        let passed = ask(&server, &key).await;
        assert_eq!(passed["valid"], true);
    }
    assert_eq!(ask(&server, &key).await["rate_limit"]["name"], "second");
}

#[tokio::test]
async fn a_key_that_is_not_live_comes_to_no_limit_and_one_that_is_denied_later_does() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    let denied = json!({"token": key.token, "business_id": "biz_x"});
    for left in (0..10).rev() {
        let denied = server.verify(&denied).await;
        assert_eq!((&denied["reason"], &denied["rate_limit"]["remaining"]), (&json!("business"), &json!(left)));
    }
    assert_eq!(server.verify(&denied).await["code"], "RATE_LIMITED");
    server.revoke(&ann, &key).await;
    let revoked = server.verify(&denied).await;
    assert_eq!((&revoked["reason"], &revoked["rate_limit"]), (&json!("revoked"), &Value::Null));
}

#[tokio::test]
async fn a_key_is_told_of_its_limits_with_every_answer() {
    let (server, _, key) = with_key(DEFAULTS).await;
    let told = |answer: &Answer| {
        [
            "ratelimit-policy",
            "ratelimit",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
            "retry-after",
        ]
        .map(|name| answer.header(name).unwrap_or("-").to_owned())
    };
    let policy = "\"minute\";q=100;w=60, \"second\";q=10;w=1";
    // 2026-11-20T19:30:01Z.
    let reset = "1795203001";
    let answer = server.get(&key.token, "/whoami").await;
    answer.ok();
    assert_eq!(told(&answer), [policy, "\"second\";r=9;t=1", "10", "9", reset, "-"]);
    let own = server.get(&key.token, "/user").await;
    own.ok();
    assert_eq!(told(&own), [policy, "\"second\";r=8;t=1", "10", "8", reset, "-"]);
    // A refusal for another reason tells too; somebody who is nobody is told nothing.
    let missing = server.get(&key.token, "/user/api-keys/key_x").await;
    missing.fails(404, "NOT_FOUND", None);
    assert_eq!(told(&missing)[1], "\"second\";r=7;t=1");
    for _ in 0..7 {
        server.get(&key.token, "/whoami").await.ok();
    }
    let refused = server.get(&key.token, "/whoami").await;
    refused.fails(429, "RATE_LIMITED", None);
    assert_eq!(told(&refused), [policy, "\"second\";r=0;t=1", "10", "0", reset, "1"]);
    for token in [server.operator.as_str(), "nobody"] {
        assert_eq!(told(&server.get(token, "/whoami").await), ["-"; 6], "{token}");
    }
    let verified = server.op_post("/verify", &json!({"token": key.token})).await;
    assert_eq!(
        told(&verified),
        ["-"; 6],
        "the caller of /verify is the operator, and the answer's body tells of the key"
    );
}

#[tokio::test]
async fn the_configuration_says_which_headers_tell() {
    for (family, standard, legacy) in [("standard", true, false), ("legacy", false, true), ("none", false, false)] {
        let settings = format!("{DEFAULTS}rate_limit_headers = \"{family}\"");
        let (server, _, key) = with_key(&settings).await;
        let mut answer = server.get(&key.token, "/whoami").await;
        for _ in 0..10 {
            let has = |names: &[&str]| names.iter().filter(|name| answer.header(name).is_some()).count();
            assert_eq!(has(&["ratelimit", "ratelimit-policy"]), if standard { 2 } else { 0 }, "{family}");
            let names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
            assert_eq!(has(&names), if legacy { 3 } else { 0 }, "{family}");
            answer = server.get(&key.token, "/whoami").await;
        }
        answer.fails(429, "RATE_LIMITED", None);
        assert_eq!(answer.header("retry-after"), Some("1"), "{family}");
    }
}

/// However a request is refused, whoever waits just as long as `Retry-After` says gets in.
#[tokio::test]
async fn retry_after_is_honest() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    let limits = json!({"limits": [{"name": "burst", "limit": 30, "window_seconds": 7}], "quotas": {"per_day": 400}});
    server.op_put(&format!("/users/{ann}/api-keys/{}/limits", key.id), &limits).await.ok();
    let (mut passed, mut refused_by) = (0, std::collections::BTreeSet::new());
    while passed < 450 {
        let answer = server.get(&key.token, "/whoami").await;
        if answer.status == 200 {
            passed += 1;
            // Not a whole second, so that instants and answers do not fall together.
            server.pass(37);
            continue;
        }
        answer.fails(429, "RATE_LIMITED", answer.body["reason"].as_str());
        let told = answer.header("ratelimit").unwrap();
        refused_by.insert(told.split(';').next().unwrap().to_owned());
        let seconds: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!(seconds >= 1);
        server.pass(seconds * SECOND);
        server.get(&key.token, "/whoami").await.ok();
        passed += 1;
    }
    let names: Vec<_> = refused_by.iter().map(String::as_str).collect();
    assert_eq!(names, ["\"burst\"", "\"minute\"", "\"quota-day\"", "\"second\""]);
}

#[tokio::test]
async fn an_operator_sets_other_limits_and_takes_them_back() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    let shown = set_rate(&server, &ann, &key, json!({"per_minute": 3, "per_second": 2})).await.ok();
    assert_eq!(shown["rate_limit"], json!({"per_minute": 3, "per_second": 2}));
    for (valid, name) in [(true, "second"), (true, "second"), (false, "second")] {
        let answer = ask(&server, &key).await;
        assert_eq!((&answer["valid"], &answer["rate_limit"]["name"]), (&json!(valid), &json!(name)));
    }
    server.pass(SECOND);
    assert_eq!(ask(&server, &key).await["valid"], true);
    let refused = ask(&server, &key).await;
    assert_eq!((&refused["rate_limit"]["name"], &refused["rate_limit"]["retry_after"]), (&json!("minute"), &json!(59)));
    // What was let in before is remembered when the limits change.
    let shown = set_rate(&server, &ann, &key, json!({"per_minute": null, "per_second": null})).await.ok();
    assert_eq!(shown["rate_limit"], json!({"per_minute": 100, "per_second": 10}));
    let passed = ask(&server, &key).await;
    assert_eq!(passed["rate_limit"]["remaining"], 8);
    let most = json!({"per_minute": 100_000_000, "per_second": 100_000_000});
    set_rate(&server, &ann, &key, most).await.ok();
    for _ in 0..300 {
        assert_eq!(ask(&server, &key).await["valid"], true);
    }
    let events = server.op_get(&format!("/audit-events?action=limits.updated&target_id={}", key.id)).await.ok();
    assert_eq!(events.as_array().unwrap().len(), 3);
    assert_eq!(events[2]["after"]["rate"], json!({"per_minute": 3, "per_second": 2}));
}

#[tokio::test]
async fn attack_24_limits_that_are_none_are_refused() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    for (rate, pointers) in [
        (json!({"per_minute": 0, "per_second": 1}), &["/per_minute"][..]),
        (json!({"per_minute": 1, "per_second": -1}), &["/per_second"]),
        (json!({"per_minute": 100_000_001, "per_second": 100_000_001}), &["/per_minute", "/per_second"]),
        (json!({"per_minute": i64::MAX, "per_second": 1}), &["/per_minute"]),
        (json!({"per_minute": 5, "per_second": null}), &["/per_second"]),
        (json!({"per_minute": null, "per_second": 5}), &["/per_minute"]),
    ] {
        set_rate(&server, &ann, &key, rate).await.fails_at(pointers);
    }
    for rate in [
        json!({}),
        json!({"per_minute": 5}),
        json!({"per_minute": 1.5, "per_second": 1}),
        json!({"per_minute": "5", "per_second": 1}),
        json!({"per_minute": 1e300, "per_second": 1}),
        json!({"per_minute": u64::MAX, "per_second": 1}),
        json!({"per_minute": 1, "per_second": 1, "per_hour": 1}),
        json!([1, 1]),
    ] {
        set_rate(&server, &ann, &key, rate).await.fails(400, "INVALID_REQUEST", None);
    }
    assert_eq!(ask(&server, &key).await["rate_limit"]["limit"], 10);
}

#[tokio::test]
async fn attack_38_rotating_is_no_way_around_a_limit_and_takes_it_along() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    set_rate(&server, &ann, &key, json!({"per_minute": 5, "per_second": 5})).await.ok();
    for _ in 0..3 {
        assert_eq!(ask(&server, &key).await["valid"], true);
    }
    let rotated = server.op_post(&format!("/users/{ann}/api-keys/{}/rotate", key.id), &json!({})).await.created();
    assert_eq!(rotated["api_key"]["rate_limit"], json!({"per_minute": 5, "per_second": 5}));
    let next = Key {
        id: rotated["api_key"]["id"].as_str().unwrap().to_owned(),
        token: rotated["token"].as_str().unwrap().to_owned(),
    };
    assert_eq!(ask(&server, &next).await["rate_limit"]["remaining"], 1);
    assert_eq!(ask(&server, &key).await["rate_limit"]["remaining"], 0);
    assert_eq!(ask(&server, &next).await["code"], "RATE_LIMITED");
    assert_eq!(ask(&server, &key).await["code"], "RATE_LIMITED");
}

#[tokio::test]
async fn attack_37_a_clock_that_steps_locks_nobody_out_and_frees_nobody() {
    let (server, _, key) = with_key(DEFAULTS).await;
    let fill = async || {
        for _ in 0..10 {
            assert_eq!(ask(&server, &key).await["valid"], true);
        }
        assert_eq!(ask(&server, &key).await["valid"], false);
    };
    fill().await;
    server.pass(-HOUR);
    let refused = ask(&server, &key).await;
    assert_eq!((&refused["valid"], &refused["rate_limit"]["retry_after"]), (&json!(false), &json!(1)));
    server.pass(SECOND);
    fill().await;
    server.pass(24 * HOUR);
    fill().await;
    server.pass(-24 * HOUR);
    assert_eq!(ask(&server, &key).await["valid"], false);
    server.pass(SECOND);
    fill().await;
}

/// 8 threads, each on connections of its own, 1,000 requests each.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_eight_times_a_thousand_requests_at_once_just_five_hundred_pass() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    set_rate(&server, &ann, &key, json!({"per_minute": 500, "per_second": 500})).await.ok();
    let server = Arc::new(server);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (server, body) = (Arc::clone(&server), json!({"token": key.token}));
            tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..1_000 {
                    let request = server.request(Method::POST, "/verify").bearer_auth(&server.operator).json(&body);
                    passed += usize::from(server.send(request).await.ok()["valid"] == true);
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for thread in threads {
        passed += thread.await.unwrap();
    }
    assert_eq!(passed, 500);
    let usage = server.op_get(&format!("/users/{ann}/api-keys/{}/usage", key.id)).await.ok();
    assert_eq!(usage["totals"], json!({"VALID": 500, "RATE_LIMITED": 7_500}), "and not one is lost or counted twice");
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let (server, _, key) = with_key(DEFAULTS).await;
    for _ in 0..7 {
        assert_eq!(ask(&server, &key).await["valid"], true);
    }
    let server = server.restart().await;
    assert_eq!(ask(&server, &key).await["rate_limit"]["remaining"], 2);
}

#[tokio::test]
async fn a_request_can_cost_more_or_nothing() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    let cost = async |cost: i64| server.verify(&json!({"token": key.token, "cost": cost})).await;
    assert_eq!(cost(4).await["rate_limit"]["remaining"], 6);
    for _ in 0..3 {
        let looked = cost(0).await;
        assert_eq!((&looked["valid"], &looked["rate_limit"]["remaining"]), (&json!(true), &json!(6)));
    }
    let refused = cost(7).await;
    assert_eq!((&refused["reason"], &refused["rate_limit"]["retry_after"]), (&Value::Null, &json!(1)));
    assert_eq!(refused["rate_limit"]["remaining"], 6);
    let never = cost(11).await;
    assert_eq!((&never["code"], &never["reason"]), (&json!("RATE_LIMITED"), &json!("cost")));
    assert_eq!(never["rate_limit"]["retry_after"], Value::Null);
    assert_eq!(cost(6).await["rate_limit"]["remaining"], 0);
    let full = cost(0).await;
    assert_eq!((&full["code"], &full["rate_limit"]["retry_after"]), (&json!("RATE_LIMITED"), &json!(1)));
    // An explanation is a look too.
    server.pass(SECOND);
    let explained = server.verify(&json!({"token": key.token, "explain": true})).await;
    assert_eq!(explained["explanation"][5]["detail"], "the tightest is `second`: 10 of 10 left, more in 0 s");
    assert_eq!(cost(1).await["rate_limit"]["remaining"], 9);
    let usage = server.op_get(&format!("/users/{ann}/api-keys/{}/usage", key.id)).await.ok();
    assert_eq!(usage["totals"], json!({"VALID": 3, "RATE_LIMITED": 2}), "who only looks is not counted");
    for (bad, status) in
        [(json!(-1), 422), (json!(1_001), 422), (json!(i64::MAX), 422), (json!(0.5), 400), (json!("1"), 400)]
    {
        let answer = server.op_post("/verify", &json!({"token": key.token, "cost": bad})).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let batch = json!({"requests": [{"token": key.token, "cost": 5}, {"token": key.token, "cost": 5}, {"token": key.token, "cost": 2_000}]});
    server.op_post("/verify/batch", &batch).await.fails_at(&["/requests/2/cost"]);
    let batch = json!({"requests": [{"token": key.token, "cost": 5}, {"token": key.token, "cost": 5}]});
    let answers = server.op_post("/verify/batch", &batch).await.ok();
    assert_eq!((&answers[0]["valid"], &answers[1]["code"]), (&json!(true), &json!("RATE_LIMITED")));
}

#[tokio::test]
async fn above_4096_segments_let_in_never_too_many_and_say_honestly_when() {
    let (server, ann, key) = with_key(DEFAULTS).await;
    set_rate(&server, &ann, &key, json!({"per_minute": 100_000_000, "per_second": 5_000})).await.ok();
    let spend = async || server.verify(&json!({"token": key.token, "cost": 1_000})).await;
    for _ in 0..5 {
        assert_eq!(spend().await["valid"], true);
        server.pass(150);
    }
    let refused = spend().await;
    assert_eq!((&refused["rate_limit"]["name"], &refused["rate_limit"]["retry_after"]), (&json!("second"), &json!(1)));
    // A segment of a second is 3.9 ms, so the first thousand leave between 1,000 and 1,004 ms after they came.
    server.pass(249);
    assert_eq!(spend().await["valid"], false, "never too many");
    server.pass(5);
    assert_eq!(spend().await["valid"], true);
}
