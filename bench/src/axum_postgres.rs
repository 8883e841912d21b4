//! What one writes first: axum, and a table of keys in PostgreSQL that each request asks.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use portcullis_engines::Postgres;
use sqlx::PgPool;
use tokio::runtime::Runtime;

use crate::children::say;
use crate::{Done, asks};

const DATABASE: &str = "peer";
const TABLE: &str =
    "CREATE TABLE api_keys (digest bytea PRIMARY KEY, user_id bigint NOT NULL, permissions text[] NOT NULL,
    expires_at timestamptz, revoked_at timestamptz)";
/// Keys that nobody asks for.
const OTHERS: &str = "INSERT INTO api_keys SELECT sha256(n::text::bytea), n, '{contacts:read}', NULL, NULL FROM generate_series(1, $1) AS n";
const ASKED: &str = "INSERT INTO api_keys SELECT digest, 0, '{contacts:read}', NULL, NULL FROM unnest($1) AS digest";
const FIND: &str = "SELECT user_id, permissions FROM api_keys
    WHERE digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";

/// Serves `GET /check` until it is ended, and PostgreSQL with it.
pub(crate) fn be(runtime: &Runtime, count: usize) -> Done<()> {
    let postgres = Postgres::start(&["fsync=on", "full_page_writes=on"]);
    postgres.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
    let url = postgres.url(DATABASE);
    runtime.block_on(async {
        let pool = PgPool::connect(&url).await?;
        fill(&pool, count).await?;
        postgres.sql(DATABASE, "VACUUM ANALYZE");
        postgres.sql(DATABASE, "CHECKPOINT");
        let router = Router::new().route("/check", get(check)).with_state(pool);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        say(&listener.local_addr()?.to_string())?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn fill(pool: &PgPool, count: usize) -> Done<()> {
    sqlx::query(TABLE).execute(pool).await?;
    let asked: Vec<Vec<u8>> = asks::tokens(count).iter().map(|token| hash(token)).collect();
    sqlx::query(OTHERS).bind(i64::try_from(count - asked.len())?).execute(pool).await?;
    sqlx::query(ASKED).bind(asked).execute(pool).await?;
    Ok(())
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

async fn check(State(pool): State<PgPool>, headers: HeaderMap) -> StatusCode {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = token else { return StatusCode::UNAUTHORIZED };
    match sqlx::query_as::<_, (i64, Vec<String>)>(FIND).bind(hash(token)).fetch_optional(&pool).await {
        Ok(Some((_, permissions))) if permissions.iter().any(|permission| permission == "contacts:read") => {
            StatusCode::NO_CONTENT
        }
        Ok(Some(_)) => StatusCode::FORBIDDEN,
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
