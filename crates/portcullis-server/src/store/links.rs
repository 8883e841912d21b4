//! Links that can be followed once: invitations, and new passwords.

use portcullis_core::id::{BusinessId, LinkId, RoleId, UserId};
use portcullis_core::scope::{Account, Tenant};
use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;

use super::{Edit, Slice, Store, StoreError, on, typed};

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    /// A new password for this user.
    Password(UserId),
    /// Membership of this business, for whoever has the e-mail address.
    Invitation(BusinessId, RoleId),
}

/// A link that was made.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub id: LinkId,
    pub leads: Leads,
    pub email: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used: bool,
}

macro_rules! links {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, email, user_id, business_id, role_id, created_at, expires_at, used_at IS NOT NULL AS used
            FROM links ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    email: String,
    user_id: Option<String>,
    business_id: Option<String>,
    role_id: Option<String>,
    created_at: i64,
    expires_at: i64,
    used: bool,
}

impl TryFrom<Row> for Link {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let leads = match (row.kind.as_str(), &row.user_id, &row.business_id, &row.role_id) {
            ("password", Some(user), ..) => Leads::Password(typed(user)?),
            ("invitation", _, Some(business), Some(role)) => Leads::Invitation(typed(business)?, typed(role)?),
            _ => return Err(StoreError::Unreadable(format!("the link {}", row.id))),
        };
        Ok(Self {
            id: typed(&row.id)?,
            leads,
            email: row.email,
            created_at: Timestamp::from_millis(row.created_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            used: row.used,
        })
    }
}

impl Store {
    /// The invitations to a business that nobody has followed or taken back, newest first.
    pub(crate) async fn invitations(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        slice: &Slice,
    ) -> Result<Vec<Link>, StoreError> {
        const SQL: &str = links!(
            "WHERE business_id = $1 AND used_at IS NULL AND kind = 'invitation' AND expires_at > $2 AND id < $3
            ORDER BY id DESC LIMIT $4"
        );
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL)
            .bind(tenant.business().to_string())
            .bind(now.as_millis())
            .bind(slice.before())
            .bind(slice.limit)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(Link::try_from).collect()
    }
}

impl Edit {
    pub(crate) async fn insert_link(&mut self, link: &Link, digest: &Digest) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO links (id, kind, digest, email, user_id, business_id, role_id, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let (kind, user, business, role) = match link.leads {
            Leads::Password(user) => ("password", Some(user.to_string()), None, None),
            Leads::Invitation(business, role) => {
                ("invitation", None, Some(business.to_string()), Some(role.to_string()))
            }
        };
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(link.id.to_string())
            .bind(kind)
            .bind(digest.as_bytes().as_slice())
            .bind(&link.email)
            .bind(user)
            .bind(business)
            .bind(role)
            .bind(link.created_at.as_millis())
            .bind(link.expires_at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// The link with this digest. To have its token is the proof.
    pub(crate) async fn link(&mut self, digest: &Digest) -> Result<Option<Link>, StoreError> {
        const SQL: &str = links!("WHERE digest = $1");
        let digest = digest.as_bytes().as_slice();
        let row: Option<Row> =
            on!(&mut self.engine, |db| sqlx::query_as(SQL).bind(digest).fetch_optional(&mut **db).await)?;
        row.map(Link::try_from).transpose()
    }

    /// An invitation of this business, whether or not it was followed.
    pub(crate) async fn invitation(&mut self, tenant: &Tenant, id: LinkId) -> Result<Link, StoreError> {
        const SQL: &str = links!("WHERE business_id = $1 AND id = $2 AND kind = 'invitation'");
        let row: Row = on!(&mut self.engine, |db| sqlx::query_as(SQL)
            .bind(tenant.business().to_string())
            .bind(id.to_string())
            .fetch_one(&mut **db)
            .await)?;
        row.try_into()
    }

    /// How many invitations to a business are open.
    pub(crate) async fn count_invitations(&mut self, tenant: &Tenant, now: Timestamp) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM links WHERE business_id = $1 AND used_at IS NULL AND expires_at > $2";
        let business = tenant.business().to_string();
        let now = now.as_millis();
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL).bind(business).bind(now).fetch_one(&mut **db).await)?)
    }

    /// A link leads nowhere from now on: it was followed, or taken back.
    pub(crate) async fn use_link(&mut self, link: &Link, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE links SET used_at = $2 WHERE id = $1 AND used_at IS NULL";
        let id = link.id.to_string();
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(id).bind(at.as_millis()).execute(&mut **db).await.map(drop))?;
        Ok(())
    }

    /// Of several links to a new password, the newest is the one.
    pub(crate) async fn end_password_links(&mut self, account: &Account, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE links SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL AND kind = 'password'";
        let user = account.user().to_string();
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(user)
            .bind(at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// A role that is about to go leaves no invitation to it behind.
    pub(crate) async fn end_invitations_to_role(
        &mut self,
        tenant: &Tenant,
        role: RoleId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE links SET used_at = $3 WHERE business_id = $1 AND role_id = $2 AND used_at IS NULL";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(tenant.business().to_string())
            .bind(role.to_string())
            .bind(at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Forgets links that led nowhere before `before`.
    pub(crate) async fn prune_links(&mut self, before: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM links WHERE expires_at < $1";
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(before.as_millis()).execute(&mut **db).await.map(drop))?;
        Ok(())
    }
}
