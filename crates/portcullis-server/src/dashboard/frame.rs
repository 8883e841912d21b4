//! What every page has around it, and whoever looks at it.

use std::sync::Arc;

use askama::Template;
use aws_lc_rs::hmac;
use axum::Extension;
use axum::extract::FromRequestParts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use data_encoding::BASE64URL_NOPAD;
use http::StatusCode;
use http::request::Parts;
use portcullis_core::id::UserId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::scope::{Account, Caller};
use portcullis_core::time::Timestamp;

use super::form::Fields;
use crate::app::App;
use crate::caller::SignedIn;
use crate::error::{Error, Finished};
use crate::manage::sessions::Session;
use crate::manage::users::{self, User};

/// A page, or why there is none.
pub(crate) type Page = Result<Response, Error>;

/// A person who signed in, looking at a page.
pub(crate) struct Visitor {
    pub(crate) caller: Caller,
    pub(crate) account: Account,
    pub(crate) session: Session,
    pub(crate) user: User,
    pub(crate) now: Timestamp,
    mark: String,
    notice: Option<&'static str>,
    /// Whose account the page is about, where it is not the visitor's own.
    about: Option<User>,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        // Before anything is read, so that what changes meanwhile is noticed.
        let mark = mark(app);
        let SignedIn { caller, account, session } = SignedIn::from_request_parts(parts, app).await?;
        let user = users::show(app, &account).await?;
        let about = somebody_else(app, &caller, &user, parts.uri.path()).await?;
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self {
            caller,
            account,
            session,
            user,
            now: app.clock.now(),
            mark,
            notice: notice(query.text("done")),
            about,
        })
    }
}

/// Whom a page below `/users/{user_id}` is about: said on each of them, so that nobody makes or revokes a key for the wrong person.
async fn somebody_else(app: &App, caller: &Caller, visitor: &User, path: &str) -> Result<Option<User>, Error> {
    let named = path.strip_prefix("/users/").and_then(|rest| rest.split('/').next()?.parse::<UserId>().ok());
    let Some(named) = named.filter(|named| *named != visitor.id) else { return Ok(None) };
    let Some(account) = caller.account(named, OperatorGrant::UsersRead) else { return Ok(None) };
    match users::show(app, &account).await {
        Ok(user) => Ok(Some(user)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// See the module's own words. `layout.html` fills it.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) title: String,
    /// Which entry of the menu leads here.
    pub(crate) here: &'static str,
    pub(crate) who: Option<Who>,
    /// The [`mark`] of the last edit that the page can know of.
    pub(crate) mark: String,
    pub(crate) notice: Option<&'static str>,
    pub(crate) about: Option<User>,
}

#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) platform_admin: bool,
}

impl Visitor {
    pub(crate) fn frame(&self, here: &'static str, title: impl Into<String>) -> Frame {
        let User { name, email, platform_admin, .. } = &self.user;
        Frame {
            title: title.into(),
            here,
            who: Some(Who { name: name.clone(), email: email.clone(), platform_admin: *platform_admin }),
            mark: self.mark.clone(),
            notice: self.notice,
            about: self.about.clone(),
        }
    }
}

/// What stands for the last edit that this node knows of: another one after every edit. It is not the edit's number, which would tell
/// everybody how much is going on.
pub(crate) fn mark(app: &App) -> String {
    const BYTES: usize = 9;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &app.cursor_key);
    let tag = hmac::sign(&key, format!("edit {}", app.node.applied()).as_bytes());
    BASE64URL_NOPAD.encode(tag.as_ref().get(..BYTES).unwrap_or_default())
}

/// What is said at the head of the page after something was done.
fn notice(code: &str) -> Option<&'static str> {
    const NOTICES: [(&str, &str); 21] = [
        ("revoked", "The key is revoked. No request with it is let through any more, on any node."),
        ("saved", "Saved."),
        ("business", "The business is made. You are its owner."),
        ("member", "The member has another role, and so have their keys, from now on."),
        ("removed", "The membership has ended. Their keys do not reach this business any more."),
        ("left", "You have left the business. Your keys do not reach it any more."),
        ("role", "The role is made."),
        ("role-saved", "The role is changed. Every key of its members follows, from now on."),
        ("role-deleted", "The role is deleted."),
        ("invitation-revoked", "The invitation is taken back. Its link leads nowhere now."),
        ("disabled-user", "The user is disabled. Their keys and their sessions are dead, on every node."),
        ("enabled-user", "The user is enabled. Their keys live again; they sign in anew."),
        ("disabled-business", "The business is disabled. No key reaches it, on any node."),
        ("enabled-business", "The business is enabled. Keys reach it again."),
        ("operator-revoked", "The operator key is revoked. Nothing is answered to it any more, on any node."),
        ("password", "Your password is changed. Every other session has ended."),
        ("session", "The session has ended."),
        ("welcome", "Welcome. Your account is ready."),
        ("joined", "Welcome. You are a member now."),
        ("user", "The user is made. Hand them a link to their password."),
        ("policy", "The policy is set. It binds the keys that are made from now on."),
    ];
    NOTICES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// Fills a template.
pub(crate) fn page(template: &impl Template) -> Page {
    page_with(StatusCode::OK, template)
}

/// Fills the template of a form that its sender must mend.
pub(crate) fn again(template: &impl Template) -> Page {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, template)
}

pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Page {
    let text = template.render().map_err(|error| Error::Internal(format!("a page cannot be made: {error}")))?;
    Ok((status, Extension(Finished), Html(text)).into_response())
}

/// Leads on to another page, by GET.
#[expect(clippy::unnecessary_wraps, reason = "it is the end of a handler")]
pub(crate) fn lead_to(place: &str) -> Page {
    Ok(Redirect::to(place).into_response())
}
