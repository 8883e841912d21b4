//! `portcullis copy`: moving up, from one database to another.

use indicatif::ProgressBar;
use portcullis_server::transfer::{self, Moved, Progress, TransferError};
use serde_json::json;

use crate::failure::{BROKEN, FAILED, Failure, REFUSED, WRONG_USE};
use crate::output;
use crate::running::{self, Place};

/// Copy a store that no server runs on into an empty database.
///
/// Every key goes on working: give the new servers the pepper file of the old one. What was interrupted goes on when it is run again.
/// At the end the rows are counted, and the audit log is walked in the new database. The password of the new database is read from the
/// file that PORTCULLIS_DATABASE_PASSWORD_FILE names, or is in PORTCULLIS_DATABASE_URL in place of --to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis copy --from sqlite:/var/lib/portcullis --to postgres://portcullis@db/portcullis
  portcullis copy --from sqlite:./portcullis-data --to postgres://portcullis@db/portcullis --json")]
pub(crate) struct Args {
    /// The database to read: `sqlite:DIR`, or a PostgreSQL URL. Nothing is written to it
    #[arg(long, value_name = "URL")]
    from: String,
    /// The empty database to write: a PostgreSQL URL, or `sqlite:DIR`
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The configuration file with the settings of the new database
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let from = running::configure(&Place { database_url: Some(args.from), ..Place::default() }, None)?;
    let to = Place { config: args.config, data: None, database_url: args.to }.configure_named()?;
    if to.database.url.is_none() && to.data == from.data {
        return Err(Failure::new(WRONG_USE, "--from and --to are the same"));
    }
    running::start_log(&to)?;
    let mut bars = Bars::new();
    let moved = transfer::copy(&from, &to, &mut |progress| bars.show(progress)).await;
    let moved = moved.map_err(failure)?;
    bars.done();
    if args.json {
        return output::json_line(&told(&moved));
    }
    table(&moved)?;
    output::text(&format!(
        "Copied. Every table has as many rows as before, and the audit log is whole: {} events.\n\nGive each new server the pepper file of the old one ({}), e.g. as PORTCULLIS_PEPPER_FILE.\n",
        moved.events,
        from.pepper_file.display(),
    ))
}

pub(crate) fn told(moved: &Moved) -> serde_json::Value {
    let rows: serde_json::Map<_, _> = moved.rows.iter().map(|&(table, rows)| (table.to_owned(), rows.into())).collect();
    json!({"rows": rows, "audit_events": moved.events})
}

pub(crate) fn table(moved: &Moved) -> Result<(), Failure> {
    let rows = moved.rows.iter().map(|(table, rows)| vec![(*table).to_owned(), rows.to_string()]);
    output::table(&["table", "rows"], rows.collect(), "")
}

#[expect(clippy::needless_pass_by_value, reason = "it is what becomes of an error")]
pub(crate) fn failure(error: TransferError) -> Failure {
    let code = match error {
        TransferError::NotEmpty | TransferError::Another | TransferError::InUse => REFUSED,
        TransferError::Broken(_) | TransferError::Damaged { .. } | TransferError::Differs { .. } => BROKEN,
        TransferError::Open(_) | TransferError::Store(_) | TransferError::File { .. } => FAILED,
    };
    Failure::new(code, error.to_string())
}

/// A bar for each table.
pub(crate) struct Bars {
    bar: Option<(&'static str, ProgressBar)>,
}

impl Bars {
    pub(crate) const fn new() -> Self {
        Self { bar: None }
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        if self.bar.as_ref().is_none_or(|(table, _)| *table != progress.table) {
            self.done();
            let bar = output::bar(Some(progress.of), "{prefix:20} {bar:40} {pos}/{len} rows, {eta} left");
            self.bar = Some((progress.table, bar.with_prefix(progress.table)));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_position(progress.done);
        }
    }

    pub(crate) fn done(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
