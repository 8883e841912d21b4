//! Request paths, brought into the one form in which they may be compared, or refused.
//!
//! Two programs that read one path differently are two opinions about what is being asked for. So whatever could be read in two
//! ways is refused instead of interpreted.

use std::borrow::Cow;

/// The path could be read in more than one way, and so is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    #[error("the path must begin with `/`")]
    Relative,
    #[error("the path has an empty segment (`//`)")]
    EmptySegment,
    #[error("the path has a `.` or `..` segment")]
    DotSegment,
    #[error("a segment of the path ends in a dot or a space, which some servers cut off")]
    CutOff,
    #[error("the path has an encoded separator, a backslash, a `;`, a `#`, a control character or a broken escape")]
    Character,
}

/// The path without its query, percent-decoded once.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let decoded = decode(path)?;
    // Bytes and not letters: paths are short, and all that is looked for is ASCII.
    let inner = decoded.as_bytes().strip_prefix(b"/").ok_or(Ambiguous::Relative)?;
    let mut segments = inner.split(|&byte| byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            // One slash at the very end is a form that servers agree on.
            b"" if segments.peek().is_some() => return Err(Ambiguous::EmptySegment),
            b"." | b".." => return Err(Ambiguous::DotSegment),
            [.., b'.' | b' '] => return Err(Ambiguous::CutOff),
            _ => {}
        }
    }
    Ok(decoded)
}

/// Whether a path (already normalised) lies at or below `root`, on a segment's border, for any server that may read it: some do not
/// tell upper case from lower.
pub fn is_at_or_below(path: &str, root: &str) -> bool {
    if path.is_ascii() && root.is_ascii() {
        let (path, length) = (path.as_bytes(), root.len());
        let below = matches!(path.get(length), None | Some(b'/'));
        return below && path.get(..length).is_some_and(|head| head.eq_ignore_ascii_case(root.as_bytes()));
    }
    let mut segments = path.split('/');
    root.split('/').all(|root| segments.next().is_some_and(|segment| is_same_in_any_case(segment, root)))
}

/// Whether two texts differ in nothing but upper and lower case.
pub(crate) fn is_same_in_any_case(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii())
            && one.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase)))
}

fn decode(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    // A fragment is nothing that a client sends: some servers cut it off, and others take it for a part of the path.
    let plain = |byte: u8| !byte.is_ascii_control() && !matches!(byte, b'\\' | b';' | b'#');
    if !path.bytes().all(plain) {
        return Err(Ambiguous::Character);
    }
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut nibble = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (nibble().ok_or(Ambiguous::Character)?, nibble().ok_or(Ambiguous::Character)?);
        let value = u8::try_from(high * 16 + low).map_err(|_| Ambiguous::Character)?;
        // A second round of decoding, or a separator that one reader sees and another does not, would change the meaning.
        if !plain(value) || matches!(value, b'/' | b'%' | b'?') {
            return Err(Ambiguous::Character);
        }
        bytes.push(value);
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Ambiguous::Character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_paths_stay_as_they_are() {
        for path in ["/", "/api/v1/user", "/api/v1/user/", "/a.b/..c/%C3%A9", "/a%20b"] {
            assert!(normalise(path).is_ok(), "{path}");
        }
        assert_eq!(normalise("/api/v1/%75ser?x=//..").as_deref(), Ok("/api/v1/user"));
    }

    #[test]
    fn attack_12_path_tricks_are_refused() {
        for path in [
            "",
            "api",
            "//api",
            "/api//v1",
            "/api/./v1",
            "/api/../v1",
            "/api/%2e%2e/v1",
            "/api/%2E/v1",
            "/api%2fv1",
            "/api%5cv1",
            "/api\\v1",
            "/api;x=1/v1",
            "/api%3bx",
            "/api/%252e",
            "/api/%00",
            "/api/\u{1}",
            "/api/%",
            "/api/%4",
            "/api/%zz",
            "/api/%ff",
            "/api/%0a",
            "/api./v1",
            "/api/v1.",
            "/api/v1%2e",
            "/api/v1%20",
            "/api/...",
            "/api#/v1",
            "/api/%23",
        ] {
            assert!(normalise(path).is_err(), "{path}");
        }
    }

    #[test]
    fn below_means_below_on_a_border() {
        assert!(is_at_or_below("/api/v1/user", "/api/v1/user"));
        assert!(is_at_or_below("/api/v1/user/api-keys", "/api/v1/user"));
        assert!(!is_at_or_below("/api/v1/users", "/api/v1/user"));
        assert!(is_at_or_below("/API/v1/User/", "/api/v1/user"), "an API behind may not tell case");
        assert!(!is_at_or_below("/api/v1", "/api/v1/user"));
    }

    proptest! {
        #[test]
        fn what_was_normalised_once_stays(path in "[/a-c.%2eE0-9\\\\;]{0,24}") {
            if let Ok(once) = normalise(&path) {
                let twice = normalise(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
                prop_assert!(!once.contains("//") && !once.contains("/../"));
            }
        }

        #[test]
        fn no_path_panics(path in "\\PC{0,40}") {
            let _ = normalise(&path);
        }
    }
}
