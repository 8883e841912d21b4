//! Who calls: from a request's one credential to a [`Caller`] and the proofs that the functions of `manage` ask for.
//!
//! A handler names in its arguments who may call it, and so cannot forget to ask.

mod announced;
mod business;
pub(crate) mod cookie;
mod knock;
mod oauth;
mod origin;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::HeaderName;
use http::request::Parts;
use portcullis_core::audit::Actor;
use portcullis_core::decision::{Ask, Decision, Denial, Presented};
use portcullis_core::id::{ApiKeyId, OperatorKeyId, SessionId, UserId};
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::{Account, Caller, Peers, Platform};

use crate::app::App;
use crate::error::Error;
use crate::manage::sessions::{self, Session};
use crate::manage::{lacks, not_an_operator};
use crate::metrics::Surface;
use crate::verify::credentials::{self, Ambiguous, Sent};
use crate::verify::limiter::Charge;
use crate::verify::{self, NoDecision, Question};
pub(crate) use announced::{Announced, put_limits};
pub(crate) use business::{
    AMember, LooksAfterAll, LooksAfterApiKeys, LooksAfterAudit, LooksAfterMembers, LooksAfterMembersOrSelf,
    LooksAfterRoles, Needs, OfBusiness, Platformer, Proprietor,
};
pub(crate) use knock::Knock;
pub(crate) use oauth::{OAuthClient, is_basic};
pub(crate) use origin::{Client, FORWARDED_FOR, From, check_not_from_elsewhere, check_same_site, origin, way};

/// What a page of the dashboard says when it asks without anybody's doing.
const BY_ITSELF: HeaderName = HeaderName::from_static("x-portcullis-by-itself");

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

needed!(KeysVerify, KeysRead, KeysWrite, UsersRead, UsersWrite, BusinessesRead, BusinessesWrite, UsageRead, AuditRead);

/// An operator key that has the grant, or a platform admin.
pub(crate) struct Operator<G> {
    pub(crate) caller: Caller,
    pub(crate) proof: Platform,
    grant: PhantomData<G>,
}

/// Any operator key, for what is bounded by its own grants; or a platform admin.
pub(crate) struct AnyOperator {
    pub(crate) caller: Caller,
    pub(crate) proof: Peers,
}

/// Somebody who may touch one user's account: an operator with the grant, for the user of the path; or a person who signed in
/// or an API key with user management, for their own, where the path names no user.
pub(crate) struct OfAccount<G> {
    pub(crate) caller: Caller,
    pub(crate) account: Account,
    grant: PhantomData<G>,
}

impl<G: Needed> Operator<G> {
    /// The account of any user, as far as the grant goes.
    pub(crate) fn account(&self, user: UserId) -> Result<Account, Error> {
        self.caller.account(user, G::GRANT).ok_or_else(|| lacks(G::GRANT))
    }
}

impl<G> OfAccount<G> {
    /// The session that asks, where it is one.
    pub(crate) const fn session(&self) -> Option<SessionId> {
        match self.caller {
            Caller::User { session, .. } => Some(session),
            _ => None,
        }
    }
}

/// A person who signed in, and nobody else.
pub(crate) struct SignedIn {
    pub(crate) caller: Caller,
    pub(crate) account: Account,
    pub(crate) session: Session,
}

/// Any good credential.
pub(crate) enum Anyone {
    Operator(OperatorKeyId, OperatorGrants),
    /// The token of an API key, which the decision will look at.
    ApiKey(Presented),
    User(Box<Session>),
}

impl FromRequestParts<Arc<App>> for AnyOperator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let caller = operator_or_user(anyone(app, parts).await?)?;
        let proof = caller.peers().ok_or_else(not_an_operator)?;
        Ok(Self { caller, proof })
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
        let Some(user) = path_parameter(parts, app, "user_id").await else {
            return own_account(app, parts).await;
        };
        let caller = operator_or_user(anyone(app, parts).await?)?;
        let user = user.parse().map_err(|_| Error::NotFound);
        // To a person, another's account is not there; an operator key without the grant is told so, whoever is named.
        let refused = || if matches!(caller, Caller::User { .. }) { Error::NotFound } else { lacks(G::GRANT) };
        if caller.peers().is_some_and(|peers| !peers.grants().contains(G::GRANT)) {
            return Err(refused());
        }
        let account = caller.account(user?, G::GRANT).ok_or_else(refused)?;
        Ok(Self { caller, account, grant: PhantomData })
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let session = match anyone(app, parts).await? {
            Anyone::User(session) => session,
            Anyone::Operator(..) => return Err(not_a_person()),
            Anyone::ApiKey(token) => {
                passed(app, parts, &own_ask(token, parts), |_| Some(())).await?;
                return Err(not_a_person());
            }
        };
        let caller = session.caller();
        let account = caller.account(session.user, OperatorGrant::UsersWrite).ok_or(Error::SignedOut)?;
        Ok(Self { caller, account, session: *session })
    }
}

impl FromRequestParts<Arc<App>> for Anyone {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        anyone(app, parts).await
    }
}

/// Whoever calls, among those who may call the management API as a whole.
fn operator_or_user(anyone: Anyone) -> Result<Caller, Error> {
    match anyone {
        Anyone::Operator(id, grants) => Ok(Caller::Operator { id, grants }),
        Anyone::User(session) => Ok(session.caller()),
        // A customer's key on the platform's own paths is told no more than a made-up one.
        Anyone::ApiKey(Presented::WellFormed(_)) => Err(Error::denied(Denial::Unknown)),
        Anyone::ApiKey(Presented::Malformed) => Err(Error::denied(Denial::Malformed)),
    }
}

fn not_a_person() -> Error {
    let detail = "This is for a person who signed in: a key has no password and no session.".to_owned();
    Error::Forbidden { reason: "session", detail, scope: None }
}

async fn path_parameter(parts: &mut Parts, app: &Arc<App>, wanted: &str) -> Option<String> {
    let named = RawPathParams::from_request_parts(parts, app).await.ok()?;
    named.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.to_owned())
}

/// The id of this name in the path. What is no id is nothing that could be found.
pub(crate) fn path_id_of<T: std::str::FromStr>(path: &RawPathParams, wanted: &str) -> Result<T, Error> {
    path.iter().find(|(name, _)| *name == wanted).and_then(|(_, text)| text.parse().ok()).ok_or(Error::NotFound)
}

async fn anyone(app: &App, parts: &Parts) -> Result<Anyone, Error> {
    let sent = credentials::sent(&parts.headers).map_err(|Ambiguous| Error::AmbiguousCredentials)?;
    let text = match sent {
        Sent::Nothing => return Err(Error::NoCredential),
        Sent::Unusable => return Err(Error::denied(Denial::Malformed)),
        Sent::Token(text) => text,
        // A session is read from the database, and the room for that is on the heap: keys would carry it along.
        Sent::Session(token) => return Box::pin(by_session(app, parts, token)).await,
    };
    if !verify::is_operator_token(app, text) {
        let presented = verify::present(app, text);
        Knock::is_with(parts, presented);
        return Ok(Anyone::ApiKey(presented));
    }
    let (id, grants) = verify::operator(app, text).await.map_err(unavailable)?.ok_or(Error::denied(Denial::Unknown))?;
    Knock::is_by(parts, Actor::OperatorKey(id));
    Ok(Anyone::Operator(id, grants))
}

async fn by_session(app: &App, parts: &Parts, token: &str) -> Result<Anyone, Error> {
    let session = sessions::find(app, token).await?;
    Knock::is_by(parts, Actor::User(session.user));
    check_same_site(app, parts)?;
    // A page that asks by itself whether anything has changed does not keep an abandoned session alive.
    if parts.headers.contains_key(BY_ITSELF) {
        sessions::check(app, &session, app.clock.now())?;
    } else {
        sessions::go_on(app, &session).await?;
    }
    Ok(Anyone::User(Box::new(session)))
}

/// `/user`: the caller's own account, which a key reaches only with user management.
async fn own_account<G: Needed>(app: &App, parts: &Parts) -> Result<OfAccount<G>, Error> {
    let token = match anyone(app, parts).await? {
        Anyone::ApiKey(token) => token,
        Anyone::User(session) => {
            let caller = session.caller();
            let account = caller.account(session.user, G::GRANT).ok_or(Error::SignedOut)?;
            return Ok(OfAccount { caller, account, grant: PhantomData });
        }
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
    let (id, user, user_management): (ApiKeyId, UserId, bool) = passed(app, parts, &ask, of).await?;
    let caller = Caller::ApiKey { id, user, user_management };
    let account = caller.account(user, G::GRANT).ok_or(Error::denied(Denial::UserManagement))?;
    Ok(OfAccount { caller, account, grant: PhantomData })
}

/// What is asked about a request to Portcullis itself.
pub(crate) fn own_ask(token: Presented, parts: &Parts) -> Ask {
    Ask { address: origin(&parts.extensions).address, ..Ask::about(token) }
}

/// Decides about a request to Portcullis itself: what `of` finds in the decision, if the request may pass.
pub(crate) async fn passed<T: Send>(
    app: &App,
    parts: &Parts,
    ask: &Ask,
    of: impl FnOnce(&Decision<'_>) -> Option<T> + Send,
) -> Result<T, Error> {
    let question = Question {
        ask: *ask,
        surface: Surface::Own,
        charge: Charge::Cost(1),
        at: app.clock.now(),
        from_primary: false,
    };
    verify::check(app, &question, |decided| {
        Announced::put(parts, |values| put_limits(app, decided, values));
        match decided.decision.denial {
            Some(denial) => Err(Error::denied(denial)),
            None => of(decided.decision).ok_or(Error::denied(Denial::Unknown)),
        }
    })
    .await
    .map_err(unavailable)?
}

#[expect(clippy::needless_pass_by_value, reason = "it is what becomes of an error")]
pub(crate) fn unavailable(error: NoDecision) -> Error {
    Error::Unavailable(error.to_string())
}
