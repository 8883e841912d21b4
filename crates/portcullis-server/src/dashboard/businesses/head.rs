//! What stands above every page of a business, and where the visitor may go from there.

use portcullis_core::id::BusinessId;
use portcullis_core::operator::OperatorGrant;
use portcullis_core::role::Manages;
use portcullis_core::scope::{Need, Tenant};

use crate::app::App;
use crate::dashboard::frame::Visitor;
use crate::error::Error;
use crate::manage::businesses::Business;
use crate::manage::tenant;

/// See the module's own words. `head.html` shows it.
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) disabled: bool,
    pub(crate) here: &'static str,
    /// The parts that the visitor looks after.
    looks_after: Vec<Manages>,
}

impl Head {
    pub(crate) async fn new(
        app: &App,
        visitor: &Visitor,
        business: &Business,
        here: &'static str,
    ) -> Result<Self, Error> {
        let mut looks_after = Vec::new();
        for part in Manages::ALL {
            looks_after.extend(proof(app, visitor, business.id, Need::Manages(part)).await?.map(|_| part));
        }
        Ok(Self {
            id: business.id.to_string(),
            name: business.name.clone(),
            disabled: business.disabled_at.is_some(),
            here,
            looks_after,
        })
    }

    pub(crate) fn keys(&self) -> bool {
        self.looks_after.contains(&Manages::ApiKeys)
    }

    pub(crate) fn audit(&self) -> bool {
        self.looks_after.contains(&Manages::Audit)
    }

    pub(crate) fn members(&self) -> bool {
        self.looks_after.contains(&Manages::Members)
    }

    pub(crate) fn roles(&self) -> bool {
        self.looks_after.contains(&Manages::Roles)
    }

    pub(crate) const fn all(&self) -> bool {
        self.looks_after.len() == Manages::ALL.len()
    }
}

/// The proof that a part of a page asks for; `None` where the visitor may not.
pub(crate) async fn proof(
    app: &App,
    visitor: &Visitor,
    business: BusinessId,
    need: Need,
) -> Result<Option<Tenant>, Error> {
    match tenant(app, &visitor.caller, business, OperatorGrant::BusinessesRead, need).await {
        Ok(tenant) => Ok(Some(tenant)),
        Err(Error::Forbidden { .. } | Error::Denied { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
