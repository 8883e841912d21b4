//! `portcullis serve`: a server for real use.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::running::{self, Flags};

/// Run the server.
///
/// Settings come from the file, then from the environment (PORTCULLIS_ and the setting's name in capitals), then from these
/// flags. An empty data directory becomes a store that nobody can use yet: run `portcullis init` on it first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis init --data /var/lib/portcullis --email you@example.com
  portcullis serve --data /var/lib/portcullis --listen 0.0.0.0:7373
  portcullis serve --config /etc/portcullis.toml")]
pub(crate) struct Args {
    /// The configuration file; portcullis.example.toml explains every setting
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of the database and the pepper
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let flags = Flags { config: args.config.as_deref(), data: args.data.as_deref(), listen: args.listen };
    let config = running::configure(&flags)?;
    running::start_log(&config)?;
    let app = running::open(config).await?;
    let bound = running::bind(&app).await?;
    running::run(bound).await
}
