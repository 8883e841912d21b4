//! One client that revokes keys as fast as it is answered, beside the load; after each answer it asks with the key, which must be refused.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use crate::asks::{self, Answer, Ask};
use crate::generator::{self, CONNECTIONS, Pace, Stream};
use crate::keys::{self, KEYS_OF_A_USER};
use crate::rounds::Rounds;
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale};

/// A pace at which a server with one core has half of it left.
const GOOD_A_SECOND: f64 = 20_000.0;
const QUIET: &str = "verify, nothing revoked";
const STORM: &str = "verify, keys are revoked";

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let verify = asks::all_verified(scale, stored)?;
    let mut unasked = asks::unasked(scale.stored_keys);
    let revoked = Rc::new(Cell::new(0.0));
    Rounds::run(scale, table, |rounds| {
        for (pace, what) in [(Pace::Closed, "requests"), (Pace::Open(GOOD_A_SECOND), "p99")] {
            for storm in [false, true] {
                let mut streams = vec![Stream { connections: CONNECTIONS, pace, next: verify.in_turn() }];
                if storm {
                    let keys: Vec<usize> = unasked.by_ref().take(most(scale)).collect();
                    if keys.len() < most(scale) {
                        return Err("no keys are left to revoke".into());
                    }
                    streams.push(Stream {
                        connections: 1,
                        pace: Pace::Closed,
                        next: one_after_the_other(keys, stored, &revoked),
                    });
                }
                let outcomes = generator::run(&server.address, streams, scale.http_seconds)?;
                let load = outcomes.first().ok_or("no outcome")?;
                let (name, beside) = if storm { (STORM, Some(format!("{QUIET}, {what}"))) } else { (QUIET, None) };
                let (unit, value) =
                    if what == "p99" { ("us", load.within(990)) } else { ("a second", load.a_second()) };
                rounds.note(&format!("{name}, {what}"), unit, value, beside.as_deref());
                if let Some(storm) = outcomes.get(1) {
                    let name = if what == "p99" {
                        "revokes, beside 20,000 verify a second"
                    } else {
                        "revokes, beside all verify that pass"
                    };
                    rounds.note(name, "a second", storm.a_second(), None);
                    rounds.note(&format!("{name}, p50"), "us", storm.within(500), None);
                    rounds.note(&format!("{name}, p99"), "us", storm.within(990), None);
                }
            }
        }
        Ok(())
    })?;
    // One that was accepted would have been an error.
    table.add("keys asked with after their revoke, all refused", "keys", &[revoked.get()], None);
    Ok(())
}

/// More than one client can revoke in a round.
fn most(scale: &Scale) -> usize {
    asks::unasked(scale.stored_keys).count() / (2 * (scale.rounds + 1))
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
