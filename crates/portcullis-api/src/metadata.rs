//! What a customer notes on a key: a small flat JSON object.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A JSON object in which no name comes twice. Its limits are for the server to check.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metadata(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Metadata;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Metadata, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = from.next_entry::<String, Value>()? {
                    // Of two values under one name, a reader would keep one and the sender might have meant the other.
                    if map.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("`{name}` comes twice")));
                    }
                    map.insert(name, value);
                }
                Ok(Metadata(map))
            }
        }

        from.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_twice_is_an_error() {
        assert!(serde_json::from_str::<Metadata>(r#"{"a":1,"b":"x"}"#).is_ok());
        assert!(serde_json::from_str::<Metadata>(r#"{"a":1,"a":2}"#).is_err());
        assert!(serde_json::from_str::<Metadata>("[]").is_err());
    }
}
