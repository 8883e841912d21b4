//! From a request to the guarded API to what is asked about it, by the rules of a gate.

use std::borrow::Cow;
use std::net::IpAddr;

use portcullis_core::decision::{Ask, Concerned, Presented};
use portcullis_core::gate::{BusinessFrom, Found, Gate, Needs, Unruled};
use portcullis_core::path::{self, Ambiguous};

/// A request with the rule that it falls under, or with why there is none.
#[derive(Debug)]
pub(crate) struct Ruled<'a> {
    method: &'a str,
    place: Result<(Found<'a>, Cow<'a, str>), Unruled>,
}

/// Why the business that is named beside a request is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misnamed<'a> {
    #[error("must be what the request's header `{header}` says")]
    Missing { header: &'a str },
    #[error("must be left out: the rule takes no business from a header")]
    Unwanted,
}

impl<'a> Ruled<'a> {
    /// The target is a path and perhaps a query, as the client sent it.
    pub(crate) fn of(gate: &'a Gate, method: &'a str, target: &'a [u8]) -> Self {
        let place = || {
            let target = std::str::from_utf8(target).map_err(|_| Ambiguous::Character)?;
            let path = path::normalise(target)?;
            Ok((gate.rule(method, &path)?, path))
        };
        Self { method, place: place() }
    }

    /// Whether it may pass without a key.
    pub(crate) fn needs_nothing(&self) -> bool {
        matches!(&self.place, Ok((found, _)) if found.rule.needs == Needs::Nothing)
    }

    /// The business that is named beside the request, which must be there where the rule takes it from a header, and nowhere else.
    pub(crate) fn named<'n>(&self, named: Option<&'n str>) -> Result<Option<&'n str>, Misnamed<'a>> {
        match (self.business_header(), named) {
            (Some(header), None) => Err(Misnamed::Missing { header }),
            (None, Some(_)) => Err(Misnamed::Unwanted),
            (_, named) => Ok(named),
        }
    }

    /// The header that must name the business.
    pub(crate) fn business_header(&self) -> Option<&'a str> {
        match &self.place {
            Ok((Found { rule, .. }, _)) => match &rule.business {
                BusinessFrom::Header(name) => Some(name),
                BusinessFrom::None | BusinessFrom::Segment(_) => None,
            },
            Err(_) => None,
        }
    }

    /// What is asked, of one who brought this token, and whose header named this business.
    pub(crate) fn ask(&self, token: Presented, address: Option<IpAddr>, named: Option<&str>) -> Ask {
        let mut ask = Ask { address, ..Ask::about(token) };
        match &self.place {
            Ok((found, path)) => {
                let named = found.business_in(path).or(named);
                ask.business = named.map_or(Concerned::None, concerned);
                ask.permission = found.rule.permission(self.method);
                ask.user_management = found.needs_user_management(path);
            }
            Err(unruled) => ask.unruled = Some(*unruled),
        }
        ask
    }
}

/// The business of this id. What is no id is one that does not exist.
pub(crate) fn concerned(text: &str) -> Concerned {
    text.parse().map_or(Concerned::Nonexistent, Concerned::One)
}
