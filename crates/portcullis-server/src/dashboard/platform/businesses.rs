//! `/platform/businesses`: every business, and the switch that closes it to all keys.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use portcullis_core::operator::OperatorGrant;

use super::Confirm;
use crate::app::App;
use crate::caller::{BusinessesRead, BusinessesWrite, From, OfBusiness, Operator, Platformer};
use crate::dashboard::businesses::{Row, rows};
use crate::dashboard::form::{Asked, Fields, Problems, is_as_shown};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::error::Error;
use crate::manage::businesses::{self, Business, Whose};
use crate::manage::lacks;

#[derive(Template)]
#[template(path = "platform/businesses.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    more: Option<String>,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: Operator<BusinessesRead>,
    Asked(query): Asked,
) -> Page {
    let grant = OperatorGrant::BusinessesRead;
    let whose = Whose::Everybodys(by.caller.platform(grant).ok_or_else(|| lacks(grant))?);
    let (rows, more) = rows(&app, &visitor, &whose, &query).await?;
    page(&List { frame: visitor.frame("all-businesses", "All businesses"), rows, more })
}

pub(crate) async fn show_disable(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesRead, Platformer>,
) -> Page {
    page(&confirm(&visitor, &businesses::show(&app, &of.tenant).await?, Problems::default()))
}

fn confirm(visitor: &Visitor, business: &Business, problems: Problems) -> Confirm {
    let disabled = business.disabled_at.is_some();
    Confirm {
        frame: visitor.frame("all-businesses", if disabled { "Enable a business" } else { "Disable a business" }),
        back: "/platform/businesses".to_owned(),
        back_label: "All businesses",
        heading: if disabled { format!("Enable {}?", business.name) } else { format!("Disable {}?", business.name) },
        what_happens: if disabled {
            "Keys reach it again, at once and on every node."
        } else {
            "No key reaches it any more, at once and on every node; its members see it and change nothing. It can be undone."
        },
        action: format!("/platform/businesses/{}/{}", business.id, if disabled { "enable" } else { "disable" }),
        button: if disabled { "Enable" } else { "Disable" },
        is_dangerous: !disabled,
        to_type: if disabled { String::new() } else { business.name.clone() },
        problems,
    }
}

pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, Platformer>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let business = businesses::show(&app, &of.tenant).await?;
    if fields.comes_back() {
        return page(&confirm(&visitor, &business, Problems::default()));
    }
    if !is_as_shown(fields.text("confirm"), &business.name) {
        let wrong = Error::field("/confirm", "is not its name: nothing was done");
        return again(&confirm(&visitor, &business, Problems::of(wrong)?));
    }
    businesses::set_disabled(&app, &of.caller, &of.tenant, origin, true).await?;
    lead_to("/platform/businesses?done=disabled-business")
}

pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    _: Visitor,
    of: OfBusiness<BusinessesWrite, Platformer>,
    From(origin): From,
) -> Page {
    businesses::set_disabled(&app, &of.caller, &of.tenant, origin, false).await?;
    lead_to("/platform/businesses?done=enabled-business")
}
