//! Servers that are measured: each a process (and its children) on the first core, ended with this process however that ends.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use portcullis_engines::free_port;

use crate::{Done, cores};

/// Runs the program of the arguments in a session of its own; when the standard input ends, it ends the whole session, and waits.
/// `trap :` and not `trap ''`: a signal that is ignored would be so in the program as well.
const WATCH: &str = r#"trap : INT TERM HUP
setsid "$@" </dev/null &
read -r word
exec 2>/dev/null
kill -s TERM -- "-$!"
wait $!"#;

/// The longest that a server may take until it answers: the keys of a peer are read by then.
const LONGEST_START: Duration = Duration::from_mins(2);

pub(crate) struct Server {
    watcher: Child,
    pipe: Option<ChildStdin>,
    pub(crate) address: String,
}

/// What a server has used of its core, by thread.
pub(crate) type Spent = HashMap<String, f64>;

impl Server {
    /// Starts this program as a child that says its address when it answers.
    pub(crate) fn start(words: &[&str]) -> Done<Self> {
        let own = std::env::current_exe()?.display().to_string();
        let mut server = Self::run(&[&[own.as_str(), "child"], words].concat(), Stdio::piped())?;
        if let Some(out) = server.watcher.stdout.as_mut() {
            BufReader::new(out).read_line(&mut server.address)?;
        }
        server.address = server.address.trim().to_owned();
        if server.address.is_empty() { Err(format!("{words:?} did not start").into()) } else { Ok(server) }
    }

    /// Starts a script of `bench/peers`, with the data that `prepare` has made.
    pub(crate) fn of_script(script: &Path, data: &Path, mode: Option<&str>) -> Done<Self> {
        let (script, data, port) = (script.display().to_string(), data.display().to_string(), free_port());
        let words: Vec<&str> = vec![&script, &data];
        let port_text = port.to_string();
        let words = words.into_iter().chain([port_text.as_str()]).chain(mode).collect::<Vec<_>>();
        let mut server = Self::run(&words, Stdio::null())?;
        server.address = format!("127.0.0.1:{port}");
        for _ in 0..LONGEST_START.as_millis() / 50 {
            if TcpStream::connect(&server.address).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{script} does not listen").into())
    }

    fn run(words: &[&str], out: Stdio) -> Done<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "sh"]).args(words).stdin(Stdio::piped()).stdout(out);
        let mut watcher = cores::on(cores::SERVERS, || command.spawn())??;
        let pipe = watcher.stdin.take();
        Ok(Self { watcher, pipe, address: String::new() })
    }

    /// Resident memory of its processes, in bytes; what they have of their files among it.
    pub(crate) fn resident(&self) -> Done<f64> {
        family(self.watcher.id())?.iter().map(|pid| resident(&format!("/proc/{pid}/statm"))).sum()
    }

    /// The time that each of its threads has run.
    pub(crate) fn spent(&self) -> Done<Spent> {
        let mut spent = HashMap::new();
        for pid in family(self.watcher.id())? {
            for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
                let path = task?.path().join("schedstat");
                // A thread may have ended since it was listed.
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
                spent.insert(path.display().to_string(), nanoseconds);
            }
        }
        Ok(spent)
    }

    /// The microseconds that its processes have run since, user and system.
    pub(crate) fn microseconds_since(&self, before: &Spent) -> Done<f64> {
        let since = |(thread, now): (&String, &f64)| now - before.get(thread).copied().unwrap_or_default();
        Ok(self.spent()?.iter().map(since).sum::<f64>() / 1_000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.watcher.wait();
    }
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident(statm: &str) -> Done<f64> {
    const PAGE: f64 = 4_096.0;
    let statm = std::fs::read_to_string(statm)?;
    Ok(statm.split(' ').nth(1).unwrap_or_default().parse::<f64>()? * PAGE)
}

/// A process, its children, and theirs.
fn family(first: u32) -> Done<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended since it was listed.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let parent = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(1)?.parse().ok());
        children.entry(parent.unwrap_or_default()).or_default().push(pid);
    }
    let mut family = vec![first];
    let mut seen = 0;
    while let Some(pid) = family.get(seen) {
        let of_this = children.remove(pid).unwrap_or_default();
        family.extend(of_this);
        seen += 1;
    }
    Ok(family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_counted_and_ends_with_its_head() {
        let server = Server::run(&["sh", "-c", "sleep 30 & sleep 31 & wait"], Stdio::null()).unwrap();
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(10));
            if family(server.watcher.id()).unwrap().len() == 4 {
                break;
            }
        }
        let family = family(server.watcher.id()).unwrap();
        assert_eq!(family.len(), 4, "the watcher, the shell and two sleeps");
        assert!(server.resident().unwrap() > 0.0);
        assert!(server.microseconds_since(&Spent::new()).unwrap() > 0.0);
        drop(server);
        let left: Vec<_> = family.iter().filter(|pid| is_running(**pid)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// Who has ended and is not yet taken note of is not running.
    fn is_running(pid: u32) -> bool {
        std::thread::sleep(Duration::from_millis(50));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
    }
}
