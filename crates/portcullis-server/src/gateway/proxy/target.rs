//! What a request is for, and what of it the API gets to see.

use http::Method;
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::error::Error;

/// The path and the query, as the client sent them. Refused is what has none, or names a host beside the one of its `Host`: the API
/// might go by either.
pub(super) fn of(parts: &Parts) -> Result<&PathAndQuery, Error> {
    let wrong = |why: &str| Error::Invalid(why.to_owned());
    if parts.method == Method::CONNECT {
        return Err(wrong("This is the proxy of one API, and makes no tunnels to others."));
    }
    if let Some(authority) = parts.uri.authority() {
        let host = parts.headers.get(HOST).map(http::HeaderValue::as_bytes);
        if !host.is_some_and(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes())) {
            return Err(wrong("The request's target names another host than its `Host`."));
        }
    }
    match parts.uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => Ok(target),
        _ => Err(wrong("The request's target must be a path.")),
    }
}

/// The target without a parameter of its query; all the rest stays byte for byte.
pub(super) fn without(target: &PathAndQuery, parameter: &str) -> Result<PathAndQuery, Error> {
    let Some((path, query)) = target.as_str().split_once('?') else { return Ok(target.clone()) };
    let named = |piece: &&str| form_urlencoded::parse(piece.as_bytes()).any(|(name, _)| name == parameter);
    if !query.split('&').any(|piece| named(&piece)) {
        return Ok(target.clone());
    }
    let rest = query.split('&').filter(|piece| !named(piece)).collect::<Vec<_>>().join("&");
    let text = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    text.try_into().map_err(|_| Error::Internal("a part of a good target is no target".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_cut_out_however_it_is_spelled_and_nothing_else_changes() {
        for (whole, rest) in [
            ("/a", "/a"),
            ("/a?", "/a?"),
            ("/a?&&", "/a?&&"),
            ("/a?key=1", "/a"),
            ("/a?key", "/a"),
            ("/a?x=%2f+%20&key=1&&y", "/a?x=%2f+%20&&y"),
            ("/a?k%65y=1&KEY=2&akey=3&key=4", "/a?KEY=2&akey=3"),
            ("/key=1?x=key", "/key=1?x=key"),
            ("/a?x=?key=1", "/a?x=?key=1"),
        ] {
            assert_eq!(without(&whole.parse().unwrap(), "key").unwrap().as_str(), rest, "{whole}");
        }
    }
}
