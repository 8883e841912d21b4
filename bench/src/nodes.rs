//! Several nodes on one PostgreSQL: what a revoke waits for, how fast a snapshot and the log are read, and what sharing limits costs.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use portcullis_engines::{Postgres, Redis};
use portcullis_server::config::{Config, SecretUrl};
use portcullis_server::transfer;
use serde_json::{Value, json};

use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale, asks, children, cores, keys, memory};

/// How many nodes there are when a revoke is measured.
const NODES: [usize; 3] = [1, 3, 8];
/// So many changes are applied to tell how fast.
const CHANGES: usize = 100_000;
/// The name of the database.
const DATABASE: &str = "bench";

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    // Every commit is on the disk, as a server for real use has it.
    let postgres = cores::on(cores::BOTH, || Postgres::start(&["fsync=on", "full_page_writes=on"]))?;
    postgres.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
    let url = postgres.url(DATABASE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(copy(scale, directory, &url, table))?;
    postgres.sql(DATABASE, "VACUUM ANALYZE");
    let bytes: f64 = postgres.sql(DATABASE, "SELECT pg_database_size(current_database())").trim().parse()?;
    let count = scale.stored_keys;
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    table.add("PostgreSQL, bytes per key on the disk", "bytes", &[bytes / count as f64], None);
    let place = tempfile::tempdir()?;
    let node = |name: &str, more: &str| settings(place.path(), directory, &url, name, more);
    memory::measure_load("PostgreSQL", "load-node", &node("load", "")?, count, table)?;
    let revokes = if count > 100_000 { 300 } else { 60 };
    for nodes in NODES {
        let files = (0..nodes).map(|n| node(&format!("node-{nodes}-{n}"), "")).collect::<Done<Vec<_>>>()?;
        let servers = files.iter().map(|file| Server::start(&["node", file])).collect::<Done<Vec<_>>>()?;
        runtime.block_on(revoke(&servers, stored, revokes, table))?;
        if nodes == 1 {
            runtime.block_on(follow(&postgres, &servers, stored, table))?;
        }
    }
    measure_redis(scale, stored, &node, table)
}

async fn copy(scale: &Scale, directory: &Path, url: &str, table: &mut Table) -> Done<()> {
    let from = children::config(directory)?;
    let mut to = Config::read("", std::iter::empty())?;
    let scratch = tempfile::tempdir()?;
    to.data = scratch.path().to_path_buf();
    to.database.url = Some(SecretUrl::new(url.to_owned()));
    let begun = Instant::now();
    transfer::copy(&from, &to, &mut |_| ()).await?;
    let name = format!("copy to PostgreSQL, {} keys", scale.stored_keys);
    table.add(&name, "ms", &[begun.elapsed().as_secs_f64() * 1_000.0], None);
    Ok(())
}

/// The file with the settings of a node.
fn settings(place: &Path, pepper: &Path, url: &str, name: &str, more: &str) -> Done<String> {
    let file = place.join(format!("{name}.toml"));
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndata = \"{}\"\npepper_file = \"{}\"\ndatabase_url = \"{url}\"\n\
         rate_limit_per_minute = 4_000\nrate_limit_per_second = 400\nlog_level = \"warn\"\n{more}",
        place.join(name).display(),
        pepper.join("pepper").display(),
    );
    std::fs::write(&file, text)?;
    Ok(file.display().to_string())
}

/// A client that says nothing of what goes wrong but that it does.
struct Client<'a> {
    client: reqwest::Client,
    operator: &'a str,
}

impl<'a> Client<'a> {
    fn new(stored: &'a Stored) -> Done<Self> {
        Ok(Self { client: reqwest::Client::builder().no_proxy().build()?, operator: &stored.operator })
    }

    async fn post(&self, server: &Server, path: &str, body: &Value) -> Done<Value> {
        let url = format!("http://{}/api/v1{path}", server.address);
        let answer = self.client.post(url).bearer_auth(self.operator).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn get(&self, server: &Server, path: &str) -> Done<Value> {
        let url = format!("http://{}/api/v1{path}", server.address);
        Ok(self.client.get(url).bearer_auth(self.operator).send().await?.error_for_status()?.json().await?)
    }
}

/// How long a revoke takes, and the half and the hundredth slowest of them.
async fn revoke(servers: &[Server], stored: &Stored, count: usize, table: &mut Table) -> Done<()> {
    let client = Client::new(stored)?;
    let user = keys::user(0);
    let mut spent = Vec::new();
    for n in 0..count {
        let server = servers.get(n % servers.len()).ok_or("no such node")?;
        let made = client.post(server, &format!("/users/{user}/api-keys"), &json!({"name": "Revoked"})).await?;
        let id = made.pointer("/data/api_key/id").and_then(Value::as_str).ok_or("no key was made")?;
        let path = format!("/users/{user}/api-keys/{id}/revoke");
        let begun = Instant::now();
        client.post(server, &path, &json!({})).await?;
        spent.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    spent.sort_by(f64::total_cmp);
    let slow = spent.get(spent.len() * 99 / 100).copied().unwrap_or_default();
    table.add(&format!("revoke, {} nodes", servers.len()), "ms", &spent, None);
    table.add(&format!("revoke, {} nodes, 99 of 100 within", servers.len()), "ms", &[slow], None);
    Ok(())
}

/// How fast a node applies a log that it is behind.
async fn follow(postgres: &Postgres, servers: &[Server], stored: &Stored, table: &mut Table) -> Done<()> {
    let client = Client::new(stored)?;
    let server = servers.first().ok_or("no node")?;
    // Edits that change nothing but have to be read and applied like any other: the last one of a key, over and over.
    let changes = format!(
        "BEGIN; WITH head AS (UPDATE change_head SET seq = seq + {CHANGES} RETURNING seq)
        INSERT INTO changes SELECT seq - {CHANGES} + n, 0, 0, c.kind, c.subject, c.payload FROM head,
            generate_series(1, {CHANGES}) AS n,
            (SELECT kind, subject, payload FROM changes WHERE kind LIKE '%key%' ORDER BY seq DESC LIMIT 1) AS c; COMMIT"
    );
    postgres.sql(DATABASE, &changes);
    let begun = Instant::now();
    loop {
        let nodes = client.get(server, "/nodes").await?;
        if nodes.pointer("/data/nodes/0/lag").and_then(Value::as_u64) == Some(0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    table.add(
        "changes applied by a node that is behind",
        "a second",
        &[CHANGES as f64 / begun.elapsed().as_secs_f64()],
        None,
    );
    Ok(())
}

/// What it costs that limits are one limit on all nodes.
fn measure_redis(
    scale: &Scale,
    stored: &Stored,
    node: &dyn Fn(&str, &str) -> Done<String>,
    table: &mut Table,
) -> Done<()> {
    let redis = cores::on(cores::BOTH, || Redis::start(&[]))?;
    let own = Server::start(&["node", &node("alone", "")?])?;
    let shared = Server::start(&["node", &node("shared", &format!("redis_url = \"{}\"\n", redis.url()))?])?;
    let asks = Rc::new(asks::all_verified(scale, stored)?);
    let [alone, through_redis] = ["verify on a node of several", "verify, limits shared through Redis"];
    let scenarios = [Scenario::new(alone, None, 0, &asks), Scenario::new(through_redis, Some(alone), 1, &asks)];
    rounds::run(scale, &scenarios, &[own, shared], table)
}
