//! The server that is asked, and how.

use std::error::Error;
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use portcullis_api::businesses::Business;
use portcullis_api::envelope::Page;
use portcullis_api::problem::Problem;
use portcullis_core::id::{BusinessId, UserId};
use reqwest::{RequestBuilder, StatusCode, Url, redirect};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::decision::Verdict;
use crate::guard::Guard;
use crate::limits;
use crate::need::Need;
use crate::request_id::RequestIds;

const TIMEOUT: Duration = Duration::from_secs(2);
/// At most so many questions are on their way at once, each on a connection of its own; others wait for their turn, which is
/// shorter than to open more. Portcullis answers tens of thousands a second.
const CONNECTIONS: usize = 32;
/// Shorter than Portcullis keeps an idle connection, so that no question is sent on one that is just being closed.
const IDLE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: many businesses fit in.
const LONGEST_ANSWER: usize = 1 << 20;

/// A Portcullis server, and the operator token to ask it with. Layers are made of it; all share its connections.
#[derive(Clone)]
pub struct Portcullis {
    line: Arc<Line>,
    timeout: Duration,
}

struct Line {
    http: reqwest::Client,
    base: Url,
    verify: Url,
    authorization: HeaderValue,
    turns: Semaphore,
    request_ids: RequestIds,
}

/// Why a server cannot be asked, or a layer not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the address of Portcullis is like `http://127.0.0.1:7373`, with no user, query or fragment in it")]
    Address,
    #[error("an operator token is like `op_live_…`: visible letters and nothing else")]
    OperatorToken,
    #[error("a pattern is like `/api/v1/business/{{business_id}}`, with one segment in braces")]
    Pattern,
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

/// Portcullis did not say. The cause is in the log; answer 503, and never 401 or 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Portcullis cannot be asked now")]
pub struct Unavailable;

/// What is asked about one request.
#[derive(Serialize)]
pub(crate) struct Question<'a> {
    pub(crate) token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permission: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) business_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<&'a str>,
}

/// A decision, and how the key's limits stand, as headers.
pub(crate) struct Told {
    pub(crate) verdict: Verdict,
    pub(crate) limits: HeaderMap,
}

/// Why there is no answer. It is for the log; the client learns that it was not their fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("Portcullis did not answer within {0:?}")]
    Slow(Duration),
    #[error("Portcullis cannot be asked: {0}")]
    Away(String),
    #[error("Portcullis answered {status} {code} in place of what was asked for: {detail}")]
    Refused { status: u16, code: String, detail: String, about: Vec<String> },
    #[error("the answer has more than {LONGEST_ANSWER} bytes")]
    TooLong,
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl Portcullis {
    /// The server at this address, asked with the token of an operator key that has `keys:verify`.
    ///
    /// The token and those of all clients travel over this connection: use `https` where it leaves the machine. Connections are kept
    /// for 30 seconds; the server's `idle_timeout_seconds` (60 unless it is set) should stay above that.
    pub fn at(url: &str, operator_token: &str) -> Result<Self, SetupError> {
        let base = server_at(url).ok_or(SetupError::Address)?;
        let verify = below(&base, &["verify"]);
        let token = operator_token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SetupError::OperatorToken);
        }
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| SetupError::OperatorToken)?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            // Tokens go to the address that was given, and nowhere else.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(CONNECTIONS)
            .build()
            .map_err(|error| SetupError::Client(causes(&error)))?;
        let turns = Semaphore::new(CONNECTIONS);
        let line = Line { http, base, verify, authorization, turns, request_ids: RequestIds::new() };
        Ok(Self { line: Arc::new(line), timeout: TIMEOUT })
    }

    /// How long a request waits for its decision, before it is answered with 503; 2 seconds unless this says otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets requests through that have this permission, e.g. `contacts:read`.
    pub fn permission(&self, permission: &str) -> Guard {
        Guard::new(self, Need::Permission(permission.into()))
    }

    /// Lets requests through that may do with this resource what their method says: GET and HEAD read, all else writes.
    pub fn resource(&self, resource: &str) -> Guard {
        Guard::new(self, Need::Resource(resource.into()))
    }

    /// Lets requests through whose key lives, whatever it may do.
    pub fn live_key(&self) -> Guard {
        Guard::new(self, Need::LiveKey)
    }

    /// Lets requests through whose key has user management access: they are about the account of its owner.
    pub fn user_management(&self) -> Guard {
        Guard::new(self, Need::UserManagement)
    }

    /// Lets requests through as the rules of this gate say, which stand in the configuration of the server. A request whose rule needs
    /// nothing has to bring a live key all the same: leave the guard away from what is for everybody.
    pub fn gate(&self, gate: &str) -> Guard {
        Guard::new(self, Need::Gate(gate.into()))
    }

    /// The businesses that a user is a member of and that are not disabled: where a key reaches whose decision says
    /// [`Businesses::All`](crate::Businesses::All). The operator key needs `businesses:read` too.
    pub async fn businesses_of(&self, user: UserId) -> Result<Vec<BusinessId>, Unavailable> {
        let listing = tokio::time::timeout(self.timeout, self.line.businesses_of(user)).await;
        listing.unwrap_or(Err(NoAnswer::Slow(self.timeout))).map_err(|cause| {
            tracing::error!(%cause, "the businesses of a user cannot be listed");
            Unavailable
        })
    }

    pub(crate) fn request_id(&self, headers: &HeaderMap) -> String {
        self.line.request_ids.of(headers)
    }

    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Told, NoAnswer> {
        // The wait for a turn counts too: a client does not care what it waits for.
        let answer = tokio::time::timeout(self.timeout, self.line.ask(question)).await;
        answer.unwrap_or(Err(NoAnswer::Slow(self.timeout)))
    }
}

impl NoAnswer {
    /// Whether all that is wrong with a question is that it names a business, or none.
    pub(crate) fn is_about_the_business(&self) -> bool {
        matches!(self, Self::Refused { status: 422, about, .. } if about == &["/business_id"])
    }
}

impl Line {
    async fn ask(&self, question: &Question<'_>) -> Result<Told, NoAnswer> {
        let (headers, body) = self.call(self.http.post(self.verify.clone()).json(question)).await?;
        let verdict = Verdict::read(&body).map_err(NoAnswer::Unreadable)?;
        let standing = match &verdict {
            Verdict::Passes(decision) => decision.rate_limit.as_ref(),
            Verdict::Denied(denied) => denied.rate_limit.as_ref(),
        };
        let limits = limits::headers(standing, limits::made_at(&headers));
        Ok(Told { verdict, limits })
    }

    async fn businesses_of(&self, user: UserId) -> Result<Vec<BusinessId>, NoAnswer> {
        let url = below(&self.base, &["users", &user.to_string(), "businesses"]);
        let (mut reached, mut cursor) = (Vec::new(), None);
        loop {
            let request =
                self.http.get(url.clone()).query(&[("limit", "100")]).query(&cursor.map(|at| [("cursor", at)]));
            let (_, body) = self.call(request).await?;
            let page: Page<Business> =
                serde_json::from_slice(&body).map_err(|error| NoAnswer::Unreadable(error.to_string()))?;
            let active = page.data.iter().filter(|business| business.disabled_at.is_none());
            reached.extend(active.map(|business| business.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(reached);
            }
        }
    }

    /// The headers and the body of an answer that is a success.
    async fn call(&self, request: RequestBuilder) -> Result<(HeaderMap, Vec<u8>), NoAnswer> {
        let away = |error: reqwest::Error| NoAnswer::Away(causes(&error));
        let _turn = self.turns.acquire().await.map_err(|_| NoAnswer::Away("it is closed".to_owned()))?;
        let request = request.header(header::AUTHORIZATION, self.authorization.clone());
        let mut answer = request.send().await.map_err(away)?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(away)? {
            if body.len() + part.len() > LONGEST_ANSWER {
                return Err(NoAnswer::TooLong);
            }
            body.extend_from_slice(&part);
        }
        if answer.status() != StatusCode::OK {
            return Err(refused(answer.status(), &body));
        }
        Ok((mem::take(answer.headers_mut()), body))
    }
}

impl fmt::Debug for Portcullis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verify = self.line.verify.as_str();
        out.debug_struct("Portcullis").field("verify", &verify).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn server_at(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    let plain = !has_user && url.query().is_none() && url.fragment().is_none();
    (plain && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// A path of the API below the address of its server.
fn below(server: &Url, path: &[&str]) -> Url {
    let mut url = server.clone();
    // Only an address without a host has no path, and `http` always has one.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["api", "v1"]).extend(path);
    }
    url
}

/// What a server said that did not decide. It is most often the operator key, or a name that the configuration does not know.
fn refused(status: StatusCode, body: &[u8]) -> NoAnswer {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return NoAnswer::Refused {
            status: status.as_u16(),
            code: String::new(),
            detail: String::new(),
            about: Vec::new(),
        };
    };
    let errors = problem.errors.iter().map(|error| format!(" {} {}.", error.pointer, error.detail));
    let detail = problem.detail + &errors.collect::<String>();
    let about = problem.errors.into_iter().map(|error| error.pointer).collect();
    NoAnswer::Refused { status: status.as_u16(), code: problem.code, detail, about }
}

/// An error with all that led to it, for each alone says little.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_a_server() {
        let verify = |url| server_at(url).map(|server| String::from(below(&server, &["verify"])));
        assert_eq!(verify("http://127.0.0.1:7373").unwrap(), "http://127.0.0.1:7373/api/v1/verify");
        assert_eq!(verify("https://keys.example/at/").unwrap(), "https://keys.example/at/api/v1/verify");
        for wrong in ["", "127.0.0.1:7373", "ftp://a", "http://u:p@a", "http://a?b", "http://a#b", "data:x"] {
            assert_eq!(verify(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_operator_token_is_checked_and_never_printed() {
        for wrong in ["", " ", "op_live_\nx", "op live", "op_é"] {
            let made = Portcullis::at("http://127.0.0.1:1", wrong);
            assert!(matches!(made, Err(SetupError::OperatorToken)), "{wrong:?}");
        }
        let portcullis = Portcullis::at("http://127.0.0.1:1", "op_live_secret\n").unwrap();
        let guard = portcullis.resource("contacts");
        for printed in [format!("{portcullis:?}"), format!("{guard:?}"), format!("{:?}", portcullis.line.authorization)]
        {
            assert!(!printed.contains("secret"), "{printed}");
        }
    }
}
