//! The answers this layer gives itself, as RFC 9457 problem documents.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use portcullis_api::problem;

use crate::error::X_REQUEST_ID;

/// A refusal that needs nothing of the request to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    code: &'static str,
    detail: &'static str,
}

pub(super) const HEADERS_TOO_LARGE: Problem = Problem {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    code: "HEADERS_TOO_LARGE",
    detail: "The request has more headers, or longer ones, than this server reads.",
};
pub(super) const HEADERS_TOO_SLOW: Problem =
    invalid_request(StatusCode::REQUEST_TIMEOUT, "The request's headers did not arrive in time.");
pub(super) const TARGET_TOO_LONG: Problem =
    invalid_request(StatusCode::URI_TOO_LONG, "The request's target is longer than this server reads.");
pub(super) const MALFORMED: Problem =
    invalid_request(StatusCode::BAD_REQUEST, "The request is not well-formed HTTP/1.1.");
pub(super) const AMBIGUOUS_FRAMING: Problem = invalid_request(
    StatusCode::BAD_REQUEST,
    "Where the request's headers or body end is ambiguous: send CRLF line ends and one Content-Length or \
     `Transfer-Encoding: chunked`, not both.",
);
pub(super) const NOT_ONE_HOST: Problem = invalid_request(
    StatusCode::BAD_REQUEST,
    "The request must have exactly one Host header, with a host and perhaps a port in it.",
);
pub(super) const TOO_MANY_CONNECTIONS: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "UNAVAILABLE",
    detail: "Too many connections from this address are open.",
};

impl Problem {
    /// What hyper means by the status with which it refused a request itself.
    pub(super) fn of_hyper(status: StatusCode) -> Problem {
        match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => HEADERS_TOO_LARGE,
            StatusCode::URI_TOO_LONG => TARGET_TOO_LONG,
            StatusCode::BAD_REQUEST => MALFORMED,
            other => Problem { status: other, ..MALFORMED },
        }
    }

    /// The answer for hyper to write. It ends the connection.
    pub(super) fn response(&self, request_id: &str) -> Response<Bytes> {
        let document = problem::Problem::new(self.status.as_u16(), self.code, self.detail, request_id.to_owned());
        // Strings and numbers always serialise; an empty body would still come with the right status.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let length = body.len();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Ok(request_id) = HeaderValue::from_str(request_id) {
            headers.insert(X_REQUEST_ID, request_id);
        }
        response
    }

    /// The same answer as bytes, for where no hyper is left to write it.
    pub(super) fn on_the_wire(&self, request_id: &str) -> Vec<u8> {
        let response = self.response(request_id);
        let reason = self.status.canonical_reason().unwrap_or_default();
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_str()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(response.body());
        bytes
    }
}

const fn invalid_request(status: StatusCode, detail: &'static str) -> Problem {
    Problem { status, code: "INVALID_REQUEST", detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_member_in_order() {
        let body = invalid_request(StatusCode::BAD_REQUEST, "No \"x\".").response("req_1").into_body();
        assert_eq!(
            String::from_utf8(body.to_vec()).unwrap(),
            r#"{"type":"/problems/INVALID_REQUEST","title":"Invalid request","status":400,"detail":"No \"x\".","success":false,"code":"INVALID_REQUEST","reason":null,"message":"No \"x\".","request_id":"req_1"}"#
        );
    }

    #[test]
    fn an_id_that_no_header_may_hold_is_left_out_of_the_head() {
        let bytes = String::from_utf8(MALFORMED.on_the_wire("req\r\nx: y")).unwrap();
        let (head, _) = bytes.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("x-request-id") && !head.contains("x: y"), "{head}");
    }
}
