//! Memberships: which user has which role in which business.

use portcullis_core::id::{BusinessId, RoleId, UserId};
use portcullis_core::permission::Catalogue;
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::{Account, Standing, Tenant};
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
    WHERE m.business_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";
const ONE: &str = "SELECT m.user_id, u.email, u.name, m.role_id, r.name AS role_name, m.created_at
    FROM memberships m JOIN users u ON u.id = m.user_id JOIN roles r ON r.id = m.role_id
    WHERE m.business_id = $1 AND m.user_id = $2";
const STANDING: &str = "SELECT m.role_id, r.permissions, r.manages, b.disabled_at IS NOT NULL FROM memberships m
    JOIN roles r ON r.id = m.role_id JOIN businesses b ON b.id = m.business_id
    WHERE m.business_id = $1 AND m.user_id = $2";

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

type StandingRow = (String, String, String, bool);

fn standing(
    (role, permissions, manages, business_disabled): StandingRow,
    user: UserId,
    business: BusinessId,
    catalogue: &Catalogue,
) -> Result<Standing, StoreError> {
    let role = typed(&role)?;
    let (permissions, manages) = match BuiltIn::from_id(role) {
        Some(built_in) => (built_in.permissions(catalogue), built_in.manages().to_vec()),
        None => (catalogue.set(&from_json::<Vec<String>>(&permissions)?), from_json(&manages)?),
    };
    Ok(Standing { user, business, role, permissions, manages, business_disabled })
}

impl Store {
    /// A page of a business's members, in the order of their ids: those after `after`.
    pub(crate) async fn members(&self, tenant: &Tenant, after: &str, limit: i64) -> Result<Vec<Member>, StoreError> {
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(OF_BUSINESS)
            .bind(tenant.business().to_string())
            .bind(after)
            .bind(limit)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(Member::try_from).collect()
    }

    pub(crate) async fn member(&self, tenant: &Tenant, user: UserId) -> Result<Option<Member>, StoreError> {
        let row: Option<Row> = on!(&self.reader, |db| sqlx::query_as(ONE)
            .bind(tenant.business().to_string())
            .bind(user.to_string())
            .fetch_optional(db)
            .await)?;
        row.map(Member::try_from).transpose()
    }

    /// What a user is in a business: what the proof that they may touch it is made from.
    pub(crate) async fn standing(
        &self,
        user: UserId,
        business: BusinessId,
        catalogue: &Catalogue,
    ) -> Result<Option<Standing>, StoreError> {
        let row: Option<StandingRow> = on!(&self.reader, |db| sqlx::query_as(STANDING)
            .bind(business.to_string())
            .bind(user.to_string())
            .fetch_optional(db)
            .await)?;
        row.map(|row| standing(row, user, business, catalogue)).transpose()
    }
}

impl Edit {
    pub(crate) async fn member(&mut self, tenant: &Tenant, user: UserId) -> Result<Option<Member>, StoreError> {
        let row: Option<Row> = on!(&mut self.engine, |db| sqlx::query_as(ONE)
            .bind(tenant.business().to_string())
            .bind(user.to_string())
            .fetch_optional(&mut **db)
            .await)?;
        row.map(Member::try_from).transpose()
    }

    /// Like [`Store::standing`], as this transaction has it.
    pub(crate) async fn standing(
        &mut self,
        user: UserId,
        business: BusinessId,
        catalogue: &Catalogue,
    ) -> Result<Option<Standing>, StoreError> {
        let row: Option<StandingRow> = on!(&mut self.engine, |db| sqlx::query_as(STANDING)
            .bind(business.to_string())
            .bind(user.to_string())
            .fetch_optional(&mut **db)
            .await)?;
        row.map(|row| standing(row, user, business, catalogue)).transpose()
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
        tenant: &Tenant,
        user: UserId,
        role: RoleId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO memberships (user_id, business_id, role_id, created_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_id, business_id) DO UPDATE SET role_id = excluded.role_id";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(user.to_string())
            .bind(tenant.business().to_string())
            .bind(role.to_string())
            .bind(now.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn delete_member(&mut self, tenant: &Tenant, user: UserId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM memberships WHERE user_id = $1 AND business_id = $2";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(user.to_string())
            .bind(tenant.business().to_string())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// How many members of a business have this role.
    pub(crate) async fn count_role(&mut self, tenant: &Tenant, role: RoleId) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM memberships WHERE business_id = $1 AND role_id = $2";
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL)
            .bind(tenant.business().to_string())
            .bind(role.to_string())
            .fetch_one(&mut **db)
            .await)?)
    }
}
