//! Facts about the store itself.

use super::{Edit, Store, StoreError, on};

const ONE: &str = "SELECT fact FROM facts WHERE name = $1";

impl Store {
    pub(crate) async fn fact(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(on!(&self.reader, |db| sqlx::query_scalar(ONE).bind(name).fetch_optional(db).await)?)
    }
}

impl Edit {
    pub(crate) async fn fact(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(ONE).bind(name).fetch_optional(&mut **db).await)?)
    }

    pub(crate) async fn put_fact(&mut self, name: &str, fact: &str) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO facts (name, fact) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET fact = excluded.fact";
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(name).bind(fact).execute(&mut **db).await.map(drop))?;
        Ok(())
    }

    pub(crate) async fn insert_fact(&mut self, name: &str, fact: &str) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO facts (name, fact) VALUES ($1, $2)";
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(name).bind(fact).execute(&mut **db).await.map(drop))?;
        Ok(())
    }
}
