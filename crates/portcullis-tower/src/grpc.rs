//! How a refusal reads to a gRPC client: HTTP 200, and the status in the headers ("trailers only").

use std::fmt::Write;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Whether a request is one of gRPC, by its content type.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    const BEGINNING: &[u8] = b"application/grpc";
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(..BEGINNING.len()));
    sent.is_some_and(|beginning| beginning.eq_ignore_ascii_case(BEGINNING))
}

/// The status of gRPC that says what an HTTP status says.
pub(crate) const fn status(http: u16) -> u16 {
    match http {
        400 => 3,
        401 => 16,
        403 => 7,
        429 => 8,
        _ => 14,
    }
}

/// A text as `grpc-message` has it: percent-encoded, but for visible ASCII and spaces.
pub(crate) fn message(text: &str) -> String {
    let mut message = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            message.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(message, "%{byte:02X}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn grpc_is_told_by_the_beginning_of_the_content_type() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC-web", true),
            ("application/json", false),
            ("application/grp", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(is_grpc(&headers), expected, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_message_is_percent_encoded() {
        assert_eq!(message("The key was revoked."), "The key was revoked.");
        assert_eq!(message("100 % é\n"), "100 %25 %C3%A9%0A");
    }
}
