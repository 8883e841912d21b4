//! A process that is killed, and a disk that is full: what was counted stays counted, and what was spent stays spent.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Quickstart, directory, portcullis};

/// How many requests the clients sent, and how many answers they had.
#[derive(Debug, Default)]
struct Seen {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Seen {
    fn numbers(&self) -> (u64, u64) {
        (self.sent.load(Ordering::SeqCst), self.answered.load(Ordering::SeqCst))
    }
}

/// Clients that ask as fast as they can, until nobody answers.
fn hammer(server: &Quickstart, operator: &str, keys: &[String], seen: &Arc<Seen>) -> Vec<tokio::task::JoinHandle<()>> {
    let url = format!("{}/api/v1/verify", server.text("url"));
    let client = |n: usize| {
        let (url, operator) = (url.clone(), operator.to_owned());
        let (keys, seen) = (keys.to_vec(), Arc::clone(seen));
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            for token in keys.iter().cycle().skip(n) {
                seen.sent.fetch_add(1, Ordering::SeqCst);
                let request = client.post(&url).bearer_auth(&operator).json(&json!({"token": token}));
                let Ok(answer) = request.send().await else { return };
                let Ok(body) = answer.json::<Value>().await else { return };
                assert_eq!(body["success"], true, "{body}");
                seen.answered.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    (0..8).map(client).collect()
}

async fn keys(server: &Quickstart, user: &str, many: usize) -> Vec<String> {
    let mut keys = Vec::new();
    for n in 0..many {
        let path = format!("/users/{user}/api-keys");
        let (status, made) =
            server.send(Method::POST, server.text("operator_token"), &path, &json!({"name": format!("K{n}")})).await;
        assert_eq!(status, 201, "{made}");
        keys.push(made["data"]["token"].as_str().unwrap().to_owned());
    }
    keys
}

async fn counted(server: &Quickstart, operator: &str, of: &str) -> u64 {
    let (status, usage) = server.send(Method::GET, operator, &format!("{of}/usage?window=7d"), &json!({})).await;
    assert_eq!(status, 200, "{usage}");
    usage["data"]["totals"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// How often a server is killed: a few times in every test run, and as often as `just soak` says.
fn rounds() -> u64 {
    std::env::var("SOAK_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap())
}

/// Each round the server is killed under full load: in the middle of counting, of writing, of growing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_61_kill_9_under_load_loses_no_count_and_doubles_none() {
    let place = directory();
    let mut server = Quickstart::start_quietly(place.path());
    let (user, operator) = (server.text("user_id").to_owned(), server.text("operator_token").to_owned());
    let keys = keys(&server, &user, 40).await;
    let (mut answered, mut sent) = (0, 0);
    for round in 0..rounds() {
        let seen = Arc::new(Seen::default());
        let clients = hammer(&server, &operator, &keys, &seen);
        tokio::time::sleep(Duration::from_millis(700 + 353 * (round % 7))).await;
        server.kill();
        for client in clients {
            client.await.unwrap();
        }
        let (more_sent, more_answered) = seen.numbers();
        assert!(more_answered > 100, "the load was {more_answered} answers");
        (sent, answered) = (sent + more_sent, answered + more_answered);
        server = Quickstart::start_quietly(place.path());
        let counted = counted(&server, &operator, &format!("/users/{user}")).await;
        assert!(
            (answered..=sent).contains(&counted),
            "round {round}: {answered} answered, {counted} counted, {sent} sent"
        );
        // What was in flight when it was killed is at most one request of each client.
        assert!(sent - answered <= 8 * (round + 1), "{sent} {answered}");
    }
    let of_keys = async || {
        let path = format!("/users/{user}/api-keys?limit=100");
        let (_, list) = server.send(Method::GET, &operator, &path, &json!({})).await;
        list["data"].as_array().unwrap().iter().map(|key| key["usage"]["last_24h"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(
        of_keys().await,
        counted(&server, &operator, &format!("/users/{user}")).await,
        "the keys' sum is their owner's"
    );
}

#[tokio::test]
async fn kill_9_gives_no_call_back() {
    let place = directory();
    let mut server = Quickstart::start_quietly(place.path());
    let user = server.text("user_id").to_owned();
    let operator = server.text("operator_token").to_owned();
    let made = server.send(Method::POST, &operator, &format!("/users/{user}/api-keys"), &json!({"name": "K"})).await.1;
    let (id, token) = (made["data"]["api_key"]["id"].as_str().unwrap(), made["data"]["token"].as_str().unwrap());
    let limits = json!({"limits": [{"name": "daily", "limit": 90, "window_seconds": 86_400},
        {"name": "great", "limit": 10_000, "window_seconds": 86_400}], "quotas": {"per_month": 70}});
    let set = server.send(Method::PUT, &operator, &format!("/users/{user}/api-keys/{id}/limits"), &limits).await;
    assert_eq!(set.0, 200, "{}", set.1);
    for round in 0..7 {
        for _ in 0..10 {
            assert_eq!(server.verify(&operator, token).await["valid"], true, "round {round}");
        }
        server.kill();
        server = Quickstart::start_quietly(place.path());
    }
    assert_eq!(server.verify(&operator, token).await["reason"], "quota");
    let without = json!({"limits": limits["limits"]});
    server.send(Method::PUT, &operator, &format!("/users/{user}/api-keys/{id}/limits"), &without).await;
    // 70 passed, and the one that the quota refused had come through the windows.
    let mut passed = 0;
    while server.verify(&operator, token).await["valid"] == true {
        passed += 1;
    }
    assert_eq!(passed, 19);
}

/// A server whose data are on a disk of its own that has so much room.
fn start_on_small_disk(place: &Path, megabytes: u32) -> Quickstart {
    std::fs::create_dir(place.join("store")).unwrap();
    let mount = format!("mount -t tmpfs -o size={megabytes}m tmpfs \"$0\"/store && exec \"$@\"");
    let server = portcullis(&[]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &mount]).arg(place).arg(server.get_program());
    command.env_clear().envs(std::env::vars().filter(|(name, _)| !name.starts_with("PORTCULLIS_")));
    Quickstart::start_as(command, place)
}

#[tokio::test]
async fn attack_60_with_a_full_disk_edits_say_so_and_verification_goes_on() {
    let place = directory();
    let server = start_on_small_disk(place.path(), 24);
    let user = server.text("user_id").to_owned();
    let operator = server.text("operator_token").to_owned();
    let token = keys(&server, &user, 1).await.remove(0);
    let many = import(&server, &user, 2_000).await;
    // Some of what is counted is in the database before the disk is full.
    for _ in 0..50 {
        assert_eq!(server.verify(&operator, &token).await["valid"], true);
    }
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let on_disk = format!("/proc/{}/root{}", server.pid(), place.path().join("store").display());
    let filler = Path::new(&on_disk).join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let full = loop {
        if let Err(error) = std::io::Write::write_all(&mut file, &[1; 4_096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");

    let path = format!("/users/{user}/api-keys");
    refused_for_want_of_room(&server, &operator, &path).await;
    for _ in 0..300 {
        let decision = server.verify(&operator, &token).await;
        assert_eq!(decision["valid"], true, "{decision}");
    }
    assert_eq!(
        counted(&server, &operator, &format!("/users/{user}")).await,
        350,
        "counted, though it cannot be written"
    );
    // More keys than the spool has room for, which cannot grow now.
    for tokens in many.chunks(100) {
        let questions: Vec<Value> = tokens.iter().map(|token| json!({"token": token})).collect();
        let (_, answers) = server.send(Method::POST, &operator, "/verify/batch", &json!({"requests": questions})).await;
        assert!(answers["data"].as_array().unwrap().iter().all(|answer| answer["valid"] == true), "{answers}");
    }
    assert_eq!(counted(&server, &operator, &format!("/users/{user}")).await, 2_350);
    assert!(server.metrics().await.contains("portcullis_spool_volatile 1\n"));

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    let mut tries = 0;
    loop {
        let (status, body) = server.send(Method::POST, &operator, &path, &json!({"name": "Room again"})).await;
        if status == 201 {
            break;
        }
        tries += 1;
        assert!(tries < 50, "{body}: {}", std::fs::read_to_string(&server.log).unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(counted(&server, &operator, &format!("/users/{user}")).await, 2_350);
}

/// Makes keys until there is no room left for one more, and looks at what is said then.
async fn refused_for_want_of_room(server: &Quickstart, operator: &str, path: &str) {
    // What room SQLite has in its own files is used up first.
    let wanted = json!({"name": "x".repeat(100), "metadata": {"m": "y".repeat(3_000)}});
    let refused = loop {
        let (status, body) = server.send(Method::POST, operator, path, &wanted).await;
        if status != 201 {
            break (status, body);
        }
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert_eq!(
        (&refused.1["code"], &refused.1["reason"]),
        (&json!("UNAVAILABLE"), &json!("disk_full")),
        "{}",
        refused.1
    );
    assert!(refused.1["message"].as_str().unwrap().contains("disk is full"), "{}", refused.1);
}

/// Keys that were issued elsewhere, which are quickly made; their tokens.
async fn import(server: &Quickstart, user: &str, many: usize) -> Vec<String> {
    let tokens: Vec<String> = (0..many).map(|n| format!("sk_old_{n}")).collect();
    for tokens in tokens.chunks(200) {
        let sha256 = |token: &String| HEXLOWER.encode(digest(&SHA256, token.as_bytes()).as_ref());
        let keys: Vec<Value> = tokens.iter().map(|token| json!({"name": token, "sha256": sha256(token)})).collect();
        let path = format!("/users/{user}/api-keys/import");
        let (status, made) =
            server.send(Method::POST, server.text("operator_token"), &path, &json!({"keys": keys})).await;
        assert_eq!(status, 200, "{made}");
    }
    tokens
}
