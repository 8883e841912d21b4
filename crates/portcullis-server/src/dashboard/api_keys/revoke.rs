//! `/api-keys/{key_id}/revoke`: the end of a key, for whoever types its name.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::api_keys::RevokeApiKey;

use super::{live, place};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, OfAccount};
use crate::dashboard::form::{Fields, Problems, is_as_shown};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::path_id_of;
use crate::dashboard::words::When;
use crate::error::Error;
use crate::manage::api_keys::{self, Shown};

#[derive(Template)]
#[template(path = "api_keys/revoke.html")]
struct Revoke {
    frame: Frame,
    place: String,
    id: String,
    name: String,
    hint: String,
    last_used: Option<When>,
    calls: String,
    confirm: String,
    reason: String,
    problems: Problems,
}

impl Revoke {
    fn new(visitor: &Visitor, place: &str, shown: &Shown, fields: &Fields, problems: Problems) -> Self {
        let key = &shown.key;
        let [_, week, _] = shown.used;
        Self {
            frame: visitor.frame("api-keys", format!("Revoke {}", key.name)),
            place: place.to_owned(),
            id: key.id.to_string(),
            name: key.name.clone(),
            hint: format!("{}…{}", key.prefix, key.hint),
            last_used: shown.last_used.as_ref().map(|(at, _)| When::new(*at, visitor.now)),
            calls: crate::dashboard::words::counted(week, "call"),
            confirm: fields.text("confirm").to_owned(),
            reason: fields.text("reason").to_owned(),
            problems,
        }
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
    let shown = one(&app, key).await?;
    page(&Revoke::new(&visitor, &place, &shown, &Fields::default(), Problems::default()))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let id = path_id_of(&path, "key_id")?;
    let place = place(&visitor, &of.account);
    let shown = one(&app, api_keys::show(&app, &of.account, id).await?).await?;
    let form = |problems| Revoke::new(&visitor, &place, &shown, &fields, problems);
    if fields.comes_back() {
        return page(&form(Problems::default()));
    }
    if !is_as_shown(fields.text("confirm"), &shown.key.name) {
        return again(&form(Problems::of(Error::field(
            "/confirm",
            "is not the name of this key: nothing was revoked",
        ))?));
    }
    match api_keys::revoke(&app, &of.caller, &of.account, origin, id, &RevokeApiKey { reason: fields.given("reason") })
        .await
    {
        Ok(_) => lead_to(&format!("{place}/{id}?done=revoked")),
        Err(error) => again(&form(Problems::of(error)?)),
    }
}

/// A key with its uses.
pub(super) async fn one(app: &App, key: api_keys::ApiKey) -> Result<Shown, Error> {
    api_keys::shown(app, vec![key]).await?.into_iter().next().ok_or(Error::NotFound)
}
