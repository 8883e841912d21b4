//! `/api-keys/{key_id}/explain`: what would be decided about a request, and by which rule. It charges and counts nothing.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_core::decision::{Ask, Concerned, Presented};
use portcullis_core::id::ApiKeyId;

use super::list::Choice;
use super::{businesses_of, place};
use crate::app::App;
use crate::caller::{KeysRead, OfAccount, unavailable};
use crate::dashboard::form::{Asked, Fields};
use crate::dashboard::frame::{Frame, Page, Visitor, page};
use crate::dashboard::{path_id_of, words};
use crate::error::Error;
use crate::manage::api_keys;
use crate::manage::businesses::Business;
use crate::metrics::Surface;
use crate::verify::gates::concerned;
use crate::verify::limiter::Charge;
use crate::verify::{self, Question};

/// The question, and its answer once it was asked.
pub(crate) struct Explain {
    pub(crate) action: String,
    pub(crate) permissions: Vec<Choice>,
    pub(crate) businesses: Vec<Choice>,
    pub(crate) address: String,
    pub(crate) account: bool,
    pub(crate) answer: Option<Answer>,
    pub(crate) wrong: Option<&'static str>,
}

pub(crate) struct Answer {
    pub(crate) valid: bool,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    pub(crate) rules: Vec<Rule>,
}

pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) outcome: String,
    pub(crate) detail: String,
}

#[derive(Template)]
#[template(path = "api_keys/explain.html")]
struct ExplainPage {
    frame: Frame,
    place: String,
    id: String,
    name: String,
    explain: Explain,
}

impl Explain {
    /// The question before it is asked.
    pub(super) fn empty(app: &App, place: &str, id: &str, known: &[Business]) -> Self {
        Self::asked(app, place, id, known, &Fields::default())
    }

    fn asked(app: &App, place: &str, id: &str, known: &[Business], query: &Fields) -> Self {
        let (permission, business) = (query.text("permission"), query.text("business_id"));
        let of_catalogue = app.catalogue.names(app.catalogue.all());
        Self {
            action: format!("{place}/{id}/explain"),
            permissions: of_catalogue.map(|name| Choice::new(name.to_owned(), name, permission)).collect(),
            businesses: known.iter().map(|one| Choice::new(one.id.to_string(), &one.name, business)).collect(),
            address: query.text("ip_address").to_owned(),
            account: query.is_ticked("account"),
            answer: None,
            wrong: None,
        }
    }
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysRead>,
    path: RawPathParams,
    Asked(query): Asked,
) -> Page {
    let id: ApiKeyId = path_id_of(&path, "key_id")?;
    let key = api_keys::show(&app, &of.account, id).await?;
    let known = businesses_of(&app, &of.account).await?;
    let place = place(&visitor, &of.account);
    let mut explain = Explain::asked(&app, &place, &id.to_string(), &known, &query);
    let address: Option<IpAddr> = explain.address.parse().ok();
    if address.is_none() && !explain.address.is_empty() {
        explain.wrong = Some("Must be an IPv4 or IPv6 address.");
    } else {
        explain.answer = Some(decide(&app, id, &query, address).await?);
    }
    page(&ExplainPage {
        frame: visitor.frame("api-keys", format!("Explain {}", key.name)),
        place,
        id: id.to_string(),
        name: key.name,
        explain,
    })
}

async fn decide(app: &App, id: ApiKeyId, query: &Fields, address: Option<IpAddr>) -> Result<Answer, Error> {
    let digest = app.node.last_known().and_then(|keyring| keyring.digest_of(id));
    let business = query.text("business_id");
    let ask = Ask {
        business: match business {
            "" => Concerned::None,
            text => concerned(text),
        },
        permission: query.given("permission").and_then(|name| app.catalogue.permission(&name)),
        address,
        user_management: query.is_ticked("account"),
        // A key that ended so long ago that the memory has let go of it is like one that never was.
        ..Ask::about(digest.map_or(Presented::Malformed, Presented::WellFormed))
    };
    let question =
        Question { ask, surface: Surface::Own, charge: Charge::Nothing, at: app.clock.now(), from_primary: false };
    let answered = verify::check(app, &question, |decided| {
        let denial = decided.decision.denial;
        let rule = |rule: portcullis_api::verify::Explained| Rule {
            name: words::capital(&words::plain(&rule.rule)),
            outcome: rule.outcome,
            detail: rule.detail.replace('`', ""),
        };
        Answer {
            valid: decided.decision.is_valid(),
            code: decided.decision.code().name(),
            message: denial.map_or("The request would be let through.", portcullis_core::decision::Denial::message),
            rules: decided.explanation().into_iter().map(rule).collect(),
        }
    });
    answered.await.map_err(unavailable)
}
