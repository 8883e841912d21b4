//! Roles: the built-in ones, which every business has, and those that it made.

use portcullis_core::id::RoleId;
use portcullis_core::permission::{Catalogue, PermissionSet};
use portcullis_core::role::{BuiltIn, Manages};
use portcullis_core::scope::Tenant;

use super::{Edit, Store, StoreError, from_json, on, to_json, typed};

/// A role that a business has: a built-in one, or one of its own.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub id: RoleId,
    pub name: String,
    pub built_in: Option<BuiltIn>,
    /// Names of the catalogue; empty for a built-in role, which follows the catalogue.
    pub permissions: Vec<String>,
    pub manages: Vec<Manages>,
}

impl Role {
    /// What the role allows today.
    pub(crate) fn allows(&self, catalogue: &Catalogue) -> PermissionSet {
        self.built_in.map_or_else(|| catalogue.set(&self.permissions), |role| role.permissions(catalogue))
    }

    /// What the role looks after.
    pub(crate) fn looks_after(&self) -> &[Manages] {
        match self.built_in {
            Some(role) => role.manages(),
            None => &self.manages,
        }
    }
}

const OF_BUSINESS: &str = "SELECT id, name, permissions, manages FROM roles
    WHERE business_id IS NULL OR business_id = $1 ORDER BY id";
const ONE: &str = "SELECT id, name, permissions, manages FROM roles
    WHERE (business_id IS NULL OR business_id = $1) AND id = $2";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    name: String,
    permissions: String,
    manages: String,
}

impl TryFrom<Row> for Role {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = typed(&row.id)?;
        Ok(Self {
            id,
            name: row.name,
            built_in: BuiltIn::from_id(id),
            permissions: from_json(&row.permissions)?,
            manages: from_json(&row.manages)?,
        })
    }
}

impl Store {
    /// The roles that members of a business can have.
    pub(crate) async fn roles(&self, tenant: &Tenant) -> Result<Vec<Role>, StoreError> {
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(OF_BUSINESS)
            .bind(tenant.business().to_string())
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(Role::try_from).collect()
    }

    pub(crate) async fn role(&self, tenant: &Tenant, id: RoleId) -> Result<Role, StoreError> {
        let row: Row = on!(&self.reader, |db| sqlx::query_as(ONE)
            .bind(tenant.business().to_string())
            .bind(id.to_string())
            .fetch_one(db)
            .await)?;
        row.try_into()
    }
}

impl Edit {
    /// A role, if a member of this business can have it.
    pub(crate) async fn role(&mut self, tenant: &Tenant, id: RoleId) -> Result<Role, StoreError> {
        let row: Row = on!(&mut self.engine, |db| sqlx::query_as(ONE)
            .bind(tenant.business().to_string())
            .bind(id.to_string())
            .fetch_one(&mut **db)
            .await)?;
        row.try_into()
    }

    pub(crate) async fn insert_role(&mut self, tenant: &Tenant, role: &Role) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO roles (id, business_id, name, name_folded, permissions, manages)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let (permissions, manages) = (to_json(&role.permissions)?, to_json(&role.manages)?);
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(role.id.to_string())
            .bind(tenant.business().to_string())
            .bind(&role.name)
            .bind(role.name.to_lowercase())
            .bind(permissions)
            .bind(manages)
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn update_role(&mut self, tenant: &Tenant, role: &Role) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE roles SET name = $3, name_folded = $4, permissions = $5, manages = $6
            WHERE business_id = $1 AND id = $2";
        let (permissions, manages) = (to_json(&role.permissions)?, to_json(&role.manages)?);
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(tenant.business().to_string())
            .bind(role.id.to_string())
            .bind(&role.name)
            .bind(role.name.to_lowercase())
            .bind(permissions)
            .bind(manages)
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn delete_role(&mut self, tenant: &Tenant, id: RoleId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM roles WHERE business_id = $1 AND id = $2";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(tenant.business().to_string())
            .bind(id.to_string())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// How many roles of its own a business has.
    pub(crate) async fn count_roles(&mut self, tenant: &Tenant) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM roles WHERE business_id = $1";
        let business = tenant.business().to_string();
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL).bind(business).fetch_one(&mut **db).await)?)
    }
}
