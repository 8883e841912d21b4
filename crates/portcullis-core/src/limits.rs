//! How much may be asked for in a time: what an operator sets for a key, a business or a user.

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, BusinessId, FamilyId, NotAnId, UserId};
use crate::window::Window;

/// The greatest limit of a window.
pub const MOST_IN_A_WINDOW: u32 = 100_000_000;
/// The longest window: 30 days.
pub const LONGEST_WINDOW_SECONDS: u32 = 2_592_000;
/// The greatest quota.
pub const MOST_IN_A_QUOTA: u32 = 1_000_000_000;
/// The most named limits of one subject.
pub const MOST_LIMITS: usize = 8;
/// The most that one request can cost.
pub const MOST_COST: u32 = 1_000;

/// What is limited, or counted: a limit of keys is their family's, so that rotating is no way around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    ApiKey(ApiKeyId),
    Family(FamilyId),
    User(UserId),
    Business(BusinessId),
}

impl Subject {
    /// A number that stays the same for as long as files with it are read.
    pub const fn kind(self) -> u32 {
        match self {
            Self::ApiKey(_) => 1,
            Self::Family(_) => 2,
            Self::User(_) => 3,
            Self::Business(_) => 4,
        }
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        match self {
            Self::ApiKey(id) => id.as_bytes(),
            Self::Family(id) => id.as_bytes(),
            Self::User(id) => id.as_bytes(),
            Self::Business(id) => id.as_bytes(),
        }
    }

    pub const fn from_parts(kind: u32, bytes: [u8; 16]) -> Option<Self> {
        match kind {
            1 => Some(Self::ApiKey(ApiKeyId::from_bytes(bytes))),
            2 => Some(Self::Family(FamilyId::from_bytes(bytes))),
            3 => Some(Self::User(UserId::from_bytes(bytes))),
            4 => Some(Self::Business(BusinessId::from_bytes(bytes))),
            _ => None,
        }
    }

    /// A number that spreads subjects evenly: the tail of a UUIDv7 is random, but for its first two bits.
    pub fn spread(&self) -> u64 {
        self.as_bytes().last_chunk().map_or(0, |tail| u64::from_le_bytes(*tail))
    }
}

impl AsRef<[u8; 16]> for Subject {
    fn as_ref(&self) -> &[u8; 16] {
        self.as_bytes()
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ApiKey(id) => id.fmt(out),
            Self::Family(id) => id.fmt(out),
            Self::User(id) => id.fmt(out),
            Self::Business(id) => id.fmt(out),
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (key, family, user) =
            (text.parse().map(Self::ApiKey), text.parse().map(Self::Family), text.parse().map(Self::User));
        key.or(family).or(user).or_else(|_| text.parse().map(Self::Business))
    }
}

/// The two windows that every key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub per_minute: u32,
    pub per_second: u32,
}

impl Rate {
    pub const fn windows(self) -> [Window; 2] {
        [Window { limit: self.per_minute, millis: 60_000 }, Window { limit: self.per_second, millis: 1_000 }]
    }
}

/// A window with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedLimit {
    pub name: String,
    pub limit: u32,
    pub window_seconds: u32,
}

impl NamedLimit {
    pub const fn window(&self) -> Window {
        // The longest window in milliseconds fits.
        Window { limit: self.limit, millis: self.window_seconds.saturating_mul(1_000) }
    }
}

/// So many calls in each day, in each month (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quotas {
    pub per_day: Option<u32>,
    pub per_month: Option<u32>,
}

/// The time that a quota is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    Day,
    Month,
}

impl Period {
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl Quotas {
    pub const fn of(self, period: Period) -> Option<u32> {
        match period {
            Period::Day => self.per_day,
            Period::Month => self.per_month,
        }
    }

    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// All that is set for one subject. Where a key's family has no rate of its own, it has the server's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    pub rate: Option<Rate>,
    pub named: Vec<NamedLimit>,
    pub quotas: Quotas,
}

impl Limits {
    /// Whether nothing is set, so that there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_comes_back_from_its_parts_and_its_text() {
        for subject in [
            Subject::ApiKey(ApiKeyId::from_bytes([1; 16])),
            Subject::Family(FamilyId::from_bytes([2; 16])),
            Subject::User(UserId::from_bytes([3; 16])),
            Subject::Business(BusinessId::from_bytes([4; 16])),
        ] {
            assert_eq!(Subject::from_parts(subject.kind(), *subject.as_bytes()), Some(subject));
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        assert_eq!(Subject::from_parts(0, [1; 16]), None);
        assert!("op_01m7xnw6qyew994zaseps0nyp6".parse::<Subject>().is_err());
    }
}
