//! The one credential of a request, and what of a request the service behind must not see.

use http::{HeaderMap, HeaderName, header};
use portcullis_core::credential::{METHOD_OVERRIDES, in_api_key, in_authorization};

use crate::refusal::Refusal;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Headers in which a gateway says who calls. Here the extensions do, and nobody else may.
const IDENTITY: &str = "x-portcullis-";

/// Takes the token out of a request's headers, by the rules of Portcullis itself: a client must not be understood in two ways.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| (value, true));
    let api_key = headers.get_all(X_API_KEY).iter().map(|value| (value, false));
    let mut all = authorization.chain(api_key);
    let Some((value, with_scheme)) = all.next() else { return Err(Refusal::missing()) };
    if all.next().is_some() {
        return Err(Refusal::ambiguous());
    }
    let read = if with_scheme { in_authorization } else { in_api_key };
    value.to_str().ok().and_then(read).ok_or_else(Refusal::malformed)
}

/// Removes the credential, whatever could be taken for the word of a gateway, and what would change the method behind the decision.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let unwanted = |name: &HeaderName| {
        // Servers that hand headers on as variables cannot tell `_` from `-`, nor some of them `.` and the like.
        let name = name.as_str().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let credential = name == header::AUTHORIZATION.as_str() || name == X_API_KEY.as_str();
        credential || name.starts_with(IDENTITY) || METHOD_OVERRIDES.contains(&name.as_str())
    };
    let names: Vec<_> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(all: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn refused(all: &[(&str, &[u8])]) -> (&'static str, Option<String>) {
        let refusal = token(&headers(all)).unwrap_err();
        (refusal.code, refusal.reason)
    }

    #[test]
    fn the_three_ways_and_their_spellings() {
        for (name, value) in [
            ("authorization", "Bearer ak_x"),
            ("authorization", "bearer ak_x"),
            ("authorization", "TOKEN ak_x"),
            ("authorization", "Token    ak_x"),
            ("authorization", "Token ak_x  "),
            ("x-api-key", "ak_x"),
            ("X-API-Key", " ak_x "),
        ] {
            assert_eq!(token(&headers(&[(name, value.as_bytes())])).unwrap(), "ak_x", "{name}: {value}");
        }
    }

    #[test]
    fn what_cannot_be_a_token() {
        assert_eq!(refused(&[]), ("INVALID_API_KEY", Some("missing".to_owned())));
        let long = "a".repeat(257);
        for (name, value) in [
            ("authorization", &b""[..]),
            ("authorization", b"Bearer"),
            ("authorization", b"Bearer "),
            ("authorization", b"ak_x"),
            ("authorization", b"Basic ak_x"),
            ("authorization", b"Bearer\tak_x"),
            ("authorization", b"Bearer ak_x\tb"),
            ("authorization", b"Bearer ak_x, Bearer ak_y"),
            ("authorization", b"Bearer ak_\xc3\xa9"),
            ("x-api-key", b""),
            ("x-api-key", b"\xff\xfe"),
            ("x-api-key", b"ak_x,ak_y"),
            ("x-api-key", long.as_bytes()),
        ] {
            assert_eq!(
                refused(&[(name, value)]),
                ("INVALID_API_KEY", Some("malformed".to_owned())),
                "{name}: {value:?}"
            );
        }
    }

    #[test]
    fn two_credentials_are_none() {
        for pair in [["authorization", "authorization"], ["x-api-key", "x-api-key"], ["authorization", "x-api-key"]] {
            let both = pair.map(|name| (name, &b"Bearer ak_x"[..]));
            assert_eq!(refused(&both), ("AMBIGUOUS_CREDENTIALS", None), "{pair:?}");
        }
        assert_eq!(refused(&[("authorization", b"Bearer ak_x"), ("x-api-key", b"")]), ("AMBIGUOUS_CREDENTIALS", None));
    }

    #[test]
    fn nothing_is_left_that_says_who_calls() {
        let mut all = headers(&[
            ("authorization", b"Bearer ak_x"),
            ("x-api-key", b"ak_x"),
            ("x_api_key", b"ak_x"),
            ("X-Portcullis-User-Id", b"usr_x"),
            ("x_portcullis_user_id", b"usr_x"),
            ("x-portcullis_businesses", b"*"),
            ("X-HTTP-Method-Override", b"DELETE"),
            ("x_method_override", b"DELETE"),
            ("x-portcullis", b"stays"),
            ("x-business-id", b"biz_x"),
        ]);
        strip(&mut all);
        let mut left: Vec<_> = all.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-business-id", "x-portcullis"]);
    }
}
