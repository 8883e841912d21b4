//! What keys were used for: by code, hour and day; of a key, a family, a user, a business.

use serde_json::{Value, json};

use crate::support::{Key, Server};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

async fn with_key() -> (Server, String, String, Key) {
    let server = Server::start().await;
    let (ann, clinic) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K", "permissions": ["calls:read"]})).await;
    (server, ann, clinic, key)
}

async fn usage(server: &Server, of: &str, window: &str) -> Value {
    server.op_get(&format!("{of}/usage?window={window}")).await.ok()
}

async fn use_times(server: &Server, key: &Key, times: usize) {
    for _ in 0..times {
        assert_eq!(server.verify(&json!({"token": key.token, "ip_address": "203.0.113.7"})).await["valid"], true);
    }
}

#[tokio::test]
async fn every_decision_about_a_known_key_is_counted_by_its_code() {
    let (server, ann, clinic, key) = with_key().await;
    let of = format!("/users/{ann}/api-keys/{}", key.id);
    use_times(&server, &key, 3).await;
    for question in
        [json!({"token": key.token, "permission": "calls:write"}), json!({"token": key.token, "business_id": "biz_x"})]
    {
        server.verify(&question).await;
    }
    server.get(&key.token, "/whoami").await.ok();
    let mut other = key.token.clone();
    other.replace_range(8..9, if &other[8..9] == "A" { "B" } else { "A" });
    server.verify(&json!({"token": other})).await;
    server.op_post(&format!("/businesses/{clinic}/disable"), &json!({})).await.ok();
    server.verify(&json!({"token": key.token, "business_id": clinic})).await;
    server.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    server.verify(&json!({"token": key.token})).await;
    server.revoke(&ann, &key).await;
    server.verify(&json!({"token": key.token})).await;
    let expected =
        json!({"VALID": 4, "PERMISSION_DENIED": 2, "BUSINESS_DISABLED": 1, "USER_DISABLED": 1, "INVALID_API_KEY": 1});
    assert_eq!(usage(&server, &of, "24h").await["totals"], expected);
    assert_eq!(usage(&server, &format!("/users/{ann}"), "24h").await["totals"], expected);
    let of_clinic = usage(&server, &format!("/businesses/{clinic}"), "24h").await;
    assert_eq!(of_clinic["totals"], json!({"BUSINESS_DISABLED": 1}), "only one of them was about the business");
    let shown = server.op_get(&of).await.ok();
    assert_eq!(shown["usage"], json!({"last_24h": 9, "last_7d": 9, "last_30d": 9}));
}

#[tokio::test]
async fn it_is_told_at_once_and_is_the_same_when_it_is_written() {
    let (server, ann, _, key) = with_key().await;
    let of = format!("/users/{ann}/api-keys/{}", key.id);
    use_times(&server, &key, 5).await;
    let told = usage(&server, &of, "7d").await;
    assert_eq!(told["totals"], json!({"VALID": 5}));
    // Whatever the job that writes does meanwhile, no look sees more or less.
    for _ in 0..60 {
        assert_eq!(usage(&server, &of, "7d").await, told);
        assert_eq!(server.op_get(&of).await.ok()["usage"]["last_30d"], 5);
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    let server = server.restart().await;
    assert_eq!(usage(&server, &of, "7d").await, told);
    use_times(&server, &key, 2).await;
    assert_eq!(usage(&server, &of, "7d").await["totals"], json!({"VALID": 7}));
}

#[tokio::test]
async fn windows_roll_by_the_hour_and_series_by_the_hour_or_the_day() {
    let (server, ann, _, key) = with_key().await;
    let of = format!("/users/{ann}/api-keys/{}", key.id);
    let totals = async || {
        let usage = server.op_get(&of).await.ok()["usage"].clone();
        ["last_24h", "last_7d", "last_30d"].map(|name| usage[name].as_u64().unwrap())
    };
    // 19:30, 21:30, and 2:30 on the next day.
    use_times(&server, &key, 1).await;
    server.pass(2 * HOUR);
    use_times(&server, &key, 2).await;
    server.pass(5 * HOUR);
    use_times(&server, &key, 4).await;
    let day = usage(&server, &of, "24h").await;
    assert_eq!((&day["from"], &day["to"]), (&json!("2026-11-20T02:00:00Z"), &json!("2026-11-21T02:30:00Z")));
    let series = day["series"].as_array().unwrap();
    assert_eq!(series.len(), 25, "24 hours that are whole, and the one that is not over");
    let used: Vec<_> = series.iter().filter(|point| point["counts"] != json!({})).cloned().collect();
    let at = |at: &str, count: u32| json!({"at": at, "counts": {"VALID": count}});
    assert_eq!(used, [at("2026-11-20T19:00:00Z", 1), at("2026-11-20T21:00:00Z", 2), at("2026-11-21T02:00:00Z", 4)]);
    for window in ["7d", "30d", "90d", "365d"] {
        let usage = usage(&server, &of, window).await;
        let days = usage["series"].as_array().unwrap();
        assert_eq!(days.last().unwrap(), &at("2026-11-21T00:00:00Z", 4), "{window}");
        assert_eq!(days[days.len() - 2], at("2026-11-20T00:00:00Z", 3), "{window}");
        let length: usize = window.trim_end_matches('d').parse().unwrap();
        assert_eq!(days.len(), length + 1, "{window}");
        assert_eq!(usage["totals"], json!({"VALID": 7}), "{window}");
    }
    assert_eq!(totals().await, [7, 7, 7]);
    // To the hour: at 19:59 on the next day the first use is still within, at 20:00 it is not.
    server.pass(17 * HOUR + 29 * MINUTE);
    assert_eq!(totals().await, [7, 7, 7]);
    server.pass(MINUTE);
    assert_eq!(totals().await, [6, 7, 7]);
    server.pass(6 * DAY);
    assert_eq!(totals().await, [0, 6, 7]);
    assert_eq!(usage(&server, &of, "7d").await["totals"], json!({"VALID": 6}));
    server.pass(23 * DAY);
    assert_eq!(totals().await, [0, 0, 6]);
    assert_eq!(usage(&server, &of, "30d").await["totals"], json!({"VALID": 6}));
    assert_eq!(usage(&server, &of, "90d").await["totals"], json!({"VALID": 7}));
}

#[tokio::test]
async fn a_family_is_counted_as_one_where_that_is_asked_for() {
    let (server, ann, _, key) = with_key().await;
    use_times(&server, &key, 2).await;
    let rotated = server.op_post(&format!("/users/{ann}/api-keys/{}/rotate", key.id), &json!({})).await.created();
    let next = Key {
        id: rotated["api_key"]["id"].as_str().unwrap().to_owned(),
        token: rotated["token"].as_str().unwrap().to_owned(),
    };
    use_times(&server, &next, 3).await;
    for key in [&key, &next] {
        let of = format!("/users/{ann}/api-keys/{}/usage", key.id);
        assert_eq!(server.op_get(&format!("{of}?family=true")).await.ok()["totals"], json!({"VALID": 5}));
        let alone = if key.id == next.id { 3 } else { 2 };
        assert_eq!(server.op_get(&format!("{of}?family=false")).await.ok()["totals"], json!({"VALID": alone}));
        server.op_get(&format!("{of}?family=yes")).await.fails(400, "INVALID_REQUEST", None);
        server.op_get(&format!("{of}?window=1h")).await.fails(400, "INVALID_REQUEST", None);
        server.op_get(&format!("{of}?windows=24h")).await.fails(400, "INVALID_REQUEST", None);
    }
}

#[tokio::test]
async fn a_key_tells_when_and_from_where_it_was_used_last() {
    let (server, ann, _, key) = with_key().await;
    let of = format!("/users/{ann}/api-keys/{}", key.id);
    let last = async |server: &Server| {
        let key = server.op_get(&of).await.ok();
        (key["last_used_at"].clone(), key["last_used_address"].clone())
    };
    assert_eq!(last(&server).await, (Value::Null, Value::Null));
    let from = async |server: &Server, address: &str| {
        server.verify(&json!({"token": key.token, "ip_address": address})).await;
    };
    from(&server, "2001:db8::7").await;
    assert_eq!(last(&server).await, (json!("2026-11-20T19:30:00Z"), json!("2001:db8::7")));
    server.pass(1_250);
    from(&server, "::ffff:203.0.113.7").await;
    assert_eq!(last(&server).await, (json!("2026-11-20T19:30:01.25Z"), json!("203.0.113.7")));
    server.pass(HOUR);
    let server = server.restart().await;
    assert_eq!(last(&server).await, (json!("2026-11-20T19:30:01.25Z"), json!("203.0.113.7")));
    server.verify(&json!({"token": key.token})).await;
    assert_eq!(last(&server).await, (json!("2026-11-20T20:30:01.25Z"), Value::Null), "nobody told from where");
    // A dead key is not used, though somebody still has it.
    server.revoke(&ann, &key).await;
    server.pass(HOUR);
    from(&server, "198.51.100.1").await;
    assert_eq!(last(&server).await.0, json!("2026-11-20T20:30:01.25Z"));
    assert_eq!(server.op_get(&of).await.ok()["usage"]["last_24h"], 4);
}

#[tokio::test]
async fn a_clock_that_steps_loses_no_count() {
    let (server, ann, _, key) = with_key().await;
    for step in [-HOUR, 2 * HOUR, -DAY, DAY, -5 * MINUTE, 0] {
        use_times(&server, &key, 3).await;
        server.pass(step);
    }
    server.pass(2 * HOUR);
    let of = format!("/users/{ann}/api-keys/{}", key.id);
    assert_eq!(usage(&server, &of, "7d").await["totals"], json!({"VALID": 18}));
    let server = server.restart().await;
    assert_eq!(usage(&server, &of, "7d").await["totals"], json!({"VALID": 18}));
}

#[tokio::test]
async fn days_outlive_hours_and_both_are_forgotten_when_the_settings_say_so() {
    let server = Server::with("usage_by_hour_days = 32\nusage_by_day_days = 100").await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let of = format!("/users/{ann}/api-keys/{}", key.id);
    use_times(&server, &key, 3).await;
    // What is over is forgotten at each start, and each hour.
    server.pass(50 * DAY);
    let server = server.restart().await;
    assert_eq!(usage(&server, &of, "90d").await["totals"], json!({"VALID": 3}));
    server.pass(51 * DAY);
    let server = server.restart().await;
    server.until(async || usage(&server, &of, "365d").await["totals"] == json!({})).await;
}
