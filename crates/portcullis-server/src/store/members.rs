//! Memberships: which user has which role in which business.

use portcullis_core::id::{BusinessId, RoleId, UserId};
use portcullis_core::scope::{Account, Platform};
use portcullis_core::time::Timestamp;

use super::{Edit, Store, StoreError, from_json, on, typed};

/// A member, with the names that a list shows.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub role: RoleId,
    pub role_name: String,
    pub created_at: Timestamp,
}

/// What a user is in one business, as an edit must know it before it grants something.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub business: BusinessId,
    pub role: RoleId,
    /// What a custom role allows; empty for a built-in one.
    pub role_permissions: Vec<String>,
}

const OF_BUSINESS: &str = "SELECT m.user_id, u.email, u.name, m.role_id, r.name AS role_name, m.created_at
    FROM memberships m JOIN users u ON u.id = m.user_id JOIN roles r ON r.id = m.role_id
    WHERE m.business_id = $1 AND ($2 IS NULL OR m.user_id = $2) ORDER BY m.user_id";

#[derive(sqlx::FromRow)]
struct Row {
    user_id: String,
    email: String,
    name: String,
    role_id: String,
    role_name: String,
    created_at: i64,
}

impl TryFrom<Row> for Member {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            user: typed(&row.user_id)?,
            email: row.email,
            name: row.name,
            role: typed(&row.role_id)?,
            role_name: row.role_name,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

impl Store {
    pub(crate) async fn members(&self, _proof: &Platform, business: BusinessId) -> Result<Vec<Member>, StoreError> {
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(OF_BUSINESS)
            .bind(business.to_string())
            .bind(None::<String>)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(Member::try_from).collect()
    }
}

impl Edit {
    pub(crate) async fn member(
        &mut self,
        _proof: &Platform,
        business: BusinessId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        let row: Option<Row> = on!(&mut self.engine, |db| sqlx::query_as(OF_BUSINESS)
            .bind(business.to_string())
            .bind(user.to_string())
            .fetch_optional(&mut **db)
            .await)?;
        row.map(Member::try_from).transpose()
    }

    /// Everything that this user is a member of.
    pub(crate) async fn memberships(&mut self, account: &Account) -> Result<Vec<Membership>, StoreError> {
        const SQL: &str = "SELECT m.business_id, m.role_id, r.permissions FROM memberships m
            JOIN roles r ON r.id = m.role_id WHERE m.user_id = $1 ORDER BY m.business_id";
        let rows: Vec<(String, String, String)> = on!(&mut self.engine, |db| sqlx::query_as(SQL)
            .bind(account.user().to_string())
            .fetch_all(&mut **db)
            .await)?;
        rows.into_iter()
            .map(|(business, role, permissions)| {
                Ok(Membership {
                    business: typed(&business)?,
                    role: typed(&role)?,
                    role_permissions: from_json(&permissions)?,
                })
            })
            .collect()
    }

    pub(crate) async fn put_member(
        &mut self,
        _proof: &Platform,
        business: BusinessId,
        user: UserId,
        role: RoleId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO memberships (user_id, business_id, role_id, created_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_id, business_id) DO UPDATE SET role_id = excluded.role_id";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(user.to_string())
            .bind(business.to_string())
            .bind(role.to_string())
            .bind(now.as_millis())
            .execute(&mut **db)
            .await)?;
        Ok(())
    }

    pub(crate) async fn delete_member(
        &mut self,
        _proof: &Platform,
        business: BusinessId,
        user: UserId,
    ) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM memberships WHERE user_id = $1 AND business_id = $2";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(user.to_string())
            .bind(business.to_string())
            .execute(&mut **db)
            .await)?;
        Ok(())
    }

    /// How many members of a business have this role.
    pub(crate) async fn count_role(
        &mut self,
        _proof: &Platform,
        business: BusinessId,
        role: RoleId,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM memberships WHERE business_id = $1 AND role_id = $2";
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL)
            .bind(business.to_string())
            .bind(role.to_string())
            .fetch_one(&mut **db)
            .await)?)
    }
}
