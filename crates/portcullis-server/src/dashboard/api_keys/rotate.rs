//! `/api-keys/{key_id}/rotate`: a new token for the same settings.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::api_keys::RotateApiKey;

use super::list::Choice;
use super::token::ShownOnce;
use super::{live, place};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, OfAccount};
use crate::dashboard::form::{Fields, Problems, once};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::path_id_of;
use crate::manage::api_keys::{self, ApiKey};

#[derive(Template)]
#[template(path = "api_keys/rotate.html")]
struct Rotate {
    frame: Frame,
    place: String,
    id: String,
    name: String,
    once: String,
    overlaps: Vec<Choice>,
    problems: Problems,
}

impl Rotate {
    fn new(app: &App, visitor: &Visitor, place: &str, key: &ApiKey, chosen: &str, problems: Problems) -> Self {
        let overlaps = [
            ("0", "None: the old token stops at once"),
            ("3600", "An hour"),
            ("86400", "A day"),
            ("604800", "7 days"),
            ("2592000", "30 days"),
        ];
        Self {
            frame: visitor.frame("api-keys", format!("Rotate {}", key.name)),
            place: place.to_owned(),
            id: key.id.to_string(),
            name: key.name.clone(),
            once: once(app),
            overlaps: overlaps.map(|(value, label)| Choice::new(value.to_owned(), label, chosen)).into(),
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
    page(&Rotate::new(&app, &visitor, &place, &key, "86400", Problems::default()))
}

pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let id = path_id_of(&path, "key_id")?;
    let place = place(&visitor, &of.account);
    let chosen = fields.text("overlap_seconds");
    let key = api_keys::show(&app, &of.account, id).await?;
    let form = |problems| Rotate::new(&app, &visitor, &place, &key, chosen, problems);
    if fields.comes_back() {
        return page(&form(Problems::default()));
    }
    let Ok(overlap_seconds) = chosen.parse() else {
        return again(&form(Problems::say("Choose how long the old token goes on working.")));
    };
    let wanted = RotateApiKey { overlap_seconds: Some(overlap_seconds) };
    match api_keys::rotate(&app, &of.caller, &of.account, origin, id, fields.once(), &wanted).await {
        Ok(rotated) => {
            let (key, previous) = (&rotated.key, Some(&rotated.previous));
            page(&ShownOnce::new(&app, &visitor, &place, key, rotated.token.as_ref(), previous))
        }
        Err(error) => again(&form(Problems::of(error)?)),
    }
}
