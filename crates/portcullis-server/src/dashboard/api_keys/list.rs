//! `/api-keys`: the keys that live, and apart from them those that do not.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use portcullis_api::api_keys::{ListApiKeys, ListApiKeysOfBusiness};
use portcullis_api::audit_events::ListAuditEvents;
use portcullis_core::id::BusinessId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::Manages;
use portcullis_core::scope::Need;

use super::{Row, businesses_of, place};
use crate::app::App;
use crate::caller::{KeysRead, LooksAfterApiKeys, OfAccount, OfBusiness};
use crate::dashboard::businesses::head::{self, Head};
use crate::dashboard::businesses::members::all_members;
use crate::dashboard::form::{Asked, Fields};
use crate::dashboard::frame::{Frame, Page, Visitor, lead_to, page};
use crate::dashboard::lists::Walk;
use crate::dashboard::people;
use crate::error::Error;
use crate::manage::api_keys;
use crate::manage::audit::{self, Log};
use crate::manage::businesses;
use crate::manage::tenant;

#[derive(Template)]
#[template(path = "api_keys/list.html")]
struct List {
    frame: Frame,
    /// Of the business, where the list is of one.
    head: Option<Head>,
    heading: String,
    /// Where this list is, and where a key of it is made.
    place: String,
    create: Option<String>,
    ended: bool,
    query: Fields,
    businesses: Vec<Choice>,
    owners: Vec<Choice>,
    rows: Vec<Row>,
    with_owners: bool,
    more: Option<String>,
    is_filtered: bool,
}

/// An entry of a filter.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

impl Choice {
    pub(crate) fn new(value: String, label: impl Into<String>, chosen: &str) -> Self {
        Self { chosen: value == chosen, value, label: label.into() }
    }
}

impl List {
    fn tab(&self, status: &str) -> String {
        let query = self.query.without("pages").without("cursor").with("status", status);
        if query.is_empty() { self.place.clone() } else { format!("{}?{query}", self.place) }
    }

    fn asked(&self, name: &str) -> &str {
        self.query.text(name)
    }
}

/// A user's keys: the visitor's own, or those that an admin looks at. With `owner=all`, all that reach a business.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysRead>,
    Asked(query): Asked,
) -> Page {
    let own = of.account.user() == visitor.user.id;
    let business: Option<BusinessId> = query.text("business_id").parse().ok();
    if let (true, Some(business)) = (own && query.is_ticked("owner"), business) {
        return lead_to(&format!("/businesses/{business}/api-keys?{}", query.with("business_id", "")));
    }
    let known = businesses_of(&app, &of.account).await?;
    let status = query.given("status").unwrap_or_else(|| "active".to_owned());
    let mut listed = Walk::of(&query);
    while listed.goes_on() {
        let cursor = listed.cursor();
        let wanted = ListApiKeys {
            limit: None,
            cursor,
            status: Some(status.clone()),
            business_id: query.given("business_id"),
            q: query.given("q"),
        };
        listed.take(api_keys::list(&app, &of.account, &wanted).await?);
    }
    let more = listed.more();
    let place = place(&visitor, &of.account);
    let shown = api_keys::shown(&app, listed.rows).await?;
    let row = |shown: &api_keys::Shown| Row::new(&app, shown, Some(&place), &known, visitor.now);
    let mut rows: Vec<Row> = shown.iter().map(row).collect();
    tell_who_revoked(&app, &visitor, &Log::About(of.account), &mut rows, &shown).await?;
    let chosen = query.text("business_id").to_owned();
    let may_see_others = looked_after(&app, &visitor, business).await;
    let heading = if own { "API keys".to_owned() } else { "API keys of this user".to_owned() };
    page(&List {
        frame: visitor.frame(if own { "api-keys" } else { "users" }, heading.clone()),
        head: None,
        heading,
        create: Some(format!("{place}/new")),
        place,
        ended: status != "active",
        businesses: known.iter().map(|one| Choice::new(one.id.to_string(), &one.name, &chosen)).collect(),
        owners: if may_see_others { vec![Choice::new("all".to_owned(), "Everybody", "")] } else { Vec::new() },
        rows,
        with_owners: false,
        more,
        is_filtered: query.is_ticked("q") || query.is_ticked("business_id"),
        query,
    })
}

/// All keys that reach a business, for those who look after them.
pub(crate) async fn show_of_business(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<KeysRead, LooksAfterApiKeys>,
    Asked(query): Asked,
) -> Page {
    let business = businesses::show(&app, &of.tenant).await?;
    let owner = query.text("owner").to_owned();
    let status = query.given("status").unwrap_or_else(|| "active".to_owned());
    let mut listed = Walk::of(&query);
    while listed.goes_on() {
        let cursor = listed.cursor();
        let wanted = ListApiKeysOfBusiness {
            limit: None,
            cursor,
            status: Some(status.clone()),
            user_id: Some(owner.clone()).filter(|owner| !owner.is_empty() && owner != "all"),
            q: query.given("q"),
        };
        listed.take(api_keys::list_of_business(&app, &of.tenant, &wanted).await?);
    }
    let more = listed.more();
    let members = all_members(&app, &of.tenant).await?;
    let shown = api_keys::shown(&app, listed.rows).await?;
    let known = [business.clone()];
    let row = |shown: &api_keys::Shown| {
        let owner = shown.key.user;
        let own = owner == visitor.user.id;
        let place = match (own, visitor.user.platform_admin) {
            (true, _) => Some("/api-keys".to_owned()),
            (false, true) => Some(format!("/users/{owner}/api-keys")),
            (false, false) => None,
        };
        let name = members.iter().find(|member| member.user == owner).map(|member| member.name.clone());
        Row { owner: name, ..Row::new(&app, shown, place.as_deref(), &known, visitor.now) }
    };
    let log = log_of(&app, &visitor, business.id).await?;
    let mut rows: Vec<Row> = shown.iter().map(row).collect();
    if let Some(log) = log {
        tell_who_revoked(&app, &visitor, &log, &mut rows, &shown).await?;
    }
    let owners = std::iter::once(Choice::new("all".to_owned(), "Everybody", &owner));
    let owners = owners.chain(members.iter().map(|one| Choice::new(one.user.to_string(), &one.name, &owner)));
    let heading = "API keys that reach this business".to_owned();
    page(&List {
        frame: visitor.frame("businesses", heading.clone()),
        head: Some(Head::new(&app, &visitor, &business, "api-keys").await?),
        heading,
        place: format!("/businesses/{}/api-keys", business.id),
        create: None,
        ended: status != "active",
        businesses: Vec::new(),
        owners: owners.collect(),
        rows,
        with_owners: true,
        more,
        is_filtered: query.is_ticked("q") || query.is_ticked("owner"),
        query,
    })
}

/// Whether the visitor looks after all keys that reach this business.
async fn looked_after(app: &App, visitor: &Visitor, business: Option<BusinessId>) -> bool {
    let Some(business) = business else { return false };
    let need = Need::Manages(Manages::ApiKeys);
    tenant(app, &visitor.caller, business, OperatorGrant::KeysRead, need).await.is_ok()
}

/// The log in which it stands who revoked a key that reaches a business, as far as the visitor may read it.
async fn log_of(app: &App, visitor: &Visitor, business: BusinessId) -> Result<Option<Log>, Error> {
    if let Some(proof) = visitor.caller.platform(OperatorGrant::AuditRead) {
        return Ok(Some(Log::Whole(proof)));
    }
    let tenant = head::proof(app, visitor, business, Need::Manages(Manages::Audit)).await?;
    Ok(tenant.map(Log::OfBusiness))
}

/// Tells in the rows of revoked keys who revoked them, as far as that stands in this log.
async fn tell_who_revoked(
    app: &App,
    visitor: &Visitor,
    log: &Log,
    rows: &mut [Row],
    shown: &[api_keys::Shown],
) -> Result<(), Error> {
    let mut names = people::Names::default();
    for (row, shown) in rows.iter_mut().zip(shown).filter(|(row, _)| row.status == "revoked") {
        let query = ListAuditEvents {
            limit: Some("1".to_owned()),
            target_id: Some(shown.key.id.to_string()),
            action: Some("api_key.revoked".to_owned()),
            ..ListAuditEvents::default()
        };
        let (events, _) = audit::list(app, log, &query).await?;
        if let Some(event) = events.first() {
            row.by = people::actor(app, visitor, event, &mut names).await?;
        }
    }
    Ok(())
}
