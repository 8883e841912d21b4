//! Lists of API keys. A page looks at a bounded number of rows, so that it costs the same in a list of a thousand and of a million:
//! where a filter passes few of them, a page is short, and its cursor goes on from the last row that was looked at.

use portcullis_core::id::BusinessId;
use portcullis_core::scope::{Account, Tenant};
use portcullis_core::time::Timestamp;

use super::api_keys::{ApiKey, Row, Status};
use super::{Slice, Store, StoreError, on};

/// How many rows a page looks at, at most.
const LOOKED_AT: i64 = 1_000;

/// Keys of one status, or those that live no more for one reason or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Are(Status),
    Ended,
}

impl Listed {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let of = |status: &Status| status.name() == name;
        if name == ENDED { Some(Self::Ended) } else { Status::ALL.into_iter().find(of).map(Self::Are) }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Are(status) => status.name(),
            Self::Ended => ENDED,
        }
    }
}

const ENDED: &str = "ended";

/// Which keys a list shows; what is `None` does not narrow it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyFilter {
    pub status: Option<Listed>,
    /// Keys that reach this business: restricted to it among others, or unrestricted.
    pub business: Option<BusinessId>,
    /// Keys of this owner.
    pub user: Option<String>,
    /// A part of the name, in any case.
    pub name: Option<String>,
}

/// The keys of a page, and where the next one begins if more rows are left to look at.
pub(crate) struct KeyPage {
    pub keys: Vec<ApiKey>,
    pub looked_until: Option<String>,
}

/// Of a user's keys, those of `$which` index, newest first from `$2`: the first `LOOKED_AT`, and of them what fits the filter.
macro_rules! of_user {
    ($which:literal) => {
        (
            concat!(
                "SELECT * FROM (SELECT * FROM api_keys WHERE user_id = $1 AND id < $2 ",
                $which,
                " ORDER BY id DESC LIMIT $8) AS looked_at
                WHERE ($3 = '' OR $3 = CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                    WHEN expires_at <= $4 THEN 'expired' ELSE 'active' END
                    OR ($3 = 'ended' AND (revoked_at IS NOT NULL OR expires_at <= $4)))
                AND ($5 = '' OR unrestricted OR EXISTS
                    (SELECT 1 FROM api_key_businesses b WHERE b.key_id = looked_at.id AND b.business_id = $5))
                AND ($6 = '' OR name_folded LIKE $6 ESCAPE '\\')
                ORDER BY id DESC LIMIT $7"
            ),
            concat!(
                "SELECT COUNT(*), COALESCE(MIN(id), '') FROM (SELECT id FROM api_keys WHERE user_id = $1 AND id < $2 ",
                $which,
                " ORDER BY id DESC LIMIT $3) AS looked_at"
            ),
        )
    };
}

/// The ids of keys that reach a business: those restricted to it, and of each member the newest unrestricted ones.
macro_rules! reaching {
    () => {
        "SELECT id FROM (
        SELECT id FROM (SELECT key_id AS id FROM api_key_businesses WHERE business_id = $1 AND key_id < $2
            ORDER BY key_id DESC LIMIT $3) AS restricted
        UNION ALL
        SELECT k.id FROM memberships m JOIN api_keys k ON k.user_id = m.user_id AND k.unrestricted AND k.id < $2
            AND k.id >= COALESCE((SELECT newest.id FROM api_keys newest WHERE newest.user_id = m.user_id
                AND newest.unrestricted AND newest.id < $2 ORDER BY newest.id DESC LIMIT 1 OFFSET $3), '')
            WHERE m.business_id = $1
        ) AS reaching ORDER BY id DESC LIMIT $3"
    };
}

/// Of the keys that reach a business, those that fit the filter. The owner of a restricted key may have left.
const OF_BUSINESS: &str = concat!(
    "SELECT * FROM api_keys k WHERE k.id IN (",
    reaching!(),
    ") AND EXISTS (SELECT 1 FROM memberships m WHERE m.business_id = $1 AND m.user_id = k.user_id)
    AND ($4 = '' OR $4 = CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN expires_at <= $5 THEN 'expired' ELSE 'active' END
        OR ($4 = 'ended' AND (revoked_at IS NOT NULL OR expires_at <= $5)))
    AND ($6 = '' OR k.user_id = $6) AND ($7 = '' OR name_folded LIKE $7 ESCAPE '\\')
    ORDER BY k.id DESC LIMIT $8"
);
const OF_BUSINESS_LOOKED_AT: &str =
    concat!("SELECT COUNT(*), COALESCE(MIN(id), '') FROM (", reaching!(), ") AS looked_at");

impl KeyFilter {
    fn status(&self) -> &'static str {
        self.status.map_or("", Listed::name)
    }

    /// The pattern that finds the name's part, whose own signs of a pattern mean themselves.
    fn pattern(&self) -> String {
        let Some(part) = &self.name else { return String::new() };
        let mut pattern = String::from("%");
        for letter in part.to_lowercase().chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "%"
    }
}

impl Store {
    /// A page of a user's keys, newest first.
    pub(crate) async fn api_keys(
        &self,
        account: &Account,
        filter: &KeyFilter,
        now: Timestamp,
        slice: &Slice,
    ) -> Result<KeyPage, StoreError> {
        let (page, looked_at) = match filter.status {
            None | Some(Listed::Ended) => of_user!(""),
            Some(Listed::Are(Status::Revoked)) => of_user!("AND revoked_at IS NOT NULL"),
            Some(Listed::Are(Status::Active | Status::Expired)) => of_user!("AND revoked_at IS NULL"),
        };
        let user = account.user().to_string();
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(page)
            .bind(&user)
            .bind(slice.before())
            .bind(filter.status())
            .bind(now.as_millis())
            .bind(filter.business.map(|id| id.to_string()).unwrap_or_default())
            .bind(filter.pattern())
            .bind(slice.limit)
            .bind(LOOKED_AT)
            .fetch_all(db)
            .await)?;
        self.looked_at(looked_at, &user, rows, slice).await
    }

    /// A page of the keys that reach a business, newest first.
    pub(crate) async fn api_keys_of_business(
        &self,
        tenant: &Tenant,
        filter: &KeyFilter,
        now: Timestamp,
        slice: &Slice,
    ) -> Result<KeyPage, StoreError> {
        let business = tenant.business().to_string();
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(OF_BUSINESS)
            .bind(&business)
            .bind(slice.before())
            .bind(LOOKED_AT)
            .bind(filter.status())
            .bind(now.as_millis())
            .bind(filter.user.clone().unwrap_or_default())
            .bind(filter.pattern())
            .bind(slice.limit)
            .fetch_all(db)
            .await)?;
        self.looked_at(OF_BUSINESS_LOOKED_AT, &business, rows, slice).await
    }

    /// The page of these rows; where they are fewer than were asked for, the query says how far was looked.
    async fn looked_at(
        &self,
        how_far: &'static str,
        of: &str,
        rows: Vec<Row>,
        slice: &Slice,
    ) -> Result<KeyPage, StoreError> {
        let mut looked_until = None;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < slice.limit {
            let (count, last): (i64, String) = on!(&self.reader, |db| sqlx::query_as(how_far)
                .bind(of)
                .bind(slice.before())
                .bind(LOOKED_AT)
                .fetch_one(db)
                .await)?;
            looked_until = (count == LOOKED_AT).then_some(last);
        }
        Ok(KeyPage { keys: self.with_businesses(rows).await?, looked_until })
    }
}
