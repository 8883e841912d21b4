//! Businesses.

use portcullis_core::id::BusinessId;
use portcullis_core::scope::{Account, Platform, Tenant};
use portcullis_core::time::Timestamp;

use super::{Edit, Slice, Store, StoreError, instant, millis, on, typed};

/// A tenant workspace.
#[derive(Debug, Clone)]
pub(crate) struct Business {
    pub id: BusinessId,
    pub name: String,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

const BY_ID: &str = "SELECT id, name, created_at, disabled_at FROM businesses WHERE id = $1";

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl TryFrom<Row> for Business {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: typed(&row.id)?,
            name: row.name,
            created_at: Timestamp::from_millis(row.created_at),
            disabled_at: instant(row.disabled_at),
        })
    }
}

impl Store {
    pub(crate) async fn business(&self, tenant: &Tenant) -> Result<Business, StoreError> {
        let id = tenant.business().to_string();
        let row: Row = on!(&self.reader, |db| sqlx::query_as(BY_ID).bind(id).fetch_one(db).await)?;
        row.try_into()
    }

    pub(crate) async fn businesses(&self, _proof: &Platform, slice: &Slice) -> Result<Vec<Business>, StoreError> {
        const SQL: &str = "SELECT id, name, created_at, disabled_at FROM businesses
            WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let rows: Vec<Row> =
            on!(&self.reader, |db| sqlx::query_as(SQL).bind(slice.before()).bind(slice.limit).fetch_all(db).await)?;
        rows.into_iter().map(Business::try_from).collect()
    }

    /// Those that a user is a member of.
    pub(crate) async fn businesses_of(&self, account: &Account, slice: &Slice) -> Result<Vec<Business>, StoreError> {
        const SQL: &str = "SELECT b.id, b.name, b.created_at, b.disabled_at FROM memberships m
            JOIN businesses b ON b.id = m.business_id
            WHERE m.user_id = $1 AND m.business_id < $2 ORDER BY m.business_id DESC LIMIT $3";
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL)
            .bind(account.user().to_string())
            .bind(slice.before())
            .bind(slice.limit)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(Business::try_from).collect()
    }
}

impl Edit {
    pub(crate) async fn insert_business(&mut self, founder: &Tenant, business: &Business) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO businesses (id, name, created_at, disabled_at) VALUES ($1, $2, $3, $4)";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(founder.business().to_string())
            .bind(&business.name)
            .bind(business.created_at.as_millis())
            .bind(millis(business.disabled_at))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn business(&mut self, tenant: &Tenant) -> Result<Business, StoreError> {
        let id = tenant.business().to_string();
        let row: Row = on!(&mut self.engine, |db| sqlx::query_as(BY_ID).bind(id).fetch_one(&mut **db).await)?;
        row.try_into()
    }

    /// Writes what of a business may change.
    pub(crate) async fn update_business(&mut self, tenant: &Tenant, business: &Business) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE businesses SET name = $2, disabled_at = $3 WHERE id = $1";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(tenant.business().to_string())
            .bind(&business.name)
            .bind(millis(business.disabled_at))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }
}
