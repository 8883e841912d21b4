//! The files that pages load: our own and the vendored one, each at an address that changes with its content.

use std::sync::Arc;

use axum::extract::Path;
use axum::routing::{MethodRouter, get};
use http::HeaderMap;

use crate::app::App;
use crate::error::Error;
use crate::file::File;

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE_SHEET: &str = "text/css; charset=utf-8";

const ASSETS: [Asset; 5] = [
    Asset { name: "dashboard.css", kind: STYLE_SHEET, content: include_bytes!("assets/dashboard.css") },
    Asset { name: "pages.css", kind: STYLE_SHEET, content: include_bytes!("assets/pages.css") },
    Asset { name: "dashboard.js", kind: SCRIPT, content: include_bytes!("assets/dashboard.js") },
    Asset { name: "htmx.js", kind: SCRIPT, content: include_bytes!("assets/vendor/htmx.min.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_bytes!("assets/icon.svg") },
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

/// `/assets/{version}/{name}`
pub(crate) fn route() -> MethodRouter<Arc<App>> {
    let files = Arc::new(ASSETS.map(|asset| (asset.name, File::new(asset.kind, asset.content))));
    get(async move |Path((version, name)): Path<(String, String)>, headers: HeaderMap| {
        let (_, file) = files.iter().find(|(known, _)| *known == name).ok_or(Error::NotFound)?;
        // Another version of this server asks for its own: it gets ours, and does not keep it.
        let is_current = version == format!("{VERSION:016x}");
        let keep = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
        Ok::<_, Error>(file.answer(&headers, keep))
    })
}
