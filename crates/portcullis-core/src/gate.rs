//! Gates: which permission a request needs and which business it concerns, told from its method and its path.
//!
//! A gate is a list of rules in order; the first whose methods and pattern fit is the one, and what fits none is denied. Two things
//! keep a request from a rule that is weaker than the one that was meant for it: a path that could be read in two ways is not read
//! at all ([`path::normalise`]), and a path that an earlier rule would fit if case did not matter is not left to a later one, since
//! the API behind may well be one that does not tell case.

mod pattern;
#[cfg(test)]
mod tests;

use crate::path;
use crate::permission::{Action, Permission};

pub use pattern::{Fit, NotAPattern, Pattern};

/// A named list of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub name: String,
    pub rules: Vec<Rule>,
}

/// What requests of some methods to some paths need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub methods: Methods,
    pub pattern: Pattern,
    pub needs: Needs,
    pub business: BusinessFrom,
}

/// Methods are compared as they stand: `get` is not `GET`. Only `HEAD` goes with `GET`, since servers answer it by the same code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    Any,
    These(Vec<String>),
}

/// What a request needs to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Not even a key.
    Nothing,
    LiveKey,
    UserManagement,
    Permission(Permission),
    /// The permission that the method tells.
    ByMethod {
        read: Permission,
        write: Permission,
    },
}

/// Where the business of a request is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusinessFrom {
    None,
    /// In the segment of the path with this number, from 0.
    Segment(usize),
    /// In the header of this name, which must be there.
    Header(String),
}

/// The rule that a request falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'g> {
    /// Its place among the rules, from 1.
    pub number: usize,
    pub rule: &'g Rule,
}

/// Why a request falls under no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unruled {
    #[error("{0}")]
    Path(#[from] path::Ambiguous),
    #[error("rule {0} would fit if upper and lower case were the same, and the API behind may think so")]
    Case(usize),
    #[error("no rule fits the method and the path")]
    NoRule,
}

impl Gate {
    /// The rule for a request to this path, which is [normalised](path::normalise) already.
    pub fn rule(&self, method: &str, path: &str) -> Result<Found<'_>, Unruled> {
        for (number, rule) in (1..).zip(&self.rules) {
            if !rule.methods.contain(method) {
                continue;
            }
            match rule.pattern.fit(path) {
                Fit::Yes => return Ok(Found { number, rule }),
                Fit::InOtherCase => return Err(Unruled::Case(number)),
                Fit::No => {}
            }
        }
        Err(Unruled::NoRule)
    }

    /// Rules that can never be the first to fit, each with the earlier one that takes everything from it.
    pub fn shadowed(&self) -> impl Iterator<Item = (usize, usize)> {
        (1..).zip(&self.rules).filter_map(|(number, rule)| {
            let mut earlier = (1..).zip(&self.rules).take(number - 1);
            let covers = |other: &Rule| other.methods.include(&rule.methods) && other.pattern.covers(&rule.pattern);
            earlier.find(|(_, other)| covers(other)).map(|(by, _)| (number, by))
        })
    }
}

/// A path here or below is about the key's owner, and needs user management.
const OWN_ACCOUNT: &str = "/api/v1/user";

/// Whether a normalised path is about the account of the key's owner.
pub fn is_own_account(path: &str) -> bool {
    path::is_at_or_below(path, OWN_ACCOUNT)
}

impl Found<'_> {
    /// Whether the request needs user management: where the rule says so, and wherever it is about the owner's account.
    pub fn needs_user_management(&self, path: &str) -> bool {
        self.rule.needs == Needs::UserManagement || is_own_account(path)
    }

    /// What the path has in the place where the rule looks for a business.
    pub fn business_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.rule.business {
            BusinessFrom::Segment(number) => pattern::segments(path).nth(number),
            BusinessFrom::None | BusinessFrom::Header(_) => None,
        }
    }
}

impl Rule {
    /// The permission that a request of this method needs.
    pub fn permission(&self, method: &str) -> Option<Permission> {
        match self.needs {
            Needs::Nothing | Needs::LiveKey | Needs::UserManagement => None,
            Needs::Permission(permission) => Some(permission),
            Needs::ByMethod { read, write } => Some(match Action::of_method(method) {
                Action::Read => read,
                Action::Write => write,
            }),
        }
    }
}

impl Methods {
    pub fn contain(&self, method: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(methods) => methods.iter().any(|one| one == method || (one == "GET" && method == "HEAD")),
        }
    }

    fn include(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::These(_), Self::Any) => false,
            (Self::These(_), Self::These(methods)) => methods.iter().all(|method| self.contain(method)),
        }
    }
}
