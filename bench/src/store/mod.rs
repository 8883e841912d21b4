//! A store with many keys in it, written by SQL: making them through the API would measure the disk.

use std::path::Path;

use data_encoding::HEXLOWER;
use portcullis_core::role::BuiltIn;
use portcullis_core::token::Pepper;
use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::setup::{self, FirstUser};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

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

pub(crate) fn fill(directory: &Path, count: usize, whose: Whose) -> Done<Stored> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let app = App::open(config(directory)?, Clock::System).await?;
        let first = FirstUser { email: "bench@example.com".to_owned(), name: None, password: None };
        let first = setup::initialise(&app, first).await?;
        app.close().await;
        drop(app);
        let secret = HEXLOWER.decode(std::fs::read_to_string(directory.join("pepper"))?.trim().as_bytes())?;
        let pepper = Pepper::new(secret.first_chunk().ok_or("the pepper is too short")?);
        let options = SqliteConnectOptions::new().filename(directory.join("portcullis.db"));
        let mut database = options.connect().await?;
        sqlx::raw_sql("PRAGMA synchronous = OFF; BEGIN").execute(&mut database).await?;
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
        sqlx::raw_sql("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut database).await?;
        database.close().await?;
        Ok(Stored { operator: first.operator_token.expose().to_owned() })
    })
}

async fn write_people(database: &mut SqliteConnection, count: usize) -> Done<()> {
    const USER: &str = "INSERT INTO users VALUES ($1, $1, $1, 'Somebody', NULL, FALSE, 1, NULL)";
    const BUSINESS: &str = "INSERT INTO businesses VALUES ($1, 'Some business', 1, NULL)";
    const MEMBER: &str = "INSERT INTO memberships VALUES ($1, $2, $3, 1)";
    let owner = BuiltIn::Owner.id().to_string();
    for n in 0..count {
        let user = keys::user(n).to_string();
        sqlx::query(USER).bind(&user).execute(&mut *database).await?;
        for business in [2 * n, 2 * n + 1].map(|n| keys::business(n).to_string()) {
            sqlx::query(BUSINESS).bind(&business).execute(&mut *database).await?;
            sqlx::query(MEMBER).bind(&user).bind(&business).bind(&owner).execute(&mut *database).await?;
        }
    }
    Ok(())
}

async fn write_keys(database: &mut SqliteConnection, count: usize, pepper: &Pepper) -> Done<()> {
    const KEY: &str = "INSERT INTO api_keys (id, family_id, user_id, name, environment, prefix, hint, digest,
        pepper_version, unrestricted, user_management, allowed_ips, created_at)
        VALUES ($1, 'fam_' || substr($1, 5), $2, $3, 'live', 'ak_live_', $4, $5, 1, TRUE, FALSE, '[]', 1)";
    for n in 0..count {
        let token = keys::token(n);
        sqlx::query(KEY)
            .bind(keys::key(n).to_string())
            .bind(keys::user(n / KEYS_OF_A_USER).to_string())
            .bind(keys::name(n))
            .bind(token.hint())
            .bind(pepper.digest_of_new(&token).as_bytes().as_slice())
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
