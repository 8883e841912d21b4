//! A store with many keys in it, written by SQL: making them through the API would measure the disk.

use std::path::Path;

use data_encoding::HEXLOWER;
use portcullis_core::id::FamilyId;
use portcullis_core::role::BuiltIn;
use portcullis_core::token::Pepper;
use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::setup::{self, FirstUser};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite};

use crate::Done;
use crate::children::config;
use crate::keys::{self, KEYS_OF_A_USER};

/// What the load needs to know of the store.
pub(crate) struct Stored {
    pub(crate) operator: String,
}

/// Who owns the keys of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    /// Many people, each with a few.
    Many,
    /// One who has a thousand, and one who has all the others.
    Two,
}

/// The numbers of the owners of [`Whose::Two`], and how many keys the first has.
pub(crate) const OF_FEW: usize = 0;
pub(crate) const OF_MANY: usize = 1;
pub(crate) const FEW: usize = 1_000;

/// How many rows one statement writes.
const AT_A_TIME: usize = 100;

pub(crate) fn fill(directory: &Path, count: usize, whose: Whose) -> Done<Stored> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let app = App::open(config(directory)?, Clock::System).await?;
        let first = FirstUser { email: "bench@example.com".to_owned(), name: None, password: None };
        let first = setup::initialise(&app, first).await?;
        app.close().await;
        drop(app);
        let secret = HEXLOWER.decode(std::fs::read_to_string(directory.join("pepper"))?.trim().as_bytes())?;
        let pepper = Pepper::new(secret.first_chunk().ok_or("the pepper is too short")?);
        let options = SqliteConnectOptions::new().filename(directory.join("portcullis.db")).foreign_keys(false);
        let mut database = options.connect().await?;
        // Nothing of it must outlive a crash, and millions of rows are to be written once: without a journal, and with so much memory
        // that what goes into the indexes, here and there, is still at hand.
        sqlx::raw_sql("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000")
            .execute(&mut database)
            .await?;
        sqlx::raw_sql("BEGIN").execute(&mut database).await?;
        match whose {
            Whose::Many => {
                write_people(&mut database, count.div_ceil(KEYS_OF_A_USER)).await?;
                write_keys(&mut database, count, &pepper).await?;
            }
            Whose::Two => {
                write_people(&mut database, 2).await?;
                write_lists(&mut database, count).await?;
            }
        }
        sqlx::raw_sql("COMMIT").execute(&mut database).await?;
        database.close().await?;
        Ok(Stored { operator: first.operator_token.expose().to_owned() })
    })
}

async fn write_people(database: &mut SqliteConnection, count: usize) -> Done<()> {
    let owner = BuiltIn::Owner.id().to_string();
    for first in (0..count).step_by(AT_A_TIME) {
        let users = || (first..count.min(first + AT_A_TIME)).map(|n| (n, keys::user(n).to_string()));
        let theirs =
            || users().flat_map(|(n, user)| [2 * n, 2 * n + 1].map(|n| (user.clone(), keys::business(n).to_string())));
        QueryBuilder::<Sqlite>::new("INSERT INTO users ")
            .push_values(users(), |mut row, (_, user)| {
                row.push_bind(user.clone()).push_bind(user.clone()).push_bind(user);
                row.push("'Somebody', NULL, FALSE, 1, NULL");
            })
            .build()
            .execute(&mut *database)
            .await?;
        QueryBuilder::<Sqlite>::new("INSERT INTO businesses ")
            .push_values(theirs(), |mut row, (_, business)| {
                row.push_bind(business).push("'Some business', 1, NULL");
            })
            .build()
            .execute(&mut *database)
            .await?;
        QueryBuilder::<Sqlite>::new("INSERT INTO memberships ")
            .push_values(theirs(), |mut row, (user, business)| {
                row.push_bind(user).push_bind(business).push_bind(owner.as_str()).push("1");
            })
            .build()
            .execute(&mut *database)
            .await?;
    }
    Ok(())
}

async fn write_keys(database: &mut SqliteConnection, count: usize, pepper: &Pepper) -> Done<()> {
    const KEY: &str = "INSERT INTO api_keys (id, family_id, user_id, name, hint, digest, environment, prefix,
        pepper_version, unrestricted, user_management, allowed_ips, created_at) ";
    for first in (0..count).step_by(AT_A_TIME) {
        QueryBuilder::<Sqlite>::new(KEY)
            .push_values(first..count.min(first + AT_A_TIME), |mut row, n| {
                let (token, id) = (keys::token(n), keys::key(n));
                row.push_bind(id.to_string())
                    .push_bind(FamilyId::begun_by(id).to_string())
                    .push_bind(keys::user(n / KEYS_OF_A_USER).to_string())
                    .push_bind(keys::name(n))
                    .push_bind(token.hint().to_owned())
                    .push_bind(pepper.digest_of_new(&token).as_bytes().to_vec())
                    .push("'live', 'ak_live_', 1, TRUE, FALSE, '[]', 1");
            })
            .build()
            .execute(&mut *database)
            .await?;
    }
    Ok(())
}

/// A thousand keys of one owner and `count` of another, every tenth revoked. Nobody asks for them, so their digests are made up.
async fn write_lists(database: &mut SqliteConnection, count: usize) -> Done<()> {
    const KEY: &str =
        "INSERT INTO api_keys (id, family_id, user_id, name, name_folded, environment, prefix, hint, digest,
        pepper_version, unrestricted, user_management, allowed_ips, created_at, revoked_at)
        VALUES ($1, 'fam_' || substr($1, 5), $2, $3, lower($3), 'live', 'ak_live_', 'x7Qz', $4, 1, TRUE, FALSE, '[]', 1, $5)";
    for n in 0..FEW + count {
        let owner = if n < FEW { OF_FEW } else { OF_MANY };
        sqlx::query(KEY)
            .bind(keys::key_made_later(n).to_string())
            .bind(keys::user(owner).to_string())
            .bind(keys::name(n))
            .bind(format!("{n:032}").into_bytes())
            .bind((n % 10 == 0).then_some(keys::NOW.as_millis()))
            .execute(&mut *database)
            .await?;
    }
    Ok(())
}
