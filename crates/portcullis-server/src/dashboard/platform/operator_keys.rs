//! `/platform/operator-keys`: the credentials of the platform's own back end.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::operator_keys::CreateOperatorKey;
use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::OperatorGrant;

use super::Confirm;
use crate::app::App;
use crate::caller::{AnyOperator, From};
use crate::dashboard::form::{Fields, Problems, is_as_shown, once};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::path_id_of;
use crate::dashboard::words::When;
use crate::error::Error;
use crate::manage::operator_keys::{self, OperatorKey};

#[derive(Template)]
#[template(path = "platform/operator_keys.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    grants: Vec<Grant>,
    name: String,
    once: String,
    problems: Problems,
}

struct Row {
    id: String,
    name: String,
    hint: String,
    grants: String,
    created: When,
    revoked: Option<When>,
}

struct Grant {
    name: &'static str,
    about: &'static str,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "platform/operator_token.html")]
struct ShownOnce {
    frame: Frame,
    name: String,
    token: String,
}

pub(crate) async fn list(State(app): State<Arc<App>>, visitor: Visitor, by: AnyOperator) -> Page {
    page(&filled(&app, &visitor, &by, &Fields::default(), Problems::default()).await?)
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: AnyOperator,
    From(origin): From,
    fields: Fields,
) -> Page {
    if fields.comes_back() {
        return page(&filled(&app, &visitor, &by, &fields, Problems::default()).await?);
    }
    let wanted = CreateOperatorKey { name: fields.text("name").to_owned(), grants: fields.list("grants") };
    match operator_keys::create(&app, &by.caller, origin, fields.once(), &wanted).await {
        Ok((key, token)) => page(&ShownOnce {
            frame: visitor.frame("operator-keys", "Your new token"),
            name: key.name,
            token: token.reveal().to_owned(),
        }),
        Err(error) => again(&filled(&app, &visitor, &by, &fields, Problems::of(error)?).await?),
    }
}

async fn filled(
    app: &App,
    visitor: &Visitor,
    by: &AnyOperator,
    sent: &Fields,
    problems: Problems,
) -> Result<List, Error> {
    let row = |key: OperatorKey| Row {
        id: key.id.to_string(),
        hint: format!("op_live_…{}", key.hint),
        grants: key.grants.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(", "),
        created: When::new(key.created_at, visitor.now),
        revoked: key.revoked_at.map(|at| When::new(at, visitor.now)),
        name: key.name,
    };
    let grant = |grant: &OperatorGrant| Grant {
        name: grant.name(),
        about: about(*grant),
        ticked: sent.all("grants").any(|name| name == grant.name()),
    };
    let mut keys = operator_keys::list(app, &by.proof).await?;
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    Ok(List {
        frame: visitor.frame("operator-keys", "Operator keys"),
        rows: keys.into_iter().map(row).collect(),
        grants: OperatorGrant::ALL.iter().map(grant).collect(),
        name: sent.text("name").to_owned(),
        once: once(app),
        problems,
    })
}

const fn about(grant: OperatorGrant) -> &'static str {
    match grant {
        OperatorGrant::KeysVerify => "ask whether a request may pass: what your API needs",
        OperatorGrant::KeysRead => "list API keys",
        OperatorGrant::KeysWrite => "make, rotate and revoke API keys",
        OperatorGrant::UsersRead => "list users",
        OperatorGrant::UsersWrite => "make, change and disable users",
        OperatorGrant::BusinessesRead => "list businesses",
        OperatorGrant::BusinessesWrite => "make, change and disable businesses",
        OperatorGrant::UsageRead => "read counts and metrics",
        OperatorGrant::AuditRead => "read the audit log",
    }
}

pub(crate) async fn show_revoke(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: AnyOperator,
    path: RawPathParams,
) -> Page {
    page(&confirm(&visitor, &one(&app, &by, path_id_of(&path, "operator_key_id")?).await?, Problems::default()))
}

async fn one(app: &App, by: &AnyOperator, id: OperatorKeyId) -> Result<OperatorKey, Error> {
    operator_keys::list(app, &by.proof).await?.into_iter().find(|key| key.id == id).ok_or(Error::NotFound)
}

fn confirm(visitor: &Visitor, key: &OperatorKey, problems: Problems) -> Confirm {
    Confirm {
        frame: visitor.frame("operator-keys", "Revoke an operator key"),
        back: "/platform/operator-keys".to_owned(),
        back_label: "Operator keys",
        heading: format!("Revoke “{}”?", key.name),
        what_happens: "Nothing is answered to it any more, at once and on every node: a gateway that asks with it refuses \
                       every request. It cannot be undone.",
        action: format!("/platform/operator-keys/{}/revoke", key.id),
        button: "Revoke for ever",
        is_dangerous: true,
        to_type: key.name.clone(),
        problems,
    }
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    by: AnyOperator,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let id = path_id_of(&path, "operator_key_id")?;
    let key = one(&app, &by, id).await?;
    if fields.comes_back() {
        return page(&confirm(&visitor, &key, Problems::default()));
    }
    if !is_as_shown(fields.text("confirm"), &key.name) {
        let wrong = Error::field("/confirm", "is not its name: nothing was revoked");
        return again(&confirm(&visitor, &key, Problems::of(wrong)?));
    }
    operator_keys::revoke(&app, &by.caller, &by.proof, origin, id).await?;
    lead_to("/platform/operator-keys?done=operator-revoked")
}
