//! What answers are made of, as the document names and shows it.

use std::borrow::Cow;

use portcullis_api::api_key_imports::ImportedApiKey;
use portcullis_api::api_keys::{ApiKey, IssuedApiKey, RotatedApiKey};
use portcullis_api::audit_events::{AuditEvent, AuditHead};
use portcullis_api::businesses::{Business, Member, Role};
use portcullis_api::catalogue::Catalogue;
use portcullis_api::envelope::Done;
use portcullis_api::limits::Limits;
use portcullis_api::links::{AcceptedInvitation, Invitation, IssuedInvitation, PasswordLink};
use portcullis_api::nodes::Nodes;
use portcullis_api::operator_keys::{IssuedOperatorKey, OperatorKey};
use portcullis_api::policies::Policy;
use portcullis_api::sessions::{Session, SignedIn};
use portcullis_api::usage::Usage;
use portcullis_api::users::User;
use portcullis_api::verify::Decision;
use portcullis_api::whoami::WhoAmI;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

/// The schemas that the document's own words refer to, by name.
pub(super) type Schemas = Map<String, Value>;

/// Something that an answer can hold.
pub(crate) trait Shown {
    /// What the answer with it is called.
    fn name() -> Cow<'static, str>;

    /// Its schema; what that refers to is put among the others.
    fn schema(schemas: &mut Schemas) -> Value;

    fn example() -> Value;
}

impl Shown for Done {
    fn name() -> Cow<'static, str> {
        "Done".into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "null"})
    }

    fn example() -> Value {
        Value::Null
    }
}

macro_rules! shown {
    ($($type:ty),+ $(,)?) => {$(
        impl Shown for $type {
            fn name() -> Cow<'static, str> {
                <Self as ToSchema>::name()
            }

            fn schema(schemas: &mut Schemas) -> Value {
                refer::<Self>(schemas)
            }

            fn example() -> Value {
                example::<Self>()
            }
        }
    )+};
}

shown!(
    AcceptedInvitation,
    ApiKey,
    AuditEvent,
    AuditHead,
    Business,
    Catalogue,
    Decision<'static>,
    ImportedApiKey,
    Invitation,
    IssuedApiKey,
    IssuedInvitation,
    IssuedOperatorKey,
    Limits,
    Member,
    Nodes,
    OperatorKey,
    PasswordLink,
    Policy,
    Role,
    RotatedApiKey,
    Session,
    SignedIn,
    Usage,
    User,
    WhoAmI,
);

impl<T: Shown> Shown for Vec<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({"type": "array", "items": T::schema(schemas)})
    }

    fn example() -> Value {
        json!([T::example()])
    }
}

impl<T: Shown> Shown for Option<T> {
    fn name() -> Cow<'static, str> {
        format!("Optional{}", T::name()).into()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({"oneOf": [T::schema(schemas), {"type": "null"}]})
    }

    fn example() -> Value {
        T::example()
    }
}

/// A reference to a schema, which is put among the others with all that it refers to itself.
pub(super) fn refer<T: ToSchema>(schemas: &mut Schemas) -> Value {
    let name = T::name().into_owned();
    if !schemas.contains_key(&name) {
        schemas.insert(name.clone(), json_of(&T::schema()));
        let mut more = Vec::new();
        T::schemas(&mut more);
        for (name, schema) in more {
            schemas.entry(name).or_insert_with(|| json_of(&schema));
        }
    }
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The example that a schema brings with it, or one that is put together from its members'.
pub(super) fn example<T: ToSchema>() -> Value {
    let mut schemas = Schemas::new();
    refer::<T>(&mut schemas);
    example_of(&json!({"$ref": format!("#/components/schemas/{}", T::name())}), &schemas)
}

/// As [`example`], of any schema.
fn example_of(schema: &Value, schemas: &Schemas) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        return schemas.get(name).map_or(Value::Null, |schema| example_of(schema, schemas));
    }
    let given = schema.get("example").or_else(|| schema["examples"].get(0)).or_else(|| schema["enum"].get(0));
    if let Some(given) = given {
        return given.clone();
    }
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().filter_map(|part| example_of(part, schemas).as_object().cloned());
        return Value::Object(parts.flatten().collect());
    }
    if let Some(first) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let some = first.iter().find(|one| one["type"] != "null");
        return some.map_or(Value::Null, |one| example_of(one, schemas));
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0).and_then(Value::as_str));
    match kind {
        Some("object") => {
            let members = schema["properties"].as_object().into_iter().flatten();
            Value::Object(members.map(|(name, member)| (name.clone(), example_of(member, schemas))).collect())
        }
        Some("array") => json!([example_of(&schema["items"], schemas)]),
        Some("string") => json!("text"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        _ => Value::Null,
    }
}

fn json_of(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}
