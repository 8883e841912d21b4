//! The one credential of a request: `Authorization: Bearer`, `Authorization: Token`, `X-API-Key` or a session's cookie, and
//! never two of them.

use http::{HeaderMap, HeaderName, header};
use portcullis_core::credential::{in_api_key, in_authorization};

/// The header of the third way to send a token.
pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The cookie of a session. Browsers take this name only with `Secure`, `Path=/` and no `Domain`, so no neighbour can set it.
pub(crate) const SESSION_COOKIE: &str = "__Host-portcullis_session";

/// What a request brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent<'a> {
    Nothing,
    /// Something that cannot be a token: another scheme, other bytes, too long.
    Unusable,
    Token(&'a str),
    /// What a session's cookie holds.
    Session(&'a str),
}

/// Two credentials in one request, equal or not: a proxy and the API behind it must not each see another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// Takes the credential out of a request's headers.
pub(crate) fn sent(headers: &HeaderMap) -> Result<Sent<'_>, Ambiguous> {
    let mut cookies = session_cookies(headers);
    match (token(headers)?, cookies.next(), cookies.next()) {
        (sent, None, _) => Ok(sent),
        (Sent::Nothing, Some(cookie), None) => Ok(Sent::Session(cookie)),
        _ => Err(Ambiguous),
    }
}

/// Takes the token out of a request's headers, where no session is asked for.
pub(crate) fn token(headers: &HeaderMap) -> Result<Sent<'_>, Ambiguous> {
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| (value, true));
    let api_key = headers.get_all(X_API_KEY).iter().map(|value| (value, false));
    let mut all = authorization.chain(api_key);
    let Some((value, with_scheme)) = all.next() else { return Ok(Sent::Nothing) };
    if all.next().is_some() {
        return Err(Ambiguous);
    }
    let read = if with_scheme { in_authorization } else { in_api_key };
    Ok(str::from_utf8(value.as_bytes()).ok().and_then(read).map_or(Sent::Unusable, Sent::Token))
}

/// The values of the session's cookie (RFC 6265, section 5.4). Other cookies are none of our business.
fn session_cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim_matches(' ').split_once('='));
    pairs.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value)
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
            assert_eq!(sent(&headers(&[(name, value.as_bytes())])), Ok(Sent::Token("ak_x")), "{name}: {value}");
        }
        assert_eq!(sent(&HeaderMap::new()), Ok(Sent::Nothing));
    }

    #[test]
    fn attack_03_to_05_what_cannot_be_a_token() {
        let long = "a".repeat(257);
        for (name, value) in [
            ("authorization", &b""[..]),
            ("authorization", b"Bearer"),
            ("authorization", b"Bearer "),
            ("authorization", b"ak_x"),
            ("authorization", b"Basic ak_x"),
            ("authorization", b"Bearer\tak_x"),
            ("authorization", b"Bearer ak_x, Bearer ak_y"),
            ("authorization", b"Bearer ak_x ak_y"),
            ("authorization", b"Bearer ak_\xc3\xa9"),
            ("x-api-key", b""),
            ("x-api-key", b"\xff\xfe"),
            ("x-api-key", b"ak_x,ak_y"),
            ("x-api-key", long.as_bytes()),
        ] {
            assert_eq!(sent(&headers(&[(name, value)])), Ok(Sent::Unusable), "{name}: {value:?}");
        }
    }

    #[test]
    fn a_session_is_a_cookie_of_its_own_name() {
        let cookie = |text: &str| headers(&[("cookie", text.as_bytes())]);
        assert_eq!(sent(&cookie("a=b; __Host-portcullis_session=ps_x; c=d")), Ok(Sent::Session("ps_x")));
        for other in
            ["", "a=b", "portcullis_session=ps_x", "__host-portcullis_session=ps_x", "x__Host-portcullis_session=y"]
        {
            assert_eq!(sent(&cookie(other)), Ok(Sent::Nothing), "{other}");
        }
        let twice = cookie("__Host-portcullis_session=a; __Host-portcullis_session=a");
        assert_eq!(sent(&twice), Err(Ambiguous));
        let and_a_token = headers(&[("cookie", b"__Host-portcullis_session=a"), ("authorization", b"Bearer ak_x")]);
        assert_eq!(sent(&and_a_token), Err(Ambiguous));
    }

    #[test]
    fn attack_01_and_02_two_credentials_are_none() {
        for pair in [["authorization", "authorization"], ["x-api-key", "x-api-key"], ["authorization", "x-api-key"]] {
            let both = headers(&pair.map(|name| (name, &b"Bearer ak_x"[..])));
            assert_eq!(sent(&both), Err(Ambiguous), "{pair:?}");
        }
        let with_an_empty_one = headers(&[("authorization", b"Bearer ak_x"), ("x-api-key", b"")]);
        assert_eq!(sent(&with_an_empty_one), Err(Ambiguous));
    }
}
