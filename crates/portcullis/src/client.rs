//! One command is one HTTP call: how it is made, and how its answer is read.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use portcullis_api::envelope::{Page, Success};
use portcullis_api::problem::Problem;
use portcullis_api::secret::SecretText;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{FAILED, Failure, UNREACHABLE, WRONG_USE};
use crate::output;

/// Which server is asked, and how its answer is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Ask {
    /// The server's address
    #[arg(long, env = "PORTCULLIS_URL", default_value = "http://127.0.0.1:7373", global = true)]
    url: String,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How long to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600), global = true)]
    timeout: u64,
}

/// A server, and the operator token to ask it with.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: SecretText,
}

impl Client {
    /// The token comes from the environment or a file, so that it is in no list of processes.
    pub(crate) fn new(ask: &Ask) -> Result<Self, Failure> {
        let token = secret("PORTCULLIS_TOKEN")?.ok_or_else(|| {
            Failure::new(
                WRONG_USE,
                "set PORTCULLIS_TOKEN to an operator token (op_live_…), or PORTCULLIS_TOKEN_FILE to a file that holds one",
            )
        })?;
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(ask.timeout))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::new(FAILED, error.to_string()))?;
        Ok(Self { http, base: format!("{}/api/v1", ask.url.trim_end_matches('/')), token })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Success<T>, Failure> {
        read(&self.call(Method::GET, path, None::<&()>).await?)
    }

    pub(crate) async fn page<T: DeserializeOwned>(&self, path: &str) -> Result<Page<T>, Failure> {
        read(&self.call(Method::GET, path, None::<&()>).await?)
    }

    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Success<T>, Failure> {
        read(&self.call(method, path, body).await?)
    }

    /// The text of a success.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<String, Failure> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, &url).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        let away = |error: reqwest::Error| {
            let cause = cause(&error);
            Failure::new(UNREACHABLE, format!("no answer from {}: {cause}; is the server running there?", self.base))
        };
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let text = response.text().await.map_err(away)?;
        if status.is_success() {
            return Ok(text);
        }
        Err(match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => problem.into(),
            Err(_) => Failure::new(FAILED, format!("{url} answered {status}, but not as Portcullis does; check --url")),
        })
    }
}

/// A secret from the variable `name`, or from the file that `name`_FILE names.
pub(crate) fn secret(name: &str) -> Result<Option<SecretText>, Failure> {
    if let Ok(text) = std::env::var(name) {
        return Ok(Some(SecretText::new(text.trim().to_owned())));
    }
    std::env::var_os(format!("{name}_FILE")).map(|path| secret_file(Path::new(&path))).transpose()
}

pub(crate) fn secret_file(path: &Path) -> Result<SecretText, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(WRONG_USE, format!("cannot read {}: {error}", path.display())))?;
    Ok(SecretText::new(text.trim().to_owned()))
}

pub(crate) fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(FAILED, format!("the answer is not one that this version understands: {error}")))
}

/// Shows a list: the whole envelope as JSON, or a table and how to go on.
pub(crate) fn show_page<T: Serialize>(
    ask: &Ask,
    page: &Page<T>,
    headings: &[&str],
    row: impl Fn(&T) -> Vec<String>,
    nothing: &str,
) -> Result<(), Failure> {
    if ask.json {
        return output::json(page);
    }
    output::table(headings, page.data.iter().map(row).collect(), nothing)?;
    match &page.next_cursor {
        Some(cursor) => output::text(&format!("\nThere are more: add --cursor {cursor}\n")),
        None => Ok(()),
    }
}

/// `?limit=&cursor=` and the like, of those that are set.
pub(crate) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let Some(value) = value else { continue };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// Which page of a list.
#[derive(Debug, clap::Args)]
pub(crate) struct PageArgs {
    /// How many at a time: 1 to 100
    #[arg(long)]
    pub(crate) limit: Option<u8>,
    /// Where the page before ended
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

impl PageArgs {
    pub(crate) fn query(&self) -> String {
        query(&[("limit", self.limit.map(|limit| limit.to_string())), ("cursor", self.cursor.clone())])
    }
}

/// The innermost cause says what happened; the outer ones say that a request was made.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
