//! `/api-keys/{key_id}/edit`: what a key is called, and less of what it may do.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::api_keys::{BusinessScopeText, Permissions, UpdateApiKey};
use portcullis_core::permission::PermissionSet;
use portcullis_core::scope::{Account, BusinessScope};

use super::draft::{addresses, end_of};
use super::{businesses_of, held, live, name_of, place};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, OfAccount};
use crate::dashboard::form::{Fields, Problems};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::grid::Grid;
use crate::dashboard::{path_id_of, words};
use crate::manage::api_keys::{self, ApiKey};
use crate::manage::businesses::Business;

#[derive(Template)]
#[template(path = "api_keys/edit.html")]
struct Edit {
    frame: Frame,
    place: String,
    id: String,
    old_name: String,
    form: Form,
    inherits: bool,
    grid: Grid,
    /// Only of a restricted key: id, name, whether it is kept.
    businesses: Vec<(String, String, bool)>,
    ends: String,
    /// The attribute that says which day is the first that can be chosen.
    earliest: String,
    problems: Problems,
}

/// The fields, as they were filled.
struct Form {
    name: String,
    allowed_ips: String,
    date: String,
    grant: String,
    permissions: Vec<String>,
    businesses: Vec<String>,
}

impl Form {
    fn of(key: &ApiKey) -> Self {
        let businesses = match &key.scope {
            BusinessScope::Unrestricted => Vec::new(),
            BusinessScope::Only(only) => only.iter().map(ToString::to_string).collect(),
        };
        Self {
            name: key.name.clone(),
            allowed_ips: key.allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            date: String::new(),
            grant: if key.permissions.is_none() { "inherit" } else { "list" }.to_owned(),
            permissions: key.permissions.clone().unwrap_or_default(),
            businesses,
        }
    }

    fn read(fields: &Fields) -> Self {
        Self {
            name: fields.text("name").to_owned(),
            allowed_ips: fields.text("allowed_ips").to_owned(),
            date: fields.text("date").to_owned(),
            grant: fields.text("grant").to_owned(),
            permissions: fields.list("permissions"),
            businesses: fields.list("businesses"),
        }
    }

    /// What differs from the key as it is: what is left alone is not asked for.
    fn wanted(&self, key: &ApiKey) -> UpdateApiKey {
        let was = Self::of(key);
        let differs = |one: &Vec<String>, other: &Vec<String>| {
            let sorted = |all: &Vec<String>| {
                let mut all = all.clone();
                all.sort();
                all
            };
            sorted(one) != sorted(other)
        };
        let grant = || match self.grant.as_str() {
            "inherit" => Permissions::Inherit,
            _ => Permissions::List(self.permissions.clone()),
        };
        let new_grant =
            self.grant != was.grant || (self.grant == "list" && differs(&self.permissions, &was.permissions));
        let restricted = matches!(key.scope, BusinessScope::Only(_));
        UpdateApiKey {
            name: (self.name != was.name).then(|| Some(self.name.clone())),
            metadata: None,
            allowed_ips: differs(&addresses(&self.allowed_ips), &addresses(&was.allowed_ips))
                .then(|| Some(addresses(&self.allowed_ips))),
            permissions: new_grant.then(|| Some(grant())),
            business_scope: (restricted && differs(&self.businesses, &was.businesses))
                .then(|| Some(BusinessScopeText::Only(self.businesses.clone()))),
            expires_at: (!self.date.is_empty()).then(|| Some(end_of(&self.date))),
        }
    }
}

fn shown(
    app: &App,
    visitor: &Visitor,
    account: &Account,
    (key, known): (&ApiKey, &[Business]),
    form: Form,
    problems: Problems,
) -> Edit {
    let own: PermissionSet =
        key.permissions.as_ref().map_or_else(|| held(app, account), |names| app.catalogue.set(names));
    let businesses = match &key.scope {
        BusinessScope::Unrestricted => Vec::new(),
        BusinessScope::Only(only) => only
            .iter()
            .map(|id| (id.to_string(), name_of(*id, known).to_owned(), form.businesses.contains(&id.to_string())))
            .collect(),
    };
    Edit {
        frame: visitor.frame("api-keys", format!("Edit {}", key.name)),
        place: place(visitor, account),
        id: key.id.to_string(),
        old_name: key.name.clone(),
        inherits: key.permissions.is_none(),
        grid: Grid::new(&app.catalogue, &form.permissions, own),
        businesses,
        ends: key.expires_at.map_or_else(
            || "It never ends otherwise.".to_owned(),
            |end| format!("It ends on {} otherwise.", words::day(end)),
        ),
        earliest: format!("min=\"{}\"", words::date_field(visitor.now.plus_days(1))),
        form,
        problems,
    }
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysRead>,
    path: RawPathParams,
) -> Page {
    let (id, place) = (path_id_of(&path, "key_id")?, place(&visitor, &of.account));
    let Some(key) = live(&app, &visitor, &of.account, id).await? else { return lead_to(&format!("{place}/{id}")) };
    let known = businesses_of(&app, &of.account).await?;
    page(&shown(&app, &visitor, &of.account, (&key, &known), Form::of(&key), Problems::default()))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let id = path_id_of(&path, "key_id")?;
    let key = api_keys::show(&app, &of.account, id).await?;
    let known = businesses_of(&app, &of.account).await?;
    let form = Form::read(&fields);
    if fields.comes_back() {
        return page(&shown(&app, &visitor, &of.account, (&key, &known), form, Problems::default()));
    }
    match api_keys::update(&app, &of.caller, &of.account, origin, id, &form.wanted(&key)).await {
        Ok(_) => lead_to(&format!("{}/{id}?done=saved", place(&visitor, &of.account))),
        Err(error) => again(&shown(&app, &visitor, &of.account, (&key, &known), form, Problems::of(error)?)),
    }
}
