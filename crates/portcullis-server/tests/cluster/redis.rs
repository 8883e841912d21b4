//! Limits that nodes share through Redis, and what becomes of them without it.
//!
//! Redis has a clock of its own, so these tests run by the real one.

use std::time::Duration;

use portcullis_engines::Redis;
use serde_json::json;

use crate::support::{Key, Server};

fn settings(redis: &Redis) -> String {
    format!("redis_url = \"{}\"\nredis_timeout_ms = 500\n", redis.url())
}

/// Nodes that share this Redis, and a key that may ask for so many a minute.
async fn nodes<const N: usize>(settings: &str, per_minute: u32) -> ([Server; N], Key) {
    let first = Server::node(settings).await;
    let (ann, _) = first.owner_of("ann@example.com", "Dental Clinic").await;
    let key = first.key(&ann, &json!({"name": "K"})).await;
    let limit = json!({"per_minute": per_minute, "per_second": 100_000_000});
    first.op_put(&format!("/users/{ann}/api-keys/{}/rate-limit", key.id), &limit).await.ok();
    let mut nodes = vec![first];
    while nodes.len() < N {
        let next = nodes[0].beside(settings).await;
        nodes.push(next);
    }
    for node in &nodes {
        node.until(async || node.op_metrics().await.contains(&format!("portcullis_nodes {N}\n"))).await;
    }
    (nodes.try_into().ok().unwrap(), key)
}

async fn redis_is(node: &Server, up: u8) {
    node.until(async || node.op_metrics().await.contains(&format!("portcullis_redis_up {up}\n"))).await;
}

async fn passes(node: &Server, key: &Key) -> bool {
    let decision = node.verify(&json!({"token": key.token})).await;
    assert!(matches!(decision["code"].as_str(), Some("VALID" | "RATE_LIMITED")), "{decision}");
    decision["valid"] == true
}

/// How many of `times` requests to each node pass.
async fn count<const N: usize>(nodes: &[Server; N], key: &Key, times: usize) -> usize {
    let mut passed = 0;
    for _ in 0..times {
        for node in nodes {
            passed += usize::from(passes(node, key).await);
        }
    }
    passed
}

#[tokio::test]
async fn a_limit_is_one_limit_on_all_nodes() {
    let redis = Redis::start(&[]);
    let (nodes, key) = nodes::<3>(&settings(&redis), 20).await;
    for node in &nodes {
        redis_is(node, 1).await;
    }
    assert_eq!(count(&nodes, &key, 15).await, 20);
    let decision = nodes[0].verify(&json!({"token": key.token})).await;
    let limit = &decision["rate_limit"];
    assert_eq!((&limit["name"], &limit["limit"], &limit["remaining"]), (&json!("minute"), &json!(20), &json!(0)));
    let wait = limit["retry_after"].as_u64().unwrap();
    assert!((30..=60).contains(&wait), "{decision}");
    // Every key of a subject is on one server of a Redis cluster: the braces say which.
    let keys = redis.ask(&["KEYS", "*"]);
    assert!(keys.lines().all(|key| key.starts_with("portcullis:{fam_") && key.contains('}')), "{keys}");
}

#[tokio::test]
async fn limits_of_a_user_and_a_business_are_shared_too_and_all_are_charged_or_none() {
    let redis = Redis::start(&[]);
    let settings = settings(&redis);
    let first = Server::node(&settings).await;
    let (ann, clinic) = first.owner_of("ann@example.com", "Dental Clinic").await;
    let (one, other) = (first.key(&ann, &json!({"name": "A"})).await, first.key(&ann, &json!({"name": "B"})).await);
    let named = json!({"limits": [{"name": "burst", "limit": 7, "window_seconds": 600}]});
    first.op_put(&format!("/users/{ann}/limits"), &named).await.ok();
    let named = json!({"limits": [{"name": "all", "limit": 5, "window_seconds": 600}]});
    first.op_put(&format!("/businesses/{clinic}/limits"), &named).await.ok();
    let second = first.beside(&settings).await;
    for node in [&first, &second] {
        redis_is(node, 1).await;
    }
    let ask = |key: &Key| json!({"token": key.token, "business_id": clinic});
    let mut passed = 0;
    for _ in 0..5 {
        for (node, key) in [(&first, &one), (&second, &other)] {
            passed += usize::from(node.verify(&ask(key)).await["valid"] == true);
        }
    }
    assert_eq!(passed, 5, "the business");
    // The refused ones took nothing of the user's seven.
    let mut passed = 0;
    for _ in 0..3 {
        for (node, key) in [(&first, &one), (&second, &other)] {
            passed += usize::from(passes(node, key).await);
        }
    }
    assert_eq!(passed, 2, "the user");
}

#[tokio::test]
async fn attack_59_without_redis_each_node_has_its_part_and_with_it_nobody_gets_more() {
    let redis = Redis::start(&[]);
    let (nodes, key) = nodes::<2>(&settings(&redis), 40).await;
    for node in &nodes {
        redis_is(node, 1).await;
    }
    // Half through Redis, and then it is gone: 10 of the 20 that each node may let in by itself are taken.
    assert_eq!(count(&nodes, &key, 10).await, 20);
    redis.stop();
    assert_eq!(count(&nodes, &key, 30).await, 20);
    for node in &nodes {
        redis_is(node, 0).await;
    }
    // It comes back empty. It would let in 40 more; the nodes know better for as long as the window lasts.
    redis.resume();
    for node in &nodes {
        redis_is(node, 1).await;
    }
    assert_eq!(count(&nodes, &key, 30).await, 0);
}

/// In a span that contains its losses, each node adds at most the part that it had not used: less than the limit in all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_38_however_often_redis_goes_and_comes_back_the_limit_is_kept_to() {
    const LIMIT: u32 = 90;

    let redis = Redis::start(&[]);
    let (nodes, key) = nodes::<3>(&settings(&redis), LIMIT).await;
    for node in &nodes {
        redis_is(node, 1).await;
    }
    let asking = async |node: &Server| {
        let mut passed = 0;
        for _ in 0..200 {
            passed += u32::from(passes(node, &key).await);
        }
        passed
    };
    let [first, second, third] = &nodes;
    let going_and_coming = tokio::task::spawn_blocking({
        move || {
            for _ in 0..4 {
                redis.stop();
                std::thread::sleep(Duration::from_millis(150));
                redis.resume();
                std::thread::sleep(Duration::from_millis(350));
            }
            redis
        }
    });
    let (one, two, three) = tokio::join!(asking(first), asking(second), asking(third));
    let passed = one + two + three;
    assert!((LIMIT / 3..2 * LIMIT).contains(&passed), "{one} + {two} + {three}");
    let redis = going_and_coming.await.unwrap();
    for node in &nodes {
        redis_is(node, 1).await;
    }
    // By now every node has let in its part, and knows it.
    assert!(count(&nodes, &key, 40).await + (passed as usize) < 2 * LIMIT as usize);
    assert_eq!(count(&nodes, &key, 10).await, 0);
    drop(redis);
}

#[tokio::test]
async fn a_node_starts_without_redis_and_finds_it_later() {
    let redis = Redis::start(&[]);
    redis.stop();
    let (nodes, key) = nodes::<2>(&settings(&redis), 10).await;
    assert_eq!(count(&nodes, &key, 10).await, 10);
    redis.resume();
    for node in &nodes {
        redis_is(node, 1).await;
    }
    assert_eq!(count(&nodes, &key, 10).await, 0);
}

#[tokio::test]
async fn nobody_waits_for_a_redis_that_does_not_answer() {
    // Somebody listens and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!("redis_url = \"redis://{}\"\n", silent.local_addr().unwrap());
    let (nodes, key) = nodes::<1>(&settings, 10).await;
    assert_eq!(count(&nodes, &key, 12).await, 10);
    // A Redis that answers and then stops to: the first request waits as long as it may, and the others do not wait at all.
    let redis = Redis::start(&[]);
    let server = Server::node(&format!("redis_url = \"{}\"\nredis_timeout_ms = 200\n", redis.url())).await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    redis_is(&server, 1).await;
    assert!(passes(&server, &key).await);
    let pause = std::thread::spawn({
        let port = redis.port;
        move || Redis::pause(port, Duration::from_secs(3))
    });
    server.until(async || pause.is_finished()).await;
    assert!(passes(&server, &key).await);
    redis_is(&server, 0).await;
    assert!(passes(&server, &key).await);
    redis_is(&server, 1).await;
}

#[tokio::test]
async fn a_redis_that_asks_for_a_password_gets_it_from_a_file() {
    let redis = Redis::start(&["--requirepass", "secret word"]);
    let server = Server::node(&settings(&redis)).await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    assert!(passes(&server, &key).await, "without the password it is as if there were no Redis");
    redis_is(&server, 0).await;
    let file = server.data.path().join("password");
    std::fs::write(&file, "secret word\n").unwrap();
    let second = server.beside(&format!("{}redis_password_file = \"{}\"\n", settings(&redis), file.display())).await;
    redis_is(&second, 1).await;
    assert!(passes(&second, &key).await);
}
