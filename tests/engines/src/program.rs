//! A program that runs beside a test and does not outlive it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// The program, and the end of a pipe: when this process is gone, however it went, the pipe breaks and the program is ended.
#[derive(Debug)]
pub(crate) struct Program {
    watcher: Child,
    pipe: Option<ChildStdin>,
}

/// Starts the program of the arguments; when its standard input ends, it sends the signal, and waits. Where nobody said a last word,
/// nobody will look at the directory any more.
const WATCH: &str = r#"trap '' INT TERM HUP
"$@" </dev/null &
read -r word
kill -"$SIGNAL" $! 2>/dev/null
wait $!
[ "$word" = keep ] || rm -rf "$DIRECTORY""#;

impl Program {
    /// Starts it in a directory of its own; `signal` ends it.
    pub(crate) fn start(command: &[&str], signal: &str, directory: &Path) -> Self {
        let log = directory.join("log");
        let log =
            std::fs::File::options().create(true).append(true).open(log).unwrap_or_else(|error| panic!("{error}"));
        let other = log.try_clone().unwrap_or_else(|error| panic!("{error}"));
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCH, "sh"]).args(command).env("SIGNAL", signal);
        watcher.env("DIRECTORY", directory).current_dir("/").stdin(Stdio::piped()).stdout(log).stderr(other);
        let mut watcher = watcher.spawn().unwrap_or_else(|error| panic!("cannot start sh: {error}"));
        let pipe = watcher.stdin.take();
        Self { watcher, pipe }
    }

    /// Ends it and waits until it has ended.
    pub(crate) fn end(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(b"keep\n");
        }
        let _ = self.watcher.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port of this machine that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.unwrap_or_else(|error| panic!("no port is free: {error}")).port()
}

/// Waits until somebody listens.
pub(crate) fn wait_for(port: u16, log: &Path) {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for _ in 0..600 {
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens on port {port}:\n{}", std::fs::read_to_string(log).unwrap_or_default());
}

/// The output of a command that must go well.
pub(crate) fn run(command: &[&str]) -> String {
    let (program, arguments) = command.split_first().unwrap_or_else(|| panic!("no command"));
    let done = Command::new(program).args(arguments).current_dir("/").stdin(Stdio::null()).output();
    let done = done.unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    assert!(done.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Where a program is, in the usual places.
pub(crate) fn find(name: &str, beside: &[PathBuf], package: &str) -> String {
    let path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let found = beside.iter().chain(&path).map(|directory| directory.join(name)).find(|file| file.exists());
    match found {
        Some(file) => file.display().to_string(),
        None => panic!("{name} is missing: ./test installs it, or apt-get install {package}"),
    }
}

/// Whether this is root, as whom some programs refuse to run.
pub(crate) fn is_root() -> bool {
    run(&["id", "-u"]).trim() == "0"
}
