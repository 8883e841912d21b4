//! Nine of ten requests may pass, one of twenty lacks what it needs, one of twenty brings a token that is nobody's.

use std::path::Path;
use std::rc::Rc;

use crate::asks::{self, Answer, Ask, Asks, bearer};
use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::Stored;
use crate::table::Table;
use crate::{Done, Scale};

const OF: usize = 20;

pub(crate) fn measure(scale: &Scale, directory: &Path, _: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let mixed = asks::tokens(scale.stored_keys).iter().enumerate().map(|(n, token)| ask(n, token)).collect::<Vec<_>>();
    // The sample of each round is looked at answer by answer; of the others wrk counts the parts.
    let mixed = Rc::new(Asks::new(mixed)?);
    let good = Rc::new(asks::all_forwarded(scale)?);
    let scenarios = [
        Scenario::new("forward auth, all may pass", None, 0, &good),
        Scenario::new("forward auth, 90 % may pass", Some("forward auth, all may pass"), 0, &mixed),
    ];
    rounds::run(scale, &scenarios, &[server], table)
}

fn ask(n: usize, token: &str) -> Ask {
    match n % OF {
        18 => asks::forwarded(&bearer(token), "DELETE", "/api/users/1").rightly(Answer::Refused(403)),
        19 => asks::forward_auth(&bearer(&asks::made_up(n))).rightly(Answer::Refused(401)),
        _ => asks::forward_auth(&bearer(token)),
    }
}
