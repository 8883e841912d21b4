//! The files that pages load: our own and the vendored one, each at an address that changes with its content.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

use crate::app::App;
use crate::error::Error;

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE_SHEET: &str = "text/css; charset=utf-8";

const ASSETS: [Asset; 6] = [
    Asset { name: "dashboard.css", kind: STYLE_SHEET, content: include_bytes!("assets/dashboard.css") },
    Asset { name: "pages.css", kind: STYLE_SHEET, content: include_bytes!("assets/pages.css") },
    Asset { name: "dashboard.js", kind: SCRIPT, content: include_bytes!("assets/dashboard.js") },
    Asset { name: "htmx.js", kind: SCRIPT, content: include_bytes!("assets/vendor/htmx.min.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_bytes!("assets/icon.svg") },
    Asset { name: "reference.js", kind: SCRIPT, content: include_bytes!("../reference/reference.js") },
];

/// Of all files together, so that one that changes changes every address.
const VERSION: u64 = version();

/// FNV-1a, which the compiler can work out.
const fn version() -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut file = 0;
    while file < ASSETS.len() {
        #[expect(clippy::indexing_slicing, reason = "the compiler does this, and says so if it cannot")]
        let content = ASSETS[file].content;
        let mut at = 0;
        while at < content.len() {
            #[expect(clippy::indexing_slicing, reason = "the compiler does this, and says so if it cannot")]
            let byte = content[at];
            hash = (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        file += 1;
    }
    hash
}

/// Where a file is.
pub(crate) fn at(name: &str) -> String {
    format!("/assets/{VERSION:016x}/{name}")
}

/// `/assets/{version}/{name}`. A file is made smaller when it is first asked for.
pub(crate) fn route() -> MethodRouter<Arc<App>> {
    let small: Arc<[OnceLock<Option<Bytes>>; ASSETS.len()]> = Arc::default();
    get(async move |Path((version, name)): Path<(String, String)>, headers: HeaderMap| {
        let found = ASSETS.iter().zip(small.iter()).find(|(asset, _)| asset.name == name);
        let (asset, small) = found.ok_or(Error::NotFound)?;
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let takes_gzip = accepted.split(',').any(|coding| coding.trim() == "gzip");
        let small = if takes_gzip { small.get_or_init(|| smaller(asset.content)).clone() } else { None };
        let mut response = if let Some(small) = small {
            ([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], small).into_response()
        } else {
            Bytes::from_static(asset.content).into_response()
        };
        let is_current = version == format!("{VERSION:016x}");
        let keep = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Ok::<Response, Error>(response)
    })
}

/// Only these files are compressed, and no page: in a page a secret can stand beside what somebody else put there.
fn smaller(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).map(Bytes::from).ok()
}
