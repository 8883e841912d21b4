//! `portcullis migrate`: the schema, for those who separate that from running the server.

use crate::failure::{FAILED, Failure};
use crate::output;
use crate::running::{self, Place};

/// Bring the schema of the database up to date.
///
/// A server does this by itself when it starts, unless `migrate_at_start` is off; this is for roles that may change the schema where
/// the server's may not. Several at once migrate once. Nodes of the version before go on working.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = args.place.configure_named()?;
    running::start_log(&config)?;
    portcullis_server::migrate(&config).await.map_err(|error| Failure::new(FAILED, error.to_string()))?;
    output::text("The schema is up to date.\n")
}
