//! Files that are part of the program, as browsers load them.

use std::io::Write;
use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

/// A file, made smaller when a browser that takes it so first asks for it.
///
/// Only such files are compressed, and no page: in a page a secret can stand beside what somebody else put there, and the length of
/// the whole would tell of it.
#[derive(Debug)]
pub(crate) struct File {
    kind: &'static str,
    content: &'static [u8],
    small: OnceLock<Option<Bytes>>,
}

impl File {
    pub(crate) const fn new(kind: &'static str, content: &'static [u8]) -> Self {
        Self { kind, content, small: OnceLock::new() }
    }

    /// The file, for a request with these headers; `keep` says for how long a browser may.
    pub(crate) fn answer(&self, asked: &HeaderMap, keep: &'static str) -> Response {
        let accepted = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let takes_gzip = accepted.split(',').any(|coding| coding.trim() == "gzip");
        let small = if takes_gzip { self.small.get_or_init(|| smaller(self.content)).clone() } else { None };
        let mut response = if let Some(small) = small {
            ([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], small).into_response()
        } else {
            Bytes::from_static(self.content).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

fn smaller(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).and_then(|()| encoder.finish()).map(Bytes::from).ok()
}
