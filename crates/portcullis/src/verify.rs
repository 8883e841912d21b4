//! `portcullis verify`: may a request with this token pass?

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use portcullis_api::envelope::Success;
use portcullis_api::secret::SecretText;
use portcullis_api::verify::{Businesses, Consistency, Decision, Explained, RateLimit, Verify};
use reqwest::Method;

use crate::client::{self, Ask, Client};
use crate::failure::{DENIED, FAILED, Failure, WRONG_USE};
use crate::output::{self, or_dash};

/// Ask whether a request may pass
///
/// The token to look at is read from standard input, or from a file; it is never an argument, where others could see it.
/// Exits with 0 if the request may pass and with 10 if not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  printenv KEY | portcullis verify --permission contacts:read
  portcullis verify --token-file ./key --permission calls --method POST --business biz_…
  portcullis verify --token-file ./key --gate crm --method GET --path /api/contacts
  portcullis verify --token-file ./key --permission contacts:write --explain")]
pub(crate) struct Args {
    /// The file that holds the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// resource:action, or a resource with --method
    #[arg(long)]
    permission: Option<String>,
    /// The business that the request is about
    #[arg(long, value_name = "BIZ")]
    business: Option<String>,
    /// Where the request came from
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// A gate of the server's configuration, which says what --method and --path need
    #[arg(long, value_name = "NAME", requires_all = ["method", "path"], conflicts_with = "permission")]
    gate: Option<String>,
    /// The request's method
    #[arg(long)]
    method: Option<String>,
    /// The request's path
    #[arg(long)]
    path: Option<String>,
    /// How much of the key's limits the request takes (0 to 1000); 0 asks without charging
    #[arg(long, value_name = "COUNT")]
    cost: Option<i64>,
    /// Tell of each of the nine rules how it went
    #[arg(long)]
    explain: bool,
    /// Have the decision read from the database, and not from the node's memory
    #[arg(long)]
    primary: bool,
}

pub(crate) async fn run(ask: &Ask, args: Args) -> Result<(), Failure> {
    let client = Client::new(ask)?;
    let question = Verify {
        token: token(args.token_file.as_deref())?,
        permission: args.permission,
        business_id: args.business,
        ip_address: args.ip,
        gate: args.gate,
        method: args.method,
        path: args.path,
        cost: args.cost,
        explain: args.explain,
        consistency: if args.primary { Consistency::Primary } else { Consistency::Memory },
    };
    let text = client.call(Method::POST, "/verify", Some(&question)).await?;
    let decision = client::read::<Success<Decision<'_>>>(&text)?.data;
    show(ask, &decision)?;
    if decision.valid {
        return Ok(());
    }
    let reason = decision.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
    Err(Failure::new(DENIED, format!("the request may not pass ({}{reason})", decision.code)))
}

/// How the tightest limit stands, in words.
fn limits(limit: &RateLimit) -> String {
    let RateLimit { name, limit, remaining, retry_after, .. } = limit;
    let wait = match retry_after {
        Some(0) => String::new(),
        Some(seconds) => format!("; there is room in {seconds} s"),
        None => "; it never lets in so much at once".to_owned(),
    };
    format!("{remaining} of {limit} left ({name}){wait}")
}

fn token(file: Option<&std::path::Path>) -> Result<SecretText, Failure> {
    if let Some(path) = file {
        return client::secret_file(path);
    }
    if std::io::stdin().is_terminal() {
        return Err(Failure::new(
            WRONG_USE,
            "send the token on standard input, as in `printenv KEY | portcullis verify`, or name a file with --token-file",
        ));
    }
    let mut text = String::new();
    let read = std::io::stdin().take(4_096).read_to_string(&mut text);
    read.map_err(|error| Failure::new(FAILED, format!("cannot read the token from standard input: {error}")))?;
    Ok(SecretText::new(text.trim().to_owned()))
}

fn show(ask: &Ask, decision: &Decision<'_>) -> Result<(), Failure> {
    if ask.json {
        return output::json(decision);
    }
    let businesses = match &decision.businesses {
        Businesses::All(_) => "all of the owner's".to_owned(),
        Businesses::These(list) if list.is_empty() => "-".to_owned(),
        Businesses::These(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    let permissions = Some(decision.permissions.join(", ")).filter(|text| !text.is_empty());
    output::facts(&[
        ("decision", decision.code.to_string()),
        ("reason", or_dash(decision.reason.as_ref())),
        ("key", or_dash(decision.key_id)),
        ("name", or_dash(decision.name.as_ref())),
        ("owner", or_dash(decision.user_id)),
        ("businesses", businesses),
        ("permissions", or_dash(permissions)),
        ("expires", or_dash(decision.expires_at)),
        ("limits", or_dash(decision.rate_limit.as_ref().map(limits))),
    ])?;
    let Some(rules) = &decision.explanation else { return Ok(()) };
    output::text("\n")?;
    let row = |rule: &Explained| vec![rule.rule.clone(), rule.outcome.clone(), rule.detail.clone()];
    output::table(&["rule", "outcome", "because"], rules.iter().map(row).collect(), "There are no rules.")
}
