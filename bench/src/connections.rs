//! Ten thousand connections that stay open and say nothing, beside the load.

use std::path::Path;

use crate::asks::{self, Asks};
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
    let asks = asks::all_forwarded(scale)?;
    let start = || Server::start(&["server", &directory.display().to_string()]);
    let mut memory = Vec::new();
    for _ in 0..scale.rounds.min(3) {
        // Memory that a server once had for connections it does not give back, so each is one of its own.
        memory.push(memory_of_each(scale, &start()?, &asks)?);
    }
    table.add("memory of an open connection", "bytes", &memory, None);
    let server = start()?;
    let alone = "forward auth, no other connections";
    let beside = format!("forward auth, {OPEN} connections open");
    Rounds::run(scale, table, |rounds| {
        one(scale, &server, &asks, rounds, alone, None)?;
        let open = open(&server, &asks)?;
        one(scale, &server, &asks, rounds, &beside, Some(alone))?;
        drop(open);
        Ok(())
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn memory_of_each(scale: &Scale, server: &Server, asks: &Asks) -> Done<f64> {
    // What the first requests take is not the connections'.
    wrk::check(&server.address, asks)?;
    wrk::load(&server.address, asks, scale.http_seconds)?;
    let before = server.resident()?;
    let open = open(server, asks)?;
    let taken = server.resident()? - before;
    Ok(taken / open.len() as f64)
}

/// Throughput, then latency at half of it.
fn one(scale: &Scale, server: &Server, asks: &Asks, rounds: &mut Rounds, name: &str, beside: Option<&str>) -> Done<()> {
    wrk::check(&server.address, asks)?;
    let reached = wrk::load(&server.address, asks, scale.http_seconds)?.a_second();
    let of = beside.map(|beside| format!("{beside}, most requests"));
    rounds.note(&format!("{name}, most requests"), "a second", reached, of.as_deref());
    let outcome = latency::at(&server.address, asks, reached * PART, scale.http_seconds)?;
    latency::note(rounds, name, &outcome, beside);
    Ok(())
}

/// Opens connections, each of which asks once: one that never has would not be kept.
fn open(server: &Server, asks: &Asks) -> Done<Vec<Connection>> {
    asks.list().iter().cycle().take(OPEN).map(|ask| generator::open_and_ask(&server.address, ask)).collect()
}
