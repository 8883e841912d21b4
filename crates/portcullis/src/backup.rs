//! `portcullis backup` and `restore`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use portcullis_api::time::Time;
use portcullis_server::transfer;
use serde_json::json;

use crate::copy::{Bars, failure, table, told};
use crate::failure::{Failure, REFUSED, WRONG_USE};
use crate::output;
use crate::running::{self, Place};

/// Write the whole store into a file, also while servers run on it.
///
/// It is one state of the database, with a checksum. Tokens are not in it, nor is the pepper: keep a copy of that somewhere else, for
/// without it no key of the backup works. Who is signed in, and links that were sent, are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis backup --data /var/lib/portcullis --to /backup/portcullis-2026-11-20.gz
  portcullis backup --database-url postgres://portcullis@db/portcullis --to portcullis.gz --json")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The file to write; it gets its name when it is whole
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Put a backup into an empty database.
///
/// Whatever was revoked, disabled or narrowed after the backup was made would be as it was before. So it must be said what had ended
/// since: with --revoked-since, a file of ids (key_…, opk_…, usr_…, biz_…) or of lines of `portcullis audit export`; or, with
/// --accept-forgotten-revocations, that it is accepted that revoked keys live again. Nodes that still run on the old state revoke again
/// what they remember.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis audit export --data /var/lib/portcullis.broken >events.jsonl
  portcullis restore --from portcullis.gz --data /var/lib/portcullis --revoked-since events.jsonl
  portcullis restore --from portcullis.gz --database-url postgres://portcullis@db/new --accept-forgotten-revocations")]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
    /// What had ended since the backup was made; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "accept_forgotten_revocations")]
    revoked_since: Option<PathBuf>,
    /// Accept that keys which were revoked after the backup was made live again
    #[arg(long)]
    accept_forgotten_revocations: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = args.place.configure_named()?;
    running::start_log(&config)?;
    let mut bars = Bars::new();
    let moved = transfer::backup(&config, &args.to, &mut |progress| bars.show(progress)).await.map_err(failure)?;
    bars.done();
    if args.json {
        return output::json_line(&told(&moved));
    }
    table(&moved)?;
    output::text(&format!(
        "Written to {}. Keep the pepper file somewhere else too: without it no key of this backup works.\n",
        args.to.display()
    ))
}

pub(crate) async fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let ended = match &args.revoked_since {
        Some(path) => ended(path)?,
        None if args.accept_forgotten_revocations => Vec::new(),
        None => return Err(Failure::new(REFUSED, UNSAID)),
    };
    let config = args.place.configure_named()?;
    running::start_log(&config)?;
    let mut bars = Bars::new();
    let restored = transfer::restore(&args.from, &config, &ended, &mut |progress| bars.show(progress)).await;
    let restored = restored.map_err(failure)?;
    bars.done();
    if args.json {
        let mut line = told(&restored.moved);
        if let Some(members) = line.as_object_mut() {
            members.insert("made_at".to_owned(), json!(Time(restored.made_at).to_string()));
            members.insert("ended".to_owned(), json!(restored.ended));
            members.insert("unknown".to_owned(), json!(restored.unknown));
        }
        return output::json_line(&line);
    }
    table(&restored.moved)?;
    let mut text = format!(
        "Restored to the state of {}; the audit log is whole up to there. Ended again: {}.\n",
        Time(restored.made_at),
        restored.ended
    );
    if !restored.unknown.is_empty() {
        text.push_str("Not in the backup, and so in no need of an end: ");
        text.push_str(&restored.unknown.join(", "));
        text.push('\n');
    }
    text.push_str(
        "Members, roles, permissions and limits are as they were then: look through what was narrowed since.\n",
    );
    output::text(&text)
}

const UNSAID: &str = "keys that were revoked after the backup was made would live again. Say what had ended since with --revoked-since FILE (ids, or lines of `portcullis audit export`), or accept it with --accept-forgotten-revocations";

fn ended(path: &Path) -> Result<Vec<String>, Failure> {
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|error| Failure::new(WRONG_USE, format!("cannot read {}: {error}", path.display())))?;
        Box::new(BufReader::new(file))
    };
    Ok(transfer::ended_in(reader)?)
}
