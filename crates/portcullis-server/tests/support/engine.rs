//! On which engine the tests run: SQLite, or PostgreSQL where `PORTCULLIS_TEST_ENGINE` says so.

use portcullis_engines::Postgres;
use portcullis_server::config::{Config, SecretUrl};
use tokio::sync::OnceCell;

/// A database for one server, as a URL; `None` where the data directory has it.
pub(super) async fn database() -> Option<String> {
    let engine = std::env::var("PORTCULLIS_TEST_ENGINE").unwrap_or_default();
    assert!(matches!(engine.as_str(), "" | "sqlite" | "postgres"), "PORTCULLIS_TEST_ENGINE is sqlite or postgres");
    if engine == "postgres" { Some(postgres().await) } else { None }
}

/// A database of PostgreSQL, whatever the engine of the others.
pub(super) async fn postgres() -> String {
    static MIGRATED: OnceCell<()> = OnceCell::const_new();
    const TEMPLATE: &str = "migrated";

    let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    // A copy of a database that has all tables is made faster than the tables.
    MIGRATED
        .get_or_init(async || {
            server.sql("postgres", &format!("CREATE DATABASE {TEMPLATE}"));
            let mut config = Config::read("", std::iter::empty()).unwrap();
            config.database.url = Some(SecretUrl::new(server.url(TEMPLATE)));
            portcullis_server::migrate(&config).await.unwrap();
        })
        .await;
    tokio::task::spawn_blocking(|| server.copy_of(TEMPLATE)).await.unwrap()
}
