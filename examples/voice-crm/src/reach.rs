//! Who asks, and the businesses whose rows they may touch.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use portcullis_tower::{BusinessId, Businesses, Decision, UserId};

use crate::gateway;
use crate::problem::Error;
use crate::resources::Resource;
use crate::{Crm, Front};

const X_BUSINESS_ID: &str = "x-business-id";

/// What a decision says of a request, whoever has asked for it.
pub(crate) struct Identity {
    pub(crate) user: UserId,
    /// The business that was asked about.
    pub(crate) business: Option<BusinessId>,
    pub(crate) businesses: Businesses,
    pub(crate) permissions: Vec<String>,
}

/// The businesses whose rows a request may touch. Only a decision makes one, and every statement about rows asks for it.
#[derive(Debug)]
pub(crate) struct Reach(Vec<BusinessId>);

/// The user whose account a request is about.
pub(crate) struct Owner(pub(crate) UserId);

impl Reach {
    /// As the statements bind it: a JSON list.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    pub(crate) fn businesses(&self) -> &[BusinessId] {
        &self.0
    }

    /// The business that something new belongs to, where only one can be meant.
    pub(crate) fn only(&self) -> Option<BusinessId> {
        if let [business] = self.0.as_slice() { Some(*business) } else { None }
    }

    /// For rows that the program makes itself.
    pub(crate) fn of_demo(business: BusinessId) -> Self {
        Self(vec![business])
    }
}

impl FromRequestParts<Arc<Crm>> for Reach {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, crm: &Arc<Crm>) -> Result<Self, Error> {
        let identity = identity(parts, crm)?;
        // The guard has asked for this permission. A gateway should have, and here it is made sure of.
        let resource = parts.extensions.get::<&'static Resource>().ok_or(Error::NotFound)?;
        let action = if matches!(parts.method, Method::GET | Method::HEAD) { "read" } else { "write" };
        let permission = format!("{}:{action}", resource.name);
        if !identity.permissions.contains(&permission) {
            return Err(Error::lacks(permission));
        }
        let mut businesses = match identity.businesses {
            Businesses::These(businesses) => businesses,
            // All businesses of the key's owner, which are not all businesses.
            Businesses::All(_) => crm.portcullis.businesses_of(identity.user).await.map_err(|_| Error::Unavailable)?,
        };
        if let Some(business) = identity.business {
            businesses.retain(|reached| *reached == business);
        }
        if let Some(named) = named_business(parts).map_err(Error::Invalid)? {
            businesses.retain(|reached| reached.to_string() == named);
            if businesses.is_empty() {
                return Err(Error::NotReached);
            }
        }
        businesses.sort_unstable();
        Ok(Self(businesses))
    }
}

impl FromRequestParts<Arc<Crm>> for Owner {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, crm: &Arc<Crm>) -> Result<Self, Error> {
        identity(parts, crm).map(|identity| Self(identity.user))
    }
}

/// The decision: the guard has left it in the extensions, or a gateway in the headers.
fn identity(parts: &Parts, crm: &Crm) -> Result<Identity, Error> {
    match &crm.front {
        Front::Gateway(addresses) => gateway::identity(parts, addresses),
        Front::Itself => {
            let decision = parts.extensions.get::<Decision>().ok_or(Error::Unavailable)?.clone();
            Ok(Identity {
                user: decision.user_id,
                business: decision.business_id,
                businesses: decision.businesses,
                permissions: decision.permissions,
            })
        }
    }
}

/// The business that a request names: in its path, in `X-Business-Id`, or in `?business_id=`. Where it names two, nothing is guessed.
pub(crate) fn named_business(parts: &Parts) -> Result<Option<String>, String> {
    let in_path = parts.uri.path().strip_prefix("/api/v1/business/").and_then(|rest| rest.split('/').next());
    let in_query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let in_query = in_query.filter(|(name, _)| name == "business_id").map(|(_, value)| value.into_owned());
    let in_headers = parts.headers.get_all(X_BUSINESS_ID).iter();
    let in_headers = in_headers.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut named = in_path.map(str::to_owned).into_iter().chain(in_query).chain(in_headers);
    let first = named.next();
    if named.any(|other| Some(&other) != first.as_ref()) {
        return Err("The request names two businesses: name one.".to_owned());
    }
    Ok(first)
}
