//! What the database itself holds to, whatever program writes to it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use portcullis_core::change::Change;
use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;
use tempfile::TempDir;

use super::tables::{Kind, TABLES};
use super::{Engine, OpenError, Store, on, sqlite};
use crate::config::{Config, SecretUrl};
use portcullis_engines::Postgres;

async fn open() -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let store = sqlite::open(&directory.path().join("new/store")).await.unwrap();
    (directory, store)
}

/// A store on PostgreSQL, with the settings that name it.
async fn on_postgres() -> (TempDir, Store, Config) {
    let directory = TempDir::new().unwrap();
    let mut config = Config::read("", std::iter::empty()).unwrap();
    config.data = directory.path().join("store");
    config.database.url = Some(SecretUrl::new(Postgres::shared().database()));
    let store = Store::open(&config).await.unwrap();
    (directory, store, config)
}

/// A store on each engine.
async fn on_both() -> [(TempDir, Store); 2] {
    let (directory, store, _) = on_postgres().await;
    [open().await, (directory, store)]
}

/// Runs statements that no code of ours has, and returns the database's words where it refuses.
async fn run(store: &Store, sql: &'static str) -> Result<(), String> {
    on!(&store.writer, |pool| sqlx::raw_sql(sql).execute(pool).await.map(drop).map_err(|error| error.to_string()))
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
        VALUES ('key_1', 'fam_1', 'usr_1', 'A', 'live', 'ak_live_', 'abcd', '\\x00', 1, TRUE, FALSE, '[]', 1, 2);
    INSERT INTO operator_keys VALUES ('opk_1', 'A', 'abcd', '\\x00', 1, '[]', 1, 2);
    INSERT INTO audit_events (number, hash, id, at, action, actor_kind, target_id)
        VALUES (1, '\\x00', 'evt_1', 1, 'a.b', 'setup', 'usr_1');";

#[tokio::test]
async fn attack_32_no_statement_brings_a_revoked_key_back() {
    for (_directory, store) in on_both().await {
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
}

#[tokio::test]
async fn attack_52_no_statement_changes_an_audit_event() {
    for (_directory, store) in on_both().await {
        run(&store, ROWS).await.unwrap();
        for sql in ["UPDATE audit_events SET action = 'c.d'", "DELETE FROM audit_events"] {
            let refusal = run(&store, sql).await.unwrap_err();
            assert!(refusal.contains("never"), "{sql}: {refusal}");
        }
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
    for (_directory, store) in on_both().await {
        let mut edit = store.edit().await.unwrap();
        edit.insert_fact("a", "b").await.unwrap();
        drop(edit);
        let mut edit = store.edit().await.unwrap();
        assert_eq!(edit.fact("a").await.unwrap(), None);
    }
}

/// The number of the log grows by one with each edit, and its rows come back in order, whole edits at a time.
#[tokio::test]
async fn the_log_is_read_in_whole_edits() {
    use portcullis_core::change::{BusinessState, Change};
    use portcullis_core::id::BusinessId;
    use portcullis_core::time::Timestamp;

    for (_directory, store) in on_both().await {
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
        ("UPDATE audit_events SET hash = (SELECT hash FROM audit_events WHERE number = 5) WHERE number = 4", 4),
        ("DELETE FROM audit_events WHERE number = 3", 4),
        ("UPDATE audit_events SET number = 9 WHERE number = 3", 4),
        ("UPDATE audit_events SET number = -number; UPDATE audit_events SET number = 7 + number", 1),
    ] {
        for (_directory, store) in on_both().await {
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
            let go_on = |_: &_, _: &_| std::ops::ControlFlow::Continue(());
            let walk = async || crate::manage::audit::walk_store(&store, go_on).await.unwrap();
            assert_eq!(walk().await, Ok(6));
            run(&store, without_triggers(&store)).await.unwrap();
            run(&store, tampering).await.unwrap();
            assert_eq!(walk().await.map_err(|broken| broken.number), Err(named), "{tampering}");
        }
    }
}

/// Two that wait for each other: PostgreSQL gives one of them up, and it does its work again.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_gives_up_is_done_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let (_directory, store, _) = on_postgres().await;
    let (both_began, tries) = (tokio::sync::Barrier::new(2), AtomicUsize::new(0));
    let write = async |first: &str, second: &str| {
        super::again!({
            let is_first_try = tries.fetch_add(1, Ordering::Relaxed) < 2;
            let mut edit = store.write().await?;
            edit.put_fact(first, "").await?;
            if is_first_try {
                both_began.wait().await;
            }
            edit.put_fact(second, "").await?;
            edit.commit().await
        })
    };
    let (one, other) = tokio::join!(write("a", "b"), write("b", "a"));
    one.unwrap();
    other.unwrap();
    // On a machine that has much else to do it may be given up more than once.
    assert!(tries.load(Ordering::Relaxed) >= 3);
}

fn without_triggers(store: &Store) -> &'static str {
    match &store.writer {
        Engine::Sqlite(_) => "DROP TRIGGER audit_events_are_not_changed; DROP TRIGGER audit_events_are_kept",
        Engine::Postgres(_) => "ALTER TABLE audit_events DISABLE TRIGGER USER",
    }
}

/// What is copied and backed up is all that there is: a new table or column cannot be forgotten.
#[tokio::test]
async fn every_table_and_column_is_one_that_is_moved() {
    const COLUMNS: &str = "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1, 2";
    let (_directory, store) = open().await;
    let Engine::Sqlite(pool) = &store.writer else { panic!("this is about SQLite") };
    let there: Vec<(String, String, String)> = sqlx::query_as(COLUMNS).fetch_all(pool).await.unwrap();
    // What is of this life of the database alone: the head and the log of changes, and who follows it.
    let there = there.into_iter().filter(|(table, ..)| !["change_head", "changes", "leases"].contains(&table.as_str()));
    let word = |kind: Kind| match kind {
        Kind::Text => "TEXT",
        Kind::Number => "BIGINT",
        Kind::Flag => "BOOLEAN",
        Kind::Bytes => "BYTEA",
    };
    let mut moved: Vec<(String, String, String)> = Vec::new();
    for table in TABLES {
        let columns = table.columns.iter().map(|&(name, kind)| (name.to_owned(), word(kind).to_owned()));
        moved.extend(columns.map(|(name, kind)| (table.name.to_owned(), name, kind)));
    }
    moved.sort();
    assert_eq!(moved, there.collect::<Vec<_>>());
}

/// Every statement that stands in the sources as one text is understood by both engines, also where no test runs it.
#[tokio::test]
async fn every_statement_is_prepared_on_both_engines() {
    use sqlx::Executor as _;

    let (_sqlite, sqlite) = open().await;
    let (_postgres, postgres, _) = on_postgres().await;
    let (Engine::Sqlite(sqlite), Engine::Postgres(postgres)) = (&sqlite.reader, &postgres.reader) else {
        panic!("each is on its engine")
    };
    let mut seen = 0;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let is = |names: &[&str]| names.iter().any(|name| path.ends_with(name));
        let (of_postgres, of_sqlite) = (is(&["leases.rs", "postgres.rs"]), is(&["sqlite.rs", "packed.rs", "tests.rs"]));
        for sql in statements(&source) {
            let shown = format!("{}: {sql}", path.display());
            // It is text of this repository.
            let safe = || sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql.clone()));
            if !of_sqlite {
                postgres.prepare(safe()).await.map_or_else(|error| panic!("{shown}: {error}"), drop);
            }
            if !of_postgres && !sql.contains("FOR UPDATE") {
                sqlite.prepare(safe()).await.map_or_else(|error| panic!("{shown}: {error}"), drop);
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} statements were found");
}

/// The whole statements among a source's texts; pieces of those that macros put together are run by the tests of the API.
fn statements(source: &str) -> Vec<String> {
    let constants = source.split("&str =").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    let texts = constants.filter_map(|rest| rest.split_once("\";").map(|(text, _)| text.replace("\\\\", "\\")));
    let begins = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];
    texts.filter(|text| begins.iter().any(|begin| text.starts_with(begin)) && !text.ends_with(' ')).collect()
}

/// A snapshot reads many rows in one go where it can, and one key by its columns: both find the same, and on both engines.
#[tokio::test]
async fn a_snapshot_holds_every_key_as_it_is() {
    const ROWS: &str = "
        INSERT INTO users VALUES ('usr_00000000000000000000000001', 'a', 'a', 'A', NULL, FALSE, 1, NULL);
        INSERT INTO businesses VALUES ('biz_00000000000000000000000001', 'B', 1, NULL),
            ('biz_00000000000000000000000002', 'C', 1, 5);
        INSERT INTO memberships VALUES ('usr_00000000000000000000000001', 'biz_00000000000000000000000001',
            'rol_00000000000000000000000001', 1);";
    const SCOPES: &str = "
        INSERT INTO api_key_businesses VALUES ('key_00000000000000000000000002', 'biz_00000000000000000000000001'),
            ('key_00000000000000000000000002', 'biz_00000000000000000000000002');";
    // Plain; just expired; with all that there is; restricted to nothing; and revoked so long ago that it is forgotten.
    const KEYS: [&str; 5] = [
        "'Plain', TRUE, NULL, FALSE, '[]', NULL, NULL, NULL, FALSE",
        "'', TRUE, NULL, TRUE, '[]', NULL, 8000000000000, NULL, TRUE",
        "'Two\n\"lines\", é 00000004', FALSE, '[\"calls:read\"]', TRUE, '[\"10.0.0.0/8\"]', '{\"a\":\"é\"}', 9000000000001, 8000000000000, TRUE",
        "'None', FALSE, '[]', FALSE, '[]', NULL, NULL, NULL, FALSE",
        "'Gone', TRUE, NULL, FALSE, '[]', NULL, NULL, 1, FALSE",
    ];
    let mut states = Vec::new();
    for (_directory, store) in on_both().await {
        let (before, after) = if matches!(store.writer, Engine::Sqlite(_)) { ("x'", "'") } else { ("'\\x", "'") };
        let keys = KEYS.iter().enumerate().map(|(n, key)| {
            format!(
                "INSERT INTO api_keys (id, family_id, user_id, environment, prefix, hint, digest, pepper_version, created_at,
                name, unrestricted, permissions, user_management, allowed_ips, metadata, expires_at, revoked_at, imported)
                VALUES ('key_0000000000000000000000000{n}', 'fam_00000000000000000000000009',
                'usr_00000000000000000000000001', 'test', 'ak_test_', 'hint', {before}{n:064}{after}, 1, 1, {key});"
            )
        });
        let sql = sqlx::AssertSqlSafe(format!("{ROWS}{}{SCOPES}", keys.collect::<String>()));
        on!(&store.writer, |db| sqlx::raw_sql(sql).execute(db).await.map(drop)).unwrap();
        let mut all = Vec::new();
        let mut take = |change: Change| {
            all.push(change.to_row().unwrap());
            Ok(())
        };
        store.snapshot(Timestamp::from_millis(8_000_000_000_001), &mut take).await.unwrap();
        for (n, key) in (0_u8..).zip(KEYS) {
            let mut one = Vec::new();
            let mut take = |change: Change| {
                one.push(change.to_row().unwrap());
                Ok(())
            };
            let mut digest = [0; 32];
            digest[31] = n;
            store.snapshot_of(&Digest::from_bytes(digest), &mut take).await.unwrap();
            let of_key = one.pop().unwrap();
            assert_eq!(all.contains(&of_key), n < 4, "{key}: {of_key:?}");
            assert!(one.len() > 3 && one.iter().all(|row| all.contains(row)), "{key}: {one:?}");
        }
        states.push(all.into_iter().map(|row| (row.kind, row.subject, row.payload)).collect::<BTreeSet<_>>());
    }
    assert_eq!(states[0], states[1]);
}
