//! Who calls: from a request's one credential to a [`Caller`] and the proofs that the functions of `manage` ask for.
//!
//! A handler names in its arguments who may call it, and so cannot forget to ask.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use http::request::Parts;
use portcullis_core::audit::Origin;
use portcullis_core::decision::{Ask, Concerned, Decision, Denial, Presented};
use portcullis_core::id::{ApiKeyId, RequestId, UserId};
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::{Account, Caller, Peers, Platform};

use crate::app::App;
use crate::error::Error;
use crate::manage::lacks;
use crate::verify::credentials::{self, Ambiguous, Sent};
use crate::verify::{self, NoMemory};

/// A grant as a type, so that a handler's signature can name it.
pub(crate) trait Needed: Send + Sync {
    const GRANT: OperatorGrant;
}

macro_rules! needed {
    ($($name:ident),+) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Needed for $name {
            const GRANT: OperatorGrant = OperatorGrant::$name;
        }
    )+};
}

needed!(KeysVerify, KeysRead, KeysWrite, UsersRead, UsersWrite, BusinessesRead, BusinessesWrite, AuditRead);

/// An operator key that has the grant.
pub(crate) struct Operator<G> {
    pub(crate) caller: Caller,
    pub(crate) proof: Platform,
    grant: PhantomData<G>,
}

/// Any operator key, for what is bounded by its own grants.
pub(crate) struct AnyOperator {
    pub(crate) caller: Caller,
    pub(crate) proof: Peers,
}

/// Somebody who may touch one user's account: an operator with the grant, for the user of the path; or an API key with user
/// management, for its own owner, where the path names no user.
pub(crate) struct OfAccount<G> {
    pub(crate) caller: Caller,
    pub(crate) account: Account,
    grant: PhantomData<G>,
}

/// Any good credential.
pub(crate) enum Anyone {
    Operator(portcullis_core::id::OperatorKeyId, OperatorGrants),
    /// The token of an API key, which the decision will look at.
    ApiKey(Presented),
}

impl FromRequestParts<Arc<App>> for AnyOperator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        match anyone(app, parts)? {
            Anyone::Operator(id, grants) => {
                let caller = Caller::Operator { id, grants };
                let proof = caller.peers().ok_or(Error::NoCredential)?;
                Ok(Self { caller, proof })
            }
            // A customer's key on the platform's own paths is told no more than a made-up one.
            Anyone::ApiKey(Presented::WellFormed(_)) => Err(Error::denied(Denial::Unknown)),
            Anyone::ApiKey(Presented::Malformed) => Err(Error::denied(Denial::Malformed)),
        }
    }
}

impl<G: Needed> FromRequestParts<Arc<App>> for Operator<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let AnyOperator { caller, .. } = AnyOperator::from_request_parts(parts, app).await?;
        let proof = caller.platform(G::GRANT).ok_or_else(|| lacks(G::GRANT))?;
        Ok(Self { caller, proof, grant: PhantomData })
    }
}

impl<G: Needed> FromRequestParts<Arc<App>> for OfAccount<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let named = RawPathParams::from_request_parts(parts, app).await.ok();
        let named = named.as_ref().and_then(|params| params.iter().find(|(name, _)| *name == "user_id"));
        let Some((_, user)) = named else { return own_account(app, parts) };
        let operator = Operator::<G>::from_request_parts(parts, app).await?;
        let user = user.parse().map_err(|_| Error::NotFound)?;
        let account = operator.caller.account(user, G::GRANT).ok_or_else(|| lacks(G::GRANT))?;
        Ok(Self { caller: operator.caller, account, grant: PhantomData })
    }
}

impl FromRequestParts<Arc<App>> for Anyone {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        anyone(app, parts)
    }
}

/// Where the request came from, for the audit log.
pub(crate) struct From(pub(crate) Origin);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(parts)))
    }
}

pub(crate) fn origin(parts: &Parts) -> Origin {
    Origin {
        address: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical()),
        request: parts.extensions.get::<RequestId>().copied(),
    }
}

fn anyone(app: &App, parts: &Parts) -> Result<Anyone, Error> {
    let sent = credentials::sent(&parts.headers).map_err(|Ambiguous| Error::AmbiguousCredentials)?;
    let text = match sent {
        Sent::Nothing => return Err(Error::NoCredential),
        Sent::Unusable => return Err(Error::denied(Denial::Malformed)),
        Sent::Token(text) => text,
    };
    if !verify::is_operator_token(app, text) {
        return Ok(Anyone::ApiKey(verify::present(app, text)));
    }
    let (id, grants) = verify::operator(app, text).map_err(unavailable)?.ok_or(Error::denied(Denial::Unknown))?;
    Ok(Anyone::Operator(id, grants))
}

/// `/user`: the caller's own account, which a key reaches only with user management.
fn own_account<G: Needed>(app: &App, parts: &Parts) -> Result<OfAccount<G>, Error> {
    let token = match anyone(app, parts)? {
        Anyone::ApiKey(token) => token,
        Anyone::Operator(..) => {
            return Err(Error::Forbidden {
                reason: "user_management",
                detail: "An operator key has no account of its own: name the user, as in `/api/v1/users/{user_id}`."
                    .to_owned(),
                scope: None,
            });
        }
    };
    let ask = Ask { user_management: true, ..own_ask(token, parts) };
    let of = |decision: &Decision<'_>| decision.key.map(|key| (key.id(), key.user(), key.user_management()));
    let (id, user, user_management): (ApiKeyId, UserId, bool) = passed(app, &ask, of)?;
    let caller = Caller::ApiKey { id, user, user_management };
    let account = caller.account(user, G::GRANT).ok_or(Error::denied(Denial::UserManagement))?;
    Ok(OfAccount { caller, account, grant: PhantomData })
}

/// What is asked about a request to Portcullis itself.
pub(crate) fn own_ask(token: Presented, parts: &Parts) -> Ask {
    Ask { token, business: Concerned::None, permission: None, address: origin(parts).address, user_management: false }
}

/// Decides about a request to Portcullis itself: what `of` finds in the decision, if the request may pass.
pub(crate) fn passed<T>(app: &App, ask: &Ask, of: impl FnOnce(&Decision<'_>) -> Option<T>) -> Result<T, Error> {
    verify::check(app, ask, |decision| match decision.denial {
        Some(denial) => Err(Error::denied(denial)),
        None => of(decision).ok_or(Error::denied(Denial::Unknown)),
    })
    .map_err(unavailable)?
}

pub(crate) fn unavailable(error: NoMemory) -> Error {
    Error::Unavailable(error.to_string())
}
