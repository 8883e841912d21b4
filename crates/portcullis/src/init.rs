//! `portcullis init`: the first user and the first operator key of an empty store.

use std::io::{IsTerminal, Read};

use portcullis_api::secret::SecretText;
use portcullis_server::setup::{self, FirstUser, Initialised};
use serde::Serialize;

use crate::failure::{FAILED, Failure, REFUSED, WRONG_USE};
use crate::output;
use crate::running::{self, Place};

/// Set up an empty store: the first user, who is a platform admin, and an operator key with every grant.
///
/// The password is read from PORTCULLIS_PASSWORD, from the file that PORTCULLIS_PASSWORD_FILE names, or from standard input
/// where that is no terminal; where none of them has one, a password is made and printed. The server must not be running.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis init --data /var/lib/portcullis --email you@example.com
  PORTCULLIS_PASSWORD_FILE=/run/secrets/password portcullis init --data ./portcullis-data --email you@example.com --json
  PORTCULLIS_PEPPER_FILE=./pepper portcullis init --database-url postgres://portcullis@db/portcullis --email you@example.com")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The first user's e-mail address
    #[arg(long)]
    email: String,
    /// The first user's name
    #[arg(long)]
    name: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    user_id: String,
    operator_key_id: String,
    operator_token: &'a SecretText,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a SecretText>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = args.place.configure_named()?;
    running::start_log(&config)?;
    let password = password()?;
    let app = running::open(config).await?;
    let first = FirstUser { email: args.email, name: args.name, password };
    let made = setup::initialise(&app, first).await;
    app.close().await;
    print(&made.map_err(|error| Failure::new(REFUSED, error.to_string()))?, args.json)
}

/// A password that was given, without the line end after it.
fn password() -> Result<Option<SecretText>, Failure> {
    let from_file = |path: &std::ffi::OsStr| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::new(WRONG_USE, format!("cannot read PORTCULLIS_PASSWORD_FILE: {error}")))
    };
    let text = match (std::env::var("PORTCULLIS_PASSWORD"), std::env::var_os("PORTCULLIS_PASSWORD_FILE")) {
        (Ok(text), _) => text,
        (Err(_), Some(path)) => from_file(&path)?,
        (Err(_), None) if std::io::stdin().is_terminal() => return Ok(None),
        (Err(_), None) => {
            let mut text = String::new();
            // More than any password is; a pipe without an end must not fill the memory.
            let read = std::io::stdin().take(4_096).read_to_string(&mut text);
            read.map_err(|error| {
                Failure::new(FAILED, format!("cannot read the password from standard input: {error}"))
            })?;
            text
        }
    };
    let text = text.trim_end_matches(['\r', '\n']);
    Ok((!text.is_empty()).then(|| SecretText::new(text.to_owned())))
}

fn print(made: &Initialised, json: bool) -> Result<(), Failure> {
    let printed = Printed {
        user_id: made.user_id.to_string(),
        operator_key_id: made.operator_key_id.to_string(),
        operator_token: &made.operator_token,
        password: made.password.as_ref(),
    };
    if json {
        return output::json_line(&printed);
    }
    let mut text = format!(
        "The store is set up. These are shown this once and cannot be seen again:\n\n  user            {}\n  operator key    {}\n  operator token  {}\n",
        printed.user_id,
        printed.operator_key_id,
        printed.operator_token.expose(),
    );
    if let Some(password) = printed.password {
        text.push_str("  password        ");
        text.push_str(password.expose());
        text.push('\n');
    }
    text.push_str("\nKeep the operator token where your back end finds it, e.g. as PORTCULLIS_TOKEN, and start the server:\n\n  portcullis serve --data DIR\n");
    output::text(&text)
}
