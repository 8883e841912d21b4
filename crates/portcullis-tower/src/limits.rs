//! How a key's limits stand, as the headers of an answer say it.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use portcullis_api::verify::RateLimit;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// When an answer was made, by the clock of whoever made it: the time until a reset is told against that clock, so that the one of
/// this machine need not agree with it.
pub(crate) fn made_at(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(header::DATE)?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.as_bytes()).ok()?;
    Some(at.as_millisecond())
}

/// The headers that tell of the tightest limit.
pub(crate) fn headers(standing: Option<&RateLimit>, made_at_ms: Option<i64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(RateLimit { name, limit, remaining, reset_at, retry_after }) = standing else { return headers };
    let reset_ms = reset_at.0.as_millis();
    let until = made_at_ms.map(|now| whole_seconds(reset_ms.saturating_sub(now)));
    let t = until.map_or_else(String::new, |seconds| format!(";t={seconds}"));
    headers.extend(HeaderValue::from_str(&format!("\"{name}\";r={remaining}{t}")).map(|value| (RATE_LIMIT, value)));
    headers.insert(X_LIMIT, (*limit).into());
    headers.insert(X_REMAINING, (*remaining).into());
    headers.insert(X_RESET, whole_seconds(reset_ms).into());
    if let Some(seconds @ 1..) = *retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    headers
}

/// Rounded up, so that nobody comes back too early.
fn whole_seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0).div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use portcullis_api::time::Time;
    use portcullis_core::time::Timestamp;

    use super::*;

    #[test]
    fn the_time_until_a_reset_is_told_by_the_clock_of_the_answer() {
        let date = HeaderMap::from_iter([(header::DATE, HeaderValue::from_static("Fri, 20 Nov 2026 19:30:00 GMT"))]);
        let now = made_at(&date).unwrap();
        let reset_at = Time(Timestamp::from_millis(now + 12_001));
        let standing =
            RateLimit { name: "minute".to_owned(), limit: 100, remaining: 41, reset_at, retry_after: Some(0) };
        let told = headers(Some(&standing), Some(now));
        let told = |name: &str| told.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(told("ratelimit"), Some("\"minute\";r=41;t=13"));
        assert_eq!((told("x-ratelimit-limit"), told("x-ratelimit-remaining")), (Some("100"), Some("41")));
        assert_eq!((told("x-ratelimit-reset"), told("retry-after")), (Some("1795203013"), None));
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert!(headers(None, Some(0)).is_empty());
        assert_eq!(made_at(&HeaderMap::new()), None);
        let standing = RateLimit {
            name: "second".to_owned(),
            limit: 10,
            remaining: 0,
            reset_at: Time(Timestamp::from_millis(1)),
            retry_after: Some(1),
        };
        let told = headers(Some(&standing), None);
        assert_eq!(
            (told["ratelimit"].to_str().unwrap(), told["retry-after"].to_str().unwrap()),
            ("\"second\";r=0", "1")
        );
    }
}
