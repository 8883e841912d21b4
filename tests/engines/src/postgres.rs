//! PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::program::{Program, find, free_port, is_root, run, wait_for};

/// A server of one's own.
#[derive(Debug)]
pub struct Postgres {
    directory: TempDir,
    bin: String,
    pub port: u16,
    settings: Vec<String>,
    program: Mutex<Option<Program>>,
    databases: AtomicU32,
}

/// Every test may have some servers, each with some connections. Nothing here outlives a power failure, and need not.
const SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    "max_connections=400",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=128MB",
    "log_min_messages=warning",
    "autovacuum_naptime=10s",
];

/// Whoever connects as `guarded` needs a password; everybody else on this machine is let in.
const ACCESS: &str = "local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
";

impl Postgres {
    /// A server with these settings besides those that all have.
    pub fn start(settings: &[&str]) -> Self {
        let settings = SETTINGS.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        let server = Self::without_data(binaries(), settings);
        let initdb = format!("{}/initdb", server.bin);
        let data = server.path("data");
        let arguments = [&initdb, "-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
        // Letters do not sort as their bytes do, as on most servers.
        let collation = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"];
        run(&unprivileged(&[&arguments[..], &collation].concat()));
        run(&unprivileged(&["sh", "-c", &format!("cat >'{data}/pg_hba.conf' <<'E'\n{ACCESS}E")]));
        server.resume();
        server
    }

    /// A server to be, with a directory and a port of its own.
    fn without_data(bin: String, settings: Vec<String>) -> Self {
        let directory = TempDir::with_prefix("portcullis-postgres-").unwrap_or_else(|error| panic!("{error}"));
        let (port, program, databases) = (free_port(), Mutex::default(), AtomicU32::new(0));
        let server = Self { directory, bin, port, settings, program, databases };
        if is_root() {
            run(&["chown", "postgres", &server.path("")]);
        }
        server
    }

    /// One for all tests of a process that need nothing special of it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A database that nobody has used yet, as a URL.
    pub fn database(&self) -> String {
        self.copy_of("template0")
    }

    /// A copy of a database that nobody is connected to, as a URL.
    pub fn copy_of(&self, template: &str) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"));
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a statement that may be ended by others.
    pub fn try_sql(&self, database: &str, sql: &str) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.sql(database, sql))).is_ok()
    }

    /// What `psql` prints of a statement.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let (psql, port) = (format!("{}/psql", self.bin), self.port.to_string());
        let arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"];
        run(&[&[psql.as_str()], &arguments[..], &["-p", &port, "-d", database, "-c", sql]].concat())
    }

    /// Ends it at once, as a crash would: it recovers at the next [`resume`](Self::resume).
    pub fn crash(&self) {
        self.lock().take();
    }

    /// Starts it again.
    pub fn resume(&self) {
        let (postgres, data, port) = (format!("{}/postgres", self.bin), self.path("data"), self.port.to_string());
        let settings: Vec<&str> = self.settings.iter().flat_map(|setting| ["-c", setting]).collect();
        let sockets = format!("unix_socket_directories={}", self.path(""));
        let arguments = [&[postgres.as_str(), "-D", &data, "-p", &port, "-c", &sockets], &settings[..]].concat();
        let log = self.directory.path().join("log");
        *self.lock() = Some(Program::start(&unprivileged(&arguments), "QUIT", self.directory.path()));
        wait_for(self.port, &log);
        let ready = format!("{}/pg_isready", self.bin);
        let ask = format!("until {ready} -q -h 127.0.0.1 -p {port}; do sleep 0.05; done");
        run(&["timeout", "60", "sh", "-c", &ask]);
    }

    /// Another server that follows this one and cannot be written to.
    #[must_use]
    pub fn replica(&self) -> Self {
        let replica = Self::without_data(self.bin.clone(), self.settings.clone());
        let (copy, data, port) = (format!("{}/pg_basebackup", self.bin), replica.path("data"), self.port.to_string());
        let from = ["-h", "127.0.0.1", "-U", "postgres", "-p", &port];
        run(&unprivileged(&[&[copy.as_str(), "-D", &data, "-R", "-c", "fast"], &from[..]].concat()));
        replica.resume();
        replica
    }

    /// Takes the place of a primary that has crashed, after it was promoted.
    pub fn take_over(&mut self, primary: &Self) {
        self.sql("postgres", "CHECKPOINT");
        self.crash();
        self.port = primary.port;
        self.resume();
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Program>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `PostgreSQL` refuses to run as root.
fn unprivileged<'a>(command: &[&'a str]) -> Vec<&'a str> {
    let as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    if is_root() { [&as_postgres[..], command].concat() } else { command.to_vec() }
}

/// Where Debian keeps the server's programs: the newest version's.
fn binaries() -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut bins: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    bins.sort();
    bins.reverse();
    let initdb = find("initdb", &bins, "postgresql");
    Path::new(&initdb).parent().map(|bin| bin.display().to_string()).unwrap_or_default()
}
