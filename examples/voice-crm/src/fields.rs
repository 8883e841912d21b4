//! The body of a request, checked field by field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use portcullis_tower::{FieldError, Metadata};
use serde_json::{Map, Value};

use crate::problem::Error;

/// One field of a JSON object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Of 1 to so many characters.
    Text(usize),
    OneOf(&'static [&'static str]),
    /// From 0 to this.
    Whole(u64),
}

pub(crate) const fn text(name: &'static str, longest: usize) -> Field {
    Field { name, kind: Kind::Text(longest), required: false }
}

pub(crate) const fn one_of(name: &'static str, values: &'static [&'static str]) -> Field {
    Field { name, kind: Kind::OneOf(values), required: false }
}

pub(crate) const fn whole(name: &'static str, most: u64) -> Field {
    Field { name, kind: Kind::Whole(most), required: false }
}

pub(crate) const fn required(field: Field) -> Field {
    Field { required: true, ..field }
}

/// A body that is a JSON object in which no name comes twice.
pub(crate) struct Sent(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
        if !media_type.trim().eq_ignore_ascii_case("application/json") {
            return Err(Error::UnsupportedMediaType);
        }
        // It fails where the body is too long, or breaks off.
        let body = Bytes::from_request(request, state).await.map_err(|_| Error::TooLarge)?;
        let Metadata(fields) = serde_json::from_slice(&body)
            .map_err(|error| Error::Invalid(format!("The body is no JSON object that can be read: {error}.")))?;
        Ok(Self(fields))
    }
}

/// What a request may do to fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Create,
    /// What is left out stays, and `null` clears.
    Change,
}

/// Checks an object. What is of another type, or not known, cannot be read; what is too long or missing is not allowed.
pub(crate) fn check(fields: &[Field], sent: &Map<String, Value>, deed: Deed, at: &str) -> Result<(), Error> {
    if let Some(unknown) = sent.keys().find(|name| !fields.iter().any(|field| field.name == *name)) {
        return Err(Error::Invalid(format!("There is no field `{at}/{}`.", unknown.escape_debug())));
    }
    let mut errors = Vec::new();
    for field in fields {
        let pointer = format!("{at}/{}", field.name);
        let detail = match sent.get(field.name) {
            None if deed == Deed::Change || !field.required => continue,
            None => "is required".to_owned(),
            Some(Value::Null) if field.required => "cannot be cleared: it is required".to_owned(),
            Some(Value::Null) => continue,
            Some(value) => match field.kind.fault(value) {
                Ok(None) => continue,
                Ok(Some(detail)) => detail,
                Err(type_name) => return Err(Error::Invalid(format!("`{pointer}` is {type_name}."))),
            },
        };
        errors.push(FieldError { pointer, detail });
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Validation(errors)) }
}

impl Kind {
    /// What is wrong with a value; `Err` where it is not even of the type.
    fn fault(self, value: &Value) -> Result<Option<String>, &'static str> {
        match self {
            Self::Text(longest) => {
                let characters = value.as_str().ok_or("a text")?.chars().count();
                let fits = (1..=longest).contains(&characters);
                Ok((!fits).then(|| format!("must have 1 to {longest} characters")))
            }
            Self::OneOf(values) => {
                let known = values.contains(&value.as_str().ok_or("a text")?);
                Ok((!known).then(|| format!("must be one of: {}", values.join(", "))))
            }
            Self::Whole(most) => {
                let fits = value.as_u64().ok_or("a whole number that is not negative")? <= most;
                Ok((!fits).then(|| format!("must be at most {most}")))
            }
        }
    }
}

/// The object with every field there is: what was never set is null.
pub(crate) fn complete(fields: &[Field], kept: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|field| (field.name.to_owned(), kept.get(field.name).cloned().unwrap_or_default())).collect()
}
