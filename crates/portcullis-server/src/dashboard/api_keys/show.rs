//! `/api-keys/{key_id}`: all that is known of one key.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::audit_events::ListAuditEvents;

use super::revoke::one;
use super::{Row, UNUSED_DAYS, businesses_of, place};
use crate::app::App;
use crate::caller::{KeysRead, OfAccount};
use crate::dashboard::audit_log::{self, Line};
use crate::dashboard::chart::Chart;
use crate::dashboard::form::Asked;
use crate::dashboard::frame::{Frame, Page, Visitor, page};
use crate::dashboard::usage::{Tab, tabs};
use crate::dashboard::words::{self, When};
use crate::dashboard::{path_id_of, people};
use crate::manage::api_keys::{self, Shown};
use crate::manage::audit::{self, Log};
use crate::manage::limits::{self, Limits};
use crate::manage::usage::{self, Window};

use super::explain::Explain;

#[derive(Template)]
#[template(path = "api_keys/show.html")]
struct Show {
    frame: Frame,
    place: String,
    id: String,
    row: Row,
    live: bool,
    created: When,
    due: When,
    allowed_ips: String,
    metadata: Vec<(String, String)>,
    limits: Vec<String>,
    unused: bool,
    chart: Chart,
    tabs: Vec<Tab>,
    window: &'static str,
    family: Vec<Kin>,
    lines: Vec<Line>,
    /// Which log has the rest of the trail, where there is more of it than is shown.
    rest: Option<&'static str>,
    explain: Explain,
}

/// A key of the same family.
struct Kin {
    id: String,
    hint: String,
    created: When,
    last_used: Option<When>,
    status: &'static str,
    current: bool,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfAccount<KeysRead>,
    path: RawPathParams,
    Asked(query): Asked,
) -> Page {
    let id = path_id_of(&path, "key_id")?;
    let (account, now) = (&of.account, visitor.now);
    let shown = one(&app, api_keys::show(&app, account, id).await?).await?;
    let key = &shown.key;
    let known = businesses_of(&app, account).await?;
    let window = Window::read(query.given("window").as_deref())?;
    let place = place(&visitor, account);
    let usage = usage::of_key(&app, account, id, window, false).await?;
    let events =
        ListAuditEvents { target_id: Some(id.to_string()), limit: Some("20".to_owned()), ..ListAuditEvents::default() };
    let (events, more) = audit::list(&app, &Log::About(*account), &events).await?;
    let lines = audit_log::lines(&app, &visitor, events, &mut people::Names::default()).await?;
    let limits = limits::show_of_key(&app, account, id).await?;
    let family = api_keys::shown(&app, api_keys::family(&app, account, id).await?).await?;
    let kin = |shown: &Shown| Kin {
        id: shown.key.id.to_string(),
        hint: format!("{}…{}", shown.key.prefix, shown.key.hint),
        created: When::new(shown.key.created_at, now),
        last_used: shown.last_used.as_ref().map(|(at, _)| When::new(*at, now)),
        status: shown.key.status(now).name(),
        current: shown.key.id == id,
    };
    let row = Row::new(&app, &shown, Some(&place), &known, now);
    let live = row.status == "active";
    let used = shown.last_used.as_ref().map_or(key.created_at, |(at, _)| *at);
    let here = if place == "/api-keys" { "api-keys" } else { "users" };
    page(&Show {
        frame: visitor.frame(here, key.name.clone()),
        id: id.to_string(),
        live,
        created: When::new(key.created_at, now),
        due: When::on(key.created_at.plus_days(app.config.rotation_due_days.into())),
        allowed_ips: key.allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        metadata: metadata(key.metadata.as_deref()),
        limits: said(&shown, &limits),
        unused: live && used.plus_days(UNUSED_DAYS) <= now,
        chart: Chart::new(&usage),
        tabs: tabs(window.name),
        window: window.name,
        family: family.iter().map(kin).collect(),
        lines,
        rest: more.map(|_| if place == "/api-keys" { "own" } else { "whole" }),
        explain: Explain::empty(&app, &place, &id.to_string(), &known),
        place,
        row,
    })
}

fn metadata(text: Option<&str>) -> Vec<(String, String)> {
    let map: serde_json::Map<String, serde_json::Value> =
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let plain = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    map.into_iter().map(|(name, value)| (name, plain(value))).collect()
}

/// All limits of a key, in words.
fn said(shown: &Shown, limits: &Limits) -> Vec<String> {
    let number = |count: u32| words::number(count.into());
    let mut all =
        vec![format!("{} a minute, {} a second", number(shown.rate.per_minute), number(shown.rate.per_second))];
    for limit in &limits.named {
        all.push(format!("{} in {} seconds ({})", number(limit.limit), number(limit.window_seconds), limit.name));
    }
    all.extend(limits.quotas.per_day.map(|most| format!("{} a day", number(most))));
    all.extend(limits.quotas.per_month.map(|most| format!("{} a month", number(most))));
    all
}
