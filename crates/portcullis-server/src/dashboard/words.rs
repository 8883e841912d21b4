//! Times, counts, permissions and scopes as people say them.

use askama::Template;
use portcullis_api::time::Time;
use portcullis_core::time::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// An instant, told from now on, with the exact one on hover.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<time datetime="{{ machine }}" title="{{ exact }}">{{ said }}</time>"#, ext = "html")]
pub(crate) struct When {
    pub(crate) machine: String,
    pub(crate) exact: String,
    pub(crate) said: String,
}

impl When {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { machine: Time(at).to_string(), exact: exact(at), said: relative(at, now) }
    }

    /// The same, told as a date.
    pub(crate) fn on(at: Timestamp) -> Self {
        Self { machine: Time(at).to_string(), exact: exact(at), said: day(at) }
    }
}

/// How long ago, or how soon; what is further away than a month, as a date.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let apart = now.as_millis().saturating_sub(at.as_millis());
    let (distance, is_past) = (apart.saturating_abs(), apart >= 0);
    let said = match distance {
        ..MINUTE => return if is_past { "just now" } else { "in a moment" }.to_owned(),
        MINUTE..HOUR => counted(distance / MINUTE, "minute"),
        HOUR..DAY => counted(distance / HOUR, "hour"),
        _ if distance / DAY <= 30 => counted(distance / DAY, "day"),
        _ => return day(at),
    };
    if is_past { format!("{said} ago") } else { format!("in {said}") }
}

/// A number of things, in the singular where there is one.
pub(crate) fn counted(count: i64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", number(count))
}

/// A number with its thousands apart.
pub(crate) fn number(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut said = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    if count < 0 { format!("-{said}") } else { said }
}

/// 20 February 2027
pub(crate) fn day(at: Timestamp) -> String {
    written(at, "%-d %B %Y")
}

/// 20 February 2027, 19:30:05 UTC
pub(crate) fn exact(at: Timestamp) -> String {
    written(at, "%-d %B %Y, %H:%M:%S UTC")
}

/// 2027-02-20, as a date field has it.
pub(crate) fn date_field(at: Timestamp) -> String {
    written(at, "%Y-%m-%d")
}

pub(crate) fn written(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map_or_else(|_| "far away".to_owned(), |at| at.strftime(format).to_string())
}

/// A list as a sentence has it: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed<S: AsRef<str>>(all: &[S]) -> String {
    match all {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// What a list of permissions allows, in words: `read calls and contacts; write leads`.
pub(crate) fn permissions(names: &[String]) -> String {
    let split = |name: &String| name.split_once(':').map(|(resource, action)| (plain(resource), action.to_owned()));
    let all: Vec<(String, String)> = names.iter().filter_map(split).collect();
    let has = |resource: &str, action: &str| all.iter().any(|(known, of)| known == resource && of == action);
    let mut resources: Vec<&String> = Vec::new();
    for (resource, _) in &all {
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    let which = |read: bool, write: bool| -> Vec<&String> {
        let fits = |resource: &&&String| has(resource, "read") == read && has(resource, "write") == write;
        resources.iter().filter(fits).copied().collect()
    };
    let parts = [("read and write", true, true), ("read", true, false), ("write", false, true)];
    let said = parts.iter().filter_map(|(verb, read, write)| {
        let of = which(*read, *write);
        (!of.is_empty()).then(|| format!("{verb} {}", listed(&of)))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// A name of the catalogue or the log as people write it.
pub(crate) fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// The same with a capital at its head.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

/// What a decision code means, for a chart's legend.
pub(crate) fn code(name: &str) -> &'static str {
    match name {
        "VALID" => "Let through",
        "INVALID_API_KEY" => "Revoked or expired key",
        "USER_DISABLED" => "Owner disabled",
        "PERMISSION_DENIED" => "Permission, business or address",
        "RATE_LIMITED" => "Rate limit or quota",
        "BUSINESS_DISABLED" => "Business disabled",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_dates() {
        let now = Timestamp::from_millis(1_795_203_000_000);
        let said = |millis: i64| relative(Timestamp::from_millis(now.as_millis() + millis), now);
        assert_eq!(said(-59_000), "just now");
        assert_eq!(said(-60_000), "1 minute ago");
        assert_eq!(said(-2 * HOUR), "2 hours ago");
        assert_eq!(said(13 * DAY + 5), "in 13 days");
        assert_eq!(said(-90 * DAY), "22 August 2026");
        assert_eq!(exact(now), "20 November 2026, 19:30:00 UTC");
        assert_eq!(When::new(Timestamp::NEVER, now).said, "far away");
    }

    #[test]
    fn numbers_and_lists() {
        assert_eq!(
            (number(0), number(999), number(1_000), number(-1_234_567)),
            ("0".to_owned(), "999".to_owned(), "1,000".to_owned(), "-1,234,567".to_owned())
        );
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!((counted(1, "call"), counted(2, "call")), ("1 call".to_owned(), "2 calls".to_owned()));
    }

    #[test]
    fn permissions_in_words() {
        let said = |names: &[&str]| permissions(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(said(&["calls:read", "contacts:read"]), "read calls and contacts");
        assert_eq!(said(&["knowledge_base:write"]), "write knowledge base");
        assert_eq!(
            said(&["calls:read", "calls:write", "leads:read", "agents:write"]),
            "read and write calls; read leads; write agents"
        );
        assert_eq!(said(&[]), "");
    }
}
