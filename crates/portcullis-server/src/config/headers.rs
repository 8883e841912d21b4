//! Headers that mean something of their own. The proxy passes none of them on as a client wrote it, and no rule may take a business
//! from one.

use std::borrow::Cow;

use portcullis_core::credential::METHOD_OVERRIDES;

/// Of one connection, whatever `Connection` says.
pub(crate) const OF_CONNECTIONS: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// What the API may take only from its proxy: who calls, where from, and what for. What tells another method or path than the ones
/// that were judged is among them.
const OURS: [&str; 12] = [
    "authorization",
    "expect",
    "forwarded",
    "host",
    "trailer",
    "x-api-key",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
];
pub(crate) const IDENTITY_PREFIX: &str = "x-portcullis-";
const OUR_PREFIXES: [&str; 2] = [IDENTITY_PREFIX, "x-forwarded-"];
/// What may pass, but not under a name with `_` for `-`, which some servers read as the same.
pub(crate) const NO_TWINS: [&str; 2] = ["content-length", "content-type"];

/// Whether a rule may take the name of a business from this header.
pub(super) fn may_name_a_business(name: &str) -> bool {
    let dashed = dashed(name);
    !(OF_CONNECTIONS.contains(&&*dashed) || NO_TWINS.contains(&&*dashed) || is_ours(&dashed) || dashed == "cookie")
}

/// Whether only the proxy says this, under whatever spelling.
pub(crate) fn is_ours(dashed: &str) -> bool {
    OURS.contains(&dashed)
        || METHOD_OVERRIDES.contains(&dashed)
        || OUR_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
}

/// A name as those servers read it to which `_`, and to some `.` and the like, are as good as `-`.
pub(crate) fn dashed(name: &str) -> Cow<'_, str> {
    let odd = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    if name.contains(odd) { name.replace(odd, "-").into() } else { name.into() }
}
