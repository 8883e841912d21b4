//! Leases: what an edit waits for, who is reaped, and what a node does without one.

use portcullis_engines::Postgres;
use serde_json::json;

use crate::support::{Key, Server};

const QUICK: &str = "lease_ms = 1000\nslack_ms = 100\n";

/// Three nodes, and a user with a business.
async fn three(settings: &str) -> ([Server; 3], String) {
    let first = Server::node(settings).await;
    let (ann, _) = first.owner_of("ann@example.com", "Dental Clinic").await;
    let (second, third) = (first.beside(settings).await, first.beside(settings).await);
    ([first, second, third], ann)
}

async fn valid(node: &Server, key: &Key) -> bool {
    node.verify(&json!({"token": key.token})).await["valid"] == true
}

/// Takes the row of a node away, or changes it, as nobody but a database's owner could.
fn sql(node: &Server, sql: &str) -> String {
    Postgres::shared().sql(node.database(), sql)
}

#[tokio::test]
async fn an_edit_is_on_every_node_when_it_returns() {
    let (nodes, ann) = three("").await;
    for at in 0..30 {
        let key = nodes[at % 3].key(&ann, &json!({"name": "K"})).await;
        for node in &nodes {
            assert!(valid(node, &key).await);
        }
        let path = format!("/users/{ann}/api-keys/{}/revoke", key.id);
        let answer = nodes[(at + 1) % 3].op_post(&path, &json!({})).await;
        answer.ok();
        for node in &nodes {
            assert!(!valid(node, &key).await);
        }
        let edit = &answer.body["edit"];
        assert_eq!(edit["nodes"], json!({"acknowledged": 3, "lease_expired": 0}), "{edit}");
        assert!(edit["seq"].as_i64().unwrap() > 0 && edit["waited_ms"].as_u64().unwrap() < 4_000, "{edit}");
    }
}

#[tokio::test]
async fn what_is_disabled_narrowed_or_removed_is_so_on_every_node() {
    let (nodes, ann) = three("").await;
    let [first, second, third] = &nodes;
    let clinic = first.business("Second Clinic").await;
    first.member(&clinic, &ann, "owner").await;
    let key = second.key(&ann, &json!({"name": "K"})).await;
    let ask = json!({"token": key.token, "permission": "contacts:write", "business_id": clinic});
    assert_eq!(third.verify(&ask).await["code"], "VALID");
    first.member(&clinic, &first.admin, "owner").await;
    second.member(&clinic, &ann, "viewer").await;
    assert_eq!(third.verify(&ask).await["reason"], "permission");
    second.op_delete(&format!("/businesses/{clinic}/members/{ann}")).await.ok();
    assert_eq!(third.verify(&ask).await["reason"], "business");
    third.op_post(&format!("/users/{ann}/disable"), &json!({})).await.ok();
    assert_eq!(first.verify(&ask).await["code"], "USER_DISABLED");
    second.op_post(&format!("/users/{ann}/enable"), &json!({})).await.ok();
    assert_eq!(first.verify(&ask).await["reason"], "business");
}

#[tokio::test]
async fn a_dead_node_costs_one_edit_one_lease_and_is_reaped() {
    let (nodes, ann) = three(QUICK).await;
    let first = &nodes[0];
    // A row that nobody renews: a node that was killed a moment ago.
    sql(first, "INSERT INTO leases VALUES ('node_dead', 7, 0, 1000, '0', '', 0)");
    let key = first.key(&ann, &json!({"name": "K"})).await;
    let answer = first.op_post(&format!("/users/{ann}/api-keys/{}/revoke", key.id), &json!({})).await;
    answer.ok();
    first.until(async || sql(first, "SELECT count(*) FROM leases WHERE node = 'node_dead'").trim() == "0").await;
    let key = first.key(&ann, &json!({"name": "K"})).await;
    let answer = first.op_post(&format!("/users/{ann}/api-keys/{}/revoke", key.id), &json!({})).await;
    assert_eq!(answer.body["edit"]["nodes"], json!({"acknowledged": 3, "lease_expired": 0}));
}

#[tokio::test]
async fn a_node_whose_row_was_taken_away_comes_back_under_another_name() {
    let (nodes, ann) = three(QUICK).await;
    let first = &nodes[0];
    let before = sql(first, "DELETE FROM leases RETURNING node");
    first.until(async || sql(first, "SELECT count(*) FROM leases").trim() == "3").await;
    let after = sql(first, "SELECT node FROM leases");
    assert!(before.lines().all(|node| !after.contains(node)), "{before} {after}");
    let key = first.key(&ann, &json!({"name": "K"})).await;
    assert!(valid(&nodes[1], &key).await);
}

#[tokio::test]
async fn a_node_that_stops_takes_its_lease_back() {
    let ([first, second, third], ann) = three("").await;
    second.stop().await;
    third.stop().await;
    let list = first.op_get("/nodes").await.ok();
    assert_eq!(list["nodes"].as_array().unwrap().len(), 1, "{list}");
    let node = &list["nodes"][0];
    assert_eq!((&node["this"], &node["lag"], &node["lease_ms"]), (&json!(true), &json!(0), &json!(5_000)), "{list}");
    let key = first.key(&ann, &json!({"name": "K"})).await;
    assert!(valid(&first, &key).await);
}

#[tokio::test]
async fn a_node_without_a_lease_reads_from_the_primary_or_refuses() {
    let reading = Server::node(QUICK).await;
    let refusing = reading.beside(&format!("{QUICK}on_lease_loss = \"refuse\"\n")).await;
    let (ann, clinic) = reading.owner_of("ann@example.com", "Dental Clinic").await;
    let key = reading.key(&ann, &json!({"name": "K", "business_scope": {"only": [clinic]}})).await;
    let imported = reading.key(&ann, &json!({"name": "L"})).await;
    // Nobody can renew a lease in a table that is not there.
    sql(&reading, "ALTER TABLE leases RENAME TO away");
    reading.until(async || reading.send(reading.request_root("/readyz")).await.status == 503).await;
    refusing.until(async || refusing.send(refusing.request_root("/readyz")).await.status == 503).await;
    refusing.until(async || refusing.get(&key.token, "/whoami").await.status == 503).await;
    let ask = json!({"token": key.token, "permission": "contacts:read", "business_id": clinic});
    assert_eq!(reading.verify(&ask).await["code"], "VALID");
    assert_eq!(reading.get(&key.token, "/whoami").await.ok()["key_id"], key.id.as_str());
    refusing.op_post("/verify", &ask).await.fails(503, "UNAVAILABLE", None);
    refusing.get(&key.token, "/whoami").await.fails(503, "UNAVAILABLE", None);
    // What is read is the truth of this moment, and nothing of it is kept.
    let sql_revoke = format!("UPDATE api_keys SET revoked_at = 1795203000000 WHERE id = '{}'", key.id);
    sql(&reading, &sql_revoke);
    assert_eq!(reading.verify(&ask).await["reason"], "revoked");
    assert_eq!(reading.verify(&json!({"token": imported.token})).await["code"], "VALID");
    reading.get(&key.token, "/whoami").await.fails(401, "INVALID_API_KEY", Some("revoked"));
    sql(&reading, "ALTER TABLE away RENAME TO leases");
    reading.until(async || reading.send(reading.request_root("/readyz")).await.status == 200).await;
    let metrics = reading.op_metrics().await;
    assert!(!metrics.contains("portcullis_read_through_total 0\n"), "{metrics}");
    assert!(metrics.contains("portcullis_lease_remaining_seconds 0."), "{metrics}");
}

#[tokio::test]
async fn whoever_wants_it_reads_every_decision_through() {
    let server = Server::node("").await;
    let (ann, _) = server.owner_of("ann@example.com", "Dental Clinic").await;
    let key = server.key(&ann, &json!({"name": "K"})).await;
    let ask = json!({"token": key.token, "consistency": "primary"});
    assert_eq!(server.verify(&ask).await["code"], "VALID");
    // Behind the back of the change log, as no edit is made: memory does not know of it.
    sql(&server, &format!("UPDATE api_keys SET revoked_at = 1795203000000 WHERE id = '{}'", key.id));
    assert_eq!(server.verify(&json!({"token": key.token})).await["code"], "VALID");
    assert_eq!(server.verify(&ask).await["reason"], "revoked");
    let answer = server.op_post("/verify", &json!({"token": key.token, "consistency": "sometimes"})).await;
    answer.fails(400, "INVALID_REQUEST", None);
}

/// Another program's kind of change, or a log that was cut, is no reason to guess.
#[tokio::test]
async fn attack_64_an_unknown_kind_of_change_is_a_reason_to_read_everything_anew() {
    let (nodes, ann) = three("").await;
    let first = &nodes[0];
    let key = first.key(&ann, &json!({"name": "K"})).await;
    sql(
        first,
        &format!(
            "BEGIN; UPDATE change_head SET seq = seq + 1; UPDATE api_keys SET revoked_at = 1795203000000 WHERE id = '{}';
            INSERT INTO changes SELECT seq, 0, 0, 'key_frozen', 'x', '{{}}' FROM change_head; COMMIT",
            key.id
        ),
    );
    for node in &nodes {
        node.until(async || !valid(node, &key).await).await;
    }
    // A gap: an edit that is numbered and not in the log.
    let key = first.key(&ann, &json!({"name": "K"})).await;
    sql(
        first,
        &format!(
            "BEGIN; UPDATE change_head SET seq = seq + 5; UPDATE api_keys SET revoked_at = 1795203000000 WHERE id = '{}'; COMMIT",
            key.id
        ),
    );
    for node in &nodes {
        node.until(async || !valid(node, &key).await).await;
    }
}

#[tokio::test]
async fn attack_53_a_database_that_was_set_back_is_told_what_was_revoked() {
    let (nodes, ann) = three(QUICK).await;
    let first = &nodes[0];
    let (dead, live) = (first.key(&ann, &json!({"name": "D"})).await, first.key(&ann, &json!({"name": "L"})).await);
    first.revoke(&ann, &dead).await;
    // As a restore would: the key lives again, and the log ends earlier.
    sql(
        first,
        &format!(
            "BEGIN; ALTER TABLE api_keys DISABLE TRIGGER USER; UPDATE api_keys SET revoked_at = NULL WHERE id = '{}';
            ALTER TABLE api_keys ENABLE TRIGGER USER; DELETE FROM changes WHERE seq = (SELECT seq FROM change_head);
            UPDATE change_head SET seq = seq - 1, incarnation = 'another'; COMMIT",
            dead.id
        ),
    );
    let reason = format!("SELECT revoked_reason FROM api_keys WHERE id = '{}'", dead.id);
    first
        .until(async || {
            for node in &nodes {
                let answer = node.op_post("/verify", &json!({"token": dead.token})).await;
                assert!(answer.status == 503 || answer.body["data"]["valid"] == false, "{}", answer.text);
            }
            sql(first, &reason).contains("set back")
        })
        .await;
    for node in &nodes {
        node.until(async || {
            let answer = node.op_post("/verify", &json!({"token": live.token})).await;
            answer.body["data"]["code"] == "VALID"
        })
        .await;
        assert_eq!(node.verify(&json!({"token": dead.token})).await["reason"], "revoked");
    }
}

#[tokio::test]
async fn after_a_restart_of_the_database_edits_wait_for_the_leases_of_before() {
    let server = Postgres::start(&[]);
    server.sql("postgres", "CREATE DATABASE ours");
    let first = Server::on(QUICK, &server.url("ours")).await;
    let (ann, _) = first.owner_of("ann@example.com", "Dental Clinic").await;
    let key = first.key(&ann, &json!({"name": "K"})).await;
    let revoke = format!("/users/{ann}/api-keys/{}/revoke", key.id);
    let ask = json!({"token": key.token});
    server.crash();
    server.resume();
    first.until(async || first.op_post("/verify", &ask).await.body["data"]["valid"] == true).await;
    first.until(async || first.op_post(&revoke, &json!({})).await.status == 200).await;
    assert!(!valid(&first, &key).await);
    // After that it is as before.
    first
        .until(async || {
            let key = first.key(&ann, &json!({"name": "K"})).await;
            let answer = first.op_post(&format!("/users/{ann}/api-keys/{}/revoke", key.id), &json!({})).await;
            answer.body["edit"]["nodes"] == json!({"acknowledged": 1, "lease_expired": 0})
                && answer.body["edit"]["waited_ms"].as_u64().unwrap() < 900
        })
        .await;
}

#[tokio::test]
async fn a_canary_is_made_used_revoked_and_tried_again_on_every_node() {
    let (nodes, _) = three("canary_seconds = 1\nlease_ms = 1000\nslack_ms = 100\n").await;
    let rounds = async || {
        let mut rounds = 0;
        for node in &nodes {
            let metrics = node.op_metrics().await;
            assert!(metrics.contains("portcullis_canary_late_accepts_total 0\n"), "{metrics}");
            let line = metrics.lines().find(|line| line.starts_with("portcullis_canary_rounds_total ")).unwrap();
            rounds += line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        }
        rounds
    };
    nodes[0].until(async || rounds().await >= 2).await;
    let keys = sql(&nodes[0], "SELECT count(*), count(revoked_at) FROM api_keys WHERE name = 'Canary'");
    let (made, revoked) = keys.trim().split_once('|').unwrap();
    assert!(revoked.parse::<u32>().unwrap() >= 2 && made.parse::<u32>().unwrap() >= 2, "{keys}");
    // Each of the nodes was asked, before and after: so often the key was used, and so often refused.
    let used = async || {
        let (user, wanted) = (sql(&nodes[0], "SELECT id FROM users WHERE name = 'Canary'"), 6);
        let usage = nodes[0].op_get(&format!("/users/{}/usage", user.trim())).await.ok();
        usage["totals"]["VALID"].as_u64().unwrap_or(0) >= wanted
            && usage["totals"]["INVALID_API_KEY"].as_u64().unwrap_or(0) >= wanted
    };
    nodes[0].until(used).await;
}

/// The first tries to read the restored database fail, and when it can be read its numbers tell nothing any more.
#[tokio::test]
async fn attack_53_what_a_database_has_forgotten_is_found_out_however_late_it_can_be_read() {
    let node = Server::node(QUICK).await;
    let (ann, _) = node.owner_of("ann@example.com", "Dental Clinic").await;
    let (dead, live) = (node.key(&ann, &json!({"name": "D"})).await, node.key(&ann, &json!({"name": "L"})).await);
    node.revoke(&ann, &dead).await;
    sql(
        &node,
        &format!(
            "BEGIN; ALTER TABLE api_keys DISABLE TRIGGER USER; UPDATE api_keys SET revoked_at = NULL WHERE id = '{}';
            ALTER TABLE api_keys ENABLE TRIGGER USER; DELETE FROM changes WHERE seq = (SELECT seq FROM change_head);
            UPDATE change_head SET seq = seq - 1, incarnation = 'another'; ALTER TABLE limits RENAME TO away; COMMIT",
            dead.id
        ),
    );
    node.until(async || node.send(node.request_root("/readyz")).await.status == 503).await;
    let answer = node.op_post("/verify", &json!({"token": dead.token})).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    sql(&node, "BEGIN; UPDATE change_head SET seq = seq + 10; ALTER TABLE away RENAME TO limits; COMMIT");
    let ask = json!({"token": live.token});
    node.until(async || node.op_post("/verify", &ask).await.body["data"]["code"] == "VALID").await;
    node.until(async || node.send(node.request_root("/readyz")).await.status == 200).await;
    assert_eq!(node.verify(&json!({"token": dead.token})).await["reason"], "revoked");
    let reason = sql(&node, &format!("SELECT revoked_reason FROM api_keys WHERE id = '{}'", dead.id));
    assert!(reason.contains("set back"), "{reason}");
}

/// A replica that had not heard of a revoke takes over, and another edit takes the number of the lost one: the numbers tell nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_53_a_replica_that_takes_over_is_told_what_it_had_not_heard() {
    let primary = Postgres::start(&["wal_level=replica", "max_wal_senders=4"]);
    primary.sql("postgres", "CREATE DATABASE ours");
    let node = Server::on(QUICK, &primary.url("ours")).await;
    let (ann, _) = node.owner_of("ann@example.com", "Dental Clinic").await;
    let (dead, live) = (node.key(&ann, &json!({"name": "D"})).await, node.key(&ann, &json!({"name": "L"})).await);
    let mut replica = primary.replica();
    replica.crash();
    node.revoke(&ann, &dead).await;
    primary.crash();
    replica.resume();
    replica.sql("postgres", "SELECT pg_promote(TRUE, 60)");
    replica.sql("ours", "UPDATE change_head SET seq = seq + 1");
    replica.take_over(&primary);
    let reason = format!("SELECT revoked_reason FROM api_keys WHERE id = '{}'", dead.id);
    node.until(async || {
        let answer = node.op_post("/verify", &json!({"token": dead.token})).await;
        assert!(answer.status == 503 || answer.body["data"]["valid"] == false, "{}", answer.text);
        replica.sql("ours", &reason).contains("set back")
    })
    .await;
    node.until(async || node.op_post("/verify", &json!({"token": live.token})).await.body["data"]["valid"] == true)
        .await;
}
