//! `portcullis gate check`: whether the gates of a configuration can be used, and what they make of a request.

use std::path::PathBuf;

use portcullis_core::gate::{BusinessFrom, Fit, Gate, Methods, Needs, Rule};
use portcullis_core::path;
use portcullis_core::permission::Catalogue;
use portcullis_server::config::Config;
use serde::Serialize;

use crate::failure::{DENIED, Failure, WRONG_USE};
use crate::output;
use crate::running::{Place, configure};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(CheckArgs),
}

/// Validate the gates of a configuration file, and tell what they make of a request
///
/// Asks no server. Exits with 2 if the file cannot be used, and with 10 if a rule for the request is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  portcullis gate check portcullis.toml
  portcullis gate check portcullis.toml --request \"POST /api/contacts\"
  portcullis gate check portcullis.toml --gate crm --request \"GET /api/v1/business/biz_…/calls\"")]
pub(crate) struct CheckArgs {
    /// The configuration file; the one that PORTCULLIS_CONFIG names, where it is left out
    file: Option<PathBuf>,
    /// Only this gate
    #[arg(long, value_name = "NAME")]
    gate: Option<String>,
    /// A method and a path, as a client sends them
    #[arg(long, value_name = "METHOD PATH")]
    request: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Checked<'a> {
    gate: &'a str,
    rules: Vec<Told>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Verdict>,
}

#[derive(Debug, Serialize)]
struct Told {
    rule: usize,
    methods: String,
    path: String,
    needs: String,
    business: String,
}

/// What a gate makes of a request.
#[derive(Debug, Serialize)]
struct Verdict {
    /// The path as it was compared.
    path: Option<String>,
    /// The rule that fits; without one, the request is denied.
    rule: Option<usize>,
    needs: Option<String>,
    business: Option<String>,
    /// Why each rule before it does not fit, and why none does where none does.
    because: Vec<String>,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let Command::Check(args) = command;
    let config = configure(&Place { config: args.file, ..Place::default() }, None)?;
    let wanted =
        |gate: &&portcullis_server::config::Gate| args.gate.as_ref().is_none_or(|name| gate.rules.name == *name);
    let gates: Vec<_> = config.gates.iter().filter(wanted).collect();
    if gates.is_empty() {
        let what = args.gate.map_or_else(|| "no gate".to_owned(), |name| format!("no gate `{}`", name.escape_debug()));
        return Err(Failure::new(
            WRONG_USE,
            format!("the configuration has {what}; see [gate.…] in portcullis.example.toml"),
        ));
    }
    let request = args.request.as_deref().map(split).transpose()?;
    let mut checked = Vec::with_capacity(gates.len());
    for gate in gates {
        checked.push(Checked {
            gate: &gate.rules.name,
            rules: (1..).zip(&gate.rules.rules).map(|(number, rule)| told(number, rule, &config.catalogue)).collect(),
            warnings: warnings(&config, gate),
            request: request.map(|(method, target)| verdict(&gate.rules, &config.catalogue, method, target)),
        });
    }
    if args.json {
        output::json(&checked)?;
    } else {
        for one in &checked {
            show(one, args.request.as_deref())?;
        }
    }
    let denied = |one: &Checked<'_>| one.request.as_ref().is_some_and(|verdict| verdict.rule.is_none());
    if checked.iter().all(denied) { Err(Failure::new(DENIED, "no rule fits: the request is denied")) } else { Ok(()) }
}

fn split(request: &str) -> Result<(&str, &str), Failure> {
    request.trim().split_once(' ').map(|(method, target)| (method, target.trim_start())).ok_or_else(|| {
        Failure::new(WRONG_USE, "--request is a method and a path, as in --request \"GET /api/contacts\"")
    })
}

fn told(number: usize, rule: &Rule, catalogue: &Catalogue) -> Told {
    Told {
        rule: number,
        methods: match &rule.methods {
            Methods::Any => "*".to_owned(),
            Methods::These(methods) => methods.join(" "),
        },
        path: rule.pattern.to_string(),
        needs: match rule.needs {
            Needs::Nothing => "nothing".to_owned(),
            Needs::LiveKey => "a live key".to_owned(),
            Needs::UserManagement => "user management".to_owned(),
            Needs::Permission(permission) => catalogue.name(permission).to_owned(),
            Needs::ByMethod { read, write } => {
                format!("{} to read, {} for all else", catalogue.name(read), catalogue.name(write))
            }
        },
        business: match &rule.business {
            BusinessFrom::None => "-".to_owned(),
            BusinessFrom::Segment(number) => format!("segment {} of the path", number + 1),
            BusinessFrom::Header(name) => format!("header {name}"),
        },
    }
}

/// What can be used and is hardly meant.
fn warnings(config: &Config, gate: &portcullis_server::config::Gate) -> Vec<String> {
    let mut warnings: Vec<_> = gate
        .rules
        .shadowed()
        .map(|(number, by)| format!("rule {number} is never reached: rule {by} fits wherever it would"))
        .collect();
    if config.trusted_proxies.is_empty() && gate.upstream.is_none() {
        warnings.push(
            "`trusted_proxies` is empty, so that no gateway may ask at this gate: name the addresses of yours"
                .to_owned(),
        );
    }
    if gate.token_parameter.is_some() {
        warnings.push("`token_parameter` takes tokens from URLs, which end up in logs and histories".to_owned());
    }
    warnings
}

fn verdict(gate: &Gate, catalogue: &Catalogue, method: &str, target: &str) -> Verdict {
    let mut verdict = Verdict { path: None, rule: None, needs: None, business: None, because: Vec::new() };
    let path = match path::normalise(target) {
        Ok(path) => path,
        Err(ambiguous) => {
            verdict
                .because
                .push(format!("{ambiguous}: it could be read in more than one way, so no rule is looked at"));
            return verdict;
        }
    };
    verdict.path = Some(path.clone().into_owned());
    let found = gate.rule(method, &path);
    let tried = found.as_ref().map_or(gate.rules.len(), |found| found.number - 1);
    for (number, rule) in (1..).zip(&gate.rules).take(tried) {
        let why = match (rule.methods.contain(method), rule.pattern.fit(&path)) {
            (true, Fit::InOtherCase) => "the path fits but for upper and lower case",
            (true, _) => "the path does not fit",
            (false, Fit::Yes) => "the path fits, the method does not",
            (false, _) => "neither method nor path fits",
        };
        verdict.because.push(format!("rule {number} ({}): {why}", rule.pattern));
    }
    match found {
        Ok(found) => {
            verdict.rule = Some(found.number);
            let permission = found.rule.permission(method).map(|permission| catalogue.name(permission).to_owned());
            let needs = permission.unwrap_or_else(|| told(found.number, found.rule, catalogue).needs);
            // What needs nothing is asked of nobody.
            let account = found.needs_user_management(&path)
                && !matches!(found.rule.needs, Needs::Nothing | Needs::UserManagement);
            verdict.needs = Some(if account { format!("{needs} and user management") } else { needs });
            verdict.business = match &found.rule.business {
                BusinessFrom::Header(name) => Some(format!("what the header {name} says")),
                _ => found.business_in(&path).map(str::to_owned),
            };
            let captures = found.rule.pattern.captures(&path);
            verdict.because.extend(captures.map(|(name, text)| format!("{{{name}}} is {}", text.escape_debug())));
        }
        Err(unruled) => verdict.because.push(unruled.to_string()),
    }
    verdict
}

fn show(checked: &Checked<'_>, request: Option<&str>) -> Result<(), Failure> {
    output::text(&format!("Gate {}\n", checked.gate))?;
    let row = |rule: &Told| {
        let Told { rule, methods, path, needs, business } = rule;
        vec![rule.to_string(), methods.clone(), path.clone(), needs.clone(), business.clone()]
    };
    output::table(&["rule", "methods", "path", "needs", "business"], checked.rules.iter().map(row).collect(), "")?;
    for warning in &checked.warnings {
        output::text(&format!("warning: {warning}\n"))?;
    }
    let (Some(request), Some(verdict)) = (request, &checked.request) else { return output::text("\n") };
    let outcome = match (verdict.rule, &verdict.needs) {
        (Some(rule), Some(needs)) => format!("falls under rule {rule}, and needs {needs}"),
        _ => "is denied".to_owned(),
    };
    output::text(&format!("\n{} {outcome}.\n", request.escape_debug()))?;
    if let Some(business) = &verdict.business {
        output::text(&format!("  It concerns the business {}.\n", business.escape_debug()))?;
    }
    for reason in &verdict.because {
        output::text(&format!("  {reason}\n"))?;
    }
    output::text("\n")
}
