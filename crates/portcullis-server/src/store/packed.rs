//! Millions of rows out of SQLite: many of them as one text.
//!
//! A row by itself comes through a channel from the thread of its connection, and each of its columns as a copy of its own; that
//! takes several times as long as finding it. So SQLite puts rows together, hundreds at a time, in the order in which they lie:
//! ids have a length that is known, what may be of any length comes after a count of its bytes, and what few keys have is JSON.

use data_encoding::HEXUPPER;
use futures_util::future::join;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::snapshot::{KeyRow, Take, business, key, member, user};
use super::{StoreError, from_json};

/// How long the text of an id is.
const ID: usize = 30;
const DIGEST: usize = 64;
const ENVIRONMENT: usize = 4;
const COUNT: usize = 8;

/// What few keys have: businesses, permissions, allow-list, metadata, and both ends.
type Rest = (Option<String>, Option<String>, String, Option<String>, Option<i64>, Option<i64>);

pub(super) async fn users_and_businesses(
    view: &mut Transaction<'static, Sqlite>,
    take: Take<'_>,
) -> Result<(), StoreError> {
    const USERS: &str = "SELECT MAX(place), string_agg(packed, '') FROM (
        SELECT rowid AS place, id || (disabled_at IS NOT NULL) AS packed FROM users WHERE rowid > $1
        ORDER BY rowid LIMIT 500)";
    const BUSINESSES: &str = "SELECT MAX(place), string_agg(packed, '') FROM (
        SELECT rowid AS place, id || (disabled_at IS NOT NULL) AS packed FROM businesses WHERE rowid > $1
        ORDER BY rowid LIMIT 500)";
    each(view, USERS, None, |rows| take(user(rows.text(ID)?, rows.flag()?)?)).await?;
    each(view, BUSINESSES, None, |rows| take(business(rows.text(ID)?, rows.flag()?)?)).await
}

/// The memberships, and the keys that ended no longer ago than `oldest`.
pub(super) async fn members_and_keys(
    view: &mut Transaction<'static, Sqlite>,
    oldest: i64,
    take: Take<'_>,
) -> Result<(), StoreError> {
    const MEMBERS: &str = "SELECT MAX(place), string_agg(packed, '') FROM (
        SELECT rowid AS place, user_id || business_id || role_id AS packed FROM memberships WHERE rowid > $1
        ORDER BY rowid LIMIT 500)";
    const KEYS: &str = "SELECT MAX(place), string_agg(packed || printf('%08x', octet_length(rest)) || rest, '') FROM (
        SELECT rowid AS place, id || family_id || user_id || hex(digest) || environment || unrestricted || user_management
            || imported || printf('%08x', octet_length(name)) || name AS packed,
        CASE WHEN (revoked_at <= $2) IS TRUE OR (expires_at <= $2) IS TRUE THEN NULL
            WHEN unrestricted AND permissions IS NULL AND allowed_ips = '[]' AND metadata IS NULL AND expires_at IS NULL
            AND revoked_at IS NULL THEN ''
            ELSE json_array((SELECT string_agg(business_id, ',') FROM api_key_businesses WHERE key_id = api_keys.id),
                permissions, allowed_ips, metadata, expires_at, revoked_at) END AS rest
        FROM api_keys WHERE rowid > $1 ORDER BY rowid LIMIT 500)";
    each(view, MEMBERS, None, |rows| take(member(rows.text(ID)?, rows.text(ID)?, rows.text(ID)?)?)).await?;
    each(view, KEYS, Some(oldest), |rows| {
        let (id, family, user) = (rows.text(ID)?, rows.text(ID)?, rows.text(ID)?);
        let digest = HEXUPPER.decode(rows.text(DIGEST)?.as_bytes()).map_err(|_| unreadable())?;
        let environment = rows.text(ENVIRONMENT)?;
        let (unrestricted, user_management, imported) = (rows.flag()?, rows.flag()?, rows.flag()?);
        let (name, rest) = (rows.counted()?, rows.counted()?);
        let rest: Option<Rest> = if rest.is_empty() { None } else { Some(from_json(rest)?) };
        let (businesses, permissions, allowed_ips, metadata, expires_at, revoked_at) = match &rest {
            None => (None, None, "[]", None, None, None),
            Some((some, names, list, text, expires_at, revoked_at)) => {
                (some.as_deref(), names.as_deref(), list.as_str(), text.as_deref(), *expires_at, *revoked_at)
            }
        };
        let held = (unrestricted, businesses, permissions, user_management, allowed_ips, metadata);
        let row: KeyRow<'_> =
            ((id, family, user, name, environment, &digest), held, (expires_at, revoked_at, imported));
        take(key(row)?)
    })
    .await
}

/// Asks for one text after the other, and reads each while the connection's thread puts the next one together.
async fn each(
    view: &mut Transaction<'static, Sqlite>,
    sql: &'static str,
    oldest: Option<i64>,
    mut read: impl FnMut(&mut Packed<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // Row numbers may be negative where somebody chose them.
    let mut row = after(view, sql, i64::MIN, oldest).await?;
    while let Some(last) = row.try_get(0)? {
        let reading = async {
            let mut rows = Packed(row.try_get::<Option<&str>, _>(1)?.unwrap_or_default());
            while !rows.0.is_empty() {
                read(&mut rows)?;
            }
            Ok::<_, StoreError>(())
        };
        // The first is begun first: it only sends the question, and waits.
        let (next, done) = join(after(view, sql, last, oldest), reading).await;
        done?;
        row = next?;
    }
    Ok(())
}

/// The next rows, as one.
async fn after(
    view: &mut Transaction<'static, Sqlite>,
    sql: &'static str,
    place: i64,
    oldest: Option<i64>,
) -> Result<SqliteRow, sqlx::Error> {
    let query = sqlx::query(sql).bind(place);
    match oldest {
        Some(oldest) => query.bind(oldest),
        None => query,
    }
    .fetch_one(&mut **view)
    .await
}

/// What is left of a text of many rows.
#[derive(Debug)]
struct Packed<'r>(&'r str);

impl<'r> Packed<'r> {
    fn text(&mut self, length: usize) -> Result<&'r str, StoreError> {
        let (text, rest) = self.0.split_at_checked(length).ok_or_else(unreadable)?;
        self.0 = rest;
        Ok(text)
    }

    fn flag(&mut self) -> Result<bool, StoreError> {
        match self.text(1)? {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(unreadable()),
        }
    }

    fn counted(&mut self) -> Result<&'r str, StoreError> {
        let length = usize::from_str_radix(self.text(COUNT)?, 16).map_err(|_| unreadable())?;
        self.text(length)
    }
}

/// What does not read as it should is a damaged row.
fn unreadable() -> StoreError {
    StoreError::Unreadable("a row".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_part_by_part_and_never_beyond_its_end() {
        let mut rows = Packed("ab100000003n\u{e9}00000000x");
        assert_eq!((rows.text(2).unwrap(), rows.flag().unwrap(), rows.counted().unwrap()), ("ab", true, "n\u{e9}"));
        assert_eq!(rows.counted().unwrap(), "");
        assert!(rows.flag().is_err() && rows.text(1).is_err() && rows.counted().is_err());
        assert!(Packed("0000000gx").counted().is_err() && Packed("\u{e9}").text(1).is_err());
    }
}
