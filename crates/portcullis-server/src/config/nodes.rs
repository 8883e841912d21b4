//! Settings of what nodes share: the database, the leases by which they may answer from memory, Redis.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::written::Written;
use super::{ConfigError, narrow, origin, within};

/// A URL that may have a password in it, and so is never printed.
#[derive(Clone)]
pub struct SecretUrl(Zeroizing<String>);

impl SecretUrl {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

/// A password as a file has it, without the line end after it.
pub(crate) fn password_in(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let text = Zeroizing::new(std::fs::read_to_string(path)?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Where the rows are, and how they are reached.
#[derive(Debug, Clone)]
pub struct Database {
    /// PostgreSQL; `None` where they are in SQLite, in the data directory.
    pub url: Option<SecretUrl>,
    pub password_file: Option<PathBuf>,
    pub read_connections: u32,
    pub write_connections: u32,
    pub connect_timeout_ms: u64,
    pub statement_timeout_ms: u64,
    pub migrate_at_start: bool,
}

/// How nodes on one database keep to one truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub lease_ms: u64,
    pub slack_ms: u64,
    pub on_lease_loss: OnLeaseLoss,
    pub stale_grace_ms: u64,
    /// Where other nodes reach this one; where it listens, where it is left out.
    pub node_url: Option<String>,
    /// How often a key is made, used on all nodes, revoked and tried again; 0 is never.
    pub canary_seconds: u64,
}

impl Cluster {
    /// For how long after a grant a node may answer from memory.
    pub(crate) const fn lasts_ms(&self) -> u64 {
        self.lease_ms + self.stale_grace_ms
    }
}

/// What a node does that has not heard from the database for longer than its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLeaseLoss {
    /// It reads what each decision needs from the database, and keeps nothing of it.
    ReadPrimary,
    /// It answers 503.
    Refuse,
}

/// Where several nodes keep the windows of limits that they share.
#[derive(Debug, Clone)]
pub struct Redis {
    pub url: SecretUrl,
    pub password_file: Option<PathBuf>,
    /// The longest that a decision waits for it.
    pub timeout_ms: u64,
}

/// The URL, taken apart: `sqlite:DIR` is another way to name the data directory.
pub(super) fn database(written: &mut Written) -> Result<Database, ConfigError> {
    let url = match written.database_url.take() {
        None => None,
        Some(url) => match url.split_once(':') {
            Some(("sqlite", path)) if !path.trim_start_matches('/').is_empty() => {
                written.data = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
                None
            }
            Some(("postgres" | "postgresql", _)) => Some(SecretUrl::new(url)),
            _ => {
                let why = "must be `postgres://USER@HOST:PORT/DATABASE`, or `sqlite:DIRECTORY`".to_owned();
                return Err(ConfigError::Unusable { name: "database_url", why });
            }
        },
    };
    let connections = |name, value| Ok::<u32, ConfigError>(narrow(within(name, value, 1, 1_000)?));
    let timeout = |name, value| within(name, value, 100, 600_000);
    Ok(Database {
        url,
        password_file: written.database_password_file.take(),
        read_connections: connections("database_read_connections", written.database_read_connections)?,
        write_connections: connections("database_write_connections", written.database_write_connections)?,
        connect_timeout_ms: timeout("database_connect_timeout_ms", written.database_connect_timeout_ms)?,
        statement_timeout_ms: timeout("database_statement_timeout_ms", written.database_statement_timeout_ms)?,
        migrate_at_start: written.migrate_at_start,
    })
}

pub(super) fn cluster(written: &mut Written) -> Result<Cluster, ConfigError> {
    let lease_ms = within("lease_ms", written.lease_ms, 500, 60_000)?;
    // Of a lease that is nearly all slack nothing would be left between two renewals.
    let slack_ms = within("slack_ms", written.slack_ms, 0, lease_ms / 2)?;
    let stale_grace_ms = within("stale_grace_ms", written.stale_grace_ms, 0, 3_600_000)?;
    let node_url = written.node_url.take().map(|url| origin("node_url", &url)).transpose()?;
    let canary_seconds = within("canary_seconds", written.canary_seconds, 0, 86_400)?;
    Ok(Cluster { lease_ms, slack_ms, on_lease_loss: written.on_lease_loss, stale_grace_ms, node_url, canary_seconds })
}

pub(super) fn redis(written: &mut Written) -> Result<Option<Redis>, ConfigError> {
    let timeout_ms = within("redis_timeout_ms", written.redis_timeout_ms, 1, 10_000)?;
    let password_file = written.redis_password_file.take();
    let Some(url) = written.redis_url.take() else { return Ok(None) };
    if !["redis://", "rediss://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme)) {
        let why = "must be `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS".to_owned();
        return Err(ConfigError::Unusable { name: "redis_url", why });
    }
    Ok(Some(Redis { url: SecretUrl::new(url), password_file, timeout_ms }))
}
