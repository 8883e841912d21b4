//! What a form or an address says, and what was wrong with it.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use portcullis_api::problem::FieldError;
use portcullis_core::decision::Denial;
use portcullis_core::dice::Dice;

use crate::app::App;
use crate::body;
use crate::error::Error;

/// The fields of a form, in their order. What is not there reads as empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

/// The fields of an address's query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(pub(crate) Fields);

impl Fields {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The first value of this name, without the blanks around it.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.verbatim(name).trim()
    }

    /// The value of this name as it was typed: a password may begin with a blank.
    pub(crate) fn verbatim(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The value, where one was given.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// What tells this form from every other, so that it is acted on once; nothing, where somebody made it up.
    pub(crate) fn once(&self) -> Option<&str> {
        Some(self.text(ONCE)).filter(|once| (1..=LONGEST_ONCE).contains(&once.len()))
    }

    /// All values of this name.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.all(name).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a box of this name was ticked.
    pub(crate) fn is_ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Whether the form was not sent to be acted on, but comes back after its sender signed in again.
    pub(crate) fn comes_back(&self) -> bool {
        self.is_ticked(COMES_BACK)
    }

    /// Whether it has anything that somebody wrote or chose.
    pub(super) fn has_content(&self) -> bool {
        self.0.iter().any(|(name, value)| name != ONCE && name != COMES_BACK && !value.is_empty())
    }

    pub(super) fn has_password(&self) -> bool {
        self.0.iter().any(|(name, _)| name.contains("password"))
    }

    /// What may be kept while somebody signs in: everything but passwords.
    pub(super) fn without_passwords(self) -> Vec<(String, String)> {
        let kept = |(name, _): &(String, String)| !name.is_empty() && !name.contains("password") && name != COMES_BACK;
        self.0.into_iter().filter(kept).collect()
    }

    /// These fields but those of this name.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// These fields as a query, with one of them replaced.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (known, old) in &self.0 {
            if known != name && known != "done" && !old.is_empty() {
                query.append_pair(known, old);
            }
        }
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

/// What tells one form from every other, with the time at which it was shown.
pub(crate) fn once(app: &App) -> String {
    let mut bytes = [0; 16];
    app.dice.fill(&mut bytes);
    format!("{}-{}", app.clock.now().as_millis(), data_encoding::HEXLOWER.encode(&bytes))
}

const AGAIN: &str = "This form was sent before, with something else in it. Look it over, and send it again.";

/// The field of what tells one form from every other, and how long it can be.
const ONCE: &str = "once";
const LONGEST_ONCE: usize = 100;

/// The field that says so.
pub(super) const COMES_BACK: &str = "comes_back";

impl FromRequest<Arc<App>> for Fields {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let (parts, content) = request.into_parts();
        let content = body::read(app, content, app.config.connections.max_body_bytes).await?;
        if !content.is_empty() && !body::is_of_type(&parts.headers, "application/x-www-form-urlencoded") {
            return Err(Error::UnsupportedMediaType);
        }
        Ok(Self::parse(&content))
    }
}

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Error> {
        Ok(Self(Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// What a form is told when it could not be acted on: at the fields that are wrong, or at its head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems {
    head: Vec<String>,
    fields: Vec<FieldError>,
}

impl Problems {
    /// The problems of a form that its sender can mend; any other error is a page of its own.
    pub(crate) fn of(error: Error) -> Result<Self, Error> {
        match error {
            Error::Validation(mut fields) => {
                // The whole is wrong: another form had the same mark.
                let again = fields.iter().any(|error| error.pointer.is_empty());
                fields.retain(|error| !error.pointer.is_empty());
                Ok(Self { head: again.then(|| AGAIN.to_owned()).into_iter().collect(), fields })
            }
            Error::Conflict(_)
            | Error::Forbidden { .. }
            | Error::Denied { denial: Denial::BusinessDisabled, .. }
            | Error::Invalid(_)
            | Error::TooMany { .. }
            | Error::WrongPassword
            | Error::Full => Ok(Self { head: vec![error.to_string()], fields: Vec::new() }),
            other => Err(other),
        }
    }

    pub(crate) fn say(text: &str) -> Self {
        Self { head: vec![text.to_owned()], fields: Vec::new() }
    }

    pub(crate) fn any(&self) -> bool {
        !self.head.is_empty() || !self.fields.is_empty()
    }

    /// What is wrong at the field that this pointer, or one below it, leads to.
    pub(crate) fn at(&self, pointer: &str) -> Option<String> {
        let mut all: Vec<String> = Vec::new();
        for error in self.fields.iter().filter(|error| is_at_or_below(&error.pointer, pointer)) {
            let text = sentence(&error.detail);
            if !all.contains(&text) {
                all.push(text);
            }
        }
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// What is wrong with the form as a whole, or with what none of its fields is for: those are given with blanks between them.
    pub(crate) fn head(&self, shown: &str) -> Vec<String> {
        let elsewhere = |error: &&FieldError| !shown.split(' ').any(|pointer| is_at_or_below(&error.pointer, pointer));
        let rest = self.fields.iter().filter(elsewhere).map(|error| {
            let member = error.pointer.trim_start_matches('/').replace(['_', '/'], " ");
            sentence(&format!("{member} {}", error.detail))
        });
        self.head.iter().cloned().chain(rest).collect()
    }
}

fn is_at_or_below(known: &str, pointer: &str) -> bool {
    !pointer.is_empty() && known.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether somebody typed a name as it is shown: blanks at the ends and in a row are not seen.
pub(crate) fn is_as_shown(typed: &str, name: &str) -> bool {
    typed.split_whitespace().eq(name.split_whitespace())
}

/// The end of a sentence as one of its own.
fn sentence(detail: &str) -> String {
    let mut letters = detail.trim().chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", letters.as_str().replace('`', ""));
    if text.ends_with('.') { text } else { format!("{text}.") }
}
