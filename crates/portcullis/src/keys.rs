//! `portcullis keys`: make, list, show, rotate, import and revoke API keys.

mod import;

use clap::Subcommand;
use portcullis_api::api_keys::{
    ApiKey, BusinessScope, BusinessScopeText, CreateApiKey, IssuedApiKey, Permissions, RevokeApiKey, RotateApiKey,
    RotatedApiKey,
};
use portcullis_api::metadata::Metadata;
use portcullis_api::secret::SecretText;
use portcullis_core::id::{ApiKeyId, UserId};
use reqwest::Method;

use crate::client::{Ask, Client, PageArgs, query, show_page};
use crate::failure::{Failure, WRONG_USE};
use crate::output::{self, or_dash};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key; its token is printed this once
    #[command(after_help = "Examples:
  portcullis keys create --user usr_… --name 'Zapier Integration - Dental Clinic'
  portcullis keys create --user usr_… --name Reporting --business biz_… --permission calls:read --permission contacts:read \\
      --expires-at 2027-01-31T00:00:00Z")]
    Create(Box<Create>),
    /// List a user's keys, newest first
    List {
        #[command(flatten)]
        of: OfUser,
        /// Only the `active`, `expired` or `revoked` ones
        #[arg(long)]
        status: Option<String>,
        /// Only those that reach this business
        #[arg(long, value_name = "BIZ")]
        business: Option<String>,
        /// Only those with this in their name, in any case
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one key
    Show {
        #[command(flatten)]
        of: OfUser,
        key: ApiKeyId,
    },
    /// Give a key a new token; the old one goes on for a while
    #[command(after_help = "\
Rotating in four steps: rotate, put the new token where the old one is, see that it works, and let the old one end by itself
(or revoke it at once).")]
    Rotate {
        #[command(flatten)]
        of: OfUser,
        key: ApiKeyId,
        /// How long the old token goes on working, in seconds; a day, where it is left out
        #[arg(long, value_name = "SECONDS")]
        overlap_seconds: Option<i64>,
    },
    /// Take in keys that were issued elsewhere, by the SHA-256 of their tokens, from CSV or JSON lines
    #[command(after_help = import::HELP)]
    Import {
        #[command(flatten)]
        of: OfUser,
        #[command(flatten)]
        args: import::Args,
    },
    /// End a key for ever: when this returns, it is dead everywhere
    Revoke {
        #[command(flatten)]
        of: OfUser,
        key: ApiKeyId,
        /// Why, for the list and the audit log
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Whose keys.
#[derive(Debug, clap::Args)]
pub(crate) struct OfUser {
    /// The user who owns them
    #[arg(long, env = "PORTCULLIS_USER", value_name = "USR")]
    user: UserId,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    of: OfUser,
    /// How the key is used
    #[arg(long)]
    name: String,
    /// `live` or `test`
    #[arg(long)]
    environment: Option<String>,
    /// When it stops by itself, e.g. 2027-01-31T00:00:00Z; never, where it is left out
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// A business that it may reach; may be repeated. Left out: all of its owner's
    #[arg(long, value_name = "BIZ")]
    business: Vec<String>,
    /// A permission, e.g. contacts:read; may be repeated. Left out: whatever its owner may do
    #[arg(long, value_name = "PERMISSION")]
    permission: Vec<String>,
    /// Open /api/v1/user to it
    #[arg(long)]
    user_management: bool,
    /// An address or CIDR block that it may be used from; may be repeated. Left out: from anywhere
    #[arg(long, value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// A note as NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = note)]
    metadata: Vec<(String, String)>,
}

pub(crate) async fn run(ask: &Ask, command: Command) -> Result<(), Failure> {
    let client = Client::new(ask)?;
    match command {
        Command::Create(create) => make(ask, &client, *create).await,
        Command::List { of, status, business, name, page } => {
            let query = query(&[
                ("status", status),
                ("business_id", business),
                ("q", name),
                ("limit", page.limit.map(|limit| limit.to_string())),
                ("cursor", page.cursor),
            ]);
            let page = client.page::<ApiKey>(&format!("/users/{}/api-keys{query}", of.user)).await?;
            let headings = ["id", "name", "token", "status", "created", "last used", "expires"];
            show_page(ask, &page, &headings, row, "This user has no such keys.")
        }
        Command::Show { of, key } => {
            let path = format!("/users/{}/api-keys/{key}", of.user);
            show(ask, &client.get::<ApiKey>(&path).await?.data)
        }
        Command::Rotate { of, key, overlap_seconds } => {
            let path = format!("/users/{}/api-keys/{key}/rotate", of.user);
            let body = RotateApiKey { overlap_seconds };
            let made = client.send::<RotatedApiKey>(Method::POST, &path, Some(&body)).await?.data;
            if ask.json {
                return output::json(&made);
            }
            show(ask, &made.api_key)?;
            output::text(&format!("\nThe old token works until {}.\n", or_dash(made.previous.expires_at)))?;
            show_once(made.token.as_ref())
        }
        Command::Import { of, args } => import::run(ask, &client, of.user, &args).await,
        Command::Revoke { of, key, reason } => {
            let path = format!("/users/{}/api-keys/{key}/revoke", of.user);
            let body = RevokeApiKey { reason };
            show(ask, &client.send::<ApiKey>(Method::POST, &path, Some(&body)).await?.data)
        }
    }
}

async fn make(ask: &Ask, client: &Client, create: Create) -> Result<(), Failure> {
    let user = create.of.user;
    let body = wanted(create)?;
    let made = client.send::<IssuedApiKey>(Method::POST, &format!("/users/{user}/api-keys"), Some(&body)).await?.data;
    if ask.json {
        return output::json(&made);
    }
    show(ask, &made.api_key)?;
    show_once(made.token.as_ref())
}

fn show_once(token: Option<&SecretText>) -> Result<(), Failure> {
    let Some(token) = token else { return Ok(()) };
    output::text(&format!("\nThe token, shown this once; it cannot be seen again:\n\n  {}\n", token.expose()))
}

fn wanted(create: Create) -> Result<CreateApiKey, Failure> {
    let mut metadata = Metadata::default();
    for (name, value) in create.metadata {
        if metadata.0.insert(name.clone(), value.into()).is_some() {
            return Err(Failure::new(WRONG_USE, format!("--metadata {name} comes twice")));
        }
    }
    Ok(CreateApiKey {
        name: create.name,
        environment: create.environment,
        expires_at: create.expires_at,
        business_scope: some(create.business).map(BusinessScopeText::Only),
        user_management: create.user_management.then_some(true),
        permissions: some(create.permission).map(Permissions::List),
        allowed_ips: some(create.allow_ip),
        metadata: Some(metadata).filter(|metadata| !metadata.0.is_empty()),
    })
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn note(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn row(key: &ApiKey) -> Vec<String> {
    vec![
        key.id.to_string(),
        key.name.clone(),
        format!("{}…{}", key.prefix, key.hint),
        key.status.clone(),
        key.created_at.to_string(),
        or_dash(key.last_used_at),
        or_dash(key.expires_at),
    ]
}

fn show(ask: &Ask, key: &ApiKey) -> Result<(), Failure> {
    if ask.json {
        return output::json(key);
    }
    let scope = match &key.business_scope {
        BusinessScope::Unrestricted => "unrestricted".to_owned(),
        BusinessScope::Only(businesses) => businesses.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    let permissions = match &key.permissions {
        Permissions::Inherit => "inherit: whatever the owner may do".to_owned(),
        Permissions::List(names) => names.join(", "),
    };
    let ips = if key.allowed_ips.is_empty() { "any address".to_owned() } else { key.allowed_ips.join(", ") };
    output::facts(&[
        ("id", key.id.to_string()),
        ("name", key.name.clone()),
        ("token", format!("{}…{}", key.prefix, key.hint)),
        ("status", key.status.clone()),
        ("owner", key.user_id.to_string()),
        ("businesses", scope),
        ("permissions", permissions),
        ("user management", if key.user_management { "on" } else { "off" }.to_owned()),
        ("may be used from", ips),
        ("created", key.created_at.to_string()),
        ("requests", format!("{} a minute, {} a second", key.rate_limit.per_minute, key.rate_limit.per_second)),
        (
            "used",
            format!(
                "{} in 24 hours, {} in 7 days, {} in 30 days",
                key.usage.last_24h, key.usage.last_7d, key.usage.last_30d
            ),
        ),
        ("last used", or_dash(key.last_used_at)),
        ("last used from", or_dash(key.last_used_address.as_ref())),
        ("expires", or_dash(key.expires_at)),
        ("rotation due", key.rotation_due_at.to_string()),
        ("revoked", or_dash(key.revoked_at)),
        ("revoked because", or_dash(key.revoked_reason.as_ref())),
    ])
}
