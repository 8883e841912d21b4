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
use portcullis_server::config::Config;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::keys::{self, NOW};
use crate::store::{self, Whose};
use crate::Done;

const KEYS: usize = 1_000;
/// How often each work is done, the first time.
const TIMES: usize = 1_000;
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

const GATE: &str = r#"
trusted_proxies = ["127.0.0.1"]
rate_limit_per_minute = 4_000
rate_limit_per_second = 400
log_level = "warn"

[[gate.crm.rule]]
methods = ["GET", "HEAD"]
path = "/api/contacts/**"
permission = "contacts:read"
"#;

/// What is counted.
const WORKS: [&str; 4] = ["decision", "forward_auth", "verify", "whoami"];

/// The counts that are kept, and how far one may be from them.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    tolerance_percent: u64,
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares with what is kept, or keeps it.
pub(crate) fn measure(keep: bool) -> Done<()> {
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
    if keep {
        std::fs::write(KEPT, serde_json::to_string_pretty(&kept)? + "\n")?;
    } else if !grown.is_empty() {
        let tolerance = kept.tolerance_percent;
        return Err(format!("more than {tolerance} % above what is kept: {}; mend it, or keep it by --keep", grown.join(", ")).into());
    }
    Ok(())
}

/// The instructions of a process that does a work so often.
fn counted(work: &str, directory: &Path, operator: &str, times: usize) -> Done<u64> {
    let file = directory.join(format!("{work}.{times}"));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(std::env::current_exe()?).args(["child", "counted", work]).arg(directory).arg(operator);
    let status = command.arg(times.to_string()).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{work} cannot be counted: {status}").into());
    }
    let told = std::fs::read_to_string(&file)?;
    let total = told.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    Ok(total.ok_or("callgrind wrote no total")?.trim().parse()?)
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
    let mut config = Config::read(GATE, std::iter::empty())?;
    config.listen = ([127, 0, 0, 1], 0).into();
    (config.data, config.pepper_file) = (directory.to_path_buf(), directory.join("pepper"));
    let bound = portcullis_server::bind(App::open(config, Clock::System).await?).await?;
    let address = bound.address;
    let (_stop, told) = tokio::sync::watch::channel(false);
    let server = tokio::spawn(bound.run(told));
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let requests: Vec<String> =
        (0..KEYS).map(|n| request(what, operator, keys::token(n).reveal())).collect::<Done<_>>()?;
    let mut answer = vec![0; 16 * 1024];
    for request in requests.iter().cycle().take(times) {
        stream.write_all(request.as_bytes()).await?;
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

/// One request as its bytes.
fn request(what: &str, operator: &str, token: &str) -> Done<String> {
    let key = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
    Ok(match what {
        "forward_auth" => format!(
            "GET /auth/crm HTTP/1.1\r\n{key}X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /api/contacts/1\r\n\r\n"
        ),
        "whoami" => format!("GET /api/v1/whoami HTTP/1.1\r\n{key}\r\n"),
        "verify" => {
            let body = format!("{{\"token\":\"{token}\",\"permission\":\"contacts:read\"}}");
            format!(
                "POST /api/v1/verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {operator}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        other => return Err(format!("no such work: {other}").into()),
    })
}

/// Fills a store, and writes the requests of each work beside it.
pub(crate) fn fill(directory: &Path, count: usize) -> Done<()> {
    let stored = store::fill(directory, count, Whose::Many)?;
    std::fs::write(directory.join("portcullis.toml"), format!("{GATE}{}", String::new()))?;
    let many = count.min(20_000);
    for work in WORKS.into_iter().skip(1) {
        let each = |n| request(work, &stored.operator, keys::token(n * (count / many)).reveal());
        let all = (0..many).map(each).collect::<Done<Vec<_>>>()?;
        std::fs::write(directory.join(work), all.join(crate::generator::BETWEEN))?;
    }
    Ok(())
}
