//! What counting and limiting cost: of time, beside a server that does neither, and of memory, of a server that has all its limits
//! at their defaults.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale, asks, keys};

/// The keys that are used as often as their limits allow.
const IN_USE: usize = 100_000;
/// The most questions of one request.
const OF_A_BATCH: usize = 100;

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    measure_cost(scale, directory, stored, table)?;
    measure_memory(scale, directory, stored, table)
}

fn measure_cost(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    // Each server has the same keys, and a store of its own.
    let copies = [copy(directory)?, copy(directory)?, copy(directory)?];
    let asks = Rc::new(asks::all_verified(scale, stored)?);
    let mut servers = Vec::new();
    let mut scenarios = Vec::new();
    let mut beside = None;
    let kinds = [
        ("verify, neither limited nor counted", "false", "false"),
        ("verify, limited and not counted", "true", "false"),
        ("verify, limited and counted", "true", "true"),
    ];
    for ((place, (name, limiting, counting)), copy) in kinds.into_iter().enumerate().zip(&copies) {
        servers.push(Server::start(&["server", &copy.path().display().to_string(), limiting, counting])?);
        scenarios.push(Scenario::new(name, beside.replace(name), place, &asks));
    }
    rounds::run(scale, &scenarios, &servers, table)
}

fn copy(directory: &Path) -> Done<tempfile::TempDir> {
    let copy = tempfile::tempdir()?;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(copy)
}

fn measure_memory(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["default", &directory.display().to_string()])?;
    let mut client = Client::new(&server, stored)?;
    // What a connection and the first requests take is not the keys'.
    let last = scale.stored_keys - 1_000;
    client.use_keys(last..scale.stored_keys, 1)?;
    let before = server.resident()?;
    let in_use = IN_USE.min(scale.stored_keys / 2);
    for _ in 0..10 {
        let begun = Instant::now();
        client.use_keys(0..in_use, 10)?;
        std::thread::sleep(Duration::from_millis(1_500).saturating_sub(begun.elapsed()));
    }
    table.add("memory of a key used 100 times in a minute", "bytes", &[per(server.resident()? - before, in_use)], None);
    let before = server.resident()?;
    let begun = Instant::now();
    client.use_keys(in_use..last, 1)?;
    let others = last - in_use;
    let spent = begun.elapsed().as_secs_f64() * 1_000_000.0;
    table.add(
        &format!("{others} keys used once each, memory of one"),
        "bytes",
        &[per(server.resident()? - before, others)],
        None,
    );
    table.add("  and its time, 100 in a request", "us", &[per(spent, others)], None);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn per(whole: f64, count: usize) -> f64 {
    whole / count.max(1) as f64
}

/// One connection, which asks about many keys at a time.
struct Client {
    stream: BufReader<TcpStream>,
    operator: String,
}

impl Client {
    fn new(server: &Server, stored: &Stored) -> Done<Self> {
        let stream = TcpStream::connect(&server.address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), operator: stored.operator.clone() })
    }

    /// Uses each of these keys once, at this cost. One that may not pass is an error.
    fn use_keys(&mut self, keys: std::ops::Range<usize>, cost: u32) -> Done<()> {
        for first in keys.clone().step_by(OF_A_BATCH) {
            let questions: Vec<String> = (first..keys.end.min(first + OF_A_BATCH))
                .map(|n| format!("{{\"token\":\"{}\",\"cost\":{cost}}}", keys::token(n).reveal()))
                .collect();
            let answer = self.post(&format!("{{\"requests\":[{}]}}", questions.join(",")))?;
            let passed = answer.matches("\"valid\":true").count();
            if passed != questions.len() {
                return Err(format!("{passed} of {} passed: {answer:.300}", questions.len()).into());
            }
        }
        Ok(())
    }

    fn post(&mut self, body: &str) -> Done<String> {
        let head = format!(
            "POST /api/v1/verify/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.operator,
            body.len()
        );
        self.stream.get_mut().write_all((head + body).as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer)?)
    }
}
