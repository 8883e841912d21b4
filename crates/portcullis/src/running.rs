//! A server from the settings to the last request: what `serve` and `quickstart` have in common.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_server::clock::Clock;
use portcullis_server::config::{Config, LogFormat};
use portcullis_server::{App, Bound};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::failure::{FAILED, Failure, WRONG_USE};

/// What flags may set; they win over the file and the environment.
#[derive(Debug, Default)]
pub(crate) struct Flags<'a> {
    pub(crate) config: Option<&'a Path>,
    pub(crate) data: Option<&'a Path>,
    pub(crate) listen: Option<SocketAddr>,
}

/// Reads the settings.
pub(crate) fn configure(flags: &Flags<'_>) -> Result<Config, Failure> {
    let file = flags.config.map(Path::to_path_buf).or_else(|| std::env::var_os("PORTCULLIS_CONFIG").map(PathBuf::from));
    // A variable that is no text can be no setting of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut config =
        Config::load(file.as_deref(), environment).map_err(|error| Failure::new(WRONG_USE, error.to_string()))?;
    if let Some(data) = flags.data {
        // The pepper stays beside the database, unless it was given a place of its own.
        if config.pepper_file == config.data.join("pepper") {
            config.pepper_file = data.join("pepper");
        }
        config.data = data.to_path_buf();
    }
    if let Some(listen) = flags.listen {
        config.listen = listen;
    }
    Ok(config)
}

/// Sends the log to standard error, so that standard output is for answers alone.
pub(crate) fn start_log(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log.level)
        .map_err(|error| Failure::new(WRONG_USE, format!("`log_level` is not one: {error}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log.format {
        LogFormat::Json => log.json().try_init(),
        LogFormat::Text => log.with_ansi(crate::output::colours_on_stderr()).try_init(),
    };
    started.map_err(|error| Failure::new(FAILED, error.to_string()))?;
    for variable in &config.unheeded {
        tracing::warn!(variable, "this looks like a setting, but there is none of that name");
    }
    Ok(())
}

/// Opens the store and reads it into memory.
pub(crate) async fn open(config: Config) -> Result<Arc<App>, Failure> {
    App::open(config, Clock::System).await.map_err(|error| Failure::new(FAILED, error.to_string()))
}

/// Takes the address.
pub(crate) async fn bind(app: &Arc<App>) -> Result<Bound, Failure> {
    let listen = app.config().listen;
    portcullis_server::bind(Arc::clone(app)).await.map_err(|error| {
        Failure::new(FAILED, format!("cannot listen on {listen}: {error}; choose another address with --listen"))
    })
}

/// Answers until a signal says to stop, then finishes what has begun.
pub(crate) async fn run(bound: Bound) -> Result<(), Failure> {
    let address = bound.address;
    let (stop, told) = watch::channel(false);
    let failed = |error: std::io::Error| Failure::new(FAILED, error.to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the requests that have begun");
        stop.send_replace(true);
    });
    tracing::info!(%address, "listening");
    bound.run(told).await.map_err(failed)?;
    tracing::info!("stopped");
    Ok(())
}
