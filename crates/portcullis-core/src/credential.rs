//! How a credential is written in a header: one reading for the server and for every program that guards an API with it.

/// A longer text cannot be a token, and is not looked at.
pub const LONGEST: usize = 256;

/// Headers by which a client would have an API take its request for one of another method than was decided on.
pub const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// What stands behind the scheme in `Authorization`: `Bearer` or `Token` in any case, then one or more spaces (RFC 9110, section 11.4).
pub fn in_authorization(value: &str) -> Option<&str> {
    let (scheme, rest) = value.trim_matches(' ').split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    Some(rest.trim_start_matches(' ')).filter(|token| known && is_token(token))
}

/// What `X-API-Key` holds.
pub fn in_api_key(value: &str) -> Option<&str> {
    Some(value.trim_matches(' ')).filter(|token| is_token(token))
}

/// Whether a text could be a token at all: visible ASCII, without the separator that would make two credentials of one.
pub fn is_token(text: &str) -> bool {
    // Folded, not searched: a good token is read to its end anyway.
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    !text.is_empty() && text.len() <= LONGEST && text.bytes().fold(true, |all, byte| all & fits(byte))
}
