//! Requests as bytes, prepared before anything is measured, each with the answer that is right.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use tempfile::NamedTempFile;

use crate::keys;
use crate::store::Stored;
use crate::{Done, Scale};

/// How many keys the requests are about.
const TOKENS: usize = 20_000;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Passes,
    /// With this status; 200 is that of an answer to `verify`.
    Refused(u16),
}

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) bytes: Vec<u8>,
    pub(crate) right: Answer,
    /// Its answer is looked at, and its latency is not counted.
    pub(crate) aside: bool,
}

/// Requests that are sent in turn, and the file that wrk reads them from.
#[derive(Debug)]
pub(crate) struct Asks {
    list: Rc<[Rc<Ask>]>,
    file: NamedTempFile,
}

impl Asks {
    pub(crate) fn new(list: impl IntoIterator<Item = Ask>) -> Done<Self> {
        let list: Rc<[Rc<Ask>]> = list.into_iter().map(Rc::new).collect();
        let mut file = NamedTempFile::with_prefix("portcullis-bench-")?;
        let mut lengths = String::new();
        for ask in &*list {
            write!(lengths, "{} ", ask.bytes.len())?;
        }
        writeln!(file, "{lengths}")?;
        file.write_all(&list.iter().flat_map(|ask| &ask.bytes).copied().collect::<Vec<u8>>())?;
        Ok(Self { list, file })
    }

    pub(crate) fn list(&self) -> &[Rc<Ask>] {
        &self.list
    }

    pub(crate) fn file(&self) -> &Path {
        self.file.path()
    }

    /// One after the other, without an end.
    pub(crate) fn in_turn(&self) -> Box<dyn FnMut() -> Option<Rc<Ask>>> {
        let (list, mut n) = (Rc::clone(&self.list), 0);
        Box::new(move || {
            n += 1;
            list.get(n % list.len().max(1)).map(Rc::clone)
        })
    }

    /// The part of the answers that have a status of 400 or more.
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub(crate) fn failing(&self) -> f64 {
        let fails = |ask: &&Rc<Ask>| matches!(ask.right, Answer::Refused(400..));
        self.list.iter().filter(fails).count() as f64 / self.list.len() as f64
    }
}

/// Tokens of a part of all keys, evenly.
pub(crate) fn tokens(count: usize) -> Vec<String> {
    let many = TOKENS.min(count);
    (0..many).map(|n| token(n * (count / many))).collect()
}

/// Numbers of keys that no other request is about.
pub(crate) fn unasked(count: usize) -> impl Iterator<Item = usize> {
    let step = count / TOKENS.min(count);
    (0..count).filter(move |n| n % step != 0)
}

pub(crate) fn token(n: usize) -> String {
    keys::token(n).reveal().to_owned()
}

/// A token that is well-formed and nobody's.
pub(crate) fn made_up(n: usize) -> String {
    token(usize::MAX / 2 + n)
}

/// A token that a look at its checksum refuses.
pub(crate) fn broken(n: usize) -> String {
    made_up(n).replace("_live_", "_test_")
}

/// A request to pass `/auth/crm` with the header that it would have come with.
pub(crate) fn forward_auth(authorization: &str) -> Ask {
    forwarded(authorization, "GET", "/api/contacts/1")
}

pub(crate) fn forwarded(authorization: &str, method: &str, uri: &str) -> Ask {
    let told = format!("X-Forwarded-Method: {method}\r\nX-Forwarded-Uri: {uri}\r\n");
    Ask::new(format!("GET /auth/crm HTTP/1.1\r\nHost: 127.0.0.1\r\n{told}Authorization: {authorization}\r\n\r\n"))
}

pub(crate) fn get(path: &str, authorization: &str) -> Ask {
    Ask::new(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n\r\n"))
}

pub(crate) fn post(path: &str, stored: &Stored, body: &str) -> Ask {
    Ask::new(format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        stored.operator,
        body.len()
    ))
}

pub(crate) fn verify(stored: &Stored, token: &str) -> Ask {
    question("/api/v1/verify", stored, token)
}

pub(crate) fn question(path: &str, stored: &Stored, token: &str) -> Ask {
    post(path, stored, &format!("{{\"token\":\"{token}\",\"permission\":\"contacts:read\"}}"))
}

impl Ask {
    fn new(text: String) -> Self {
        Self { bytes: text.into_bytes(), right: Answer::Passes, aside: false }
    }

    /// With another answer that is right.
    pub(crate) fn rightly(mut self, right: Answer) -> Self {
        self.right = right;
        self
    }
}

/// A question about each of the tokens.
pub(crate) fn all_verified(scale: &Scale, stored: &Stored) -> Done<Asks> {
    Asks::new(tokens(scale.stored_keys).iter().map(|token| verify(stored, token)))
}

/// A request with each of the tokens, asked about by a gateway.
pub(crate) fn all_forwarded(scale: &Scale) -> Done<Asks> {
    Asks::new(tokens(scale.stored_keys).iter().map(|token| forward_auth(&bearer(token))))
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_reads_is_what_was_meant() {
        let asks = Asks::new([get("/a", "Bearer x"), forwarded("Bearer y", "GET", "/b")]).unwrap();
        let text = std::fs::read_to_string(asks.file()).unwrap();
        let (lengths, rest) = text.split_once('\n').unwrap();
        let lengths: Vec<usize> = lengths.split_whitespace().map(|length| length.parse().unwrap()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), rest.len());
        assert!(rest[lengths[0]..].starts_with("GET /auth/crm"));
    }

    #[test]
    fn the_part_that_fails_is_of_the_answers_that_are_no_200() {
        let right = [Answer::Passes, Answer::Refused(200), Answer::Refused(401), Answer::Refused(403)];
        let asks = Asks::new(right.map(|right| get("/", "Bearer x").rightly(right))).unwrap();
        assert!((asks.failing() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn keys_that_are_revoked_are_not_asked_for() {
        let asked: Vec<usize> = (0..TOKENS).map(|n| n * 5).collect();
        assert!(unasked(100_000).all(|n| asked.binary_search(&n).is_err()));
        assert_eq!(unasked(100_000).count(), 80_000);
    }
}
