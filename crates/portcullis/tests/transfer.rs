//! `portcullis copy`, `backup` and `restore`, on both engines.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_engines::Postgres;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Quickstart, directory, portcullis, printed, with_input};

/// A store in `directory`, or in PostgreSQL, and the commands that work on it.
struct Place {
    directory: PathBuf,
    database: Option<String>,
}

impl Place {
    fn sqlite(directory: &TempDir, name: &str) -> Self {
        let directory = directory.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory, database: None }
    }

    fn postgres(directory: &TempDir, name: &str) -> Self {
        Self { database: Some(Postgres::shared().database()), ..Self::sqlite(directory, name) }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("store")
    }

    /// A command that is told by its environment where the store is.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = portcullis(arguments);
        command.env("PORTCULLIS_DATA", self.data());
        if let Some(url) = &self.database {
            command.env("PORTCULLIS_DATABASE_URL", url);
        }
        command
    }

    fn server(&self) -> Quickstart {
        Quickstart::start_as(self.command(&[]), &self.directory)
    }

    /// Takes the pepper from another store, as every node of one must have it.
    fn with_pepper_of(self, other: &Self) -> Self {
        std::fs::create_dir_all(self.data()).unwrap();
        std::fs::copy(other.data().join("pepper"), self.data().join("pepper")).unwrap();
        self
    }

    /// The URL by which a command names it.
    fn url(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.data().display()))
    }
}

/// What a store was given, to be asked for again after it was moved.
struct Filled {
    operator: String,
    user: String,
    live: Vec<String>,
    dead: String,
    dead_id: String,
    leaked: String,
    leaked_id: String,
}

async fn fill(server: &Quickstart, keys: usize) -> Filled {
    let operator = server.text("operator_token").to_owned();
    let user = server.text("user_id").to_owned();
    let make = async |name: String| {
        let body = json!({"name": name, "metadata": {"note": "ä\"\\\n\u{1F511}"}});
        let (_, made) = server.send(Method::POST, &operator, &format!("/users/{user}/api-keys"), &body).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["data"]["token"]), text(&made["data"]["api_key"]["id"]))
    };
    let mut live = Vec::new();
    for n in 0..keys {
        live.push(make(format!("Key {n}")).await.0);
    }
    let (dead, dead_id) = make("Dead".to_owned()).await;
    let (leaked, leaked_id) = make("Leaked".to_owned()).await;
    Filled { operator, user, live, dead, dead_id, leaked, leaked_id }
}

async fn revoke(server: &Quickstart, filled: &Filled, id: &str) {
    let path = format!("/users/{}/api-keys/{id}/revoke", filled.user);
    let (status, answer) = server.send(Method::POST, &filled.operator, &path, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

async fn is_as_before(server: &Quickstart, filled: &Filled) {
    for token in &filled.live {
        assert_eq!(server.verify(&filled.operator, token).await["code"], "VALID");
    }
    let decision = server.verify(&filled.operator, &filled.dead).await;
    assert_eq!((&decision["code"], &decision["reason"]), (&json!("INVALID_API_KEY"), &json!("revoked")));
}

fn errors(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn psql(url: &str, sql: &str) -> String {
    Postgres::shared().sql(url.rsplit('/').next().unwrap(), sql)
}

#[tokio::test]
async fn a_store_moves_from_sqlite_to_postgresql_and_no_key_is_made_anew() {
    let directory = directory();
    let old = Place::sqlite(&directory, "old");
    let server = old.server();
    let filled = fill(&server, 120).await;
    revoke(&server, &filled, &filled.dead_id).await;
    let new = Place::postgres(&directory, "new").with_pepper_of(&old);
    let (from, to) = (old.url(), new.url());
    let copy = || portcullis(&["copy", "--from", &from, "--to", &to, "--json"]).output().unwrap();

    let busy = copy();
    printed(&busy, 1);
    assert!(errors(&busy).contains("another server is running"), "{}", errors(&busy));
    server.terminate();
    interrupt_copy(&from, &to, 123);
    // A copy that was interrupted is not served, and goes on when it is run again.
    let refused = new.command(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    printed(&refused, 1);
    assert!(errors(&refused).contains("not finished"), "{}", errors(&refused));
    let told: Value = serde_json::from_str(&printed(&copy(), 0)).unwrap();
    assert_eq!(told["rows"]["api_keys"], 123, "{told}");
    let events: i64 = told["audit_events"].as_i64().unwrap();
    assert!(events > 122, "{told}");
    let whole = printed(&new.command(&["audit", "verify", "--json"]).output().unwrap(), 0);
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap()["events"], events);

    let server = new.server();
    is_as_before(&server, &filled).await;
    let (_, usage) = server.send(Method::GET, &filled.operator, &format!("/users/{}", filled.user), &json!({})).await;
    assert_eq!(usage["data"]["id"], filled.user.as_str());
    // It lives on: what is done now is numbered after what was done before.
    revoke(&server, &filled, &filled.dead_id).await;
    server.terminate();
    let again = copy();
    printed(&again, 5);
    assert!(errors(&again).contains("in use already"), "{}", errors(&again));
    printed(&new.command(&["audit", "verify"]).output().unwrap(), 0);
}

/// Begins a copy that comes as far as so many keys, and then no further.
fn interrupt_copy(from: &str, to: &str, keys: u32) {
    printed(&portcullis(&["migrate", "--database-url", to]).output().unwrap(), 0);
    let database = to.rsplit('/').next().unwrap().to_owned();
    let holding = std::thread::spawn({
        let database = database.clone();
        // Until it is told to go, or for as long as a statement may wait.
        let hold = "SET application_name = 'holding'; BEGIN; LOCK TABLE audit_events; SELECT pg_sleep(8); COMMIT";
        move || Postgres::shared().try_sql(&database, hold)
    });
    let held =
        "SELECT count(*) FROM pg_locks WHERE relation = 'audit_events'::regclass AND mode = 'AccessExclusiveLock'";
    while psql(to, held).trim() == "0" {
        std::thread::yield_now();
    }
    let mut copy = portcullis(&["copy", "--from", from, "--to", to]).spawn().unwrap();
    while psql(to, "SELECT count(*) FROM api_keys").trim() != keys.to_string() {
        assert!(copy.try_wait().unwrap().is_none(), "the copy ended by itself");
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name IN ('holding', 'portcullis')
        AND datname = current_database()";
    psql(to, end);
    let _ = holding.join();
}

#[tokio::test]
async fn a_copy_does_not_go_on_where_the_store_has_changed_since() {
    let directory = directory();
    let old = Place::sqlite(&directory, "old");
    let server = old.server();
    let filled = fill(&server, 5).await;
    server.terminate();
    let (from, new) = (old.url(), Place::postgres(&directory, "new"));
    interrupt_copy(&from, &new.url(), 8);
    // What was copied says that the key is live; by now it is not.
    let server = old.server();
    revoke(&server, &filled, &filled.dead_id).await;
    server.terminate();
    let refused = portcullis(&["copy", "--from", &from, "--to", &new.url()]).output().unwrap();
    printed(&refused, 5);
    assert!(errors(&refused).contains("an earlier state of this one"), "{}", errors(&refused));
}

#[tokio::test]
async fn a_copy_of_a_log_that_was_tampered_with_is_refused() {
    let directory = directory();
    let old = Place::sqlite(&directory, "old");
    let server = old.server();
    fill(&server, 2).await;
    server.terminate();
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
        c.execute('DROP TRIGGER audit_events_are_not_changed'); \
        c.execute(\"UPDATE audit_events SET target_id = 'usr_other' WHERE number = 3\"); c.commit()";
    let file = old.data().join("portcullis.db");
    assert!(Command::new("python3").args(["-c", script]).arg(&file).status().unwrap().success());
    let new = Place::postgres(&directory, "new");
    let refused = portcullis(&["copy", "--from", &old.url(), "--to", &new.url()]).output().unwrap();
    printed(&refused, 11);
    assert!(errors(&refused).contains("broken at event 3"), "{}", errors(&refused));
}

#[tokio::test]
async fn a_backup_brings_everything_back_but_what_had_ended_since() {
    for engine in ["sqlite", "postgres"] {
        let directory = directory();
        let place = |name| match engine {
            "sqlite" => Place::sqlite(&directory, name),
            _ => Place::postgres(&directory, name),
        };
        let old = place("old");
        let server = old.server();
        let filled = fill(&server, 60).await;
        let cookie = server.session().await;
        let file = directory.path().join("backup.gz");
        let backup = |to: &Path| old.command(&["backup", "--json", "--to", to.to_str().unwrap()]).output().unwrap();
        let told: Value = serde_json::from_str(&printed(&backup(&file), 0)).unwrap();
        assert_eq!(told["rows"]["api_keys"], 63, "{told}");
        no_secret_is_in(&file, &filled, &old, &cookie);
        // Revoked, and rotated without overlap, after the backup was made.
        revoke(&server, &filled, &filled.dead_id).await;
        let rotate = format!("/users/{}/api-keys/{}/rotate", filled.user, filled.leaked_id);
        let (status, answer) =
            server.send(Method::POST, &filled.operator, &rotate, &json!({"overlap_seconds": 0})).await;
        assert_eq!(status, 201, "{answer}");
        let events = printed(&old.command(&["audit", "export"]).output().unwrap(), 0);
        server.terminate();

        let new = place("new").with_pepper_of(&old);
        let restore = |more: &[&str]| {
            let arguments = [&["restore", "--from", file.to_str().unwrap(), "--json"], more].concat();
            with_input(&mut new.command(&arguments), &events)
        };
        let refused = restore(&[]);
        printed(&refused, 5);
        assert!(errors(&refused).contains("would live again"), "{}", errors(&refused));
        let told: Value = serde_json::from_str(&printed(&restore(&["--revoked-since", "-"]), 0)).unwrap();
        assert_eq!((&told["ended"], &told["unknown"]), (&json!(2), &json!([])), "{told}");
        let again = restore(&["--accept-forgotten-revocations"]);
        printed(&again, 5);
        printed(&new.command(&["audit", "verify"]).output().unwrap(), 0);
        let server = new.server();
        is_as_before(&server, &filled).await;
        assert_eq!(server.verify(&filled.operator, &filled.leaked).await["reason"], "revoked");
        let (_, log) =
            server.send(Method::GET, &filled.operator, "/audit-events?action=store.restored", &json!({})).await;
        assert_eq!(log["data"].as_array().unwrap().len(), 1, "{log}");
        server.terminate();
    }
}

/// Tokens are shown once, and no backup is a second time.
fn no_secret_is_in(file: &Path, filled: &Filled, place: &Place, cookie: &str) {
    let shown = Command::new("gzip").args(["-dc"]).arg(file).output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let pepper = std::fs::read_to_string(place.data().join("pepper")).unwrap();
    let secrets = filled.live.iter().map(String::as_str).chain([&filled.dead, &filled.operator, pepper.trim(), cookie]);
    for secret in secrets {
        assert!(!secret.is_empty() && !text.contains(secret), "a secret is in the backup");
    }
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused_before_anything_is_written() {
    let directory = directory();
    let old = Place::sqlite(&directory, "old");
    let server = old.server();
    fill(&server, 3).await;
    server.terminate();
    let file = directory.path().join("backup.gz");
    printed(&old.command(&["backup", "--to", file.to_str().unwrap()]).output().unwrap(), 0);
    let whole = std::fs::read(&file).unwrap();
    let text = Command::new("gzip").args(["-dc"]).arg(&file).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let compressed = |text: &str| with_bytes(text);
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let lines: Vec<&str> = text.lines().collect();
    let without_a_row = lines.iter().enumerate().filter(|(at, _)| *at != 3).map(|(_, line)| format!("{line}\n"));
    for (what, bytes) in [
        ("cut", whole[..whole.len() - 40].to_vec()),
        ("flipped", flipped),
        ("empty", Vec::new()),
        ("no backup", b"hello".to_vec()),
        ("another name", compressed(&text.replacen("Dead", "Live", 1))),
        ("a row less", compressed(&without_a_row.collect::<String>())),
        ("a newer form", compressed(&text.replacen("\"portcullis_backup\":1", "\"portcullis_backup\":2", 1))),
        ("another table", compressed(&text.replacen("\"table\":\"limits\"", "\"table\":\"limit\"", 1))),
    ] {
        let (new, damaged) = (Place::sqlite(&directory, "new"), directory.path().join("damaged.gz"));
        std::fs::write(&damaged, bytes).unwrap();
        let arguments = ["restore", "--accept-forgotten-revocations", "--from", damaged.to_str().unwrap()];
        let refused = new.command(&arguments).output().unwrap();
        printed(&refused, 11);
        assert!(errors(&refused).contains("nothing was written"), "{what}: {}", errors(&refused));
        assert!(!new.data().join("portcullis.db").exists(), "{what}");
    }
}

fn with_bytes(text: &str) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    with_input(gzip.arg("-c"), text).stdout
}
