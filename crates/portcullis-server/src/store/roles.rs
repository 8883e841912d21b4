//! Roles.

use portcullis_core::id::{BusinessId, RoleId};
use portcullis_core::role::{BuiltIn, Manages};
use portcullis_core::scope::Platform;

use super::{Edit, Store, StoreError, from_json, on, typed};

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

const OF_BUSINESS: &str = "SELECT id, name, permissions, manages FROM roles
    WHERE (business_id IS NULL OR business_id = $1) AND ($2 IS NULL OR id = $2) ORDER BY id";

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
    pub(crate) async fn roles(&self, _proof: &Platform, business: BusinessId) -> Result<Vec<Role>, StoreError> {
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(OF_BUSINESS)
            .bind(business.to_string())
            .bind(None::<String>)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(Role::try_from).collect()
    }
}

impl Edit {
    /// A role, if a member of this business can have it.
    pub(crate) async fn role(
        &mut self,
        _proof: &Platform,
        business: BusinessId,
        id: RoleId,
    ) -> Result<Role, StoreError> {
        let row: Row = on!(&mut self.engine, |db| sqlx::query_as(OF_BUSINESS)
            .bind(business.to_string())
            .bind(id.to_string())
            .fetch_one(&mut **db)
            .await)?;
        row.try_into()
    }
}
