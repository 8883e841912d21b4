//! Redis.

use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::program::{Program, find, free_port, run, wait_for};

/// A server of one's own, that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    directory: TempDir,
    pub port: u16,
    settings: Vec<String>,
    program: Mutex<Option<Program>>,
}

impl Redis {
    /// A server with these arguments besides those that all have.
    pub fn start(settings: &[&str]) -> Self {
        let directory = TempDir::with_prefix("portcullis-redis-").unwrap_or_else(|error| panic!("{error}"));
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let server = Self { directory, port: free_port(), settings, program: Mutex::default() };
        server.resume();
        server
    }

    /// One for all tests of a process that need nothing special of it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it. What it held is gone.
    pub fn stop(&self) {
        self.lock().take();
    }

    /// Starts it again, empty.
    pub fn resume(&self) {
        let (server, port) = (find("redis-server", &[], "redis-server"), self.port.to_string());
        let always = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port, "--dir"];
        let directory = self.directory.path().display().to_string();
        let own: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let command = [&[server.as_str()], &always[..], &[&directory], &own[..]].concat();
        let log = self.directory.path().join("log");
        *self.lock() = Some(Program::start(&command, "KILL", self.directory.path()));
        wait_for(self.port, &log);
    }

    /// Has the server on this port answer nobody for so long.
    pub fn pause(port: u16, time: std::time::Duration) {
        let cli = find("redis-cli", &[], "redis-tools");
        run(&[&cli, "-p", &port.to_string(), "CLIENT", "PAUSE", &time.as_millis().to_string(), "ALL"]);
    }

    /// What `redis-cli` prints of a command.
    pub fn ask(&self, command: &[&str]) -> String {
        let (cli, port) = (find("redis-cli", &[], "redis-tools"), self.port.to_string());
        run(&[&[cli.as_str(), "-p", &port], command].concat())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Program>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
