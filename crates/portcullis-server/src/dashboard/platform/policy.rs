//! `/platform/policy`: how long any key may live, and lie unused.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use portcullis_api::policies::Policy as Wanted;

use crate::app::App;
use crate::caller::{From, KeysRead, KeysWrite, Operator};
use crate::dashboard::form::{Fields, Problems};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::error::Error;
use crate::manage::policies;

#[derive(Template)]
#[template(path = "platform/policy.html")]
struct PolicyPage {
    frame: Frame,
    expiry_required: bool,
    longest: String,
    unused: String,
    problems: Problems,
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor, by: Operator<KeysRead>) -> Page {
    let policy = policies::show(&app, &by.proof).await?;
    let text = |days: Option<i64>| days.map(|days| days.to_string()).unwrap_or_default();
    page(&PolicyPage {
        frame: visitor.frame("policy", "Key policy"),
        expiry_required: policy.expiry_required,
        longest: text(policy.longest_life_days),
        unused: text(policy.revoke_unused_days),
        problems: Problems::default(),
    })
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<KeysWrite>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let form = |problems| PolicyPage {
        frame: visitor.frame("policy", "Key policy"),
        expiry_required: fields.is_ticked("expiry_required"),
        longest: fields.text("longest_life_days").to_owned(),
        unused: fields.text("revoke_unused_days").to_owned(),
        problems,
    };
    if fields.comes_back() {
        return page(&form(Problems::default()));
    }
    // What is no number is out of every range, and is told so at its field.
    let days = |name: &str| fields.given(name).map(|text| text.parse().unwrap_or(-1));
    let wanted = Wanted {
        longest_life_days: days("longest_life_days"),
        expiry_required: fields.is_ticked("expiry_required"),
        revoke_unused_days: days("revoke_unused_days"),
    };
    let done: Result<_, Error> = policies::set(&app, &by.caller, &by.proof, origin, &wanted).await;
    match done {
        Ok(_) => lead_to("/platform/policy?done=policy"),
        Err(error) => again(&form(Problems::of(error)?)),
    }
}
