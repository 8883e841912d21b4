//! `/usage`: what keys were used for, all of a user's or all that came to a business.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use portcullis_core::decision::Code;

use super::api_keys::businesses_of;
use super::api_keys::list::Choice;
use super::businesses::head::Head;
use super::chart::Chart;
use super::form::Asked;
use super::frame::{Frame, Page, Visitor, page};
use super::words;
use crate::app::App;
use crate::caller::{AMember, OfBusiness, UsageRead};
use crate::error::Error;
use crate::manage::api_keys;
use crate::manage::businesses;
use crate::manage::usage::{self, Usage, Window};

/// How many of the keys that were used most are shown.
const TOP: i64 = 10;

/// A time that can be chosen.
pub(crate) struct Tab {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) here: bool,
}

pub(crate) fn tabs(chosen: &str) -> Vec<Tab> {
    let all = [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "A year")];
    all.into_iter().map(|(name, label)| Tab { name, label, here: name == chosen }).collect()
}

#[derive(Template)]
#[template(path = "usage.html")]
struct UsagePage {
    frame: Frame,
    /// Of the business, where it is the usage of one.
    head: Option<Head>,
    heading: String,
    window: &'static str,
    tabs: Vec<Tab>,
    businesses: Vec<Choice>,
    total: String,
    denied: String,
    share: String,
    chart: Chart,
    /// Place, name, hint, calls, share of the most in percent.
    top: Vec<TopKey>,
    causes: Vec<Cause>,
}

struct TopKey {
    href: String,
    name: String,
    hint: String,
    calls: String,
    part: i64,
    denied: String,
}

struct Cause {
    class: String,
    words: &'static str,
    code: &'static str,
    calls: String,
    part: i64,
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor, Asked(query): Asked) -> Page {
    let window = Window::read(query.given("window").as_deref())?;
    let known = businesses_of(&app, &visitor.account).await?;
    let told = usage::of_user(&app, &visitor.account, window).await?;
    let mut top = Vec::new();
    for (id, counts) in usage::top_keys(&app, &visitor.account, window, TOP).await? {
        let key = api_keys::show(&app, &visitor.account, id).await?;
        top.push((key, counts));
    }
    let most = top.first().map_or(0, |(_, counts)| counts.iter().sum());
    let top = top.into_iter().map(|(key, counts)| {
        let calls: i64 = counts.iter().sum();
        TopKey {
            href: format!("/api-keys/{}", key.id),
            hint: format!("{}…{}", key.prefix, key.hint),
            name: key.name,
            calls: words::number(calls),
            part: part(calls, most),
            denied: words::number(calls - counts.first().copied().unwrap_or(0)),
        }
    });
    let businesses = known.iter().map(|one| Choice::new(one.id.to_string(), &one.name, "")).collect();
    let top = top.collect();
    page(&filled(visitor.frame("usage", "Usage"), "Usage of all your keys".to_owned(), &told, (top, businesses, None)))
}

pub(crate) async fn show_of_business(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<UsageRead, AMember>,
    Asked(query): Asked,
) -> Page {
    let window = Window::read(query.given("window").as_deref())?;
    let business = businesses::show(&app, &of.tenant).await?;
    let told = usage::of_business(&app, &of.tenant, window).await?;
    let head = Head::new(&app, &visitor, &business, "usage").await?;
    let heading = "What keys were used for in this business".to_owned();
    page(&filled(
        visitor.frame("businesses", format!("Usage in {}", business.name)),
        heading,
        &told,
        (Vec::new(), Vec::new(), Some(head)),
    ))
}

/// Leads from the choice of a business to its usage.
pub(crate) async fn choose(Asked(query): Asked) -> Result<axum::response::Response, Error> {
    let business: Result<portcullis_core::id::BusinessId, _> = query.text("business_id").parse();
    super::frame::lead_to(&business.map_or_else(|_| "/usage".to_owned(), |id| format!("/businesses/{id}/usage")))
}

fn filled(
    frame: Frame,
    heading: String,
    told: &Usage,
    (top, businesses, head): (Vec<TopKey>, Vec<Choice>, Option<Head>),
) -> UsagePage {
    let total: i64 = told.totals.iter().sum();
    let valid = told.totals.first().copied().unwrap_or(0);
    let mut causes: Vec<(Code, i64)> =
        Code::ALL.into_iter().zip(told.totals).skip(1).filter(|(_, count)| *count > 0).collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most = causes.first().map_or(0, |(_, count)| *count);
    let cause = |(code, count): (Code, i64)| Cause {
        class: code.name().to_lowercase().replace('_', "-"),
        words: words::code(code.name()),
        code: code.name(),
        calls: words::number(count),
        part: part(count, most),
    };
    UsagePage {
        frame,
        head,
        heading,
        window: told.window.name,
        tabs: tabs(told.window.name),
        businesses,
        total: words::number(total),
        denied: words::number(total - valid),
        share: percent(total - valid, total),
        chart: Chart::new(told),
        top,
        causes: causes.into_iter().map(cause).collect(),
    }
}

fn part(count: i64, most: i64) -> i64 {
    if most <= 0 { 0 } else { (i128::from(count) * 100 / i128::from(most)).try_into().unwrap_or(100) }
}

fn percent(count: i64, of: i64) -> String {
    if of <= 0 {
        return "–".to_owned();
    }
    let tenths = i128::from(count) * 1_000 / i128::from(of);
    format!("{}.{} %", tenths / 10, tenths % 10)
}
