//! Good keys at a fixed pace, while somebody else sends 20,000 made-up tokens a second.

use std::path::Path;

use crate::asks::{self, Answer, Asks, bearer};
use crate::generator::{self, CONNECTIONS, Pace, Stream};
use crate::rounds::Rounds;
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::targets::FLOODED;
use crate::{Done, Scale};

const MADE_UP_A_SECOND: f64 = 20_000.0;
const GOOD_A_SECOND: f64 = 10_000.0;
/// How many different ones there are.
const MADE_UP: usize = 50_000;

pub(crate) fn measure(scale: &Scale, directory: &Path, _: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let good = asks::all_forwarded(scale)?;
    let flood = |made: fn(usize) -> String| {
        let refused = |n| asks::forward_auth(&bearer(&made(n))).rightly(Answer::Refused(401));
        Asks::new((0..MADE_UP).map(refused))
    };
    let (broken, nobodys) = (flood(asks::broken)?, flood(asks::made_up)?);
    let [in_broken, in_nobodys, alone] = FLOODED;
    Rounds::run(scale, table, |rounds| {
        for (name, flood) in [(alone, None), (in_broken, Some(&broken)), (in_nobodys, Some(&nobodys))] {
            let stream = |asks: &Asks, a_second| Stream {
                connections: CONNECTIONS,
                pace: Pace::Open(a_second),
                next: asks.in_turn(),
            };
            let streams = [stream(&good, GOOD_A_SECOND)].into_iter();
            let streams = streams.chain(flood.map(|flood| stream(flood, MADE_UP_A_SECOND))).collect();
            let outcomes = generator::run(&server.address, streams, scale.http_seconds)?;
            let good = outcomes.first().ok_or("no outcome")?;
            rounds.note(name, "us", good.within(990), flood.map(|_| alone));
            if let Some(refused) = outcomes.get(1) {
                rounds.note(&name.replace("p99", "refused"), "a second", refused.a_second(), None);
            }
        }
        Ok(())
    })
}
