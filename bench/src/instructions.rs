//! Instructions, which no noise of the machine touches: what callgrind counts for a decision, and for whole requests.
//!
//! Each work is done twice, the second time twice as often, and the difference is what one costs: start and end cancel out.
//! The counts that are kept in `bench/instructions.json` are a guard: a test run fails where one has grown by more than the tolerance.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis_core::decision::{Ask, Presented, Unmetered, decide};
use portcullis_core::token::WellFormed;
use portcullis_server::App;
use portcullis_server::clock::Clock;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::keys::{self, NOW};
use crate::store::{self, Stored, Whose};
use crate::{Done, asks, children, machine};

const KEYS: usize = 1_000;
/// How often each work is done, the first time.
const TIMES: usize = 1_000;
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// What is counted.
const WORKS: [&str; 4] = ["decision", "forward_auth", "verify", "whoami"];
/// Of whole requests only this function of the server is counted, and what it calls: hyper and all of ours, but neither the load nor
/// the jobs beside it, which do the more the slower the machine is.
const OF_REQUESTS: &str = "--toggle-collect=portcullis_server::serve::connection::go_on*";

/// The counts that are kept, and how far one may be from them.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// What had compiled it, and for what it ran: another compiler makes other instructions of the same program, and libraries choose
    /// others on another processor.
    made_by: String,
    tolerance_percent: u64,
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares with what is kept, or keeps it.
pub(crate) fn measure(keep: bool) -> Done<bool> {
    let directory = tempfile::tempdir()?;
    let stored = store::fill(directory.path(), KEYS, Whose::Many)?;
    let mut kept: Kept = serde_json::from_str(&std::fs::read_to_string(KEPT)?)?;
    let mut grown = Vec::new();
    for work in WORKS {
        let once = counted(work, directory.path(), &stored.operator, TIMES)?;
        let twice = counted(work, directory.path(), &stored.operator, 2 * TIMES)?;
        let each = twice.saturating_sub(once) / u64::try_from(TIMES)?;
        let before = kept.instructions.insert(work.to_owned(), each);
        let bound = before.map_or(u64::MAX, |before| before + before * kept.tolerance_percent / 100);
        println!("{work:<14} {each:>8} instructions, kept {}", before.map_or("nothing".to_owned(), |n| n.to_string()));
        if each > bound {
            grown.push(work);
        }
    }
    let made_by = format!("{} on {}", machine::said(&["rustc", "--version"]), machine::processor());
    let before = std::mem::replace(&mut kept.made_by, made_by.clone());
    if keep {
        std::fs::write(KEPT, serde_json::to_string_pretty(&kept)? + "\n")?;
    } else if made_by != before {
        println!("kept were the counts of {before}; this is {made_by}, so nothing is compared");
    } else if !grown.is_empty() {
        let tolerance = kept.tolerance_percent;
        return Err(format!(
            "more than {tolerance} % above what is kept: {}; mend it, or keep it by --keep",
            grown.join(", ")
        )
        .into());
    }
    Ok(true)
}

/// The instructions of a process that does a work so often.
fn counted(work: &str, directory: &Path, operator: &str, times: usize) -> Done<u64> {
    let file = directory.join(format!("{work}.{times}"));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", file.display()));
    if work != "decision" {
        command.arg(OF_REQUESTS);
    }
    command.arg(std::env::current_exe()?).args(["child", "counted", work]).arg(directory).arg(operator);
    let status = command.arg(times.to_string()).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{work} cannot be counted: {status}").into());
    }
    let told = std::fs::read_to_string(&file)?;
    let total = told.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    match total.ok_or("callgrind wrote no total")?.trim().parse()? {
        0 => Err(format!("nothing was counted of {work}: is there no `go_on` in serve/connection.rs?").into()),
        total => Ok(total),
    }
}

/// Does a work so often, alone in one thread.
pub(crate) fn work(work: &str, directory: &Path, operator: &str, times: usize) -> Done<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match work {
        "decision" => decisions(times),
        other => runtime.block_on(requests(other, directory, operator, times)),
    }
}

fn decisions(times: usize) -> Done<()> {
    let (pepper, prefix, keyring) = (keys::pepper(), keys::prefix(), keys::keyring(KEYS));
    let texts: Vec<String> = (0..KEYS).map(|n| keys::token(n).reveal().to_owned()).collect();
    for text in texts.iter().cycle().take(times) {
        let token = WellFormed::parse(text, &prefix)
            .map_or(Presented::Malformed, |token| Presented::WellFormed(pepper.digest(&token)));
        if !decide(&keyring, &Ask::about(token), NOW, &mut Unmetered).is_valid() {
            return Err("a good token was refused".into());
        }
    }
    Ok(())
}

async fn requests(what: &str, directory: &Path, operator: &str, times: usize) -> Done<()> {
    let bound = portcullis_server::bind(App::open(children::config(directory)?, Clock::System).await?).await?;
    let address = bound.address;
    let (_stop, told) = tokio::sync::watch::channel(false);
    let server = tokio::spawn(bound.run(told));
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stored = Stored { operator: operator.to_owned() };
    let requests: Vec<asks::Ask> = (0..KEYS).map(|n| request(what, &stored, &asks::token(n))).collect();
    let mut answer = vec![0; 16 * 1024];
    for request in requests.iter().cycle().take(times) {
        stream.write_all(&request.bytes).await?;
        // An answer is small, and written at once.
        let length = stream.read(&mut answer).await?;
        let answer = answer.get(..length).unwrap_or_default();
        let refused = answer.windows(13).any(|window| window == b"\"valid\":false");
        if !answer.starts_with(b"HTTP/1.1 200") || refused {
            return Err(String::from_utf8_lossy(answer).into_owned().into());
        }
    }
    server.abort();
    Ok(())
}

fn request(what: &str, stored: &Stored, token: &str) -> asks::Ask {
    match what {
        "verify" => asks::verify(stored, token),
        "whoami" => asks::get("/api/v1/whoami", &asks::bearer(token)),
        _ => asks::forward_auth(&asks::bearer(token)),
    }
}
