//! What this program does as a process of its own, and how it is started as one.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::config::Config;

use crate::{Done, keys};

/// A server in a process of its own, on core 0.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

/// Does what the parent asked for.
pub(crate) fn be(words: &[&str]) -> Done<()> {
    match words {
        ["memory", count] => memory(count.parse()?),
        ["growth", count, added] => crate::growth::run(count.parse()?, added.parse()?),
        ["fill", directory, count] => {
            crate::store::fill(Path::new(directory), count.parse()?, crate::store::Whose::Many).map(drop)
        }
        ["load", directory, count] => runtime()?.block_on(load(config(Path::new(directory))?, count.parse()?)),
        ["server", directory] => runtime()?.block_on(serve(config(Path::new(directory))?)),
        ["server", directory, limiting, counting] => {
            let mut config = config(Path::new(directory))?;
            (config.limiting, config.counting) = (limiting.parse()?, counting.parse()?);
            runtime()?.block_on(serve(config))
        }
        ["node", file] => runtime()?.block_on(serve(of_file(file)?)),
        ["load-node", file, count] => runtime()?.block_on(load(of_file(file)?, count.parse()?)),
        ["default", directory] => runtime()?.block_on(serve(with_settings(Path::new(directory), "")?)),
        ["bare"] => runtime()?.block_on(bare()),
        ["generate", address, seconds, requests] => crate::generator::run(address, seconds.parse()?, requests),
        other => Err(format!("no such child: {other:?}").into()),
    }
}

/// Starts a child on a core of its own and reads the numbers of its one line.
pub(crate) fn numbers(words: &[&str]) -> Done<Vec<f64>> {
    let output = command("1", words)?.stderr(Stdio::inherit()).output()?;
    let line = String::from_utf8(output.stdout)?;
    Ok(line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

impl Server {
    pub(crate) fn start(words: &[&str]) -> Done<Self> {
        let mut process = command("0", words)?.stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        if let Some(out) = process.stdout.as_mut() {
            BufReader::new(out).read_line(&mut address)?;
        }
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// Resident memory of the process, in bytes; what it has of its files among it.
    pub(crate) fn resident(&self) -> Done<f64> {
        resident(&format!("/proc/{}/statm", self.process.id()))
    }

    /// User and system time that the process has spent, in clock ticks of 10 ms.
    pub(crate) fn ticks(&self) -> Done<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let after_name = stat.rsplit_once(") ").ok_or("no process name in /proc")?.1;
        let mut fields = after_name.split(' ').skip(11);
        let mut ticks = || fields.next().unwrap_or_default().parse::<f64>();
        Ok(ticks()? + ticks()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(core: &str, words: &[&str]) -> Done<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(std::env::current_exe()?).arg("child").args(words);
    Ok(command)
}

fn runtime() -> Done<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn memory(count: usize) -> Done<()> {
    let before = resident(SELF)?;
    let keyring = keys::keyring(count);
    let taken = resident(SELF)? - before;
    println!("{}", taken / keyring.len().max(1) as f64);
    Ok(())
}

/// The file that tells of this process's memory.
const SELF: &str = "/proc/self/statm";

/// Resident memory of a process, in bytes.
fn resident(statm: &str) -> Done<f64> {
    const PAGE: f64 = 4_096.0;
    let statm = std::fs::read_to_string(statm)?;
    Ok(statm.split(' ').nth(1).unwrap_or_default().parse::<f64>()? * PAGE)
}

pub(crate) fn config(directory: &Path) -> Done<Config> {
    // Nobody is refused: what is measured is the work of a request that passes. Every single one is remembered, as by default.
    with_settings(directory, "rate_limit_per_minute = 4_000\nrate_limit_per_second = 400")
}

fn of_file(file: &str) -> Done<Config> {
    Ok(Config::load(Some(Path::new(file)), std::iter::empty())?)
}

fn with_settings(directory: &Path, settings: &str) -> Done<Config> {
    let mut config = Config::read(settings, std::iter::empty())?;
    config.listen = ([127, 0, 0, 1], 0).into();
    config.data = directory.to_path_buf();
    config.pepper_file = directory.join("pepper");
    Ok(config)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
async fn load(config: Config, count: usize) -> Done<()> {
    let (before, begun) = (resident(SELF)?, Instant::now());
    let app = App::open(config, Clock::System).await?;
    let spent = begun.elapsed().as_secs_f64() * 1_000.0;
    println!("{spent} {}", (resident(SELF)? - before) / count.max(1) as f64);
    app.close().await;
    Ok(())
}

async fn serve(config: Config) -> Done<()> {
    let app = App::open(config, Clock::System).await?;
    let bound = portcullis_server::bind(app).await?;
    say(&bound.address.to_string())?;
    let (_stop, told) = tokio::sync::watch::channel(false);
    Ok(bound.run(told).await?)
}

/// What any answer costs: axum with nothing behind it.
async fn bare() -> Done<()> {
    let router = Router::new()
        .route("/204", get(async || StatusCode::NO_CONTENT))
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .route("/api/contacts", get(async || StatusCode::NO_CONTENT))
        .route("/echo", post(async |Json(body): Json<serde_json::Value>| Json(body)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    say(&listener.local_addr()?.to_string())?;
    Ok(axum::serve(listener, router).await?)
}

fn say(line: &str) -> Done<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
