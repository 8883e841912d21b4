//! Every setting: its name, default, meaning and unit.
//!
//! A setting comes from the file, and from the environment under `PORTCULLIS_` and its name in capitals, which wins.

mod gates;
pub(crate) mod headers;
mod nodes;
#[cfg(test)]
mod tests;
mod written;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use portcullis_core::limits::{MOST_IN_A_WINDOW, Rate};
use portcullis_core::permission::{Action, Catalogue, NotACatalogue, Resource};
use portcullis_core::token::{NotAPrefix, TokenPrefix};
use serde::Deserialize;

pub use gates::{Gate, Upstream};
pub(crate) use nodes::password_in;
pub use nodes::{Cluster, Database, OnLeaseLoss, Redis, SecretUrl};
use written::{OTHERS, SETTINGS, Written};

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub pepper_file: PathBuf,
    pub token_prefix: TokenPrefix,
    pub catalogue: Catalogue,
    pub rotation_due_days: u32,
    pub sessions: Sessions,
    /// What every key may ask for, where an operator has set nothing else for it.
    pub rate: Rate,
    pub rate_limit_headers: RateLimitHeaders,
    pub quotas: QuotaMode,
    pub usage: Usage,
    /// Whether `/metrics` answers without a credential.
    pub metrics_public: bool,
    /// Whether requests are limited, and whether they are counted. No settings: benchmarks tell by them what that costs.
    pub limiting: bool,
    pub counting: bool,
    /// Where people reach this server, for links; where it listens, where it is left out.
    pub(crate) public_url: Option<String>,
    pub log: Log,
    pub connections: Connections,
    pub database: Database,
    pub cluster: Cluster,
    /// Where several nodes keep the windows of limits that they share.
    pub redis: Option<Redis>,
    pub gates: Vec<Gate>,
    /// Who is believed about the requests of others.
    pub trusted_proxies: Vec<IpNet>,
    /// Where Envoy asks by gRPC.
    pub grpc_listen: Option<SocketAddr>,
    /// Variables that look like settings and are none: a misspelt setting must not go unseen.
    pub unheeded: Vec<String>,
}

/// How long people stay signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    pub idle_minutes: u32,
    pub lifetime_hours: u32,
}

/// Which headers tell a key of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitHeaders {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).
    Standard,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    Legacy,
    Both,
    /// Only `Retry-After`, with a refusal.
    None,
}

/// How much of a quota a node takes from the database at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaMode {
    /// A hundredth, and at most 1,000 calls: that is what a power failure can cost.
    Fast,
    /// What the one call costs, before it is answered.
    Exact,
}

/// How long counts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub by_hour_days: u32,
    pub by_day_days: u32,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// What one connection, one request and a stop may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    pub header_read_timeout_seconds: u64,
    pub body_read_timeout_seconds: u64,
    pub idle_timeout_seconds: u64,
    pub drain_timeout_seconds: u64,
    pub max_header_bytes: usize,
    pub max_body_bytes: usize,
    pub max_connections_per_address: usize,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("the configuration is not as it should be: {0}")]
    Form(#[from] toml::de::Error),
    #[error("`{name}` in the environment cannot be read: {cause}")]
    Environment { name: String, cause: toml::de::Error },
    #[error("`token_prefix`: {0}")]
    Prefix(#[from] NotAPrefix),
    #[error("`catalogue`: {0}")]
    Catalogue(#[from] NotACatalogue),
    #[error("`{name}` is {value}; it must be from {least} to {most}")]
    Range { name: &'static str, value: u64, least: u64, most: u64 },
    #[error("`{name}`: {why}")]
    Unusable { name: &'static str, why: String },
    #[error("`gate.{gate}`: {why}")]
    Gate { gate: String, why: String },
    #[error("`{name}` is `http://` or `https://`, a host, and perhaps a port: no path, no query")]
    Url { name: &'static str },
}

impl Config {
    /// Reads the file, if one is named, and then the environment.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|cause| ConfigError::File { path: path.display().to_string(), cause })?,
            None => String::new(),
        };
        Self::read(&text, environment)
    }

    /// Reads settings from the text of a file and from an environment.
    pub fn read(text: &str, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut table: toml::Table = toml::from_str(text)?;
        // What the file says is read by itself first, so that an error in it names its line.
        let _: Written = toml::from_str(text)?;
        let mut unheeded = Vec::new();
        for (name, value) in environment {
            let Some(setting) = name.strip_prefix("PORTCULLIS_") else { continue };
            let folded = setting.to_ascii_lowercase();
            match SETTINGS.iter().find(|(known, _)| *known == folded) {
                Some((known, true)) => {
                    table.insert((*known).to_owned(), toml::Value::String(value));
                }
                Some((known, false)) => {
                    let mut one: toml::Table = toml::from_str(&format!("{known} = {value}"))
                        .map_err(|cause| ConfigError::Environment { name: name.clone(), cause })?;
                    table.extend(one.remove(*known).map(|value| ((*known).to_owned(), value)));
                }
                None if OTHERS.contains(&setting) => {}
                None => unheeded.push(name),
            }
        }
        let config: Self = table.try_into::<Written>()?.try_into()?;
        Ok(Self { unheeded, ..config })
    }
}

impl Config {
    /// The gate of this name.
    pub fn gate(&self, name: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.rules.name == name)
    }

    /// Whether what this address tells of the requests of others is believed.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

impl TryFrom<Written> for Config {
    type Error = ConfigError;

    fn try_from(mut written: Written) -> Result<Self, ConfigError> {
        let database = nodes::database(&mut written)?;
        let catalogue = catalogue(written.catalogue.take())?;
        Ok(Self {
            gates: gates::gates(std::mem::take(&mut written.gate), &catalogue)?,
            trusted_proxies: gates::trusted_proxies(&written.trusted_proxies)?,
            grpc_listen: written.grpc_listen,
            database,
            cluster: nodes::cluster(&mut written)?,
            redis: nodes::redis(&mut written)?,
            listen: written.listen,
            pepper_file: written.pepper_file.unwrap_or_else(|| written.data.join("pepper")),
            data: written.data,
            token_prefix: TokenPrefix::for_api_keys(&written.token_prefix)?,
            catalogue,
            rotation_due_days: narrow(within("rotation_due_days", written.rotation_due_days.into(), 1, 36_500)?),
            sessions: Sessions {
                idle_minutes: narrow(within("session_idle_minutes", written.session_idle_minutes.into(), 1, 525_600)?),
                lifetime_hours: narrow(within(
                    "session_lifetime_hours",
                    written.session_lifetime_hours.into(),
                    1,
                    8_760,
                )?),
            },
            rate: Rate {
                per_minute: limit("rate_limit_per_minute", written.rate_limit_per_minute)?,
                per_second: limit("rate_limit_per_second", written.rate_limit_per_second)?,
            },
            rate_limit_headers: written.rate_limit_headers,
            quotas: written.quotas,
            usage: Usage {
                // The longest window that is told by the hour is 30 days and a part of one.
                by_hour_days: narrow(within("usage_by_hour_days", written.usage_by_hour_days, 32, 3_650)?),
                by_day_days: narrow(within("usage_by_day_days", written.usage_by_day_days, 32, 36_500)?),
            },
            metrics_public: written.metrics_public,
            limiting: true,
            counting: true,
            public_url: written.public_url.map(|url| origin("public_url", &url)).transpose()?,
            log: Log { level: written.log_level, format: written.log_format },
            unheeded: Vec::new(),
            connections: Connections {
                header_read_timeout_seconds: seconds(
                    "header_read_timeout_seconds",
                    written.header_read_timeout_seconds,
                )?,
                body_read_timeout_seconds: seconds("body_read_timeout_seconds", written.body_read_timeout_seconds)?,
                idle_timeout_seconds: seconds("idle_timeout_seconds", written.idle_timeout_seconds)?,
                drain_timeout_seconds: seconds("drain_timeout_seconds", written.drain_timeout_seconds)?,
                max_header_bytes: narrow(within("max_header_bytes", written.max_header_bytes, 8_192, 1 << 20)?),
                max_body_bytes: narrow(within("max_body_bytes", written.max_body_bytes, 1_024, 16 << 20)?),
                max_connections_per_address: narrow(within(
                    "max_connections_per_address",
                    written.max_connections_per_address,
                    0,
                    1 << 20,
                )?),
            },
        })
    }
}

/// A URL without anything after the host and port.
fn origin(name: &'static str, url: &str) -> Result<String, ConfigError> {
    let unusable = || ConfigError::Url { name };
    let uri: http::Uri = url.trim_end_matches('/').parse().map_err(|_| unusable())?;
    match (uri.scheme_str(), uri.authority(), uri.path_and_query().map(http::uri::PathAndQuery::as_str)) {
        (Some(scheme @ ("http" | "https")), Some(place), None | Some("/")) if !place.as_str().contains('@') => {
            Ok(format!("{scheme}://{place}"))
        }
        _ => Err(unusable()),
    }
}

fn limit(name: &'static str, value: u64) -> Result<u32, ConfigError> {
    Ok(narrow(within(name, value, 1, MOST_IN_A_WINDOW.into())?))
}

fn seconds(name: &'static str, value: u64) -> Result<u64, ConfigError> {
    within(name, value, 1, 3_600)
}

fn within(name: &'static str, value: u64, least: u64, most: u64) -> Result<u64, ConfigError> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(ConfigError::Range { name, value, least, most }) }
}

/// The ranges above all fit into 32 bits.
fn narrow<T: TryFrom<u64> + Default>(value: u64) -> T {
    T::try_from(value).unwrap_or_default()
}

fn catalogue(written: Option<toml::Table>) -> Result<Catalogue, ConfigError> {
    let Some(table) = written else { return Ok(default_catalogue()?) };
    let mut resources = Vec::with_capacity(table.len());
    for (name, value) in table {
        resources.push(Resource { name, actions: value.try_into::<Vec<Action>>()? });
    }
    Ok(Catalogue::new(resources)?)
}

/// What an API of businesses that talk to their customers usually has.
fn default_catalogue() -> Result<Catalogue, NotACatalogue> {
    let both = ["calls", "leads", "agents", "contacts", "knowledge_base", "integrations"];
    let resource = |name: &str, actions: &[Action]| Resource { name: name.to_owned(), actions: actions.to_vec() };
    let mut resources: Vec<_> = both.iter().map(|name| resource(name, &[Action::Read, Action::Write])).collect();
    resources.insert(3, resource("analytics", &[Action::Read]));
    Catalogue::new(resources)
}
