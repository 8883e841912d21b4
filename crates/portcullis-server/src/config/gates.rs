//! Settings of what stands between clients and the guarded API: gates, whom to believe, and where to proxy to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use portcullis_core::gate::{self, BusinessFrom, Methods, Needs, Pattern, Rule};
use portcullis_core::permission::{Action, Catalogue};
use serde::Deserialize;

use super::headers::may_name_a_business;
use super::{ConfigError, origin, within};

/// The capture that names the business of a request, where a rule says nothing else.
const BUSINESS: &str = "business_id";
const LONGEST_NAME: usize = 32;

/// One gate: its rules, and what is particular to how it is asked.
#[derive(Debug, Clone)]
pub struct Gate {
    pub rules: gate::Gate,
    /// The query parameter that may hold a token; `None` where a token in a URL is none.
    pub token_parameter: Option<String>,
    /// Where requests go that this server itself lets through.
    pub upstream: Option<Upstream>,
}

/// The API behind a gate, where this server is the proxy in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `http://` or `https://`, host and perhaps a port.
    pub url: String,
    pub listen: SocketAddr,
    /// Whether the API is told the `Host` that the client named, or that of `url`.
    pub keep_host: bool,
    /// Whose content is sent to the API as `Authorization`.
    pub authorization_file: Option<PathBuf>,
    pub connect_timeout_ms: u64,
    /// How long the API may take to begin its answer.
    pub response_timeout_seconds: u64,
    /// How long neither side of a request may send anything.
    pub idle_timeout_seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenGate {
    token_parameter: Option<String>,
    upstream: Option<WrittenUpstream>,
    #[serde(default)]
    rule: Vec<WrittenRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUpstream {
    url: String,
    listen: SocketAddr,
    #[serde(default = "WrittenUpstream::keep_host")]
    keep_host: bool,
    authorization_file: Option<PathBuf>,
    #[serde(default = "WrittenUpstream::connect_timeout_ms")]
    connect_timeout_ms: u64,
    #[serde(default = "WrittenUpstream::a_minute")]
    response_timeout_seconds: u64,
    #[serde(default = "WrittenUpstream::a_minute")]
    idle_timeout_seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    methods: Vec<String>,
    path: String,
    permission: Option<String>,
    needs: Option<WrittenNeeds>,
    business: Option<WrittenBusiness>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenNeeds {
    Nothing,
    LiveKey,
    UserManagement,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenBusiness {
    None,
    Capture(String),
    Header(String),
}

impl WrittenUpstream {
    const fn keep_host() -> bool {
        true
    }

    const fn connect_timeout_ms() -> u64 {
        2_000
    }

    const fn a_minute() -> u64 {
        60
    }
}

/// The gates, checked against the catalogue.
pub(super) fn gates(written: BTreeMap<String, WrittenGate>, catalogue: &Catalogue) -> Result<Vec<Gate>, ConfigError> {
    let mut gates: Vec<Gate> = Vec::with_capacity(written.len());
    for (name, written) in written {
        let wrong = |why: String| ConfigError::Gate { gate: name.escape_debug().to_string(), why };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
            return Err(wrong(format!(
                "its name must be 1 to {LONGEST_NAME} lower-case letters, digits, `_` or `-`, for it is part of URLs"
            )));
        }
        if written.rule.is_empty() {
            return Err(wrong(format!("it has no rule, and would let nothing through: add [[gate.{name}.rule]]")));
        }
        let mut rules = Vec::with_capacity(written.rule.len());
        for (number, rule) in (1..).zip(written.rule) {
            let path = rule.path.clone();
            rules.push(self::rule(rule, catalogue).map_err(|why| wrong(format!("rule {number} ({path}): {why}")))?);
        }
        let upstream = written.upstream.map(upstream).transpose()?;
        let listen = upstream.as_ref().map(|upstream| upstream.listen).filter(|listen| listen.port() != 0);
        let taken = |gate: &&Gate| listen.is_some() && gate.upstream.as_ref().map(|other| other.listen) == listen;
        if let Some(other) = gates.iter().find(taken) {
            return Err(wrong(format!("its upstream listens where that of gate `{}` does", other.rules.name)));
        }
        let token_parameter = written.token_parameter;
        if token_parameter.as_deref().is_some_and(|name| !is_parameter(name)) {
            return Err(wrong("`token_parameter` must be letters, digits, `_` or `-`".to_owned()));
        }
        gates.push(Gate { rules: gate::Gate { name, rules }, token_parameter, upstream });
    }
    Ok(gates)
}

fn rule(written: WrittenRule, catalogue: &Catalogue) -> Result<Rule, String> {
    let pattern = Pattern::new(&written.path).map_err(|why| why.to_string())?;
    let methods = methods(written.methods)?;
    let needs = match (written.permission, written.needs) {
        (Some(name), None) => permission(&name, &methods, catalogue)?,
        (None, Some(WrittenNeeds::Nothing)) => Needs::Nothing,
        (None, Some(WrittenNeeds::LiveKey)) => Needs::LiveKey,
        (None, Some(WrittenNeeds::UserManagement)) => Needs::UserManagement,
        _ => {
            return Err(
                "say either `permission = \"resource:action\"` or `needs = \"live_key\"`, `\"user_management\"` \
                        or `\"nothing\"`"
                    .to_owned(),
            );
        }
    };
    let business = match written.business {
        None => pattern.capture(BUSINESS).map_or(BusinessFrom::None, BusinessFrom::Segment),
        Some(WrittenBusiness::None) => BusinessFrom::None,
        Some(WrittenBusiness::Capture(name)) => pattern
            .capture(&name)
            .map(BusinessFrom::Segment)
            .ok_or_else(|| format!("`business`: the path has no capture `{{{name}}}`"))?,
        Some(WrittenBusiness::Header(name)) => {
            let name: http::HeaderName =
                name.parse().map_err(|_| format!("`business`: `{name}` is no name of a header"))?;
            if !may_name_a_business(name.as_str()) {
                return Err(format!(
                    "`business`: `{name}` says something else; take a header of its own, as X-Business-Id"
                ));
            }
            BusinessFrom::Header(name.as_str().to_owned())
        }
    };
    if matches!(needs, Needs::Nothing) && business != BusinessFrom::None {
        return Err("what needs nothing concerns no business: add `business = \"none\"`".to_owned());
    }
    Ok(Rule { methods, pattern, needs, business })
}

fn methods(written: Vec<String>) -> Result<Methods, String> {
    if written == ["*"] {
        return Ok(Methods::Any);
    }
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    if let Some(wrong) = written.iter().find(|method| method.is_empty() || !method.bytes().all(plain)) {
        return Err(format!(
            "`methods`: `{}` is no method; write them in capitals, or [\"*\"] for all",
            wrong.escape_debug()
        ));
    }
    if written.is_empty() { Err("`methods` is empty".to_owned()) } else { Ok(Methods::These(written)) }
}

/// A `resource:action`, or a resource whose action the method tells.
fn permission(name: &str, methods: &Methods, catalogue: &Catalogue) -> Result<Needs, String> {
    let known = |name: &str| {
        let unknown = || format!("`permission`: the catalogue has no `{}`", name.escape_debug());
        catalogue.permission(name).ok_or_else(unknown)
    };
    if name.contains(':') {
        return known(name).map(Needs::Permission);
    }
    let of = |action: Action| format!("{name}:{}", action.name());
    let does = |action| match methods {
        Methods::Any => true,
        Methods::These(all) => all.iter().any(|method| Action::of_method(method) == action),
    };
    match (does(Action::Read), does(Action::Write)) {
        (true, false) => known(&of(Action::Read)).map(Needs::Permission),
        (false, _) => known(&of(Action::Write)).map(Needs::Permission),
        (true, true) => Ok(Needs::ByMethod { read: known(&of(Action::Read))?, write: known(&of(Action::Write))? }),
    }
}

fn upstream(written: WrittenUpstream) -> Result<Upstream, ConfigError> {
    Ok(Upstream {
        url: origin("upstream.url", &written.url)?,
        listen: written.listen,
        keep_host: written.keep_host,
        authorization_file: written.authorization_file,
        connect_timeout_ms: within("upstream.connect_timeout_ms", written.connect_timeout_ms, 10, 60_000)?,
        response_timeout_seconds: within(
            "upstream.response_timeout_seconds",
            written.response_timeout_seconds,
            1,
            3_600,
        )?,
        idle_timeout_seconds: within("upstream.idle_timeout_seconds", written.idle_timeout_seconds, 1, 3_600)?,
    })
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Addresses, and networks of them.
pub(super) fn trusted_proxies(written: &[String]) -> Result<Vec<IpNet>, ConfigError> {
    let net = |text: &String| {
        let one = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        text.parse().or_else(|_| one()).map_err(|_| ConfigError::Unusable {
            name: "trusted_proxies",
            why: format!("`{}` is neither an address nor a network, as `10.0.0.0/8`", text.escape_debug()),
        })
    };
    written.iter().map(net).collect()
}
