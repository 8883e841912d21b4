//! What the types in a handler's signature say about its operation.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawPathParams, State};
use http::{HeaderMap, StatusCode};
use portcullis_api::envelope::{Page, Success};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::document::Draft;
use super::types::Shown;
use crate::api::body::{JsonBody, KnownQuery, LargeJsonBody, OptionalJsonBody};
use crate::api::cookie::WithCookie;
use crate::api::idempotency::{self, IdempotencyKey};
use crate::api::links::Invited;
use crate::api::whoami::Known;
use crate::api::{As, Written};
use crate::app::App;
use crate::caller::{AnyOperator, From, Needed, Needs, OfAccount, OfBusiness, Operator, Proprietor, SignedIn};
use crate::error::Error;

/// A handler whose signature can be read.
pub(crate) trait Described<Arguments> {
    fn describe(&self, draft: &mut Draft);
}

/// An argument of a handler.
pub(crate) trait Takes {
    fn describe(draft: &mut Draft);
}

/// What a handler returns.
pub(crate) trait Gives {
    fn describe(draft: &mut Draft);
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<F, Fut, R, $($argument),*> Described<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut,
            Fut: Future<Output = R>,
            R: Gives,
            $($argument: Takes),*
        {
            fn describe(&self, draft: &mut Draft) {
                $($argument::describe(draft);)*
                R::describe(draft);
            }
        }
    };
}

described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);
described!(A B C D E G);

macro_rules! silent {
    ($($type:ty),+) => {$(
        impl Takes for $type {
            fn describe(_: &mut Draft) {}
        }
    )+};
}

// They say nothing that the path and the other arguments do not.
silent!(State<Arc<App>>, From, RawPathParams, HeaderMap);

impl<T: ToSchema> Takes for JsonBody<T> {
    fn describe(draft: &mut Draft) {
        draft.takes_body::<T>(true);
    }
}

impl<T: ToSchema> Takes for OptionalJsonBody<T> {
    fn describe(draft: &mut Draft) {
        draft.takes_body::<T>(false);
    }
}

impl<T, D: ToSchema> Takes for LargeJsonBody<T, D> {
    fn describe(draft: &mut Draft) {
        draft.takes_body::<D>(true);
    }
}

impl<T: IntoParams> Takes for KnownQuery<T> {
    fn describe(draft: &mut Draft) {
        draft.takes_query::<T>();
    }
}

impl Takes for IdempotencyKey {
    fn describe(draft: &mut Draft) {
        draft.parameter(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same call under the same key is made once in 24 hours; a repeated one is answered with what the \
                first one did, without the token.",
            "schema": {"type": "string", "minLength": 1, "maxLength": idempotency::LONGEST, "pattern": "^[!-~]+$"},
        }));
        draft.fails(StatusCode::CONFLICT);
        draft.fails(StatusCode::UNPROCESSABLE_ENTITY);
    }
}

impl<G: Needed> Takes for Operator<G> {
    fn describe(draft: &mut Draft) {
        draft.for_operators(Some(G::GRANT));
        draft.for_people("a platform admin");
    }
}

impl Takes for AnyOperator {
    fn describe(draft: &mut Draft) {
        draft.for_operators(None);
        draft.for_people("a platform admin");
    }
}

impl<G: Needed> Takes for OfAccount<G> {
    fn describe(draft: &mut Draft) {
        if draft.has_parameter("user_id") {
            draft.for_operators(Some(G::GRANT));
            draft.for_people("the user, or a platform admin");
        } else {
            draft.for_api_keys("an API key with user management");
            draft.for_people("a person, for their own account");
        }
    }
}

impl<G: Needed, N: Needs> Takes for OfBusiness<G, N> {
    fn describe(draft: &mut Draft) {
        draft.for_operators(Some(G::GRANT));
        draft.for_people(N::WHO);
    }
}

impl<G: Needed> Takes for Proprietor<G> {
    fn describe(draft: &mut Draft) {
        draft.for_operators(Some(G::GRANT));
        draft.for_people("a person, for the businesses that they are a member of");
    }
}

impl Takes for SignedIn {
    fn describe(draft: &mut Draft) {
        draft.for_people("a person");
        // Whoever tries passwords is told to wait, also with a session.
        draft.fails(StatusCode::TOO_MANY_REQUESTS);
    }
}

impl Takes for Invited {
    fn describe(draft: &mut Draft) {
        draft.for_people("a person who has an account");
        draft.for_everybody();
    }
}

impl Takes for Known {
    fn describe(draft: &mut Draft) {
        draft.for_operators(None);
        draft.for_api_keys("an API key");
        draft.for_people("a person");
    }
}

impl<T: Shown> Gives for Result<Json<Success<T>>, Error> {
    fn describe(draft: &mut Draft) {
        draft.answers::<T>(StatusCode::OK);
    }
}

impl<T: Shown> Gives for Json<Success<T>> {
    fn describe(draft: &mut Draft) {
        draft.answers::<T>(StatusCode::OK);
    }
}

impl<T: Shown> Gives for Result<Json<Page<T>>, Error> {
    fn describe(draft: &mut Draft) {
        draft.answers_page::<T>();
    }
}

impl<const STATUS: u16, T: Shown> Gives for Result<As<STATUS, T>, Error> {
    fn describe(draft: &mut Draft) {
        draft.answers::<T>(StatusCode::from_u16(STATUS).unwrap_or_default());
    }
}

impl<T: Shown> Gives for Result<Written<T>, Error> {
    fn describe(draft: &mut Draft) {
        draft.answers::<T>(StatusCode::OK);
    }
}

impl<const STATUS: u16, T: Shown> Gives for Result<WithCookie<STATUS, T>, Error> {
    fn describe(draft: &mut Draft) {
        draft.answers::<T>(StatusCode::from_u16(STATUS).unwrap_or_default());
        draft.sets_cookie();
    }
}
