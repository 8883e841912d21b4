//! Users.

use portcullis_core::id::UserId;
use portcullis_core::scope::{Account, Platform, Tenant};
use portcullis_core::time::Timestamp;

use super::{Edit, Slice, Store, StoreError, instant, millis, on, typed};

/// A person with an account. The password hash never leaves the database by this way.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub platform_admin: bool,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// A user to be; `password_hash` is an Argon2id string.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub user: User,
    pub password_hash: Option<String>,
}

const BY_ID: &str = "SELECT id, email, name, platform_admin, created_at, disabled_at FROM users WHERE id = $1";

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    email: String,
    name: String,
    platform_admin: bool,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl TryFrom<Row> for User {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: typed(&row.id)?,
            email: row.email,
            name: row.name,
            platform_admin: row.platform_admin,
            created_at: Timestamp::from_millis(row.created_at),
            disabled_at: instant(row.disabled_at),
        })
    }
}

impl Store {
    pub(crate) async fn user(&self, account: &Account) -> Result<User, StoreError> {
        let row: Row =
            on!(&self.reader, |db| sqlx::query_as(BY_ID).bind(account.user().to_string()).fetch_one(db).await)?;
        row.try_into()
    }

    pub(crate) async fn users(&self, _proof: &Platform, slice: &Slice) -> Result<Vec<User>, StoreError> {
        const SQL: &str = "SELECT id, email, name, platform_admin, created_at, disabled_at FROM users
            WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let rows: Vec<Row> =
            on!(&self.reader, |db| sqlx::query_as(SQL).bind(slice.before()).bind(slice.limit).fetch_all(db).await)?;
        rows.into_iter().map(User::try_from).collect()
    }
}

impl Edit {
    pub(crate) async fn insert_user(&mut self, new: &NewUser) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO users
            (id, email, email_folded, name, password_hash, platform_admin, created_at, disabled_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let user = &new.user;
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(user.id.to_string())
            .bind(&user.email)
            .bind(user.email.to_lowercase())
            .bind(&user.name)
            .bind(&new.password_hash)
            .bind(user.platform_admin)
            .bind(user.created_at.as_millis())
            .bind(millis(user.disabled_at))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn user(&mut self, account: &Account) -> Result<User, StoreError> {
        let row: Row = on!(&mut self.engine, |db| sqlx::query_as(BY_ID)
            .bind(account.user().to_string())
            .fetch_one(&mut **db)
            .await)?;
        row.try_into()
    }

    pub(crate) async fn any_user(&mut self) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM users)";
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL).fetch_one(&mut **db).await)?)
    }

    pub(crate) async fn user_exists(&mut self, _proof: &Tenant, id: UserId) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)";
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL).bind(id.to_string()).fetch_one(&mut **db).await)?)
    }

    /// Whoever has this e-mail address: for one who proved that it is theirs.
    pub(crate) async fn user_by_email(&mut self, email: &str) -> Result<Option<UserId>, StoreError> {
        const SQL: &str = "SELECT id FROM users WHERE email_folded = $1";
        let folded = email.to_lowercase();
        let id: Option<String> =
            on!(&mut self.engine, |db| sqlx::query_scalar(SQL).bind(folded).fetch_optional(&mut **db).await)?;
        id.as_deref().map(typed).transpose()
    }

    /// Writes what of a user may change.
    pub(crate) async fn update_user(&mut self, account: &Account, user: &User) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE users SET email = $2, email_folded = $3, name = $4, platform_admin = $5,
            disabled_at = $6 WHERE id = $1";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(account.user().to_string())
            .bind(&user.email)
            .bind(user.email.to_lowercase())
            .bind(&user.name)
            .bind(user.platform_admin)
            .bind(millis(user.disabled_at))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }
}
