//! `portcullis serve`: a server for real use.

use std::net::SocketAddr;

use crate::failure::Failure;
use crate::output;
use crate::running::{self, Place};

/// Run the server.
///
/// Settings come from the file, then from the environment (PORTCULLIS_ and the setting's name in capitals), then from these
/// flags. While a store has no user, a one-time code is printed for the set-up page; `portcullis init` does the same without a browser.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis init --data /var/lib/portcullis --email you@example.com
  portcullis serve --data /var/lib/portcullis --listen 0.0.0.0:7373
  portcullis serve --config /etc/portcullis.toml
  PORTCULLIS_PEPPER_FILE=/run/secrets/pepper portcullis serve --database-url postgres://portcullis@db/portcullis")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = running::configure(&args.place, args.listen)?;
    running::start_log(&config)?;
    let app = running::open(config).await?;
    let bound = running::bind(&app).await?;
    if let Some(code) = app.setup_code() {
        output::text(&first_words(&app.public_url(), &code))?;
    }
    running::run(bound).await
}

/// What whoever looks at the console must know while nobody can sign in.
fn first_words(url: &str, code: &str) -> String {
    format!(
        "Nobody can sign in yet. Within an hour, open

  {url}/setup

and enter this code, which works once:

  {code}

"
    )
}
