//! Who may do what in a business.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::Manages;
use portcullis_core::scope::{Caller, Need, Tenant};

use super::{Needed, anyone, operator_or_user, path_parameter};
use crate::app::App;
use crate::error::Error;
use crate::manage::businesses::Whose;
use crate::manage::{lacks, tenant};

/// What a person must be in the business, as a type that a handler's signature can name.
pub(crate) trait Needs: Send + Sync {
    const NEED: Need;
    /// Who that is, in words.
    const WHO: &'static str;
    /// Whether they need only be a member where it is about themselves.
    const OR_SELF: bool = false;
}

macro_rules! needs {
    ($($name:ident = $need:expr, $who:literal $(, $or_self:literal)?;)+) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Needs for $name {
            const NEED: Need = $need;
            const WHO: &'static str = $who;
            $(const OR_SELF: bool = $or_self;)?
        }
    )+};
}

needs! {
    AMember = Need::Member, "a member of the business";
    LooksAfterMembers = Need::Manages(Manages::Members), "a member whose role manages `members`";
    LooksAfterMembersOrSelf = Need::Manages(Manages::Members), "a member whose role manages `members`, or the member themselves", true;
    LooksAfterRoles = Need::Manages(Manages::Roles), "a member whose role manages `roles`";
    LooksAfterApiKeys = Need::Manages(Manages::ApiKeys), "a member whose role manages `api_keys`";
    LooksAfterAudit = Need::Manages(Manages::Audit), "a member whose role manages `audit`";
    LooksAfterAll = Need::Everything, "a member whose role manages everything";
    Platformer = Need::Platform, "a platform admin";
}

/// Somebody who may do something in the business of the path: an operator with the grant, or a person whose role there does.
pub(crate) struct OfBusiness<G, N> {
    pub(crate) caller: Caller,
    pub(crate) tenant: Tenant,
    needed: PhantomData<(G, N)>,
}

impl<G: Needed, N: Needs> FromRequestParts<Arc<App>> for OfBusiness<G, N> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let caller = operator_or_user(anyone(app, parts).await?)?;
        if !matches!(caller, Caller::User { .. }) && caller.platform(G::GRANT).is_none() {
            return Err(lacks(G::GRANT));
        }
        let business = path_parameter(parts, app, "business_id").await.unwrap_or_default();
        let business = business.parse().map_err(|_| Error::NotFound)?;
        let mut need = N::NEED;
        if let (true, Caller::User { id, .. }) = (N::OR_SELF, caller) {
            let about = path_parameter(parts, app, "user_id").await;
            if about.is_some_and(|about| about.parse() == Ok(id)) {
                need = Need::Member;
            }
        }
        let tenant = tenant(app, &caller, business, G::GRANT, need).await?;
        Ok(Self { caller, tenant, needed: PhantomData })
    }
}

/// Somebody who has businesses: an operator with the grant has all of them, a person those that they are a member of.
pub(crate) struct Proprietor<G> {
    pub(crate) caller: Caller,
    pub(crate) whose: Whose,
    grant: PhantomData<G>,
}

impl<G: Needed> FromRequestParts<Arc<App>> for Proprietor<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let caller = operator_or_user(anyone(app, parts).await?)?;
        let whose = match (caller.platform(G::GRANT), caller) {
            (Some(proof), _) => Whose::Everybodys(proof),
            (None, Caller::User { id, .. }) => {
                Whose::Members(caller.account(id, OperatorGrant::BusinessesRead).ok_or(Error::SignedOut)?)
            }
            (None, _) => return Err(lacks(G::GRANT)),
        };
        Ok(Self { caller, whose, grant: PhantomData })
    }
}
