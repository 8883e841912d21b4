//! Databases that cannot be worked with: each is told plainly, and nothing is left running.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

use portcullis_engines::{Postgres, free_port};

use crate::support::{Quickstart, directory, portcullis, printed};

/// A server that is to work with this database.
fn serve(url: &str, directory: &tempfile::TempDir) -> Command {
    let mut command = portcullis(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("PORTCULLIS_DATABASE_URL", url).env("PORTCULLIS_DATA", directory.path().join("store"));
    command.env("PORTCULLIS_DATABASE_CONNECT_TIMEOUT_MS", "2000");
    command
}

/// It ends by itself, and says this.
#[track_caller]
fn fails(output: &Output, code: i32, words: &[&str]) {
    printed(output, code);
    let errors = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(errors.contains(word), "`{word}` is not in: {errors}");
    }
    assert!(!errors.contains("s3cret"), "the password is shown: {errors}");
}

#[test]
fn a_database_that_nobody_can_reach() {
    let directory = directory();
    let url = format!("postgres://portcullis:s3cret@127.0.0.1:{}/portcullis", free_port());
    fails(&serve(&url, &directory).output().unwrap(), 1, &["cannot reach PostgreSQL at 127.0.0.1:"]);
    // Somebody listens there and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://portcullis:s3cret@{}/portcullis", silent.local_addr().unwrap());
    fails(&serve(&url, &directory).output().unwrap(), 1, &["cannot reach PostgreSQL", "in time"]);
    // Somebody listens who is not PostgreSQL.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://portcullis:s3cret@{}/portcullis", other.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    fails(&serve(&url, &directory).output().unwrap(), 1, &["cannot reach PostgreSQL"]);
}

#[test]
fn credentials_that_are_wrong() {
    let directory = directory();
    let server = Postgres::shared();
    server.sql("postgres", "CREATE ROLE guarded LOGIN PASSWORD 's3cret'");
    server.sql("postgres", "CREATE DATABASE guarded OWNER guarded");
    let url = format!("postgres://guarded@127.0.0.1:{}/guarded", server.port);
    let wrong = directory.path().join("wrong");
    std::fs::write(&wrong, "not-it\n").unwrap();
    let mut command = serve(&url, &directory);
    let output = command.env("PORTCULLIS_DATABASE_PASSWORD_FILE", &wrong).output().unwrap();
    fails(&output, 1, &["lets nobody in with these credentials", "guarded"]);
    let missing =
        serve(&url, &directory).env("PORTCULLIS_DATABASE_PASSWORD_FILE", "/nowhere/password").output().unwrap();
    fails(&missing, 1, &["cannot read the file of the password", "/nowhere/password"]);
    let nowhere = format!("postgres://postgres@127.0.0.1:{}/nowhere", server.port);
    fails(&serve(&nowhere, &directory).output().unwrap(), 1, &["\"nowhere\" does not exist"]);
    // The right one, from a file, as a server would have it.
    let right = directory.path().join("right");
    std::fs::write(&right, "s3cret\n").unwrap();
    let arguments = ["init", "--email", "ann@example.com", "--database-url", &url];
    let mut command = portcullis(&arguments);
    command.env("PORTCULLIS_DATA", directory.path().join("store"));
    printed(&command.env("PORTCULLIS_DATABASE_PASSWORD_FILE", &right).output().unwrap(), 0);
    // A password among the arguments would be everybody's.
    let arguments = ["serve", "--database-url", "postgres://guarded:s3cret@127.0.0.1/guarded"];
    fails(&portcullis(&arguments).output().unwrap(), 2, &["PORTCULLIS_DATABASE_PASSWORD_FILE"]);
}

#[test]
fn a_replica_that_cannot_be_written_to() {
    let directory = directory();
    let primary = Postgres::start(&["wal_level=replica", "max_wal_senders=4"]);
    primary.sql("postgres", "CREATE DATABASE ours");
    let replica = primary.replica();
    fails(&serve(&replica.url("ours"), &directory).output().unwrap(), 1, &["read-only replica", "name the primary"]);
}

#[test]
fn a_schema_of_another_version() {
    let (directory, server) = (directory(), Postgres::shared());
    let url = server.database();
    let name = url.rsplit('/').next().unwrap();
    // Who may not change the schema is told what to run.
    let mut command = serve(&url, &directory);
    fails(&command.env("PORTCULLIS_MIGRATE_AT_START", "false").output().unwrap(), 1, &["portcullis migrate"]);
    let migrate = || portcullis(&["migrate", "--database-url", &url]).output().unwrap();
    printed(&migrate(), 0);
    printed(&migrate(), 0);
    // A newer program has been here: as long as it says that this one understands, it goes on.
    server.sql(
        name,
        "INSERT INTO _sqlx_migrations VALUES (9001, 'later', now(), TRUE, '', 0); ALTER TABLE users ADD COLUMN later TEXT",
    );
    let start = || {
        let mut command = portcullis(&[]);
        command.env("PORTCULLIS_DATABASE_URL", &url);
        Quickstart::start_as(command, directory.path())
    };
    let running = start();
    assert!(running.text("url").starts_with("http://"));
    running.terminate();
    server.sql(name, "UPDATE facts SET fact = '9001' WHERE name = 'runs_with_schema'");
    fails(&serve(&url, &directory).output().unwrap(), 1, &["newer version", "9001"]);
}

#[test]
fn nodes_that_start_at_once_migrate_once() {
    let url = Postgres::shared().database();
    let commands: Vec<_> = (0..6)
        .map(|_| portcullis(&["migrate", "--database-url", &url]).stderr(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    for process in commands {
        printed(&process.wait_with_output().unwrap(), 0);
    }
    let name = url.rsplit('/').next().unwrap();
    let triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(Postgres::shared().sql(name, triggers).trim(), "5");
}

#[test]
fn a_pepper_that_is_missing_or_another() {
    let (one, other) = (directory(), directory());
    let url = Postgres::shared().database();
    let mut init = portcullis(&["init", "--email", "ann@example.com", "--database-url", &url]);
    let pepper = one.path().join("pepper");
    init.env("PORTCULLIS_DATA", one.path().join("store")).env("PORTCULLIS_PEPPER_FILE", &pepper);
    printed(&init.output().unwrap(), 0);
    // A node that made a pepper of its own would refuse every key.
    fails(&serve(&url, &other).output().unwrap(), 1, &["pepper", "is missing", "copy it here"]);
    std::fs::write(other.path().join("wrong"), "0".repeat(64)).unwrap();
    std::fs::set_permissions(other.path().join("wrong"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = serve(&url, &other);
    let wrong = command.env("PORTCULLIS_PEPPER_FILE", other.path().join("wrong")).output().unwrap();
    fails(&wrong, 1, &["not the one that this database's keys were made with"]);
}

#[test]
fn settings_of_nodes_that_cannot_be() {
    for (name, value, word) in [
        ("PORTCULLIS_DATABASE_URL", "mysql://x/y", "postgres://USER@HOST"),
        ("PORTCULLIS_DATABASE_URL", "sqlite:", "sqlite:DIRECTORY"),
        ("PORTCULLIS_REDIS_URL", "http://x", "redis://HOST"),
        ("PORTCULLIS_LEASE_MS", "10", "from 500 to 60000"),
        ("PORTCULLIS_SLACK_MS", "4000", "from 0 to 2500"),
        ("PORTCULLIS_ON_LEASE_LOSS", "guess", "read_primary"),
        ("PORTCULLIS_NODE_URL", "10.0.0.7", "`node_url` is"),
        ("PORTCULLIS_REDIS_TIMEOUT_MS", "0", "from 1 to 10000"),
    ] {
        let directory = directory();
        let mut command = portcullis(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("PORTCULLIS_DATA", directory.path().join("store")).env(name, value);
        fails(&command.output().unwrap(), 2, &[word]);
    }
}

#[test]
fn nodes_are_listed_with_how_far_each_is_behind() {
    let directory = directory();
    let alone = Quickstart::start_quietly(directory.path());
    let shown = printed(&alone.command(&["nodes"]).output().unwrap(), 0);
    assert!(shown.contains("SQLite") && shown.contains("The last edit is number"), "{shown}");
    drop(alone);

    let (first, second, url) = (self::directory(), self::directory(), Postgres::shared().database());
    let start = |place: &tempfile::TempDir| {
        let mut command = portcullis(&[]);
        command.env("PORTCULLIS_DATABASE_URL", &url);
        Quickstart::start_as(command, place.path())
    };
    let one = start(&first);
    std::fs::create_dir(second.path().join("store")).unwrap();
    std::fs::copy(first.path().join("store/pepper"), second.path().join("store/pepper")).unwrap();
    let other = start(&second);
    // A node takes its lease before its address, and tells that with the next renewal.
    let told = (0..100)
        .map(|_| printed(&one.command(&["nodes", "--json"]).output().unwrap(), 0))
        .find(|text| text.matches("127.0.0.1:0\"").count() == 0);
    let told: serde_json::Value = serde_json::from_str(&told.unwrap()).unwrap();
    let nodes = told["nodes"].as_array().unwrap();
    let addresses: Vec<_> = nodes.iter().map(|node| node["address"].as_str().unwrap()).collect();
    assert_eq!(nodes.len(), 2, "{told}");
    assert!(addresses.contains(&one.text("url")) && addresses.contains(&other.text("url")), "{told}");
    assert_eq!(nodes.iter().filter(|node| node["this"] == true).count(), 1, "{told}");
    let shown = printed(&one.command(&["nodes"]).output().unwrap(), 0);
    assert!(shown.contains("(asked)") && shown.contains("5000 ms"), "{shown}");
}
