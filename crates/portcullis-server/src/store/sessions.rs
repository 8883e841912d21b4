//! Sessions of people who signed in, and what signing in reads of a user.

use portcullis_core::id::{SessionId, UserId};
use portcullis_core::scope::{Account, Caller};
use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;

use super::{Edit, Store, StoreError, instant, on, typed};

/// A session, with what its user is now.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub platform_admin: bool,
    pub user_disabled: bool,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// The end that no use puts off.
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

impl Session {
    pub(crate) const fn caller(&self) -> Caller {
        Caller::User { id: self.user, session: self.id, platform_admin: self.platform_admin }
    }
}

/// What a password is held against.
#[derive(Debug, Clone)]
pub(crate) struct SignIn {
    pub user: UserId,
    pub email: String,
    pub password_hash: Option<String>,
    pub disabled: bool,
}

macro_rules! sessions {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.user_id, u.platform_admin, u.disabled_at IS NOT NULL AS user_disabled, s.created_at,
            s.last_seen_at, s.expires_at, s.ended_at, s.address, s.user_agent
            FROM sessions s JOIN users u ON u.id = s.user_id ",
            $rest
        )
    };
}

const BY_ID: &str = sessions!("WHERE s.id = $1");

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    user_id: String,
    platform_admin: bool,
    user_disabled: bool,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    address: Option<String>,
    user_agent: Option<String>,
}

impl TryFrom<Row> for Session {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: typed(&row.id)?,
            user: typed(&row.user_id)?,
            platform_admin: row.platform_admin,
            user_disabled: row.user_disabled,
            created_at: Timestamp::from_millis(row.created_at),
            last_seen_at: Timestamp::from_millis(row.last_seen_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            ended_at: instant(row.ended_at),
            address: row.address,
            user_agent: row.user_agent,
        })
    }
}

impl Store {
    /// The session that a cookie is of, ended ones too. To have the cookie is the proof.
    pub(crate) async fn session_by_digest(&self, digest: &Digest) -> Result<Option<Session>, StoreError> {
        const SQL: &str = sessions!("WHERE s.digest = $1");
        let digest = digest.as_bytes().as_slice();
        let row: Option<Row> = on!(&self.reader, |db| sqlx::query_as(SQL).bind(digest).fetch_optional(db).await)?;
        row.map(Session::try_from).transpose()
    }

    /// A user's sessions that nobody has ended, newest first. Those that have run out are for the caller to leave out.
    pub(crate) async fn sessions(&self, account: &Account, most: i64) -> Result<Vec<Session>, StoreError> {
        const SQL: &str = sessions!("WHERE s.user_id = $1 AND s.ended_at IS NULL ORDER BY s.id DESC LIMIT $2");
        let user = account.user().to_string();
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL).bind(user).bind(most).fetch_all(db).await)?;
        rows.into_iter().map(Session::try_from).collect()
    }

    /// Whoever has this e-mail address. What is returned is for holding a password against, before anybody has proved anything.
    pub(crate) async fn sign_in(&self, email: &str) -> Result<Option<SignIn>, StoreError> {
        const SQL: &str = "SELECT id, email, password_hash, disabled_at IS NOT NULL FROM users WHERE email_folded = $1";
        let folded = email.to_lowercase();
        let row: Option<(String, String, Option<String>, bool)> =
            on!(&self.reader, |db| sqlx::query_as(SQL).bind(folded).fetch_optional(db).await)?;
        let sign_in = |(id, email, password_hash, disabled): (String, _, _, _)| {
            Ok(SignIn { user: typed(&id)?, email, password_hash, disabled })
        };
        row.map(sign_in).transpose()
    }

    /// What a user's password is held against, for one who may touch their account.
    pub(crate) async fn password_hash(&self, account: &Account) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT password_hash FROM users WHERE id = $1";
        let user = account.user().to_string();
        Ok(on!(&self.reader, |db| sqlx::query_scalar(SQL).bind(user).fetch_one(db).await)?)
    }
}

impl Edit {
    pub(crate) async fn session(&mut self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let id = id.to_string();
        let row: Option<Row> =
            on!(&mut self.engine, |db| sqlx::query_as(BY_ID).bind(id).fetch_optional(&mut **db).await)?;
        row.map(Session::try_from).transpose()
    }

    pub(crate) async fn insert_session(&mut self, session: &Session, digest: &Digest) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO sessions (id, user_id, digest, created_at, last_seen_at, expires_at, address, user_agent)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(session.id.to_string())
            .bind(session.user.to_string())
            .bind(digest.as_bytes().as_slice())
            .bind(session.created_at.as_millis())
            .bind(session.last_seen_at.as_millis())
            .bind(session.expires_at.as_millis())
            .bind(&session.address)
            .bind(&session.user_agent)
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn touch_session(&mut self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(id.to_string())
            .bind(at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Ends those of a user's sessions that are `one`, or all but `kept`; tells which they were.
    pub(crate) async fn end_sessions(
        &mut self,
        account: &Account,
        one: Option<SessionId>,
        kept: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL
            AND ($3 = '' OR id = $3) AND id <> $4 RETURNING id";
        let text = |id: Option<SessionId>| id.map(|id| id.to_string()).unwrap_or_default();
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL)
            .bind(account.user().to_string())
            .bind(at.as_millis())
            .bind(text(one))
            .bind(text(kept))
            .fetch_all(&mut **db)
            .await)?)
    }

    /// Forgets sessions that were over before `before`.
    pub(crate) async fn prune_sessions(&mut self, before: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE expires_at < $1 OR ended_at < $1";
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(before.as_millis()).execute(&mut **db).await.map(drop))?;
        Ok(())
    }

    pub(crate) async fn set_password_hash(&mut self, account: &Account, hash: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE users SET password_hash = $2 WHERE id = $1";
        let user = account.user().to_string();
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(user).bind(hash).execute(&mut **db).await.map(drop))?;
        Ok(())
    }
}
