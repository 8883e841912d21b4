//! Tokens on the wire.

use std::fmt;

use portcullis_core::token::Token;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A token that a caller sends, or that the one answer shows which may. It is wiped on drop and `Debug` does not print it.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Whoever calls this must not log or keep it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// For the one answer that shows a token.
impl From<&Token> for SecretText {
    fn from(token: &Token) -> Self {
        Self::new(token.reveal().to_owned())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretText(…)")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}
