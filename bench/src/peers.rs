//! Others that answer the same question, set up as their own documents recommend: the scripts of `bench/peers`, and axum with sqlx.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use tempfile::TempDir;

use crate::asks::{self, Asks};
use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::targets::{AXUM_POSTGRES, BETTER_AUTH, PORTCULLIS};
use crate::{Done, Scale, cores, wrk};

/// The most keys that a peer has: to make more takes some of them longer than all measurements.
const MOST_KEYS: usize = 1_000_000;

/// What a script is called here, its name, and its mode.
const SCRIPTS: [(&str, &str, Option<&str>); 7] = [
    ("nginx 204, nothing decided", "nginx-204", None),
    ("nginx, keys in its configuration", "nginx-map", None),
    ("Express + better-sqlite3", "express", None),
    ("better-auth, by default", "better-auth", Some("default")),
    (BETTER_AUTH, "better-auth", Some("best")),
    ("FastAPI + SQLAlchemy", "fastapi", None),
    ("djangorestframework-api-key", "django", None),
];

/// A peer that runs, and its data.
pub(crate) struct Peer {
    pub(crate) server: Server,
    pub(crate) authorizations: Vec<String>,
    /// What the server reads, as long as it runs.
    pub(crate) data: TempDir,
}

impl Peer {
    /// Makes the data of a peer, and starts it.
    pub(crate) fn start(name: &str, mode: Option<&str>, count: usize) -> Done<Self> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
        let data = TempDir::with_prefix("portcullis-bench-")?;
        prepare(&scripts.join("prepare"), data.path(), count.min(MOST_KEYS))?;
        let server = Server::of_script(&scripts.join("serve"), data.path(), mode)?;
        let tokens = std::fs::read_to_string(data.path().join("tokens"))?;
        let authorizations: Vec<String> = tokens.lines().map(str::to_owned).collect();
        if authorizations.is_empty() {
            Err("it has no tokens".into())
        } else {
            Ok(Self { server, authorizations, data })
        }
    }
}

fn prepare(script: &PathBuf, data: &Path, count: usize) -> Done<()> {
    let mut command = Command::new(script);
    command.arg(data).arg(count.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
    let done =
        cores::on(cores::BOTH, || command.status())?.map_err(|error| format!("{}: {error}", script.display()))?;
    if done.success() { Ok(()) } else { Err(format!("{} failed", script.display()).into()) }
}

pub(crate) fn measure(scale: &Scale, directory: &Path, _: &Stored, table: &mut Table) -> Done<()> {
    // It outlives the servers, which are in it until they end.
    let mut data = Vec::new();
    let mut servers = vec![Server::start(&["server", &directory.display().to_string()])?];
    let mut scenarios = vec![Scenario::new(PORTCULLIS, None, 0, &Rc::new(asks::all_forwarded(scale)?))];
    let count = scale.stored_keys.min(MOST_KEYS);
    let ours = [(AXUM_POSTGRES, own_peer(count))].into_iter();
    let scripts = SCRIPTS.iter().map(|&(name, script, mode)| (name, Peer::start(script, mode, count)));
    for (name, peer) in ours.chain(scripts) {
        let asked = peer.and_then(|peer| {
            let asks = Asks::new(peer.authorizations.iter().map(|header| asks::get("/check", header)))?;
            wrk::check(&peer.server.address, &asks)?;
            Ok((peer, Rc::new(asks)))
        });
        match asked {
            Ok((peer, asks)) => {
                scenarios.push(Scenario::new(name, Some(PORTCULLIS), servers.len(), &asks));
                servers.push(peer.server);
                data.push(peer.data);
            }
            Err(why) => table.miss(name, &why.to_string()),
        }
    }
    rounds::run(scale, &scenarios, &servers, table)
}

/// The one that is written here.
fn own_peer(count: usize) -> Done<Peer> {
    let server = Server::start(&["axum-postgres", &count.to_string()])?;
    let authorizations = asks::tokens(count).iter().map(|token| asks::bearer(token)).collect();
    Ok(Peer { server, authorizations, data: TempDir::with_prefix("portcullis-bench-")? })
}
