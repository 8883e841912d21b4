//! `/api-keys/new`: a key from a form.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use portcullis_core::scope::Account;

use super::draft::KeyForm;
use super::list::Choice;
use super::token::ShownOnce;
use super::{businesses_of, held, place};
use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, OfAccount};
use crate::dashboard::form::{Fields, Problems, once};
use crate::dashboard::frame::{Frame, Page, Visitor, again, page};
use crate::dashboard::grid::Grid;
use crate::dashboard::words;
use crate::error::Error;
use crate::manage::api_keys;
use crate::manage::businesses::Business;

#[derive(Template)]
#[template(path = "api_keys/create.html")]
struct Create {
    frame: Frame,
    place: String,
    own: bool,
    /// Tells this form from every other, so that sending it twice makes one key.
    once: String,
    form: KeyForm,
    businesses: Vec<Ticked>,
    grid: Grid,
    expiries: Vec<Choice>,
    rate: String,
    tomorrow: String,
    summary: Vec<String>,
    /// Whether the sentence above the button tells of just this form.
    reviewed: bool,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "api_keys/summary.html")]
struct Summary {
    summary: Vec<String>,
    reviewed: bool,
}

/// A business that the key can be restricted to.
struct Ticked {
    id: String,
    name: String,
    chosen: bool,
    disabled: bool,
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor, of: OfAccount<KeysRead>) -> Page {
    let known = businesses_of(&app, &of.account).await?;
    page(&shown(&app, &visitor, &of.account, &known, KeyForm::empty(), Problems::default()))
}

/// The sentence alone, while the form is being filled.
pub(crate) async fn summary(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysRead>,
    fields: Fields,
) -> Page {
    let known = businesses_of(&app, &of.account).await?;
    let own = of.account.user() == visitor.user.id;
    let summary = KeyForm::read(&fields).summary(&known, visitor.now, own);
    page(&Summary { summary, reviewed: true })
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysWrite>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let form = KeyForm::read(&fields);
    let known = businesses_of(&app, &of.account).await?;
    let again_with = |form, problems| shown(&app, &visitor, &of.account, &known, form, problems);
    // Without a script nobody has seen the sentence yet: it comes first.
    if fields.comes_back() || !fields.is_ticked("reviewed") {
        let mut review = again_with(form, Problems::default());
        review.reviewed = !fields.comes_back();
        return page(&review);
    }
    // What a repeated form asks for must be the same, also a moment later: days are counted from the form's own time.
    let asked_at = fields.once().and_then(asked_at).unwrap_or(visitor.now);
    let made = api_keys::create(&app, &of.caller, &of.account, origin, fields.once(), form.wanted(asked_at)).await;
    let (key, token) = match made {
        Ok(made) => made,
        Err(error) => return again(&again_with(form, problems(error)?)),
    };
    page(&ShownOnce::new(&app, &visitor, &place(&visitor, &of.account), &key, token.as_ref(), None))
}

fn shown(
    app: &App,
    visitor: &Visitor,
    account: &Account,
    known: &[Business],
    form: KeyForm,
    problems: Problems,
) -> Create {
    let own = account.user() == visitor.user.id;
    let ticked = |business: &Business| {
        let id = business.id.to_string();
        Ticked {
            chosen: form.businesses.contains(&id),
            id,
            name: business.name.clone(),
            disabled: business.disabled_at.is_some(),
        }
    };
    let expiries = [
        ("30", "In 30 days"),
        ("60", "In 60 days"),
        ("90", "In 90 days"),
        ("365", "In a year"),
        ("date", "On a date"),
        ("never", "Never"),
    ];
    let rate = app.config.rate;
    Create {
        frame: visitor.frame(if own { "api-keys" } else { "users" }, "Create an API key"),
        place: place(visitor, account),
        own,
        businesses: known.iter().map(ticked).collect(),
        grid: Grid::new(&app.catalogue, &form.permissions, held(app, account)),
        expiries: expiries.map(|(value, label)| Choice::new(value.to_owned(), label, &form.expiry)).into(),
        rate: format!(
            "{} a minute and {} a second",
            words::counted(rate.per_minute.into(), "request"),
            words::number(rate.per_second.into())
        ),
        tomorrow: words::date_field(visitor.now.plus_days(1)),
        summary: form.summary(known, visitor.now, own),
        reviewed: false,
        // What is shown again is a form of its own.
        once: once(app),
        form,
        problems,
    }
}

/// The server's words, where a form has better ones.
fn problems(error: Error) -> Result<Problems, Error> {
    let Error::Validation(mut errors) = error else { return Problems::of(error) };
    for error in &mut errors {
        let better = match error.pointer.as_str() {
            "/permissions" => "choose at least one permission, or “Same as mine”",
            "/business_scope/only" => "choose at least one business",
            "/expires_at" if error.detail.starts_with("write an instant") => "choose a date",
            _ => continue,
        };
        better.clone_into(&mut error.detail);
    }
    Problems::of(Error::Validation(errors))
}

fn asked_at(once: &str) -> Option<portcullis_core::time::Timestamp> {
    let (millis, _) = once.split_once('-')?;
    millis.parse().ok().map(portcullis_core::time::Timestamp::from_millis)
}
