//! `/audit-log`: what was done, by whom; of one's own account, of a business, or of the whole platform; and all of it as a file.

use std::fmt::Write;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderValue, header};
use portcullis_api::audit_events::ListAuditEvents;
use portcullis_api::time::Time;
use portcullis_core::audit::{AuditAction, ChainedEvent};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::Manages;
use portcullis_core::scope::Need;
use portcullis_core::time::Timestamp;

use super::api_keys::businesses_of;
use super::api_keys::list::Choice;
use super::businesses::members::all_members;
use super::form::{Asked, Fields};
use super::frame::{Frame, Page, Visitor, page};
use super::lists::Walk;
use super::people::{self, Names};
use super::words::{self, When};
use crate::app::App;
use crate::error::{Error, Finished};
use crate::manage::audit::{self, Log};
use crate::manage::businesses;
use crate::manage::tenant;

/// The most events of one file.
const MOST_EXPORTED: usize = 10_000;

#[derive(Template)]
#[template(path = "audit_log.html")]
struct AuditLog {
    frame: Frame,
    logs: Vec<Choice>,
    actions: Vec<Choice>,
    query: Fields,
    lines: Vec<Line>,
    more: Option<String>,
    export: String,
    is_filtered: bool,
    wrong: Option<String>,
}

/// An event as a line.
pub(crate) struct Line {
    pub(crate) when: When,
    pub(crate) actor: String,
    pub(crate) actor_id: String,
    pub(crate) said: String,
    /// The name of what it is about, where the event has it.
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) address: String,
    pub(crate) request: String,
    pub(crate) changes: Vec<(String, String, String)>,
}

impl AuditLog {
    fn asked(&self, name: &str) -> &str {
        self.query.text(name)
    }
}

/// The log that is asked for: `whole` for those who run the platform, a business, or the visitor's own.
async fn log(app: &App, visitor: &Visitor, of: &str) -> Result<Log, Error> {
    let platform = visitor.caller.platform(OperatorGrant::AuditRead);
    match (of, platform) {
        ("" | "whole", Some(proof)) => Ok(Log::Whole(proof)),
        ("" | "own", _) => Ok(Log::About(visitor.account)),
        (business, _) => {
            let business = business.parse().map_err(|_| Error::NotFound)?;
            let need = Need::Manages(Manages::Audit);
            tenant(app, &visitor.caller, business, OperatorGrant::AuditRead, need).await.map(Log::OfBusiness)
        }
    }
}

fn wanted(query: &Fields, limit: Option<String>, cursor: Option<String>) -> ListAuditEvents {
    let day = |name: &str, time: &str| query.given(name).map(|date| format!("{date}T{time}Z"));
    ListAuditEvents {
        limit,
        cursor,
        actor_id: query.given("actor_id"),
        action: query.given("action"),
        target_id: query.given("target_id"),
        from: day("from", "00:00:00"),
        // The last day is one of those that are meant.
        to: day("to", "23:59:59.999"),
    }
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor, Asked(query): Asked) -> Page {
    let log = log(&app, &visitor, query.text("of")).await?;
    let (mut listed, mut wrong) = (Walk::of(&query), None);
    while listed.goes_on() {
        let cursor = listed.cursor();
        match audit::list(&app, &log, &wanted(&query, None, cursor)).await {
            Ok(some) => listed.take(some),
            Err(Error::Invalid(text)) => {
                wrong = Some(text.replace('`', ""));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let more = listed.more();
    let mut logs = Vec::new();
    let chosen = query.text("of");
    if visitor.user.platform_admin {
        logs.push(Choice::new("whole".to_owned(), "The whole platform", chosen));
    }
    logs.push(Choice::new("own".to_owned(), "My account and keys", chosen));
    for business in businesses_of(&app, &visitor.account).await? {
        let need = Need::Manages(Manages::Audit);
        if tenant(&app, &visitor.caller, business.id, OperatorGrant::AuditRead, need).await.is_ok() {
            logs.push(Choice::new(business.id.to_string(), &business.name, chosen));
        }
    }
    // Whoever runs the platform reads the log of a business that they are no member of.
    if let (Log::OfBusiness(of), false) = (&log, logs.iter().any(|one| one.chosen)) {
        let business = businesses::show(&app, of).await?;
        logs.push(Choice::new(business.id.to_string(), business.name, chosen));
    }
    // Whoever reads the log of a business knows its members.
    let mut names = match &log {
        Log::OfBusiness(of) => {
            Names::of(all_members(&app, of).await?.into_iter().map(|member| (member.user, member.name)))
        }
        Log::Whole(_) | Log::About(_) => Names::default(),
    };
    let action = query.text("action");
    let actions = AuditAction::ALL.iter().map(|one| Choice::new(one.name().to_owned(), said(one.name()), action));
    let filters = ["action", "actor_id", "target_id", "from", "to"];
    page(&AuditLog {
        frame: visitor.frame("audit-log", "Audit log"),
        logs,
        actions: actions.collect(),
        lines: lines(&app, &visitor, listed.rows, &mut names).await?,
        more,
        export: query.without("pages").with("cursor", ""),
        is_filtered: filters.iter().any(|name| query.is_ticked(name)),
        wrong,
        query,
    })
}

/// Events as lines, with the names of those whom the visitor may know.
pub(crate) async fn lines(
    app: &App,
    visitor: &Visitor,
    events: Vec<ChainedEvent>,
    names: &mut Names,
) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::with_capacity(events.len());
    for event in events {
        lines.push(Line {
            when: When::new(Timestamp::from_millis(event.at), visitor.now),
            actor: people::actor(app, visitor, &event, names).await?,
            actor_id: event.actor_id.clone().unwrap_or_default(),
            said: said(&event.action),
            name: name(&event),
            changes: changes(event.before.as_deref(), event.after.as_deref()),
            target: event.target_id,
            address: event.address.unwrap_or_default(),
            request: event.request_id.unwrap_or_default(),
        });
    }
    Ok(lines)
}

fn name(event: &ChainedEvent) -> String {
    let read = |text: &Option<String>| -> serde_json::Value {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (before, after) = (read(&event.before), read(&event.after));
    let members = ["name", "email"].into_iter().flat_map(|member| [after.get(member), before.get(member)]);
    members.flatten().find_map(|value| value.as_str()).unwrap_or_default().to_owned()
}

/// `api_key.created` as `API key created`.
fn said(action: &str) -> String {
    words::capital(&words::plain(action).replace('.', " ")).replace("Api key", "API key")
}

/// What an event changed, member by member: its name, before and after.
fn changes(before: Option<&str>, after: Option<&str>) -> Vec<(String, String, String)> {
    type Map = serde_json::Map<String, serde_json::Value>;
    let read =
        |text: Option<&str>| -> Map { text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default() };
    let (before, after) = (read(before), read(after));
    let plain = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| plain(before.get(*name)) != plain(after.get(*name));
    let one = |name: &String| (words::plain(name), plain(before.get(name)), plain(after.get(name)));
    names.into_iter().filter(differs).map(one).collect()
}

/// The events of a filter as a file: `csv`, or `jsonl` with a JSON object a line.
pub(crate) async fn export(State(app): State<Arc<App>>, visitor: Visitor, Asked(query): Asked) -> Page {
    let log = log(&app, &visitor, query.text("of")).await?;
    let as_csv = query.text("format") != "jsonl";
    let (mut text, mut cursor, mut count) = (String::new(), None, 0);
    if as_csv {
        text.push_str(
            "number,at,action,actor_kind,actor_id,target_id,user_id,business_id,address,request_id,before,after\r\n",
        );
    }
    loop {
        let (events, next) = audit::list(&app, &log, &wanted(&query, Some("100".to_owned()), cursor)).await?;
        count += events.len();
        for event in events {
            if as_csv { push_csv(&mut text, &event) } else { push_json(&mut text, &event) }
        }
        cursor = next;
        if cursor.is_none() || count >= MOST_EXPORTED {
            break;
        }
    }
    let (kind, name) = if as_csv { ("text/csv; charset=utf-8", "csv") } else { ("application/jsonl", "jsonl") };
    // Whoever reads the file must not take a part for the whole.
    let part = if cursor.is_some() { "-newest-10000" } else { "" };
    let disposition = format!("attachment; filename=\"audit-log{part}.{name}\"");
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).map_err(|error| Error::Internal(error.to_string()))?,
    );
    response.extensions_mut().insert(Finished);
    Ok(response)
}

fn push_json(text: &mut String, event: &ChainedEvent) {
    let read = |json: &Option<String>| json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let (before, after): (Option<serde_json::Value>, Option<serde_json::Value>) =
        (read(&event.before), read(&event.after));
    let line = serde_json::json!({
        "number": event.number,
        "at": Time(Timestamp::from_millis(event.at)),
        "action": event.action,
        "actor_kind": event.actor_kind,
        "actor_id": event.actor_id,
        "target_id": event.target_id,
        "user_id": event.user_id,
        "business_id": event.business_id,
        "address": event.address,
        "request_id": event.request_id,
        "before": before,
        "after": after,
    });
    let _ = writeln!(text, "{line}");
}

fn push_csv(text: &mut String, event: &ChainedEvent) {
    let or_empty = |value: &Option<String>| value.clone().unwrap_or_default();
    let cells = [
        event.number.to_string(),
        Time(Timestamp::from_millis(event.at)).to_string(),
        event.action.clone(),
        event.actor_kind.clone(),
        or_empty(&event.actor_id),
        event.target_id.clone(),
        or_empty(&event.user_id),
        or_empty(&event.business_id),
        or_empty(&event.address),
        or_empty(&event.request_id),
        or_empty(&event.before),
        or_empty(&event.after),
    ];
    text.push_str(&cells.map(|cell| csv_cell(&cell)).join(","));
    text.push_str("\r\n");
}

/// A cell (RFC 4180) that no spreadsheet takes for a formula.
fn csv_cell(cell: &str) -> String {
    let harmless =
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() };
    if harmless.contains([',', '"', '\n', '\r']) { format!("\"{}\"", harmless.replace('"', "\"\"")) } else { harmless }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_43_a_cell_is_no_formula() {
        assert_eq!(csv_cell("=cmd()|' /C calc'!A0"), "'=cmd()|' /C calc'!A0");
        assert_eq!(csv_cell("@SUM(1,2)"), "\"'@SUM(1,2)\"");
        assert_eq!(csv_cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(csv_cell("plain"), "plain");
    }

    #[test]
    fn what_changed_is_told_member_by_member() {
        let told = changes(Some(r#"{"name":"a","same":1}"#), Some(r#"{"name":"b","same":1,"list":["x"]}"#));
        let text = |text: &str| text.to_owned();
        assert_eq!(told, [(text("list"), text(""), text(r#"["x"]"#)), (text("name"), text("a"), text("b"))]);
        assert!(changes(Some("not json"), None).is_empty());
    }
}
