//! Who it was that a call was refused to: noted when the credential is read, for the layer that sees the answer.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use http::request::Parts;
use http::{Method, StatusCode};
use portcullis_core::audit::{Actor, Origin};
use portcullis_core::decision::Presented;

use super::origin;
use crate::app::App;
use crate::error::Error;
use crate::manage::refusals::{self, Refused};

/// Whoever knocks, as far as their credential told. It travels with the request and is read after the answer is made.
#[derive(Debug, Clone, Default)]
struct Slot(Arc<Mutex<Option<Who>>>);

/// A request as it came in, for the event that tells of its refusal.
#[derive(Debug)]
pub(crate) struct Knock {
    who: Slot,
    method: Method,
    path: String,
    origin: Origin,
}

#[derive(Debug, Clone, Copy)]
enum Who {
    Actor(Actor),
    Token(Presented),
}

impl Knock {
    /// Hangs itself to a request that has its number.
    pub(crate) fn on(request: &mut Request) -> Self {
        let who = Slot::default();
        let extensions = request.extensions_mut();
        extensions.insert(who.clone());
        let origin = origin(extensions);
        Self { who, method: request.method().clone(), path: request.uri().path().to_owned(), origin }
    }

    pub(super) fn is_by(parts: &Parts, actor: Actor) {
        Self::is(parts, Who::Actor(actor));
    }

    pub(super) fn is_with(parts: &Parts, token: Presented) {
        Self::is(parts, Who::Token(token));
    }

    fn is(parts: &Parts, who: Who) {
        if let Some(Slot(slot)) = parts.extensions.get() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(who);
        }
    }

    /// Writes to the audit log that the call was refused, where it was, and where it is known to whom: a made-up token is nobody's.
    pub(crate) async fn note(&self, app: &App, error: &Error) {
        if !matches!(error.status(), StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) {
            return;
        }
        let Some(actor) = self.actor(app) else { return };
        let refused = Refused { actor, method: self.method.as_str(), path: &self.path, error };
        if let Err(error) = refusals::note(app, self.origin, &refused).await {
            tracing::error!(%error, "cannot write a refused call to the audit log");
        }
    }

    fn actor(&self, app: &App) -> Option<Actor> {
        let who = *self.who.0.lock().unwrap_or_else(PoisonError::into_inner);
        match who? {
            Who::Actor(actor) => Some(actor),
            Who::Token(Presented::Malformed) => None,
            Who::Token(Presented::WellFormed(digest)) => {
                let keyring = app.node.last_known()?;
                keyring.find(&digest).map(|key| Actor::ApiKey { id: key.id(), user: key.user() })
            }
        }
    }
}
