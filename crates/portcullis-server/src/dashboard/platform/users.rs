//! `/platform/users`: everybody who has an account.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::envelope::PageQuery;
use portcullis_api::users::{CreateUser, UpdateUser};
use portcullis_core::scope::Account;

use super::Confirm;
use crate::app::App;
use crate::caller::{From, Operator, UsersRead, UsersWrite};
use crate::dashboard::businesses::invitations::LinkShownOnce;
use crate::dashboard::form::{Asked, Fields, Problems, once};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::lists::Walk;
use crate::dashboard::path_id_of;
use crate::dashboard::words::When;
use crate::error::Error;
use crate::manage::users::{self, User};
use crate::manage::{links, sessions};

#[derive(Template)]
#[template(path = "platform/users.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    more: Option<String>,
    email: String,
    name: String,
    once: String,
    problems: Problems,
}

struct Row {
    id: String,
    name: String,
    email: String,
    admin: bool,
    disabled: bool,
    created: When,
}

impl Row {
    fn new(user: &User, now: portcullis_core::time::Timestamp) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            admin: user.platform_admin,
            disabled: user.disabled_at.is_some(),
            created: When::new(user.created_at, now),
        }
    }
}

#[derive(Template)]
#[template(path = "platform/user.html")]
struct Show {
    frame: Frame,
    row: Row,
    form_name: String,
    form_email: String,
    form_admin: bool,
    sessions: usize,
    you: bool,
    problems: Problems,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<UsersRead>,
    Asked(query): Asked,
) -> Page {
    page(&filled(&app, &visitor, &by, &query, &Fields::default(), Problems::default()).await?)
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    may_read: Operator<UsersRead>,
    by: Operator<UsersWrite>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let wanted = CreateUser { email: fields.text("email").to_owned(), name: fields.given("name") };
    if fields.comes_back() {
        return page(&filled(&app, &visitor, &may_read, &Fields::default(), &fields, Problems::default()).await?);
    }
    match users::create(&app, &by.caller, origin, fields.once(), wanted).await {
        Ok(user) => lead_to(&format!("/platform/users/{}?done=user", user.id)),
        Err(error) => {
            let problems = Problems::of(error)?;
            again(&filled(&app, &visitor, &may_read, &Fields::default(), &fields, problems).await?)
        }
    }
}

async fn filled(
    app: &App,
    visitor: &Visitor,
    by: &Operator<UsersRead>,
    query: &Fields,
    sent: &Fields,
    problems: Problems,
) -> Result<List, Error> {
    let mut listed = Walk::of(query);
    while listed.goes_on() {
        let cursor = listed.cursor();
        listed.take(users::list(app, &by.proof, &PageQuery { limit: None, cursor }).await?);
    }
    Ok(List {
        frame: visitor.frame("users", "Users"),
        rows: listed.rows.iter().map(|user| Row::new(user, visitor.now)).collect(),
        more: listed.more(),
        email: sent.text("email").to_owned(),
        name: sent.text("name").to_owned(),
        once: once(app),
        problems,
    })
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<UsersRead>,
    path: RawPathParams,
) -> Page {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    page(&one(&app, &visitor, &account, None, Problems::default()).await?)
}

async fn one(
    app: &App,
    visitor: &Visitor,
    account: &Account,
    sent: Option<&Fields>,
    problems: Problems,
) -> Result<Show, Error> {
    let user = users::show(app, account).await?;
    let text = |name: &str, own: &str| sent.map_or_else(|| own.to_owned(), |sent| sent.text(name).to_owned());
    Ok(Show {
        frame: visitor.frame("users", user.name.clone()),
        form_name: text("name", &user.name),
        form_email: text("email", &user.email),
        form_admin: sent.map_or(user.platform_admin, |sent| sent.is_ticked("platform_admin")),
        sessions: sessions::list(app, account).await?.len(),
        you: user.id == visitor.user.id,
        row: Row::new(&user, visitor.now),
        problems,
    })
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    if fields.comes_back() {
        return page(&one(&app, &visitor, &account, Some(&fields), Problems::default()).await?);
    }
    let user = users::show(&app, &account).await?;
    let wanted = UpdateUser {
        name: Some(fields.text("name").to_owned()),
        email: Some(fields.text("email").to_owned()),
        // Nobody takes this from themselves by a slip: then nobody might be left who can give it back.
        platform_admin: (user.id != visitor.user.id).then(|| fields.is_ticked("platform_admin")),
    };
    match users::update(&app, &by.caller, &account, origin, wanted).await {
        Ok(_) => lead_to(&format!("/platform/users/{}?done=saved", user.id)),
        Err(error) => again(&one(&app, &visitor, &account, Some(&fields), Problems::of(error)?).await?),
    }
}

pub(crate) async fn create_password_link(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
) -> Page {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    let made = links::create_password_link(&app, &by.caller, &account, origin).await?;
    let user = users::show(&app, &account).await?;
    page(&LinkShownOnce {
        frame: visitor.frame("users", "Link to a new password"),
        heading: format!("A new password for {}", user.name),
        about: "Send this link to them, by a way that only they can read: whoever has it can sign in as them."
            .to_owned(),
        url: made.url.expose().to_owned(),
        ends: When::new(made.link.expires_at, visitor.now),
        back: format!("/platform/users/{}", user.id),
    })
}

pub(crate) async fn show_disable(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<UsersRead>,
    path: RawPathParams,
) -> Page {
    let user = users::show(&app, &by.account(path_id_of(&path, "user_id")?)?).await?;
    page(&confirm(&visitor, &user, Problems::default()))
}

fn confirm(visitor: &Visitor, user: &User, problems: Problems) -> Confirm {
    let disabled = user.disabled_at.is_some();
    Confirm {
        frame: visitor.frame("users", if disabled { "Enable a user" } else { "Disable a user" }),
        back: format!("/platform/users/{}", user.id),
        back_label: "Back to the user",
        heading: if disabled { format!("Enable {}?", user.name) } else { format!("Disable {}?", user.name) },
        what_happens: if disabled {
            "Their keys live again, at once and on every node. They sign in anew."
        } else {
            "Their keys stop working and their sessions end, at once and on every node: whatever uses one of their keys stops. \
             It can be undone."
        },
        action: format!("/platform/users/{}/{}", user.id, if disabled { "enable" } else { "disable" }),
        button: if disabled { "Enable" } else { "Disable" },
        is_dangerous: !disabled,
        to_type: if disabled { String::new() } else { user.email.clone() },
        problems,
    }
}

pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    let user = users::show(&app, &account).await?;
    if fields.comes_back() {
        return page(&confirm(&visitor, &user, Problems::default()));
    }
    if user.id == visitor.user.id {
        return again(&confirm(&visitor, &user, Problems::say("This is you: ask another platform admin to do it.")));
    }
    if !fields.text("confirm").eq_ignore_ascii_case(&user.email) {
        let wrong = Error::field("/confirm", "is not their e-mail address: nothing was done");
        return again(&confirm(&visitor, &user, Problems::of(wrong)?));
    }
    users::set_disabled(&app, &by.caller, &account, origin, true).await?;
    lead_to(&format!("/platform/users/{}?done=disabled-user", user.id))
}

pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    _: Visitor,
    by: Operator<UsersWrite>,
    From(origin): From,
    path: RawPathParams,
) -> Page {
    let account = by.account(path_id_of(&path, "user_id")?)?;
    let user = users::set_disabled(&app, &by.caller, &account, origin, false).await?;
    lead_to(&format!("/platform/users/{}?done=enabled-user", user.id))
}
