//! The Authorization API 1.0 of OpenID AuthZEN: the same decision, asked in its words.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use portcullis_api::authzen::{
    Context, Decision, DecisionContext, Decisions, Evaluation, EvaluationError, Evaluations, Metadata, Resource,
    Semantic, Subject,
};
use portcullis_core::decision::{Ask, Concerned, Denial, Presented};
use portcullis_core::gate::Unruled;

use crate::app::App;
use crate::body::json;
use crate::caller::{KeysVerify, Operator, unavailable};
use crate::error::Error;
use crate::metrics::Surface;
use crate::verify::gates::{Ruled, concerned};
use crate::verify::limiter::Charge;
use crate::verify::{self, Decided, Question};

/// The most questions at once.
const MOST: usize = 100;

/// `POST /access/v1/evaluation`
pub(crate) async fn evaluation(
    State(app): State<Arc<App>>,
    _: Operator<KeysVerify>,
    request: Request,
) -> Result<Json<Decision<'static>>, Error> {
    let question: Evaluation = json(request, &app, app.config.connections.max_body_bytes).await?;
    decision(&app, &question).await.map(Json)
}

/// `POST /access/v1/evaluations`
pub(crate) async fn evaluations(
    State(app): State<Arc<App>>,
    _: Operator<KeysVerify>,
    request: Request,
) -> Result<Response, Error> {
    let Evaluations { common, evaluations, options } =
        json(request, &app, app.config.connections.max_body_bytes).await?;
    if evaluations.is_empty() {
        return decision(&app, &common).await.map(|decision| Json(decision).into_response());
    }
    if evaluations.len() > MOST {
        return Err(Error::Invalid(format!("`evaluations` has more than {MOST} entries.")));
    }
    let mut decisions = Decisions { evaluations: Vec::with_capacity(evaluations.len()) };
    for question in evaluations {
        let question = Evaluation {
            subject: question.subject.or_else(|| common.subject.clone()),
            action: question.action.or_else(|| common.action.clone()),
            resource: question.resource.or_else(|| common.resource.clone()),
            context: question.context.or_else(|| common.context.clone()),
        };
        let decision = match decision(&app, &question).await {
            // A question that lacks something is told so with its answer, which is no.
            Err(error) if error.status().is_client_error() => unanswered(&error),
            other => other?,
        };
        let last = match options.evaluations_semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !decision.decision,
            Semantic::PermitOnFirstPermit => decision.decision,
        };
        decisions.evaluations.push(decision);
        if last {
            break;
        }
    }
    Ok(Json(decisions).into_response())
}

/// `GET /.well-known/authzen-configuration`
pub(crate) async fn metadata(State(app): State<Arc<App>>) -> Json<Metadata> {
    let own = app.public_url();
    Json(Metadata {
        access_evaluation_endpoint: format!("{own}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{own}/access/v1/evaluations"),
        policy_decision_point: own,
    })
}

async fn decision(app: &App, question: &Evaluation) -> Result<Decision<'static>, Error> {
    let ask = ask(app, question)?;
    let question =
        Question { ask, surface: Surface::AuthZen, charge: Charge::Cost(1), at: app.clock.now(), from_primary: false };
    verify::check(app, &question, answer).await.map_err(unavailable)
}

/// Turns a question into what the decision asks.
fn ask(app: &App, question: &Evaluation) -> Result<Ask, Error> {
    let missing = |what: &str| Error::Invalid(format!("The question has no `{what}`."));
    let subject = question.subject.as_ref().ok_or_else(|| missing("subject"))?;
    let action = question.action.as_ref().ok_or_else(|| missing("action"))?.name.as_str();
    let resource = question.resource.as_ref().ok_or_else(|| missing("resource"))?;
    let token = presented(app, subject)?;
    let address = question.context.as_ref().and_then(|Context { ip_address }| ip_address.as_deref());
    let address = address.map(str::parse).transpose();
    let address =
        address.map_err(|_| Error::Invalid("`context.ip_address` must be an IPv4 or IPv6 address.".to_owned()))?;
    let kind = resource.kind.as_str();
    // A resource of the catalogue is that, whatever it is called.
    let known = app.catalogue.resources().iter().any(|known| known.name == kind);
    if kind == "route" && !known {
        return Ok(Ask { address, ..by_gate(app, resource, action, token)? });
    }
    let business = resource.business_id().map_or(Concerned::None, concerned);
    let mut ask = Ask { business, address, ..Ask::about(token) };
    match app.catalogue.permission(&format!("{kind}:{action}")) {
        Some(permission) => ask.permission = Some(permission),
        None if kind == "account" && !known => ask.user_management = true,
        // Nobody was ever granted what there is not.
        None => ask.unruled = Some(Unruled::NoRule),
    }
    Ok(ask)
}

fn presented(app: &App, subject: &Subject) -> Result<Presented, Error> {
    match subject.kind.as_str() {
        "api_key_token" => Ok(verify::present(app, subject.id.expose())),
        "api_key" => {
            let id = subject.id.expose().parse().ok();
            let memory = app.node.keyring().ok_or_else(|| {
                Error::Unavailable("a key is looked up by its id in memory alone, and there is none now".to_owned())
            })?;
            Ok(id.and_then(|id| memory.digest_of(id)).map_or(Presented::Malformed, Presented::WellFormed))
        }
        _ => Err(Error::Invalid(
            "`subject.type` must be `api_key_token`, with the token as its id, or `api_key`, with the key's id."
                .to_owned(),
        )),
    }
}

/// A request by its method and path, which the rules of a gate are about.
fn by_gate(app: &App, resource: &Resource, method: &str, token: Presented) -> Result<Ask, Error> {
    let gate = resource
        .properties
        .as_ref()
        .and_then(|properties| properties.gate.as_deref())
        .and_then(|name| app.config.gate(name))
        .ok_or_else(|| {
            Error::Invalid(
                "`resource.properties.gate` must name a gate of the configuration, for a `route`.".to_owned(),
            )
        })?;
    let ruled = Ruled::of(&gate.rules, method, resource.id.as_bytes());
    let named = ruled.named(resource.business_id());
    let named = named.map_err(|misnamed| Error::Invalid(format!("`resource.properties.business_id` {misnamed}.")))?;
    Ok(ruled.ask(token, None, named))
}

fn answer(decided: &Decided<'_>) -> Decision<'static> {
    let decision = decided.decision;
    Decision {
        decision: decision.is_valid(),
        context: DecisionContext {
            code: Some(decision.code().name().into()),
            reason: decision.denial.and_then(Denial::reason).map(Cow::Borrowed),
            message: decision.denial.map(|denial| denial.message().into()),
            key_id: decision.key.map(|key| key.id()),
            user_id: decision.key.map(|key| key.user()),
            business_id: decision.business(),
            businesses: decision.is_valid().then(|| verify::businesses(decision.reach())),
            rate_limit: decided.rate_limit(),
            error: None,
        },
    }
}

fn unanswered(error: &Error) -> Decision<'static> {
    let error = EvaluationError { status: error.status().as_u16(), message: error.to_string() };
    Decision { decision: false, context: DecisionContext { error: Some(error), ..DecisionContext::default() } }
}
