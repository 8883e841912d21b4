//! One node: the binary, in a place of its own, behind a wire of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use super::LEASE;
use super::proxy::Proxy;
use crate::support::portcullis;

/// A place for a node: another one takes it when the one before has ended.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) number: usize,
    pub(crate) proxy: Proxy,
    directory: PathBuf,
    pepper: PathBuf,
    mutant: Option<&'static str>,
    running: Mutex<Option<Child>>,
    address: RwLock<Option<SocketAddr>>,
    /// Held by whoever does something to it.
    pub(crate) trouble: Mutex<()>,
}

/// The settings of a cluster whose leases are short, and whose limits are roomy.
pub(crate) fn configured(command: &mut Command, port: u16) -> &mut Command {
    let lease = LEASE.as_millis().to_string();
    command
        .env("PORTCULLIS_DATABASE_URL", format!("postgres://postgres@127.0.0.1:{port}/cluster"))
        // An edit whose node was cut off in the middle of it holds up all others for so long.
        .env("PORTCULLIS_DATABASE_STATEMENT_TIMEOUT_MS", "1000")
        .env("PORTCULLIS_DATABASE_CONNECT_TIMEOUT_MS", "500")
        .env("PORTCULLIS_RATE_LIMIT_PER_MINUTE", "100_000_000")
        .env("PORTCULLIS_RATE_LIMIT_PER_SECOND", "100_000_000")
        // Clients that hang on a wire that has gone silent are not waited for.
        .env("PORTCULLIS_DRAIN_TIMEOUT_SECONDS", "2")
        .env("PORTCULLIS_LEASE_MS", lease)
        .env("PORTCULLIS_SLACK_MS", "100")
        // The line that says where it listens, and what went wrong.
        .env("PORTCULLIS_LOG_LEVEL", "warn,portcullis::running=info")
}

impl Place {
    pub(crate) fn new(number: usize, proxy: Proxy, directory: PathBuf, mutant: Option<&'static str>) -> Self {
        let pepper = directory.with_file_name("pepper");
        std::fs::create_dir(&directory).unwrap();
        Self {
            number,
            proxy,
            directory,
            pepper,
            mutant,
            running: Mutex::default(),
            address: RwLock::default(),
            trouble: Mutex::default(),
        }
    }

    /// Where it answers, if there is one.
    pub(crate) fn url(&self) -> Option<String> {
        self.address.read().unwrap().map(|address| format!("http://{address}/api/v1"))
    }

    /// Starts a node, and tries it again where the database is not there just now.
    pub(crate) fn start(&self) {
        for _ in 0..40 {
            if self.try_start() {
                return;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("node {} does not start:\n{}", self.number, self.log());
    }

    fn try_start(&self) -> bool {
        let before = self.log().len();
        let log = std::fs::File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        let mut command = portcullis(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        configured(command.arg(self.directory.join("data")), self.proxy.port);
        command.env("PORTCULLIS_PEPPER_FILE", &self.pepper).stdout(Stdio::null()).stderr(log);
        if let Some(mutant) = self.mutant {
            command.env("PORTCULLIS_MUTANT", mutant);
        }
        let mut child = command.spawn().unwrap();
        for _ in 0..1_000 {
            if let Some(address) = self.log().get(before..).and_then(listening) {
                *self.running.lock().unwrap() = Some(child);
                *self.address.write().unwrap() = Some(address);
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, name: &str) {
        let running = self.running.lock().unwrap();
        let pid = running.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Ends it as a failing machine would.
    pub(crate) fn kill(&self) {
        *self.address.write().unwrap() = None;
        if let Some(mut child) = self.running.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to stop, and waits until it has; a complaint where it takes too long for that.
    pub(crate) fn stop(&self) -> Result<(), String> {
        const PATIENCE_MS: u32 = 20_000;
        self.signal("-TERM");
        *self.address.write().unwrap() = None;
        let mut child = self.running.lock().unwrap().take().unwrap();
        for _ in 0..PATIENCE_MS / 10 {
            if let Some(status) = child.try_wait().unwrap() {
                let ended = status.success();
                return ended.then_some(()).ok_or_else(|| format!("node {} stopped with {status}", self.number));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        Err(format!("node {} was asked to stop and did not in {PATIENCE_MS} ms", self.number))
    }

    /// What it has said, and those before it in the same place.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address in the line that says where it listens.
fn listening(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let (_, rest) = line.split_once("address=")?;
    rest.split_whitespace().next()?.parse().ok()
}
