//! Ten thousand connections that stay open and say nothing, beside the load.

use std::path::Path;
use std::rc::Rc;

use crate::asks::{self, Ask, Asks};
use crate::connection::Connection;
use crate::generator;
use crate::latency;
use crate::rounds::Rounds;
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale, wrk};

const OPEN: usize = 10_000;
const PART: f64 = 0.5;

pub(crate) fn measure(scale: &Scale, directory: &Path, _: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let asks = asks::all_forwarded(scale)?;
    let alone = "forward auth, no other connections";
    let beside = format!("forward auth, {OPEN} connections open");
    wrk::check(&server.address, &asks)?;
    // What the first requests take is not the connections'.
    wrk::load(&server.address, &asks, scale.http_seconds)?;
    Rounds::run(scale, table, |rounds| {
        one(scale, &server, &asks, rounds, alone, None)?;
        let before = server.resident()?;
        let open = open(&server, &asks)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
        let each = (server.resident()? - before) / OPEN as f64;
        rounds.note("memory of an open connection", "bytes", each, None);
        one(scale, &server, &asks, rounds, &beside, Some(alone))?;
        drop(open);
        Ok(())
    })
}

/// Throughput, then latency at half of it.
fn one(scale: &Scale, server: &Server, asks: &Asks, rounds: &mut Rounds, name: &str, beside: Option<&str>) -> Done<()> {
    let reached = wrk::load(&server.address, asks, scale.http_seconds)?.a_second();
    let of = beside.map(|beside| format!("{beside}, most requests"));
    rounds.note(&format!("{name}, most requests"), "a second", reached, of.as_deref());
    let outcome = latency::at(&server.address, asks, reached * PART, scale.http_seconds)?;
    latency::note(rounds, name, &outcome, beside);
    Ok(())
}

/// Opens connections, each of which asks once: one that never has would not be kept.
fn open(server: &Server, asks: &Asks) -> Done<Vec<Connection>> {
    let ask: &Rc<Ask> = asks.list().first().ok_or("no request")?;
    (0..OPEN).map(|_| generator::open_and_ask(&server.address, ask)).collect()
}
