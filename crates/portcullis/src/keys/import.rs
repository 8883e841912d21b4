//! `portcullis keys import`: keys that were issued elsewhere, from a file of lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::ValueEnum;
use portcullis_api::api_key_imports::{ImportApiKey, ImportedApiKey};
use portcullis_api::api_keys::{BusinessScopeText, Permissions};
use portcullis_api::object::Object;
use portcullis_core::id::UserId;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::client::{Ask, Client};
use crate::failure::{Failure, IN_PART, WRONG_USE};
use crate::output;

pub(super) const HELP: &str = "\
CSV has a first line with the names of its columns, of which `name` and `sha256` must be there:

  name,sha256,hint,environment,expires_at,businesses,permissions,allowed_ips,user_management,metadata

`businesses`, `permissions` and `allowed_ips` are lists with spaces between; `metadata` is a JSON object. An empty field is one
that is left out. JSON lines are objects as the API takes them. A line that cannot be taken in is told of with its number, the
others are taken in; whoever mends the file can run it again, for a key that is there already is not taken in twice.

The SHA-256 of a token is 64 hexadecimal digits, e.g. of: printf %s \"$TOKEN\" | sha256sum

Examples:
  portcullis keys import --user usr_… keys.csv
  exported-keys | portcullis keys import --user usr_… --format jsonl -";

/// How many lines are sent in one call.
const BATCH: usize = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Left out: `jsonl` for a file of that ending, `csv` for any other
    #[arg(long)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// A line of CSV.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    sha256: String,
    hint: Option<String>,
    environment: Option<String>,
    expires_at: Option<String>,
    businesses: Option<String>,
    permissions: Option<String>,
    allowed_ips: Option<String>,
    user_management: Option<bool>,
    metadata: Option<String>,
}

/// The body of a call. Lines are sent as they were read, so that the server's word on each is the one that counts.
#[derive(Serialize)]
struct Batch<'a> {
    keys: &'a [ImportApiKey],
}

/// What became of one line.
#[derive(Serialize)]
struct Outcome {
    line: u64,
    #[serde(flatten)]
    result: ImportedApiKey,
}

pub(crate) async fn run(ask: &Ask, client: &Client, user: UserId, args: &Args) -> Result<(), Failure> {
    let lines = read(args)?;
    if lines.is_empty() {
        return Err(Failure::new(WRONG_USE, "the file has no lines to take in"));
    }
    let progress = output::bar(lines.len().try_into().ok(), "{bar:40} {pos}/{len} lines, {eta} left");
    let path = format!("/users/{user}/api-keys/import");
    let (mut taken_in, mut failed) = (0, Vec::new());
    for batch in lines.chunks(BATCH) {
        let keys: Vec<_> = batch.iter().map(|(_, key)| key.clone()).collect();
        let answer = client.send::<Vec<ImportedApiKey>>(Method::POST, &path, Some(&Batch { keys: &keys })).await;
        // What was answered before is done, and a person must know how far it went.
        let results = answer.map_err(|failure| so_far(taken_in, &failed, &failure))?.data;
        for ((line, _), result) in batch.iter().zip(results) {
            let outcome = Outcome { line: *line, result };
            if ask.json {
                output::json_line(&outcome)?;
            }
            match outcome.result.error {
                None => taken_in += 1,
                Some(_) => failed.push(outcome),
            }
        }
        progress.inc(batch.len().try_into().unwrap_or(u64::MAX));
    }
    progress.finish_and_clear();
    told(ask, taken_in, &failed)
}

/// The lines of the file, each with its number. A file of another form is refused as a whole, before anything is sent.
fn read(args: &Args) -> Result<Vec<(u64, ImportApiKey)>, Failure> {
    let from_stdin = args.file.as_os_str() == "-";
    let wrong =
        |error: std::io::Error| Failure::new(WRONG_USE, format!("cannot read {}: {error}", args.file.display()));
    let source: Box<dyn Read> =
        if from_stdin { Box::new(std::io::stdin()) } else { Box::new(File::open(&args.file).map_err(wrong)?) };
    let is_jsonl = args.file.extension().is_some_and(|ending| ending == "jsonl" || ending == "ndjson");
    match args.format.unwrap_or(if is_jsonl { Format::Jsonl } else { Format::Csv }) {
        Format::Csv => csv_lines(source),
        Format::Jsonl => json_lines(source),
    }
}

fn csv_lines(source: impl Read) -> Result<Vec<(u64, ImportApiKey)>, Failure> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let mut lines = Vec::new();
    let columns = reader.headers().map_err(|error| Failure::new(WRONG_USE, error.to_string()))?.clone();
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader.read_record(&mut record).map_err(|error| Failure::new(WRONG_USE, error.to_string()))?;
        if !more {
            return Ok(lines);
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row: Row = record.deserialize(Some(&columns)).map_err(|error| bad_line(line, &error.to_string()))?;
        lines.push((line, row.into_key().map_err(|error| bad_line(line, &error))?));
    }
}

impl Row {
    fn into_key(self) -> Result<ImportApiKey, String> {
        let list = |text: Option<String>| {
            text.map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .filter(|list| !list.is_empty())
        };
        let metadata = self.metadata.map(|text| serde_json::from_str(&text)).transpose();
        Ok(ImportApiKey {
            name: self.name,
            sha256: self.sha256,
            hint: self.hint,
            environment: self.environment,
            expires_at: self.expires_at,
            business_scope: list(self.businesses).map(BusinessScopeText::Only),
            user_management: self.user_management,
            permissions: list(self.permissions).map(|names| match names.as_slice() {
                [all] if all == "inherit" => Permissions::Inherit,
                _ => Permissions::List(names),
            }),
            allowed_ips: list(self.allowed_ips),
            metadata: metadata.map_err(|error| format!("metadata: {error}"))?,
        })
    }
}

fn json_lines(source: impl Read) -> Result<Vec<(u64, ImportApiKey)>, Failure> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(BufReader::new(source).lines()) {
        let text = text.map_err(|error| bad_line(number, &error.to_string()))?;
        if text.trim().is_empty() {
            continue;
        }
        let Object(key) = serde_json::from_str(&text).map_err(|error| bad_line(number, &error.to_string()))?;
        lines.push((number, key));
    }
    Ok(lines)
}

fn bad_line(line: u64, why: &str) -> Failure {
    Failure::new(WRONG_USE, format!("line {line}: {why}; nothing was taken in"))
}

fn so_far(taken_in: usize, failed: &[Outcome], failure: &Failure) -> Failure {
    let message = format!("{} (before that: {taken_in} taken in, {} refused)", failure.message, failed.len());
    Failure::new(failure.exit_code, message)
}

fn told(ask: &Ask, taken_in: usize, failed: &[Outcome]) -> Result<(), Failure> {
    if !ask.json {
        output::text(&format!("{taken_in} keys taken in.\n"))?;
        let rows = failed.iter().map(|outcome| vec![outcome.line.to_string(), why(outcome)]).collect::<Vec<_>>();
        if !rows.is_empty() {
            output::table(&["line", "was not taken in because"], rows, "")?;
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(IN_PART, format!("{} of {} lines were not taken in", failed.len(), failed.len() + taken_in)))
}

fn why(outcome: &Outcome) -> String {
    let Some(error) = &outcome.result.error else { return String::new() };
    let members =
        error.errors.iter().map(|error| format!("{} {}", error.pointer.trim_start_matches('/'), error.detail));
    let members = members.collect::<Vec<_>>();
    if members.is_empty() { error.detail.clone() } else { members.join("; ") }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_of_csv_is_what_its_columns_say() {
        let text = "sha256,name,permissions,businesses,metadata,expires_at\nabc,\"CRM, old\",calls:read  contacts:read,biz_1,\"{\"\"a\"\":1}\",\nabc,X,inherit,,,\n";
        let lines = csv_lines(text.as_bytes()).unwrap();
        let (line, key) = &lines[0];
        assert_eq!((*line, key.name.as_str(), key.expires_at.as_deref()), (2, "CRM, old", None));
        assert_eq!(key.permissions, Some(Permissions::List(vec!["calls:read".to_owned(), "contacts:read".to_owned()])));
        assert_eq!(key.business_scope, Some(BusinessScopeText::Only(vec!["biz_1".to_owned()])));
        assert_eq!(key.metadata.as_ref().unwrap().0["a"], Value::from(1));
        assert_eq!((lines[1].0, lines[1].1.permissions.clone()), (3, Some(Permissions::Inherit)));
    }

    #[test]
    fn a_file_of_another_form_is_refused_with_the_line() {
        for (text, line) in [
            ("name,sha256,owner\na,b,c", "line 2"),
            ("name\na", "line 2"),
            ("name,sha256,user_management\na,b,maybe", "line 2"),
            ("name,sha256,metadata\na,b,{", "line 2"),
        ] {
            let failure = csv_lines(text.as_bytes()).unwrap_err();
            assert!(failure.message.contains(line), "{}", failure.message);
        }
        for text in ["{\"name\":\"a\",\"sha256\":\"b\"}\n[1]", "{\"name\":\"a\",\"sha256\":\"b\"}\nx"] {
            assert!(json_lines(text.as_bytes()).unwrap_err().message.contains("line 2"));
        }
    }
}
