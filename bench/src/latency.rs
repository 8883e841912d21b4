//! How long an answer takes at half of the throughput that the server reaches, counted from when its request was due.

use std::path::Path;

use crate::asks::{self, Asks};
use crate::generator::{self, CONNECTIONS, Outcome, Pace, Stream};
use crate::peers::Peer;
use crate::rounds::Rounds;
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale, wrk};

/// The part of the throughput that is asked for.
const PART: f64 = 0.5;

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let mut ways: Vec<(&str, &str, Asks)> = Vec::new();
    let nginx = Peer::start("nginx-204", None, scale.stored_keys);
    match &nginx {
        Ok(nginx) => {
            let asks = Asks::new(nginx.authorizations.iter().map(|header| asks::forward_auth(header)))?;
            ways.push(("nginx 204", &nginx.server.address, asks));
        }
        Err(why) => table.miss("latency of nginx 204", &why.to_string()),
    }
    ways.push(("forward auth", &server.address, asks::all_forwarded(scale)?));
    ways.push(("verify", &server.address, asks::all_verified(scale, stored)?));
    Rounds::run(scale, table, |rounds| {
        for (name, address, asks) in &ways {
            wrk::check(address, asks)?;
            let reached = wrk::load(address, asks, scale.http_seconds)?.a_second();
            let outcome = at(address, asks, reached * PART, scale.http_seconds)?;
            let beside = (*name != "nginx 204").then_some("nginx 204 at half its throughput");
            note(rounds, &format!("{name} at half its throughput"), &outcome, beside);
        }
        Ok(())
    })
}

/// Asks so often in a second.
pub(crate) fn at(address: &str, asks: &Asks, a_second: f64, seconds: f64) -> Done<Outcome> {
    let stream = Stream { connections: CONNECTIONS, pace: Pace::Open(a_second), next: asks.in_turn() };
    Ok(generator::run(address, vec![stream], seconds)?.pop().ok_or("no outcome")?)
}

/// A line for each of the percentiles.
pub(crate) fn note(rounds: &mut Rounds, name: &str, outcome: &Outcome, beside: Option<&str>) {
    rounds.note(&format!("{name}, requests"), "a second", outcome.a_second(), None);
    for (percentile, value) in [
        ("p50", outcome.within(500)),
        ("p99", outcome.within(990)),
        ("p99.9", outcome.within(999)),
        ("longest", outcome.most()),
    ] {
        let beside = beside.map(|beside| format!("{beside}, {percentile}"));
        rounds.note(&format!("{name}, {percentile}"), "us", value, beside.as_deref());
    }
}
