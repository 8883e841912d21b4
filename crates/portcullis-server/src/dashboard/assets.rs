//! The files that pages load: our own and the vendored one, each at an address that changes with its content.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

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

pub(crate) async fn show(Path((version, name)): Path<(String, String)>) -> Result<Response, Error> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(Error::NotFound)?;
    let keep = if version == format!("{VERSION:016x}") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = asset.content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
