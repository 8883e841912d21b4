//! How types that come from elsewhere read in the OpenAPI document.

use std::borrow::Cow;

use portcullis_core::decision::Code;
use portcullis_core::id as ids;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::Manages as CoreManages;
use serde_json::json;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api_keys::{BusinessScope, BusinessScopeText, Permissions};
use crate::metadata::Metadata;
use crate::verify::{Businesses, Decision, Explained, RateLimit};

macro_rules! texts {
    ($($name:ident: $doc:literal = |$text:ident| $build:expr;)+) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let $text = ObjectBuilder::new().schema_type(Type::String).description(Some($doc));
                $build.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+

        /// The text of this name: what a parameter of a query refers to it by.
        pub fn by_name(name: &str) -> Option<RefOr<Schema>> {
            match name {
                $(stringify!($name) => Some($name::schema()),)+
                _ => None,
            }
        }
    };
}

/// The form of an id: its prefix, and 26 characters of Crockford base32.
pub fn id_pattern(prefix: &str) -> String {
    format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$")
}

/// An id as an example shows it.
pub fn id_example(prefix: &str) -> String {
    format!("{prefix}_01m7xnw6qyew994zaseps0nyp6")
}

fn id(text: ObjectBuilder, prefix: &str) -> ObjectBuilder {
    text.pattern(Some(id_pattern(prefix))).examples([json!(id_example(prefix))])
}

fn one_of<'a>(text: ObjectBuilder, names: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    text.enum_values(Some(names))
}

texts! {
    UserId: "The id of a user." = |text| id(text, ids::UserId::PREFIX);
    BusinessId: "The id of a business." = |text| id(text, ids::BusinessId::PREFIX);
    RoleId: "The id of a role." = |text| id(text, ids::RoleId::PREFIX);
    ApiKeyId: "The id of an API key; never the token itself." = |text| id(text, ids::ApiKeyId::PREFIX);
    FamilyId: "What the keys of one chain of rotations have in common." = |text| id(text, ids::FamilyId::PREFIX);
    OperatorKeyId: "The id of an operator key." = |text| id(text, ids::OperatorKeyId::PREFIX);
    SessionId: "The id of a session." = |text| id(text, ids::SessionId::PREFIX);
    LinkId: "The id of an invitation." = |text| id(text, ids::LinkId::PREFIX);
    Environment: "Where a key is meant to be used." = |text| one_of(text, ["live", "test"]);
    Status: "Whether an API key lives." = |text| one_of(text, ["active", "expired", "revoked"]);
    ListedStatus: "Whether the API keys of a list live: `ended` is expired or revoked." =
        |text| one_of(text, ["active", "expired", "revoked", "ended"]);
    UsageWindow: "A time until now." = |text| one_of(text, ["24h", "7d", "30d", "90d", "365d"]);
    Standing: "Whether an account lives." = |text| one_of(text, ["active", "disabled"]);
    Action: "What may be done with a resource; `write` does not include `read`." = |text| one_of(text, ["read", "write"]);
    Manages: "A part of a business's own affairs that a role may look after." =
        |text| one_of(text, CoreManages::ALL.map(CoreManages::name));
    Grant: "One thing an operator key may do." =
        |text| one_of(text, OperatorGrant::ALL.iter().map(|grant| grant.name()));
    Permission: "`resource:action` of the catalogue." =
        |text| text.pattern(Some("^[a-z][a-z0-9_]{0,31}:(read|write)$")).examples([json!("contacts:read")]);
    Instant: "An instant in UTC (RFC 3339), with milliseconds where it has some." =
        |text| text
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .examples([json!("2026-11-20T19:30:00Z")]);
    Email: "An e-mail address." = |text| text
        .max_length(Some(254))
        .pattern(Some(
            "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
        ))
        .examples([json!("ann@example.com")]);
    RoleName: "The id of a role, or the name of a built-in one." = |text| text
        .pattern(Some("^(owner|admin|member|viewer|rol_[0-7][0-9a-hjkmnp-tv-z]{25})$"))
        .examples([json!("admin")]);
    Password: "A password: 12 to 256 characters." = |text| text
        .min_length(Some(12))
        .max_length(Some(256))
        .examples([json!("correct horse battery")]);
    Secret: "A secret. It is shown here and nowhere else." = |text| text.examples([json!("ak_live_…")]);
}

macro_rules! reads {
    ($($type:ty, $name:literal = $build:expr, with $($part:ty),*;)+) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $build.into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    schemas.push((<$part>::name().into_owned(), <$part>::schema()));
                    <$part>::schemas(schemas);
                )*
                let _ = schemas;
            }
        }
    )+};
}

fn to<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

fn or_null(schema: impl Into<RefOr<Schema>>) -> OneOfBuilder {
    OneOfBuilder::new().item(schema).item(ObjectBuilder::new().schema_type(Type::Null))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn text_or_null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn constant(value: &str) -> ObjectBuilder {
    text().enum_values(Some([value]))
}

fn list(of: RefOr<Schema>) -> ArrayBuilder {
    ArrayBuilder::new().items(of)
}

fn scope(businesses: ArrayBuilder) -> OneOfBuilder {
    let only = ObjectBuilder::new()
        .property("only", businesses)
        .required("only")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    OneOfBuilder::new()
        .description(Some("Every business of the key's owner, today's and tomorrow's; or these and no others."))
        .item(constant("unrestricted"))
        .item(only)
        .examples([json!({"only": [id_example(ids::BusinessId::PREFIX)]})])
}

reads! {
    Permissions, "Permissions" = OneOfBuilder::new()
        .description(Some("Whatever the key's owner may do, as they may do it at the time; or a list."))
        .item(constant("inherit"))
        .item(list(to::<Permission>()).min_items(Some(1)).unique_items(true))
        .examples([json!(["contacts:read", "calls:read"])]), with Permission;
    BusinessScope, "BusinessScope" = scope(list(to::<BusinessId>())), with BusinessId;
    BusinessScopeText, "WantedBusinessScope" =
        scope(list(to::<BusinessId>()).min_items(Some(1)).max_items(Some(1_000)).unique_items(true)), with BusinessId;
    Metadata, "Metadata" = ObjectBuilder::new()
        .description(Some("Notes: at most 16, and 4 KiB as JSON; texts, numbers, `true` and `false`."))
        .schema_type(Type::Object)
        .max_properties(Some(16))
        .additional_properties(Some(RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Number, Type::Boolean]))
                .build(),
        ))))
        .examples([json!({"plan": "pro"})]), with;
    Businesses, "Businesses" = OneOfBuilder::new()
        .description(Some("Where the request may act: all businesses of the key's owner, or these."))
        .item(constant("*"))
        .item(list(to::<BusinessId>())), with BusinessId;
    Decision<'_>, "Decision" = decision(),
        with ApiKeyId, UserId, Environment, BusinessId, Businesses, Permission, Instant, Metadata, RateLimit, Explained;
}

fn decision() -> ObjectBuilder {
    let codes = Code::ALL.map(Code::name);
    let object = ObjectBuilder::new()
        .description(Some("The decision. What is told of the key is `null` where the token was not right."))
        .property("valid", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("code", text().enum_values(Some(codes)).description(Some("`VALID`, or why not.")))
        .property("reason", text_or_null())
        .property("message", text_or_null().description(Some("One sentence for a person.")))
        .property("key_id", or_null(to::<ApiKeyId>()))
        .property("user_id", or_null(to::<UserId>()))
        .property("name", text_or_null())
        .property("environment", or_null(to::<Environment>()))
        .property("business_id", or_null(to::<BusinessId>()))
        .property("businesses", to::<Businesses>())
        .property(
            "permissions",
            list(to::<Permission>()).description(Some("What the key may do in every one of `businesses`.")),
        )
        .property(
            "user_management",
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Boolean, Type::Null])),
        )
        .property("expires_at", or_null(to::<Instant>()))
        .property("metadata", or_null(to::<Metadata>()))
        .property("rate_limit", or_null(to::<RateLimit>()))
        .property(
            "explanation",
            list(to::<Explained>()).description(Some("The nine rules in their order, where they were asked for.")),
        );
    let always = [
        "valid",
        "code",
        "reason",
        "message",
        "key_id",
        "user_id",
        "name",
        "environment",
        "business_id",
        "businesses",
        "permissions",
        "user_management",
        "expires_at",
        "metadata",
        "rate_limit",
    ];
    always.into_iter().fold(object, ObjectBuilder::required)
}
