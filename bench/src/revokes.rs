//! One client that revokes keys as fast as it is answered, beside the load; after each answer it asks with the key, which must be refused.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use crate::asks::{self, Answer, Ask};
use crate::generator::{self, CONNECTIONS, Outcome, Pace, Stream};
use crate::keys::{self, KEYS_OF_A_USER};
use crate::rounds::Rounds;
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale};

/// The most keys of a round.
const MOST: usize = 20_000;
/// A pace at which a server with one core has half of it left.
const GOOD_A_SECOND: f64 = 20_000.0;
const PACED: &str = "20,000 verify a second";

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let verify = asks::all_verified(scale, stored)?;
    let mut unasked = asks::unasked(scale.stored_keys);
    let asked_after = Rc::new(Cell::new(0.0));
    let load = |pace, revokes: Option<Stream>| {
        let load = Stream { connections: CONNECTIONS, pace, next: verify.in_turn() };
        let streams = [load].into_iter().chain(revokes).collect();
        generator::run(&server.address, streams, scale.http_seconds)
    };
    let mut storm = || {
        let keys = unasked.by_ref().take(most(scale)).collect();
        Stream { connections: 1, pace: Pace::Closed, next: one_after_the_other(keys, stored, &asked_after) }
    };
    Rounds::run(scale, table, |rounds| {
        for (pace, name) in [(Pace::Closed, "all verify that can be"), (Pace::Open(GOOD_A_SECOND), PACED)] {
            let (quiet, stormy) = (load(pace, None)?, load(pace, Some(storm()))?);
            let [quiet] = quiet.as_slice() else { return Err("no outcome".into()) };
            let [beside, revokes] = stormy.as_slice() else { return Err("no outcome".into()) };
            let told = |outcome: &Outcome| match pace {
                Pace::Closed => ("requests", "a second", outcome.a_second()),
                Pace::Open(_) => ("p99", "us", outcome.within(990)),
            };
            let (what, unit, value) = told(quiet);
            let alone = format!("{name}, {what}");
            rounds.note(&alone, unit, value, None);
            rounds.note(&format!("{name}, {what} beside revokes"), unit, told(beside).2, Some(&alone));
            rounds.note(&format!("revokes beside {name}"), "a second", revokes.a_second(), None);
            rounds.note(&format!("revokes beside {name}, p50"), "us", revokes.within(500), None);
            rounds.note(&format!("revokes beside {name}, p99"), "us", revokes.within(990), None);
        }
        Ok(())
    })?;
    // One that was accepted would have been an error.
    table.add("keys asked with after their revoke, all refused", "keys", &[asked_after.get()], None);
    Ok(())
}

/// Keys for a round: more than one client can revoke in it, where there are as many.
fn most(scale: &Scale) -> usize {
    MOST.min(asks::unasked(scale.stored_keys).count() / (2 * (scale.rounds + 1)))
}

/// A revoke, and the question about its key, and the next.
fn one_after_the_other(
    keys: Vec<usize>,
    stored: &Stored,
    revoked: &Rc<Cell<f64>>,
) -> Box<dyn FnMut() -> Option<Rc<Ask>>> {
    let mut asks = Vec::new();
    for n in keys.into_iter().rev() {
        let (user, key) = (keys::user(n / KEYS_OF_A_USER), keys::key(n));
        let mut refused = asks::verify(stored, &asks::token(n)).rightly(Answer::Refused(200));
        refused.aside = true;
        let revoke = asks::post(&format!("/api/v1/users/{user}/api-keys/{key}/revoke"), stored, "{}");
        asks.extend([Rc::new(refused), Rc::new(revoke)]);
    }
    let revoked = Rc::clone(revoked);
    Box::new(move || {
        let ask = asks.pop()?;
        if ask.aside {
            revoked.set(revoked.get() + 1.0);
        }
        Some(ask)
    })
}
