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

/// Where the database is: what flags say wins over the file and the environment.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Place {
    /// The configuration file; portcullis.example.toml explains every setting
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The directory of this node's own files: with SQLite the database, the counts, and the pepper
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The database: `postgres://USER@HOST:PORT/DATABASE`, or `sqlite:DIR`. A password belongs into a file
    /// (`database_password_file`), since arguments can be read by others
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

impl Place {
    pub(crate) fn of(data: &Path) -> Self {
        Self { data: Some(data.to_path_buf()), ..Self::default() }
    }

    /// The settings, for a command that must be told where the database is.
    pub(crate) fn configure_named(&self) -> Result<Config, Failure> {
        let told = [self.config.is_some(), self.data.is_some(), self.database_url.is_some()];
        let by_environment = ["PORTCULLIS_CONFIG", "PORTCULLIS_DATA", "PORTCULLIS_DATABASE_URL"];
        if told.contains(&true) || by_environment.iter().any(|name| std::env::var_os(name).is_some()) {
            return configure(self, None);
        }
        Err(Failure::new(WRONG_USE, "say where the database is: --data DIR, --database-url URL, or --config FILE"))
    }
}

const DATABASE_URL: &str = "PORTCULLIS_DATABASE_URL";

/// Reads the settings.
pub(crate) fn configure(place: &Place, listen: Option<SocketAddr>) -> Result<Config, Failure> {
    if place.database_url.as_deref().is_some_and(has_password) {
        let why = "--database-url has a password in it, which everybody on this machine can read: put it into a file and name that with PORTCULLIS_DATABASE_PASSWORD_FILE, or set PORTCULLIS_DATABASE_URL";
        return Err(Failure::new(WRONG_USE, why));
    }
    let file = place.config.clone().or_else(|| std::env::var_os("PORTCULLIS_CONFIG").map(PathBuf::from));
    // A variable that is no text can be no setting of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = environment.filter(|(name, _)| place.database_url.is_none() || name != DATABASE_URL);
    let environment = environment.chain(place.database_url.clone().map(|url| (DATABASE_URL.to_owned(), url)));
    let mut config =
        Config::load(file.as_deref(), environment).map_err(|error| Failure::new(WRONG_USE, error.to_string()))?;
    let names_directory = place.database_url.as_ref().is_some_and(|_| config.database.url.is_none());
    if let Some(data) = place.data.as_ref().filter(|_| !names_directory) {
        // The pepper stays beside the database, unless it was given a place of its own.
        if config.pepper_file == config.data.join("pepper") {
            config.pepper_file = data.join("pepper");
        }
        config.data.clone_from(data);
    }
    if let Some(listen) = listen {
        config.listen = listen;
    }
    Ok(config)
}

fn has_password(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (authority, query) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) || query.contains("password=")
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
    portcullis_server::bind(Arc::clone(app)).await.map_err(|error| {
        let hint = if error.is_of("listen") { "; choose another address with --listen" } else { "" };
        Failure::new(FAILED, format!("{error}{hint}"))
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
    if let Some(address) = bound.grpc_address {
        tracing::info!(%address, "Envoy may ask by gRPC");
    }
    for (gate, address) in &bound.proxies {
        tracing::info!(%address, gate, "listening, as the proxy in front of this gate's API");
    }
    bound.run(told).await.map_err(failed)?;
    tracing::info!("stopped");
    Ok(())
}
