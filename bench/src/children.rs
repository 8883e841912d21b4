//! What this program does as a process of its own, and how it is started as one.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::config::Config;

use crate::server::resident;
use crate::{Done, axum_postgres, bare, keys};

/// What the server of most parts has beside its defaults. Nobody is refused: what is measured is the work of a request that passes. Every
/// single one is remembered, as by default.
const SETTINGS: &str = "rate_limit_per_minute = 4_000\nrate_limit_per_second = 400\nlog_level = \"warn\"\n";

/// A gate, and that the load may ask at it. No key has what the last rule needs.
pub(crate) const GATE: &str = r#"
trusted_proxies = ["127.0.0.1"]

[[gate.crm.rule]]
methods = ["GET"]
path = "/health"
needs = "nothing"

[[gate.crm.rule]]
methods = ["GET", "HEAD"]
path = "/api/contacts/**"
permission = "contacts:read"

[[gate.crm.rule]]
methods = ["DELETE"]
path = "/api/users/**"
needs = "user_management"
"#;

/// Does what the parent asked for.
pub(crate) fn be(words: &[&str]) -> Done<()> {
    match words {
        ["memory", count] => memory(count.parse()?),
        ["growth", count, added] => crate::growth::run(count.parse()?, added.parse()?),
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
        ["counted", work, directory, operator, times] => {
            crate::instructions::work(work, Path::new(directory), operator, times.parse()?)
        }
        ["bare-axum"] => runtime()?.block_on(bare::on_axum()),
        ["bare-hyper"] => runtime()?.block_on(bare::on_hyper()),
        ["axum-postgres", count] => axum_postgres::be(&runtime()?, count.parse()?),
        other => Err(format!("no such child: {other:?}").into()),
    }
}

/// Starts a child on the cores that this process is on, and reads the numbers of its one line.
pub(crate) fn numbers(words: &[&str]) -> Done<Vec<f64>> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg("child").args(words).stderr(Stdio::inherit()).output()?;
    let line = String::from_utf8(output.stdout)?;
    Ok(line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

/// As many workers as a server has cores here.
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

pub(crate) fn config(directory: &Path) -> Done<Config> {
    with_settings(directory, &format!("{SETTINGS}{GATE}"))
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

/// Tells the parent where this server answers.
pub(crate) fn say(line: &str) -> Done<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
