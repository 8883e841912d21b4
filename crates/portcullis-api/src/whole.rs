//! Whole numbers as JSON has them: `60` and `60.0` are the same number, and both are whole.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// Beyond this, a number with a fraction sign no longer holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number that must be there.
pub(crate) fn required<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    optional(from)?.ok_or_else(|| D::Error::custom("expected a whole number"))
}

/// A whole number, or nothing where it is `null`.
pub(crate) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else { return Ok(None) };
    let fraction = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within what both types hold")]
    let whole = number.as_i64().or_else(|| fraction.map(|number| number as i64));
    whole.map(Some).ok_or_else(|| D::Error::custom("expected a whole number"))
}

#[cfg(test)]
mod tests {
    use crate::api_keys::RotateApiKey;

    #[test]
    fn a_fraction_of_nothing_is_whole() {
        let read = |text: &str| {
            let body = format!("{{\"overlap_seconds\": {text}}}");
            serde_json::from_str::<RotateApiKey>(&body).ok().map(|wanted| wanted.overlap_seconds)
        };
        for (text, whole) in [("60", Some(60)), ("60.0", Some(60)), ("6e1", Some(60)), ("-1", Some(-1)), ("null", None)]
        {
            assert_eq!(read(text), Some(whole), "{text}");
        }
        for bad in ["60.5", "1e400", "99999999999999999999", "1e17", "\"60\"", "true", "[60]"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
