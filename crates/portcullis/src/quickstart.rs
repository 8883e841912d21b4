//! `portcullis quickstart`: a server with a working key in it, after one command.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_api::secret::SecretText;
use portcullis_server::App;
use portcullis_server::setup::{self, FirstUser, Initialised, Sample, SetupError};
use serde::Serialize;

use crate::failure::{Failure, REFUSED};
use crate::output;
use crate::running::{self, Place};

/// Start a server to try Portcullis with, on SQLite.
///
/// On an empty directory it makes a user, two businesses, an operator key and an API key, and prints their tokens this once,
/// with the curl lines to try. Run again on the same directory, it starts with what is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis quickstart
  portcullis quickstart --data /tmp/try --listen 127.0.0.1:0 --json")]
pub(crate) struct Args {
    /// The configuration file; portcullis.example.toml explains every setting
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of the database and the pepper; made where it is missing
    #[arg(long, value_name = "DIR", default_value = "portcullis-data")]
    data: PathBuf,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Print one JSON object on the first line, once the server listens
    #[arg(long)]
    json: bool,
}

/// What `--json` prints. Nothing is left out on a second start, but what is shown only once is null.
#[derive(Default, Serialize)]
struct Printed<'a> {
    url: String,
    operator_key_id: Option<String>,
    operator_token: Option<&'a SecretText>,
    user_id: Option<String>,
    email: Option<&'static str>,
    password: Option<&'a SecretText>,
    business_ids: Vec<String>,
    api_key_id: Option<String>,
    token: Option<&'a SecretText>,
}

/// Whom the dashboard of a quickstart is signed in to as.
const EMAIL: &str = "owner@example.com";

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = running::configure(&Place { config: args.config.clone(), ..Place::of(&args.data) }, args.listen)?;
    running::start_log(&config)?;
    let app = running::open(config).await?;
    // Where the address cannot be had, nothing is made: tokens that were never shown would be lost.
    let bound = running::bind(&app).await?;
    let made = sample(&app).await.map_err(|error| Failure::new(REFUSED, error.to_string()))?;
    let url = format!("http://{}", bound.address);
    print(&args, url, made.as_ref())?;
    running::run(bound).await
}

/// Fills an empty store; leaves one with users alone.
async fn sample(app: &Arc<App>) -> Result<Option<(Initialised, Sample)>, SetupError> {
    let first = FirstUser { email: EMAIL.to_owned(), name: Some("Quickstart Owner".to_owned()), password: None };
    match setup::initialise(app, first).await {
        Ok(first) => {
            let sample = setup::add_sample(app, &first).await?;
            Ok(Some((first, sample)))
        }
        Err(SetupError::AlreadyInitialised) => Ok(None),
        Err(other) => Err(other),
    }
}

fn print(args: &Args, url: String, made: Option<&(Initialised, Sample)>) -> Result<(), Failure> {
    if !args.json {
        return output::text(
            &made.map_or_else(|| again(args, &url), |(first, sample)| welcome(args, &url, first, sample)),
        );
    }
    output::json_line(&match made {
        None => Printed { url, ..Printed::default() },
        Some((first, sample)) => Printed {
            url,
            operator_key_id: Some(first.operator_key_id.to_string()),
            operator_token: Some(&first.operator_token),
            user_id: Some(first.user_id.to_string()),
            email: Some(EMAIL),
            password: first.password.as_ref(),
            business_ids: sample.business_ids.iter().map(ToString::to_string).collect(),
            api_key_id: Some(sample.api_key_id.to_string()),
            token: Some(&sample.token),
        },
    })
}

fn again(args: &Args, url: &str) -> String {
    let data = args.data.display();
    format!(
        "Portcullis listens on {url}, with what is in {data}.\n\
         Its tokens were shown when they were made, and tokens are shown only once. To begin anew, stop the server and\n\
         remove {data}, or name another directory with --data.\n"
    )
}

fn welcome(args: &Args, url: &str, first: &Initialised, sample: &Sample) -> String {
    let businesses = sample.business_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let data = args.data.display();
    let (user, key, operator) = (first.user_id, sample.api_key_id, first.operator_key_id);
    let (operator_token, token) = (first.operator_token.expose(), sample.token.expose());
    let password = first.password.as_ref().map_or("", SecretText::expose);
    format!(
        "\
Portcullis listens on {url}. Its data is in {data}.

The dashboard is at {url}. Sign in as {EMAIL} with the password, shown this once:

  {password}

Two tokens, shown this once:

  export OPERATOR={operator_token}
  export KEY={token}

Your back end has the operator key ({operator}); your customer has the API key
({key}), which belongs to {user} and reaches
{businesses}.

Paste the two lines above into another terminal, then ask whether a request with the key may pass:

  curl -s {url}/api/v1/verify -H \"Authorization: Bearer $OPERATOR\" -H 'Content-Type: application/json' \\
    -d '{{\"token\": \"'$KEY'\", \"permission\": \"contacts:read\"}}'

The key can say what it is, sent in any of three ways:

  curl -s {url}/api/v1/whoami -H \"Authorization: Bearer $KEY\"
  curl -s {url}/api/v1/whoami -H \"Authorization: Token $KEY\"
  curl -s {url}/api/v1/whoami -H \"X-API-Key: $KEY\"

Revoke it, and ask again: it is dead the moment the first line returns.

  curl -s -X POST {url}/api/v1/users/{user}/api-keys/{key}/revoke -H \"Authorization: Bearer $OPERATOR\"
  curl -s {url}/api/v1/verify -H \"Authorization: Bearer $OPERATOR\" -H 'Content-Type: application/json' \\
    -d '{{\"token\": \"'$KEY'\"}}'

Ctrl-C stops the server.
"
    )
}
