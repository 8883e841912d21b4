//! The page that shows a token, once.

use askama::Template;
use portcullis_core::token::Token;

use super::permissions;
use crate::app::App;
use crate::dashboard::frame::{Frame, Visitor};
use crate::dashboard::words::When;
use crate::manage::api_keys::ApiKey;

#[derive(Template)]
#[template(path = "api_keys/token.html")]
pub(super) struct ShownOnce {
    frame: Frame,
    place: String,
    id: String,
    name: String,
    permissions: String,
    /// `None` where the form was sent before: then it was shown before.
    token: Option<String>,
    url: String,
    snippets: Vec<Snippet>,
    previous: Option<Previous>,
}

struct Snippet {
    name: &'static str,
    id: &'static str,
    text: String,
}

/// The key that was rotated, and when it ends.
struct Previous {
    id: String,
    ends: Option<When>,
    ended: bool,
}

impl ShownOnce {
    pub(super) fn new(
        app: &App,
        visitor: &Visitor,
        place: &str,
        key: &ApiKey,
        token: Option<&Token>,
        previous: Option<&ApiKey>,
    ) -> Self {
        let url = format!("{}/api/v1/whoami", app.public_url());
        let here = if place == "/api-keys" { "api-keys" } else { "users" };
        let previous = previous.map(|previous| Previous {
            id: previous.id.to_string(),
            ends: previous.expires_at.map(|end| When::new(end, visitor.now)),
            ended: previous.expires_at.is_some_and(|end| end <= visitor.now),
        });
        Self {
            frame: visitor.frame(here, "Your new token"),
            place: place.to_owned(),
            id: key.id.to_string(),
            name: key.name.clone(),
            permissions: permissions(key),
            token: token.map(|token| token.reveal().to_owned()),
            snippets: snippets(&url),
            url,
            previous,
        }
    }
}

/// Lines that work when they are pasted. None has the token in it: it comes from the environment, as it should.
fn snippets(url: &str) -> Vec<Snippet> {
    let snippet = |name, id, text: String| Snippet { name, id, text };
    vec![
        snippet("curl", "curl", format!("curl -s {url} \\\n  -H \"Authorization: Bearer $API_KEY\"")),
        snippet(
            "Python",
            "python",
            format!(
                "import os, urllib.request\n\nrequest = urllib.request.Request(\n    \"{url}\",\n    headers={{\"Authorization\": f\"Bearer {{os.environ['API_KEY']}}\"}},\n)\nprint(urllib.request.urlopen(request).read().decode())"
            ),
        ),
        snippet(
            "JavaScript",
            "javascript",
            format!(
                "const response = await fetch(\"{url}\", {{\n  headers: {{ Authorization: `Bearer ${{process.env.API_KEY}}` }},\n}});\nconsole.log(await response.json());"
            ),
        ),
        snippet(
            "Rust",
            "rust",
            format!(
                "// cargo add reqwest --features blocking\nfn main() -> Result<(), Box<dyn std::error::Error>> {{\n    let key = std::env::var(\"API_KEY\")?;\n    let request = reqwest::blocking::Client::new().get(\"{url}\").bearer_auth(key);\n    println!(\"{{}}\", request.send()?.text()?);\n    Ok(())\n}}"
            ),
        ),
    ]
}
