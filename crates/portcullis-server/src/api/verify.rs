//! `/verify` and `/verify/batch`: the decision, for whoever guards an API.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use portcullis_api::envelope::Success;
use portcullis_api::problem::FieldError;
use portcullis_api::verify::{Consistency, Decision, Verify, VerifyBatch};
use portcullis_core::decision::{self, Ask, Concerned, Presented};
use portcullis_core::gate::is_own_account;
use portcullis_core::limits::MOST_COST;
use portcullis_core::path;
use portcullis_core::permission::{Action, Catalogue};

use super::Written;
use super::body::JsonBody;
use crate::app::App;
use crate::caller::{KeysVerify, Operator, unavailable};
use crate::error::Error;
use crate::metrics::Surface;
use crate::verify::gates::{self, Ruled};
use crate::verify::limiter::Charge;
use crate::verify::{self, Decided, Question};

/// The most questions of one batch.
const MOST: usize = 100;

pub(crate) async fn one(
    State(app): State<Arc<App>>,
    _: Operator<KeysVerify>,
    JsonBody(question): JsonBody<Verify>,
) -> Result<Written<Decision<'static>>, Error> {
    written(&app, &question).await.map(Written::new)
}

/// The whole answer to one question.
pub(crate) async fn written(app: &App, question: &Verify) -> Result<Vec<u8>, Error> {
    let mut errors = Vec::new();
    let asked = read(app, question, "", &mut errors);
    Error::of(errors)?;
    answer(app, question, &asked, |decision| write(&Success::of(decision))).await
}

pub(crate) async fn batch(
    State(app): State<Arc<App>>,
    _: Operator<KeysVerify>,
    JsonBody(batch): JsonBody<VerifyBatch>,
) -> Result<Written<Vec<Decision<'static>>>, Error> {
    if batch.requests.is_empty() || batch.requests.len() > MOST {
        return Err(Error::field("/requests", format!("must have 1 to {MOST} entries")));
    }
    let mut errors = Vec::new();
    let asked: Vec<Question> = (0..)
        .zip(&batch.requests)
        .map(|(place, question)| read(&app, question, &format!("/requests/{place}"), &mut errors))
        .collect();
    Error::of(errors)?;
    let mut body = b"{\"success\":true,\"data\":[".to_vec();
    for (place, (question, asked)) in batch.requests.iter().zip(&asked).enumerate() {
        if place > 0 {
            body.push(b',');
        }
        // Those before it may have waited for a database.
        let asked = Question { at: app.clock.now(), ..*asked };
        body.append(&mut answer(&app, question, &asked, |decision| write(&decision)).await?);
    }
    body.extend_from_slice(b"]}");
    Ok(Written::new(body))
}

/// Decides, and has the answer written while the state it was made on is at hand.
async fn answer(
    app: &App,
    question: &Verify,
    asked: &Question,
    written: impl FnOnce(Decision<'_>) -> Result<Vec<u8>, Error> + Send,
) -> Result<Vec<u8>, Error> {
    let answered = verify::check(app, asked, |decided| {
        let explanation = question.explain.then(|| decided.explanation());
        written(Decision { explanation, ..wire(&app.catalogue, decided) })
    });
    answered.await.map_err(unavailable)?
}

/// Turns a question into what the decision asks, and notes in `errors` what cannot be asked.
fn read(app: &App, question: &Verify, at: &str, errors: &mut Vec<FieldError>) -> Question {
    let mut wrong =
        |member: &str, detail: String| errors.push(FieldError { pointer: format!("{at}/{member}"), detail });
    let address = question.ip_address.as_deref().and_then(|text| {
        let address: Option<IpAddr> = text.parse().ok();
        if address.is_none() {
            wrong("ip_address", "must be an IPv4 or IPv6 address".to_owned());
        }
        address
    });
    let cost = question.cost.map_or(Some(1), |cost| u32::try_from(cost).ok().filter(|&cost| cost <= MOST_COST));
    if cost.is_none() {
        wrong("cost", format!("must be from 0 to {MOST_COST}: 0 asks without charging"));
    }
    // To explain is to ask without charging.
    let charge = cost.filter(|&cost| cost > 0 && !question.explain).map_or(Charge::Nothing, Charge::Cost);
    let token: Presented = verify::present(app, question.token.expose());
    let ask = match &question.gate {
        Some(gate) => by_gate(app, question, gate, token, &mut wrong),
        None => in_words(app, question, token, &mut wrong),
    };
    let from_primary = question.consistency == Consistency::Primary;
    Question { ask: Ask { address, ..ask }, surface: Surface::Verify, charge, at: app.clock.now(), from_primary }
}

/// What the members of the question themselves ask for.
fn in_words(app: &App, question: &Verify, token: Presented, wrong: &mut impl FnMut(&str, String)) -> Ask {
    let permission = question.permission.as_deref().and_then(|text| {
        let name = match (text.contains(':'), question.method.as_deref()) {
            (false, Some(method)) => Cow::Owned(format!("{text}:{}", Action::of_method(method).name())),
            _ => Cow::Borrowed(text),
        };
        let known = app.catalogue.permission(&name);
        if known.is_none() {
            wrong(
                "permission",
                "is not in the catalogue: name a `resource:action`, or a resource with `method`".to_owned(),
            );
        }
        known
    });
    let user_management = question.path.as_deref().is_some_and(|text| match path::normalise(text) {
        Ok(path) => is_own_account(&path),
        Err(ambiguous) => {
            wrong("path", ambiguous.to_string());
            true
        }
    });
    let business = question.business_id.as_deref().map_or(Concerned::None, gates::concerned);
    Ask { business, permission, user_management, ..Ask::about(token) }
}

/// What the rules of a gate ask for. The business is named beside them only where the rule takes it from a header.
fn by_gate(app: &App, question: &Verify, name: &str, token: Presented, wrong: &mut impl FnMut(&str, String)) -> Ask {
    let gate = app.config.gate(name);
    if gate.is_none() {
        wrong("gate", format!("the configuration has no gate `{}`", name.escape_debug()));
    }
    if question.permission.is_some() {
        wrong("permission", "must be left out: the rules of the gate say what is needed".to_owned());
    }
    for (member, text) in [("method", &question.method), ("path", &question.path)] {
        if text.is_none() {
            wrong(member, "must be there, for the rules of the gate go by it".to_owned());
        }
    }
    let (Some(gate), Some(method), Some(target)) = (gate, &question.method, &question.path) else {
        return Ask::about(token);
    };
    let ruled = Ruled::of(&gate.rules, method, target.as_bytes());
    let named = ruled.named(question.business_id.as_deref()).unwrap_or_else(|misnamed| {
        wrong("business_id", misnamed.to_string());
        None
    });
    ruled.ask(token, None, named)
}

fn wire<'a>(catalogue: &'a Catalogue, decided: &Decided<'a>) -> Decision<'a> {
    let decision = decided.decision;
    let key = decision.key;
    let reach = decision.reach();
    Decision {
        valid: decision.is_valid(),
        code: decision.code().name().into(),
        reason: decision.denial.and_then(decision::Denial::reason).map(Cow::Borrowed),
        message: decision.denial.map(|denial| denial.message().into()),
        key_id: key.map(|key| key.id()),
        user_id: key.map(|key| key.user()),
        name: key.map(|key| key.name().into()),
        environment: key.map(|key| key.environment()),
        business_id: decision.business(),
        permissions: catalogue.names(reach.permissions).map(Cow::Borrowed).collect(),
        businesses: verify::businesses(reach),
        user_management: key.map(|key| key.user_management()),
        expires_at: key.and_then(|key| key.expires_at()).map(Into::into),
        metadata: key.and_then(|key| serde_json::from_str(key.metadata().unwrap_or("{}")).ok()),
        rate_limit: decided.rate_limit(),
        explanation: None,
    }
}

/// Room for most answers, so that it need not grow piece by piece.
const ANSWER_BYTES: usize = 1_024;

fn write<T: serde::Serialize>(answer: &T) -> Result<Vec<u8>, Error> {
    let mut written = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut written, answer).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(written)
}
