//! The Authorization API 1.0 of OpenID AuthZEN: questions and answers. Members that nobody here knows are passed over, as the
//! specification asks.

use std::borrow::Cow;

use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;
use crate::verify::{Businesses, RateLimit};

/// Who wants to do something: `api_key_token` with the token as its id, or `api_key` with the key's id.
#[derive(Debug, Clone, Deserialize)]
pub struct Subject {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: SecretText,
}

/// What is to be done: `read`, `write`, or the method of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct Action {
    pub name: String,
}

/// What it is to be done to: a resource of the catalogue, the `account` of the key's owner, or a `route` with the path as its id.
#[derive(Debug, Clone, Deserialize)]
pub struct Resource {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub properties: Option<ResourceProperties>,
}

impl Resource {
    /// The business that the question names.
    pub fn business_id(&self) -> Option<&str> {
        self.properties.as_ref()?.business_id.as_deref()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ResourceProperties {
    pub business_id: Option<String>,
    /// The gate whose rules say what a `route` needs.
    pub gate: Option<String>,
}

/// What else there is to know of the request.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Context {
    pub ip_address: Option<String>,
}

/// One question; or, with `evaluations`, what all of them have in common.
#[derive(Debug, Clone, Deserialize)]
pub struct Evaluation {
    pub subject: Option<Subject>,
    pub action: Option<Action>,
    pub resource: Option<Resource>,
    pub context: Option<Context>,
}

/// Several questions at once. Without any, it is one question.
#[derive(Debug, Clone, Deserialize)]
pub struct Evaluations {
    #[serde(flatten)]
    pub common: Evaluation,
    #[serde(default)]
    pub evaluations: Vec<Evaluation>,
    #[serde(default)]
    pub options: Options,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Options {
    #[serde(default)]
    pub evaluations_semantic: Semantic,
}

/// When to stop asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

/// The answer to one question.
#[derive(Debug, Clone, Serialize)]
pub struct Decision<'a> {
    pub decision: bool,
    pub context: DecisionContext<'a>,
}

/// Why, and about whom.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DecisionContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<ApiKeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_id: Option<BusinessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub businesses: Option<Businesses>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// What is wrong with a question among several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EvaluationError>,
}

#[derive(Debug, Clone, Serialize)]
pub struct EvaluationError {
    pub status: u16,
    pub message: String,
}

/// The answers to several questions, in their order.
#[derive(Debug, Clone, Serialize)]
pub struct Decisions<'a> {
    pub evaluations: Vec<Decision<'a>>,
}

/// Where the questions are asked.
#[derive(Debug, Clone, Serialize)]
pub struct Metadata {
    pub policy_decision_point: String,
    pub access_evaluation_endpoint: String,
    pub access_evaluations_endpoint: String,
}
