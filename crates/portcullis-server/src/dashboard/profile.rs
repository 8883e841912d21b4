//! `/profile`: the visitor's name, password and sessions.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::secret::SecretText;
use portcullis_api::sessions::ChangePassword;
use portcullis_api::users::UpdateUser;

use super::form::{Fields, Problems};
use super::frame::{Frame, Page, Visitor, again, lead_to, page};
use super::words::When;
use super::{path_id_of, sign_in};
use crate::app::App;
use crate::caller::From;
use crate::error::Error;
use crate::manage::{sessions, users};

#[derive(Template)]
#[template(path = "profile.html")]
struct Profile {
    frame: Frame,
    id: String,
    email: String,
    name: String,
    platform_admin: bool,
    sessions: Vec<Row>,
    problems: Problems,
    wrong_password: Problems,
}

struct Row {
    id: String,
    device: String,
    address: String,
    seen: When,
    created: When,
    current: bool,
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Page {
    let name = visitor.user.name.clone();
    page(&filled(&app, &visitor, name, Problems::default(), Problems::default()).await?)
}

pub(crate) async fn update(State(app): State<Arc<App>>, visitor: Visitor, From(origin): From, fields: Fields) -> Page {
    let name = fields.text("name").to_owned();
    if fields.comes_back() {
        return page(&filled(&app, &visitor, name, Problems::default(), Problems::default()).await?);
    }
    let wanted = UpdateUser { name: Some(name.clone()), ..UpdateUser::default() };
    match users::update(&app, &visitor.caller, &visitor.account, origin, wanted).await {
        Ok(_) => lead_to("/profile?done=saved"),
        Err(error) => again(&filled(&app, &visitor, name, Problems::of(error)?, Problems::default()).await?),
    }
}

pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    From(origin): From,
    fields: Fields,
) -> Page {
    let name = visitor.user.name.clone();
    if fields.comes_back() {
        return page(&filled(&app, &visitor, name, Problems::default(), Problems::default()).await?);
    }
    let secret = |name: &str| SecretText::new(fields.verbatim(name).to_owned());
    let wanted = ChangePassword { current_password: secret("current_password"), new_password: secret("new_password") };
    match sessions::change_password(&app, &visitor.caller, &visitor.account, origin, &wanted).await {
        Ok(()) => lead_to("/profile?done=password"),
        Err(error) => again(&filled(&app, &visitor, name, Problems::default(), Problems::of(error)?).await?),
    }
}

pub(crate) async fn end_session(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    From(origin): From,
    path: RawPathParams,
) -> Page {
    let id = path_id_of(&path, "session_id")?;
    sessions::end(&app, &visitor.caller, &visitor.account, origin, Some(id)).await?;
    if id == visitor.session.id {
        return sign_in::without_cookie(lead_to("/sign-in")?);
    }
    lead_to("/profile?done=session")
}

/// Signs out everywhere, here too.
pub(crate) async fn end_sessions(State(app): State<Arc<App>>, visitor: Visitor, From(origin): From) -> Page {
    sessions::end(&app, &visitor.caller, &visitor.account, origin, None).await?;
    sign_in::without_cookie(lead_to("/sign-in")?)
}

async fn filled(
    app: &App,
    visitor: &Visitor,
    name: String,
    problems: Problems,
    wrong_password: Problems,
) -> Result<Profile, Error> {
    let row = |session: sessions::Session| Row {
        current: session.id == visitor.session.id,
        id: session.id.to_string(),
        device: session.user_agent.as_deref().map_or_else(|| "An unknown browser".to_owned(), device),
        address: session.address.unwrap_or_default(),
        seen: When::new(session.last_seen_at, visitor.now),
        created: When::new(session.created_at, visitor.now),
    };
    Ok(Profile {
        frame: visitor.frame("profile", "Profile"),
        id: visitor.user.id.to_string(),
        email: visitor.user.email.clone(),
        platform_admin: visitor.user.platform_admin,
        sessions: sessions::list(app, &visitor.account).await?.into_iter().map(row).collect(),
        name,
        problems,
        wrong_password,
    })
}

/// A browser by what it calls itself: which, and on what.
fn device(agent: &str) -> String {
    let first =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // In this order, since most of them claim to be the others too.
    let browsers =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let systems = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    match (first(&browsers), first(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_by_what_they_call_themselves() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        assert_eq!(device(chrome), "Chrome on Linux");
        assert_eq!(
            device("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15"),
            "Safari on macOS"
        );
        assert_eq!(device("curl/8.5.0"), "curl/8.5.0");
    }
}
