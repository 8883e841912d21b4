//! Pages, as far as no browser is needed to see that they hold. The flows of people are in `tests/browser`.

mod anonymous;
mod forms;
mod live;
mod matrix;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};

use crate::support::{Server, Session};

/// A browser, as far as it can be told by what it sends: it stays where it is sent first.
pub(crate) fn browser() -> Client {
    Client::builder().no_proxy().redirect(Policy::none()).build().unwrap()
}

/// Asks for a page, by a session where there is one.
pub(crate) async fn visit(server: &Server, session: Option<&Session>, method: Method, path: &str) -> Response {
    let mut request = browser().request(method, format!("{}{path}", server.url)).header("accept", "text/html");
    if let Some(session) = session {
        request = request.header("cookie", &session.cookie);
    }
    request.header("origin", &server.url).send().await.unwrap()
}
