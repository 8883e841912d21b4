//! `/problems/{code}`: what a code means and what to do, for people; it is where the `type` of a problem leads.

use std::fmt::Write;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use portcullis_api::problem::{CODES, Code};

use crate::error::Error;

pub(crate) async fn show(Path(code): Path<String>) -> Result<Response, Error> {
    let code = CODES.iter().find(|known| known.code == code).ok_or(Error::NotFound)?;
    let mut response = page(code).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// The page. All that is put into it is our own words.
fn page(code: &Code) -> String {
    let words = |text: &str| {
        let mut marked = String::new();
        for (place, part) in text.replace('&', "&amp;").replace('<', "&lt;").split('`').enumerate() {
            match place {
                0 => {}
                odd if odd % 2 == 1 => marked.push_str("<code>"),
                _ => marked.push_str("</code>"),
            }
            marked.push_str(part);
        }
        marked
    };
    let mut reasons = String::new();
    if !code.reasons.is_empty() {
        reasons.push_str("<h2>Reasons</h2>\n<dl>\n");
        for (reason, why) in code.reasons {
            let _ = writeln!(reasons, "<dt><code>{reason}</code></dt><dd>{}</dd>", words(why));
        }
        reasons.push_str("</dl>\n");
    }
    let others = CODES.iter().map(|other| format!("<li><a href=\"/problems/{0}\">{0}</a></li>\n", other.code));
    let others: String = others.collect();
    let Code { code: name, status, title, meaning, remedy, .. } = code;
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>{title} · Portcullis</title>
<link rel=\"stylesheet\" href=\"/problems.css\">
</head>
<body>
<main>
<p class=\"status\">{status} <code>{name}</code></p>
<h1>{title}</h1>
<p class=\"meaning\">{}</p>
<p><strong>What to do:</strong> {}</p>
{reasons}<nav aria-label=\"All problems\"><h2>All problems</h2>
<ul>
{others}</ul>
<p><a href=\"/reference\">API reference</a></p></nav>
</main>
</body>
</html>
",
        words(meaning),
        words(remedy),
    )
}
