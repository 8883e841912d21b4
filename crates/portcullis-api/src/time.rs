//! Instants on the wire: RFC 3339, in UTC.

use std::fmt;

use portcullis_core::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, written like `2026-11-20T19:30:00Z`, with milliseconds where they are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

/// The text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("write an instant as RFC 3339 has it, e.g. `2026-11-20T19:30:00Z`, in a year up to 9999")
    }
}

impl Time {
    /// Reads an instant in any offset. A date without a time, or a time without an offset, is none.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        text.parse::<jiff::Timestamp>()
            .map(|at| Self(Timestamp::from_millis(at.as_millisecond())))
            .map_err(|_| NotATime)
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.as_millis()) {
            Ok(at) => fmt::Display::fmt(&at, out),
            // No edit lets such an instant in; should one ever be there, saying "far away" beats failing.
            Err(_) => out.write_str("9999-12-31T23:59:59Z"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc_without_idle_digits() {
        let written = |text| Time::parse(text).map(|time| time.to_string());
        assert_eq!(written("2026-11-20T19:30:00Z"), Ok("2026-11-20T19:30:00Z".to_owned()));
        assert_eq!(written("2026-11-20T21:30:00.250+02:00"), Ok("2026-11-20T19:30:00.25Z".to_owned()));
        for bad in [
            "",
            "tomorrow",
            "2026-11-20",
            "2026-11-20T19:30:00",
            "2026-13-01T00:00:00Z",
            "300000-01-01T00:00:00Z",
            "1790000000",
        ] {
            assert_eq!(written(bad), Err(NotATime), "{bad}");
        }
    }
}
