//! What a decision costs over HTTP, beside servers with nothing behind them and beside nginx.

use std::path::Path;
use std::rc::Rc;

use crate::asks::{self, Asks, bearer};
use crate::peers::Peer;
use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale};

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    // It outlives the servers, which are in it until they end.
    let mut data = Vec::new();
    let mut servers = vec![
        Server::start(&["server", &directory.display().to_string()])?,
        Server::start(&["bare-hyper"])?,
        Server::start(&["bare-axum"])?,
    ];
    let tokens = asks::tokens(scale.stored_keys);
    let forwarded = Rc::new(asks::all_forwarded(scale)?);
    let mut scenarios = Vec::new();
    // What others stand beside comes first.
    for (name, script) in [("nginx 204", "nginx-204"), ("nginx map + limit_req", "nginx-map")] {
        match Peer::start(script, None, scale.stored_keys) {
            Ok(peer) => {
                // The same bytes as Portcullis gets, but for whose token it is.
                let asks = Asks::new(peer.authorizations.iter().map(|header| asks::forward_auth(header)))?;
                scenarios.push(Scenario::new(name, None, servers.len(), &Rc::new(asks)));
                servers.push(peer.server);
                data.push(peer.data);
            }
            Err(why) => table.miss(name, &why.to_string()),
        }
    }
    let get = |path| Asks::new(tokens.iter().map(|token| asks::get(path, &bearer(token)))).map(Rc::new);
    let echo = Rc::new(Asks::new(tokens.iter().map(|token| asks::question("/echo", stored, token)))?);
    let nothing = get("/204")?;
    scenarios.extend([
        Scenario::new("hyper 204", None, 1, &forwarded),
        Scenario::new("axum 204", None, 2, &nothing),
        Scenario::new("forward auth", Some("nginx 204"), 0, &forwarded),
        Scenario::new("whoami", Some("axum 204"), 0, &get("/api/v1/whoami")?),
        Scenario::new("JSON echo on hyper", None, 1, &echo),
        Scenario::new("JSON echo on axum", None, 2, &echo),
        Scenario::new("verify", Some("JSON echo on hyper"), 0, &Rc::new(asks::all_verified(scale, stored)?)),
    ]);
    rounds::run(scale, &scenarios, &servers, table)
}
