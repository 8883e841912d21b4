//! What the database itself holds to, whatever program writes to it.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::{Engine, OpenError, Store, sqlite};

async fn open() -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let store = sqlite::open(&directory.path().join("new/store")).await.unwrap();
    (directory, store)
}

/// Runs statements that no code of ours has, and returns the database's words where it refuses.
async fn run(store: &Store, sql: &'static str) -> Result<(), String> {
    let Engine::Sqlite(pool) = &store.writer else { panic!("this is about SQLite") };
    sqlx::raw_sql(sql).execute(pool).await.map(|_| ()).map_err(|error| error.to_string())
}

async fn ask<T>(store: &Store, sql: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let Engine::Sqlite(pool) = &store.writer else { panic!("this is about SQLite") };
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

const ROWS: &str = "
    INSERT INTO users VALUES ('usr_1', 'a@b', 'a@b', 'A', NULL, FALSE, 1, NULL);
    INSERT INTO api_keys (id, family_id, user_id, name, environment, prefix, hint, digest, pepper_version, unrestricted,
        user_management, allowed_ips, created_at, revoked_at)
        VALUES ('key_1', 'fam_1', 'usr_1', 'A', 'live', 'ak_live_', 'abcd', X'00', 1, TRUE, FALSE, '[]', 1, 2);
    INSERT INTO operator_keys VALUES ('opk_1', 'A', 'abcd', X'00', 1, '[]', 1, 2);
    INSERT INTO audit_events (number, hash, id, at, action, actor_kind, target_id)
        VALUES (1, X'00', 'evt_1', 1, 'a.b', 'setup', 'usr_1');";

#[tokio::test]
async fn attack_32_no_statement_brings_a_revoked_key_back() {
    let (_directory, store) = open().await;
    run(&store, ROWS).await.unwrap();
    for sql in [
        "UPDATE api_keys SET revoked_at = NULL",
        "UPDATE api_keys SET revoked_at = 3, name = 'B'",
        "UPDATE operator_keys SET revoked_at = NULL",
        "DELETE FROM api_keys",
    ] {
        let refusal = run(&store, sql).await.unwrap_err();
        assert!(refusal.contains("revoked"), "{sql}: {refusal}");
    }
    run(&store, "UPDATE api_keys SET name = 'B'").await.unwrap();
}

#[tokio::test]
async fn attack_52_no_statement_changes_an_audit_event() {
    let (_directory, store) = open().await;
    run(&store, ROWS).await.unwrap();
    for sql in ["UPDATE audit_events SET action = 'c.d'", "DELETE FROM audit_events"] {
        let refusal = run(&store, sql).await.unwrap_err();
        assert!(refusal.contains("never"), "{sql}: {refusal}");
    }
}

#[tokio::test]
async fn attack_63_one_directory_has_one_server() {
    let (_directory, store) = open().await;
    let path = store_path(&store).await;
    let second = sqlite::open(&path).await;
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
    store.close().await;
    drop(store);
    sqlite::open(&path).await.unwrap();
}

async fn store_path(store: &Store) -> std::path::PathBuf {
    let file: String = ask(store, "SELECT file FROM pragma_database_list WHERE name = 'main'").await;
    std::path::Path::new(&file).parent().unwrap().to_owned()
}

#[tokio::test]
async fn the_settings_that_make_a_commit_last_are_on() {
    let (_directory, store) = open().await;
    assert_eq!(ask::<String>(&store, "PRAGMA journal_mode").await, "wal");
    assert_eq!(ask::<i64>(&store, "PRAGMA synchronous").await, 2, "FULL");
    assert_eq!(ask::<i64>(&store, "PRAGMA foreign_keys").await, 1);
    let version: String = ask(&store, "SELECT sqlite_version()").await;
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers >= vec![3, 51, 3], "{version} has a defect that can lose commits of a WAL");
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let (_directory, store) = open().await;
    run(&store, ROWS).await.unwrap();
    let path = store_path(&store).await;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn an_edit_that_is_not_committed_never_was() {
    let (_directory, store) = open().await;
    let mut edit = store.edit().await.unwrap();
    edit.insert_fact("a", "b").await.unwrap();
    drop(edit);
    let mut edit = store.edit().await.unwrap();
    assert_eq!(edit.fact("a").await.unwrap(), None);
}

/// The number of the log grows by one with each edit, and its rows come back in order, whole edits at a time.
#[tokio::test]
async fn the_log_is_read_in_whole_edits() {
    use portcullis_core::change::{BusinessState, Change};
    use portcullis_core::id::BusinessId;
    use portcullis_core::time::Timestamp;

    let (_directory, store) = open().await;
    let change = |n| Change::BusinessSet(BusinessState { id: BusinessId::from_bytes([n; 16]), disabled: false });
    for (seq, rows) in [(1, 1), (2, 3), (3, 2)] {
        let mut edit = store.edit().await.unwrap();
        let changes: Vec<_> = (0..rows).map(change).collect();
        assert_eq!(edit.log_changes(&changes, Timestamp::from_millis(seq)).await.unwrap(), seq);
        edit.commit().await.unwrap();
    }
    assert_eq!(store.head().await.unwrap(), 3);
    let numbers = async |after, most| -> Vec<i64> {
        store.changes_after(after, most).await.unwrap().iter().map(|change| change.seq).collect()
    };
    assert_eq!(numbers(0, 100).await, [1, 2, 2, 2, 3, 3]);
    assert_eq!(numbers(0, 2).await, [1, 2, 2, 2], "the second edit is not cut in two");
    assert_eq!(numbers(2, 1).await, [3, 3]);
    assert_eq!(numbers(3, 1).await, [0; 0]);
    let mut edit = store.edit().await.unwrap();
    assert_eq!(edit.prune_changes(Timestamp::from_millis(3)).await.unwrap(), 4);
    edit.commit().await.unwrap();
    assert_eq!(numbers(0, 100).await, [3, 3]);
}

/// Past the triggers, as somebody with the file in hands would: every change of every column is found, and named.
#[tokio::test]
async fn attack_52_an_audit_row_that_was_changed_taken_out_or_moved_is_named() {
    use portcullis_core::audit::{Actor, AuditAction, AuditEvent, Origin};
    use portcullis_core::id::AuditEventId;
    use portcullis_core::time::Timestamp;

    for (tampering, named) in [
        ("UPDATE audit_events SET action = 'user.enabled' WHERE number = 3", 3),
        ("UPDATE audit_events SET at = at + 1 WHERE number = 1", 1),
        ("UPDATE audit_events SET id = 'evt_x' WHERE number = 5", 5),
        ("UPDATE audit_events SET actor_kind = 'api_key' WHERE number = 2", 2),
        ("UPDATE audit_events SET actor_id = '' WHERE number = 2", 2),
        ("UPDATE audit_events SET target_id = 'usr_y' WHERE number = 2", 2),
        ("UPDATE audit_events SET user_id = 'usr_y' WHERE number = 4", 4),
        ("UPDATE audit_events SET business_id = 'biz_y' WHERE number = 4", 4),
        ("UPDATE audit_events SET address = '::2' WHERE number = 4", 4),
        ("UPDATE audit_events SET request_id = 'req_y' WHERE number = 4", 4),
        ("UPDATE audit_events SET before_json = '{}' WHERE number = 4", 4),
        ("UPDATE audit_events SET after_json = '{\"n\": 4}' WHERE number = 4", 4),
        ("UPDATE audit_events SET hash = zeroblob(32) WHERE number = 4", 4),
        ("DELETE FROM audit_events WHERE number = 3", 4),
        ("UPDATE audit_events SET number = 9 WHERE number = 3", 4),
        ("UPDATE audit_events SET number = -number; UPDATE audit_events SET number = 7 + number", 1),
    ] {
        let (_directory, store) = open().await;
        let mut edit = store.edit().await.unwrap();
        for n in 1..=6 {
            let event = AuditEvent {
                action: AuditAction::UserDisabled,
                target: format!("usr_{n}"),
                user: None,
                business: None,
                before: None,
                after: Some(serde_json::json!({"n": n})),
            };
            let (id, at) = (AuditEventId::from_bytes([n; 16]), Timestamp::from_millis(n.into()));
            edit.insert_audit_event(id, at, &Actor::Setup, &Origin::default(), &event).await.unwrap();
        }
        edit.commit().await.unwrap();
        let path = store_path(&store).await;
        let mut config = crate::config::Config::read("", std::iter::empty()).unwrap();
        config.data = path;
        let walk = async || crate::audit::walk(&config, |_, _| std::ops::ControlFlow::Continue(())).await.unwrap();
        assert_eq!(walk().await, Ok(6));
        run(&store, "DROP TRIGGER audit_events_are_not_changed; DROP TRIGGER audit_events_are_kept").await.unwrap();
        run(&store, tampering).await.unwrap();
        assert_eq!(walk().await.map_err(|broken| broken.number), Err(named), "{tampering}");
    }
}
