//! Coming in: with a password, a link, an invitation, or as the first of all; and going out.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use http::{HeaderMap, StatusCode, header};
use portcullis_api::links::{AcceptInvitation, RequestPasswordLink, SetPassword};
use portcullis_api::secret::SecretText;
use portcullis_api::sessions::SignIn;

use super::form::{Asked, COMES_BACK, Fields, Problems};
use super::frame::{Page, Visitor, again, lead_to, page, page_with};
use super::guard::Came;
use crate::app::App;
use crate::caller::{From, SignedIn, cookie};
use crate::error::Error;
use crate::manage::links;
use crate::manage::sessions::{self, Begun};
use crate::manage::setup::{self, FirstPerson};

#[derive(Template, Default)]
#[template(path = "sign_in.html")]
struct SignInPage {
    email: String,
    next: String,
    /// A form that was sent when the session had ended, as it was sent.
    kept: String,
    why: &'static str,
    lost_passwords: bool,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "resume.html")]
struct Resume {
    to: String,
    fields: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "cookie_refused.html")]
struct CookieRefused;

#[derive(Template, Default)]
#[template(path = "forgotten.html")]
struct Forgotten {
    email: String,
    asked: bool,
    problems: Problems,
}

#[derive(Template, Default)]
#[template(path = "password.html")]
struct NewPassword {
    token: String,
    problems: Problems,
}

#[derive(Template, Default)]
#[template(path = "invitation.html")]
struct Invitation {
    token: String,
    name: String,
    signed_in: Option<String>,
    problems: Problems,
}

#[derive(Template, Default)]
#[template(path = "setup.html")]
struct Setup {
    code: String,
    email: String,
    name: String,
    /// Whether the code has run out.
    over: bool,
    problems: Problems,
}

/// Where to sign in, and where to go then.
pub(super) fn address(next: &str) -> String {
    if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?{}", Fields::default().with("next", next)) }
}

/// A place on this server, whatever somebody has put into a link.
fn local(place: &str) -> &str {
    let leads_away = place.starts_with("//") || place.contains('\\') || place.chars().any(char::is_control);
    if place.starts_with('/') && !leads_away { place } else { "/" }
}

/// `/`
pub(crate) async fn home(State(app): State<Arc<App>>, visitor: Result<Visitor, Error>) -> Page {
    match visitor {
        Ok(_) => lead_to("/api-keys"),
        Err(_) if app.awaits_setup() => lead_to("/setup"),
        Err(Error::NoCredential | Error::SignedOut) => lead_to("/sign-in"),
        Err(error) => Err(error),
    }
}

pub(crate) async fn show(visitor: Result<Visitor, Error>, Asked(query): Asked) -> Page {
    let next = local(query.text("next"));
    if visitor.is_ok() {
        return lead_to(next);
    }
    page(&SignInPage { next: next.to_owned(), ..SignInPage::default() })
}

const ENDED: &str = "Your session had ended.";

/// A form came when its sender's session had ended: the page to sign in on, which keeps what was written.
pub(super) fn keeping(came: &Came, sent: Fields) -> Page {
    if !sent.has_content() {
        // A button was pressed: there is nothing to keep, and pressing it again is theirs to decide.
        return lead_to("/sign-in");
    }
    let lost_passwords = sent.has_password();
    let kept = form_urlencoded::Serializer::new(String::new()).extend_pairs(sent.without_passwords()).finish();
    let next = local(&came.to).to_owned();
    let shown = SignInPage { next, kept: format!("&{kept}"), why: ENDED, lost_passwords, ..SignInPage::default() };
    page_with(StatusCode::UNAUTHORIZED, &shown)
}

pub(crate) async fn begin(State(app): State<Arc<App>>, headers: HeaderMap, From(origin): From, fields: Fields) -> Page {
    let wanted = SignIn { email: fields.text("email").to_owned(), password: secret(&fields, "password") };
    let (next, kept) = (local(fields.text("next")).to_owned(), fields.text("kept").to_owned());
    match sessions::begin(&app, origin, cookie::user_agent(&headers), &wanted).await {
        Ok(begun) if kept.is_empty() => {
            let place = format!("/sign-in/done?{}", Fields::default().with("next", &next));
            with_cookie(&app, &begun, lead_to(&place)?)
        }
        Ok(begun) => {
            let mut fields = Fields::parse(kept.as_bytes()).without_passwords();
            fields.push((COMES_BACK.to_owned(), "yes".to_owned()));
            with_cookie(&app, &begun, page(&Resume { to: next, fields })?)
        }
        Err(error) => {
            let status = error.status();
            let problems = Problems::of(error)?;
            let shown = SignInPage { email: wanted.email, next, kept, problems, ..SignInPage::default() };
            page_with(status, &shown)
        }
    }
}

/// Where signing in leads: on, if the browser has kept the cookie.
pub(crate) async fn done(visitor: Result<Visitor, Error>, Asked(query): Asked) -> Page {
    match visitor {
        Ok(_) => lead_to(local(query.text("next"))),
        Err(Error::NoCredential) => page(&CookieRefused),
        Err(error) => Err(error),
    }
}

pub(crate) async fn end(State(app): State<Arc<App>>, by: Result<SignedIn, Error>, From(origin): From) -> Page {
    if let Ok(by) = by {
        sessions::end(&app, &by.caller, &by.account, origin, Some(by.session.id)).await?;
    }
    without_cookie(lead_to("/sign-in")?)
}

/// The answer that makes the browser forget the session.
#[expect(clippy::unnecessary_wraps, reason = "it is the end of a handler")]
pub(super) fn without_cookie(mut response: axum::response::Response) -> Page {
    response.headers_mut().extend(cookie::gone().map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

#[expect(clippy::unnecessary_wraps, reason = "it is the end of a handler")]
fn with_cookie(app: &App, begun: &Begun, mut response: axum::response::Response) -> Page {
    response.headers_mut().extend(cookie::of(begun, app.clock.now()).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

pub(crate) async fn show_forgotten() -> Page {
    page(&Forgotten::default())
}

pub(crate) async fn forgotten(State(app): State<Arc<App>>, From(origin): From, fields: Fields) -> Page {
    let email = fields.text("email").to_owned();
    match links::request_password_link(&app, origin, &RequestPasswordLink { email: email.clone() }) {
        Ok(()) => page(&Forgotten { asked: true, ..Forgotten::default() }),
        Err(error) => again(&Forgotten { email, asked: false, problems: Problems::of(error)? }),
    }
}

pub(crate) async fn show_password() -> Page {
    page(&NewPassword::default())
}

pub(crate) async fn set_password(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    From(origin): From,
    fields: Fields,
) -> Page {
    let wanted = SetPassword { token: secret(&fields, "token"), password: secret(&fields, "password") };
    match links::set_password(&app, origin, cookie::user_agent(&headers), &wanted).await {
        Ok(begun) => with_cookie(&app, &begun, lead_to("/api-keys?done=password")?),
        Err(error) => again(&NewPassword { token: fields.text("token").to_owned(), problems: Problems::of(error)? }),
    }
}

pub(crate) async fn show_invitation(visitor: Result<Visitor, Error>) -> Page {
    page(&Invitation { signed_in: visitor.ok().map(|visitor| visitor.user.email), ..Invitation::default() })
}

pub(crate) async fn accept_invitation(
    State(app): State<Arc<App>>,
    visitor: Result<Visitor, Error>,
    headers: HeaderMap,
    From(origin): From,
    fields: Fields,
) -> Page {
    let visitor = visitor.ok();
    let shown = |problems| Invitation {
        token: fields.text("token").to_owned(),
        name: fields.text("name").to_owned(),
        signed_in: visitor.as_ref().map(|visitor| visitor.user.email.clone()),
        problems,
    };
    if fields.comes_back() {
        return page(&shown(Problems::default()));
    }
    let password = Some(secret(&fields, "password")).filter(|password| !password.expose().is_empty());
    let wanted = AcceptInvitation { token: secret(&fields, "token"), name: fields.given("name"), password };
    let caller = visitor.as_ref().map(|visitor| &visitor.caller);
    match links::accept_invitation(&app, caller, origin, cookie::user_agent(&headers), &wanted).await {
        Ok(joined) => {
            let response = lead_to(&format!("/businesses/{}?done=joined", joined.business))?;
            joined
                .begun
                .map_or_else(|| Ok(response), |begun| with_cookie(&app, &begun, lead_to("/api-keys?done=joined")?))
        }
        // There is an account with this address: its owner signs in, and comes back to the invitation.
        Err(Error::Conflict(_)) if visitor.is_none() => {
            let kept = Fields::default().with("token", fields.text("token"));
            let why = "There is an account with this e-mail address.";
            let next = "/invitation".to_owned();
            page(&SignInPage { next, kept, why, ..SignInPage::default() })
        }
        Err(error) => again(&shown(Problems::of(error)?)),
    }
}

pub(crate) async fn show_setup(State(app): State<Arc<App>>) -> Page {
    if !app.awaits_setup() {
        return lead_to("/sign-in");
    }
    page(&Setup { over: !app.setup.is_open(app.clock.now()), ..Setup::default() })
}

pub(crate) async fn set_up(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    From(origin): From,
    fields: Fields,
) -> Page {
    let wanted = FirstPerson {
        code: fields.text("code").to_owned(),
        email: fields.text("email").to_owned(),
        name: fields.given("name"),
        password: secret(&fields, "password"),
    };
    match setup::first_person(&app, origin, cookie::user_agent(&headers), &wanted).await {
        Ok(begun) => with_cookie(&app, &begun, lead_to("/businesses?done=welcome")?),
        Err(error) => {
            let problems = Problems::of(error)?;
            let name = wanted.name.unwrap_or_default();
            let over = app.awaits_setup() && !app.setup.is_open(app.clock.now());
            again(&Setup { code: wanted.code, email: wanted.email, name, over, problems })
        }
    }
}

fn secret(fields: &Fields, name: &str) -> SecretText {
    let text = if name == "token" { fields.text(name) } else { fields.verbatim(name) };
    SecretText::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_this_server_are_gone_to() {
        for good in ["/", "/api-keys?status=ended", "/businesses/biz_1#x"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\n/evil",
            "api-keys",
        ] {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
    }
}
