//! One operation while its handler's types are read, and the whole document.
#![expect(
    clippy::indexing_slicing,
    reason = "the document is made once, at the start and of our own words; members of a JSON value are named, not counted"
)]

use std::collections::BTreeSet;

use http::StatusCode;
use portcullis_api::envelope::Edit;
use portcullis_api::problem::{CODES, FieldError, Problem};
use portcullis_api::schema::{self, id_example, id_pattern};
use portcullis_core::id::{ApiKeyId, BusinessId, LinkId, OperatorKeyId, RequestId, RoleId, SessionId, UserId};
use portcullis_core::operator::OperatorGrant;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::types::{Schemas, Shown, example, refer};
use crate::verify::credentials::SESSION_COOKIE;

/// An operation, as far as it is known.
pub(crate) struct Draft {
    method: &'static str,
    path: String,
    operation: Map<String, Value>,
    parameters: Vec<Value>,
    security: Vec<Value>,
    /// Who may call, in words.
    callers: Vec<String>,
    answer: Option<(StatusCode, Value)>,
    failures: BTreeSet<u16>,
    schemas: Schemas,
}

impl Draft {
    pub(super) fn new(method: &'static str, path: &str, tag: &str, id: &str, summary: &str) -> Self {
        let mut operation = Map::new();
        operation.insert("tags".to_owned(), json!([tag]));
        operation.insert("operationId".to_owned(), json!(id));
        operation.insert("summary".to_owned(), json!(summary));
        let mut draft = Self {
            method,
            path: path.to_owned(),
            operation,
            parameters: Vec::new(),
            security: Vec::new(),
            callers: Vec::new(),
            answer: None,
            failures: BTreeSet::from([400, 431, 500, 503]),
            schemas: Schemas::new(),
        };
        for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            draft.path_parameter(name);
        }
        draft
    }

    fn path_parameter(&mut self, name: &str) {
        let prefix = match name {
            "user_id" => UserId::PREFIX,
            "business_id" => BusinessId::PREFIX,
            "role_id" => RoleId::PREFIX,
            "key_id" => ApiKeyId::PREFIX,
            "operator_key_id" => OperatorKeyId::PREFIX,
            "session_id" => SessionId::PREFIX,
            _ => LinkId::PREFIX,
        };
        self.parameter(json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": {"type": "string", "pattern": id_pattern(prefix), "examples": [id_example(prefix)]},
        }));
        self.fails(StatusCode::NOT_FOUND);
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter["name"] == name)
    }

    pub(super) fn parameter(&mut self, parameter: Value) {
        self.parameters.push(parameter);
    }

    pub(super) fn fails(&mut self, status: StatusCode) {
        self.failures.insert(status.as_u16());
    }

    pub(super) fn takes_query<T: IntoParams>(&mut self) {
        let parameters = T::into_params(|| Some(ParameterIn::Query));
        for mut parameter in parameters.iter().filter_map(|parameter| serde_json::to_value(parameter).ok()) {
            self.flatten(&mut parameter["schema"]);
            self.parameter(parameter);
        }
    }

    /// A query has no `null`: what may be left out is left out. What it refers to by name is put among the others.
    fn flatten(&mut self, schema: &mut Value) {
        if let Some(some) = schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
            *schema = some.clone();
        }
        if schema["type"].is_array() {
            schema["type"] = schema["type"][0].clone();
        }
        let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        if let Some((name, text)) = name.and_then(|name| Some((name, schema::by_name(name)?))) {
            self.schemas.insert(name.to_owned(), json!(text));
        }
    }

    pub(super) fn takes_body<T: ToSchema>(&mut self, required: bool) {
        let schema = refer::<T>(&mut self.schemas);
        let body = json!({
            "required": required,
            "content": {"application/json": {"schema": schema, "example": example::<T>()}},
        });
        self.operation.insert("requestBody".to_owned(), body);
        for status in [408, 413, 415, 422] {
            self.failures.insert(status);
        }
    }

    pub(super) fn for_operators(&mut self, grant: Option<OperatorGrant>) {
        let who = match grant {
            Some(grant) => format!("an operator key with `{}`", grant.name()),
            None => "an operator key".to_owned(),
        };
        self.callers.push(who);
        self.secured(json!({"operator_key": []}));
    }

    pub(super) fn for_api_keys(&mut self, who: &str) {
        self.callers.push(who.to_owned());
        self.secured(json!({"api_key": []}));
        self.fails(StatusCode::TOO_MANY_REQUESTS);
    }

    pub(super) fn for_people(&mut self, who: &str) {
        self.callers.push(who.to_owned());
        self.secured(json!({"session": []}));
    }

    pub(super) fn for_everybody(&mut self) {
        self.callers.push("anybody".to_owned());
        self.security.push(json!({}));
    }

    fn secured(&mut self, requirement: Value) {
        self.security.push(requirement);
        self.failures.extend([401, 403]);
    }

    pub(super) fn answers<T: Shown>(&mut self, status: StatusCode) {
        let (name, data) = (format!("{}Answer", T::name()), T::schema(&mut self.schemas));
        let envelope = json!({
            "type": "object",
            "required": ["success", "data"],
            "properties": {
                "success": {"type": "boolean", "enum": [true]},
                "data": data,
                "edit": refer::<Edit>(&mut self.schemas),
            },
        });
        self.answer_with(status, &name, envelope, &json!({"success": true, "data": T::example()}));
    }

    pub(super) fn answers_page<T: Shown>(&mut self) {
        let (name, data) = (format!("{}Page", T::name()), T::schema(&mut self.schemas));
        let envelope = json!({
            "type": "object",
            "required": ["success", "data", "next_cursor"],
            "properties": {
                "success": {"type": "boolean", "enum": [true]},
                "data": {"type": "array", "items": data},
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "For the `cursor` of the next page; `null` on the last one.",
                },
            },
        });
        let example = json!({"success": true, "data": [T::example()], "next_cursor": null});
        self.answer_with(StatusCode::OK, &name, envelope, &example);
    }

    fn answer_with(&mut self, status: StatusCode, name: &str, envelope: Value, example: &Value) {
        self.schemas.insert(name.to_owned(), envelope);
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        let answer = json!({
            "description": if status == StatusCode::CREATED { "It was made." } else { "It was done." },
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
            "content": {"application/json": {"schema": schema, "example": example}},
        });
        self.answer = Some((status, answer));
    }

    pub(super) fn sets_cookie(&mut self) {
        if let Some((_, answer)) = &mut self.answer {
            answer["headers"]["Set-Cookie"] = json!({
                "description": format!("`{SESSION_COOKIE}`, where a session begins or ends."),
                "schema": {"type": "string"},
            });
        }
    }

    fn finished(mut self, paths: &mut Map<String, Value>, schemas: &mut Schemas) {
        if self.security.is_empty() {
            self.for_everybody();
            // Whoever tries too often is told to wait.
            self.fails(StatusCode::UNAUTHORIZED);
            self.fails(StatusCode::FORBIDDEN);
            self.fails(StatusCode::TOO_MANY_REQUESTS);
        }
        if self.method != "get" {
            self.fails(StatusCode::CONFLICT);
        }
        let mut responses = Map::new();
        let limited = self.security.iter().any(|scheme| scheme.get("api_key").is_some());
        if let Some((_, answer)) = self.answer.as_mut().filter(|_| limited) {
            for (name, _) in LIMIT_HEADERS {
                answer["headers"][name] = json!({"$ref": format!("#/components/headers/{name}")});
            }
        }
        if let Some((status, answer)) = self.answer {
            responses.insert(status.as_u16().to_string(), answer);
        }
        for status in self.failures {
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{status}")}));
        }
        let who = format!("For {}.", self.callers.join("; "));
        self.operation.insert("description".to_owned(), json!(who));
        if !self.parameters.is_empty() {
            self.operation.insert("parameters".to_owned(), json!(self.parameters));
        }
        self.operation.insert("responses".to_owned(), json!(responses));
        self.operation.insert("security".to_owned(), json!(self.security));
        for (name, schema) in self.schemas {
            schemas.entry(name).or_insert(schema);
        }
        let path = paths.entry(self.path).or_insert_with(|| json!({}));
        path[self.method] = json!(self.operation);
    }
}

/// The document of all these operations.
pub(super) fn whole(operations: Vec<Draft>) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Schemas::new());
    let mut tags: Vec<Value> = Vec::new();
    for draft in operations {
        let tag = json!({"name": draft.operation["tags"][0]});
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        draft.finished(&mut paths, &mut schemas);
    }
    refer::<Problem>(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portcullis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": failures(),
            "headers": headers(),
            "securitySchemes": {
                "operator_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A credential of the platform's own back end, `op_live_…`.",
                },
                "api_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A customer's key, `ak_live_…`. It may also come as `Authorization: Token …` or as \
                        `X-API-Key: …`, and in one way only: two credentials in a request are refused.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": "The cookie of a person who signed in.",
                },
            },
        },
    })
}

const DESCRIPTION: &str = "Issues API keys, and decides on every request whether the key that came with it may pass.\n\n\
    Every success is `{\"success\": true, \"data\": …}`; every failure is a problem document (RFC 9457) with a `code` that \
    says what is wrong, and often a `reason`.";

/// What tells a key of its limits; which of them are sent is a setting.
const LIMIT_HEADERS: [(&str, &str); 5] = [
    ("RateLimit-Policy", "To an API key: all limits of the request (draft-ietf-httpapi-ratelimit-headers-11)."),
    (
        "RateLimit",
        "To an API key: the tightest limit, what it leaves, and the seconds until there is more (the same draft).",
    ),
    ("X-RateLimit-Limit", "To an API key: the tightest limit."),
    ("X-RateLimit-Remaining", "To an API key: what the tightest limit leaves."),
    ("X-RateLimit-Reset", "To an API key: when there is more room, in seconds since 1970."),
];

fn header(text: &str) -> Value {
    json!({"description": text, "schema": {"type": "string"}})
}

fn headers() -> Value {
    let mut headers: Map<String, Value> =
        LIMIT_HEADERS.iter().map(|(name, text)| ((*name).to_owned(), header(text))).collect();
    let request = json!({
        "description": "Names the request in the server's logs and in the audit log.",
        "schema": {"type": "string", "pattern": id_pattern(RequestId::PREFIX), "examples": [id_example(RequestId::PREFIX)]},
    });
    headers.insert("RequestId".to_owned(), request);
    Value::Object(headers)
}

/// One response for each status that is a failure, for all operations to refer to.
fn failures() -> Value {
    let mut responses = Map::new();
    // What only the proxy answers is no answer of this API.
    let of_proxies = |status: &u16| matches!(status, 502 | 504);
    for status in CODES.iter().map(|code| code.status).filter(|status| !of_proxies(status)).collect::<BTreeSet<_>>() {
        let codes: Vec<_> = CODES.iter().filter(|code| code.status == status).collect();
        let examples = codes.iter().map(|code| {
            let mut example = Problem::new(status, code.code, code.meaning, id_example(RequestId::PREFIX));
            if code.code == "VALIDATION_FAILED" {
                let (pointer, detail) = ("/name".to_owned(), "must not be empty or only blanks".to_owned());
                example.errors.push(FieldError { pointer, detail });
            }
            (code.code.to_owned(), json!({"value": example}))
        });
        let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}});
        match status {
            401 => headers["WWW-Authenticate"] = header("What to send (RFC 6750)."),
            429 => headers["Retry-After"] = header("Seconds to wait; whoever waits that long gets in."),
            _ => {}
        }
        let described = codes.iter().map(|code| format!("`{}`: {}", code.code, code.meaning)).collect::<Vec<_>>();
        let response = json!({
            "description": described.join(" "),
            "headers": headers,
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": examples.collect::<Map<_, _>>(),
            }},
        });
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}
