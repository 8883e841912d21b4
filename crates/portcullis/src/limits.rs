//! `portcullis limits` and `portcullis usage`: how much may be asked for, and how much was.

use clap::Subcommand;
use portcullis_api::api_keys::ApiKey;
use portcullis_api::limits::{Limits, NamedLimit, Quotas, SetRateLimit};
use portcullis_api::usage::{CountsByCode, Usage};
use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
use reqwest::Method;

use crate::client::{Ask, Client, query};
use crate::failure::Failure;
use crate::output::{self, or_dash};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the named limits and quotas of a key, a user or a business
    Show {
        #[command(flatten)]
        of: Of,
    },
    /// Set the named limits and quotas; what is not named is not there any more
    #[command(after_help = "Examples:
  portcullis limits set --user usr_… --key key_… --limit hourly=5000/3600
  portcullis limits set --business biz_… --per-month 100000
  portcullis limits set --user usr_…            # none")]
    Set {
        #[command(flatten)]
        of: Of,
        /// At most so many requests in any so many seconds; may be repeated, up to 8 times
        #[arg(long, value_name = "NAME=COUNT/SECONDS", value_parser = named)]
        limit: Vec<NamedLimit>,
        /// So many calls in each day (UTC)
        #[arg(long, value_name = "COUNT")]
        per_day: Option<i64>,
        /// So many calls in each month (UTC)
        #[arg(long, value_name = "COUNT")]
        per_month: Option<i64>,
    },
    /// Set how many requests a minute and a second a key has, and all that it is rotated from and to
    #[command(after_help = "Without --per-minute and --per-second the key has the server's own again.")]
    Rate {
        /// The user who owns the key
        #[arg(long, env = "PORTCULLIS_USER", value_name = "USR")]
        user: UserId,
        key: ApiKeyId,
        /// At most so many requests in any 60 seconds
        #[arg(long, value_name = "COUNT", requires = "per_second")]
        per_minute: Option<i64>,
        /// At most so many requests in any second
        #[arg(long, value_name = "COUNT", requires = "per_minute")]
        per_second: Option<i64>,
    },
}

/// Whose limits, or whose usage.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The user, or the owner of the key
    #[arg(long, env = "PORTCULLIS_USER", value_name = "USR", required_unless_present = "business")]
    user: Option<UserId>,
    /// One key of the user
    #[arg(long, value_name = "KEY", requires = "user", conflicts_with = "business")]
    key: Option<ApiKeyId>,
    /// A business
    #[arg(long, value_name = "BIZ")]
    business: Option<BusinessId>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UsageArgs {
    #[command(flatten)]
    of: Of,
    /// 24h, 7d, 30d, 90d or 365d
    #[arg(long, default_value = "24h")]
    window: String,
    /// Of the key and of all that it was rotated from and to
    #[arg(long, requires = "key")]
    family: bool,
}

impl Of {
    fn path(&self) -> String {
        match (self.business, self.user, self.key) {
            (Some(business), ..) => format!("/businesses/{business}"),
            (None, Some(user), Some(key)) => format!("/users/{user}/api-keys/{key}"),
            (None, user, _) => format!("/users/{}", or_dash(user)),
        }
    }
}

pub(crate) async fn run(ask: &Ask, command: Command) -> Result<(), Failure> {
    let client = Client::new(ask)?;
    match command {
        Command::Show { of } => show(ask, &client.get::<Limits>(&format!("{}/limits", of.path())).await?.data),
        Command::Set { of, limit, per_day, per_month } => {
            let body = Limits { limits: limit, quotas: Quotas { per_day, per_month } };
            let path = format!("{}/limits", of.path());
            show(ask, &client.send::<Limits>(Method::PUT, &path, Some(&body)).await?.data)
        }
        Command::Rate { user, key, per_minute, per_second } => {
            let body = SetRateLimit { per_minute, per_second };
            let path = format!("/users/{user}/api-keys/{key}/rate-limit");
            let key = client.send::<ApiKey>(Method::PUT, &path, Some(&body)).await?.data;
            if ask.json {
                return output::json(&key);
            }
            output::facts(&[
                ("key", key.id.to_string()),
                ("requests a minute", key.rate_limit.per_minute.to_string()),
                ("requests a second", key.rate_limit.per_second.to_string()),
            ])
        }
    }
}

pub(crate) async fn usage(ask: &Ask, args: UsageArgs) -> Result<(), Failure> {
    let query = query(&[("window", Some(args.window)), ("family", args.family.then(|| "true".to_owned()))]);
    let usage = Client::new(ask)?.get::<Usage>(&format!("{}/usage{query}", args.of.path())).await?.data;
    if ask.json {
        return output::json(&usage);
    }
    let words = |CountsByCode(counts): &CountsByCode| {
        let words = counts.iter().map(|(code, count)| format!("{code} {count}")).collect::<Vec<_>>().join(", ");
        if words.is_empty() { "-".to_owned() } else { words }
    };
    output::facts(&[("from", usage.from.to_string()), ("to", usage.to.to_string()), ("in all", words(&usage.totals))])?;
    output::text("\n")?;
    let used = usage.series.iter().filter(|point| !point.counts.0.is_empty());
    let rows = used.map(|point| vec![point.at.to_string(), words(&point.counts)]).collect();
    output::table(&["at", "decisions"], rows, "There was no request in this time.")
}

fn show(ask: &Ask, limits: &Limits) -> Result<(), Failure> {
    if ask.json {
        return output::json(limits);
    }
    let row = |limit: &NamedLimit| {
        vec![limit.name.clone(), limit.limit.to_string(), format!("in {} s", limit.window_seconds)]
    };
    let quotas = [("quota-day", limits.quotas.per_day, "a day"), ("quota-month", limits.quotas.per_month, "a month")];
    let quotas = quotas
        .into_iter()
        .filter_map(|(name, most, period)| Some(vec![name.to_owned(), most?.to_string(), period.to_owned()]));
    let rows = limits.limits.iter().map(row).chain(quotas).collect();
    output::table(&["name", "at most", "window"], rows, "No limits beside the two of each key.")
}

fn named(text: &str) -> Result<NamedLimit, String> {
    let parts = || {
        let (name, rest) = text.split_once('=')?;
        let (limit, seconds) = rest.split_once('/')?;
        Some(NamedLimit { name: name.to_owned(), limit: limit.parse().ok()?, window_seconds: seconds.parse().ok()? })
    };
    parts().ok_or_else(|| "write NAME=COUNT/SECONDS, e.g. hourly=5000/3600".to_owned())
}
