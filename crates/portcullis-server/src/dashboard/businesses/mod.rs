//! Businesses: the visitor's own, their members, roles and settings.

pub(crate) mod head;
pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod roles;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use portcullis_api::businesses::{CreateBusiness, UpdateBusiness};
use portcullis_api::envelope::PageQuery;

use self::head::Head;
use super::form::{Asked, Fields, Problems, once};
use super::frame::{Frame, Page, Visitor, again, lead_to, page};
use super::lists::Walk;
use super::words::When;
use crate::app::App;
use crate::caller::{BusinessesRead, BusinessesWrite, From, LooksAfterAll, OfBusiness, Proprietor};
use crate::error::Error;
use crate::manage::businesses::{self, Business, Whose};

#[derive(Template)]
#[template(path = "businesses/list.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    more: Option<String>,
}

/// A business as a row of a list.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: When,
    pub(crate) disabled: bool,
}

/// Businesses as rows, as many pages as are asked for, and the query that shows more.
pub(crate) async fn rows(
    app: &App,
    visitor: &Visitor,
    whose: &Whose,
    query: &Fields,
) -> Result<(Vec<Row>, Option<String>), Error> {
    let mut listed = Walk::of(query);
    while listed.goes_on() {
        let cursor = listed.cursor();
        listed.take(businesses::list(app, whose, &PageQuery { limit: None, cursor }).await?);
    }
    let more = listed.more();
    let row = |business: Business| Row {
        id: business.id.to_string(),
        created: When::new(business.created_at, visitor.now),
        disabled: business.disabled_at.is_some(),
        name: business.name,
    };
    Ok((listed.rows.into_iter().map(row).collect(), more))
}

#[derive(Template)]
#[template(path = "businesses/new.html")]
struct New {
    frame: Frame,
    once: String,
    name: String,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "businesses/settings.html")]
struct Settings {
    frame: Frame,
    head: Head,
    name: String,
    created: When,
    problems: Problems,
}

pub(crate) async fn list(State(app): State<Arc<App>>, visitor: Visitor, Asked(query): Asked) -> Page {
    let (rows, more) = rows(&app, &visitor, &Whose::Members(visitor.account), &query).await?;
    page(&List { frame: visitor.frame("businesses", "Businesses"), rows, more })
}

pub(crate) async fn show_new(State(app): State<Arc<App>>, visitor: Visitor) -> Page {
    page(&New {
        frame: visitor.frame("businesses", "New business"),
        once: once(&app),
        name: String::new(),
        problems: Problems::default(),
    })
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Proprietor<BusinessesWrite>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let name = fields.text("name").to_owned();
    let form = |problems| New {
        frame: visitor.frame("businesses", "New business"),
        once: once(&app),
        name: name.clone(),
        problems,
    };
    if fields.comes_back() {
        return page(&form(Problems::default()));
    }
    // An admin founds a business as a person does here: they become its owner.
    let wanted = CreateBusiness { name: name.clone(), owner_id: Some(visitor.user.id.to_string()) };
    match businesses::create(&app, &by.caller, origin, fields.once(), wanted).await {
        Ok(made) => lead_to(&format!("/businesses/{}?done=business", made.id)),
        Err(error) => again(&form(Problems::of(error)?)),
    }
}

pub(crate) async fn settings(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesRead, LooksAfterAll>,
) -> Page {
    let business = businesses::show(&app, &of.tenant).await?;
    let name = business.name.clone();
    page(&settings_page(&app, &visitor, &business, name, Problems::default()).await?)
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterAll>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let business = businesses::show(&app, &of.tenant).await?;
    let name = fields.text("name").to_owned();
    if fields.comes_back() {
        return page(&settings_page(&app, &visitor, &business, name, Problems::default()).await?);
    }
    let wanted = UpdateBusiness { name: Some(name.clone()) };
    match businesses::update(&app, &of.caller, &of.tenant, origin, wanted).await {
        Ok(_) => lead_to(&format!("/businesses/{}/settings?done=saved", business.id)),
        Err(error) => again(&settings_page(&app, &visitor, &business, name, Problems::of(error)?).await?),
    }
}

async fn settings_page(
    app: &App,
    visitor: &Visitor,
    business: &Business,
    name: String,
    problems: Problems,
) -> Result<Settings, Error> {
    Ok(Settings {
        frame: visitor.frame("businesses", format!("Settings of {}", business.name)),
        head: Head::new(app, visitor, business, "settings").await?,
        created: When::new(business.created_at, visitor.now),
        name,
        problems,
    })
}
