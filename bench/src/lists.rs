//! A page of 50 keys of an owner who has a thousand, and of one who has as many as the store can be measured with.

use std::path::Path;
use std::rc::Rc;

use crate::asks::{self, Asks, bearer};
use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::{self, Stored};
use crate::table::Table;
use crate::{Done, Scale, keys};

pub(crate) fn measure(scale: &Scale, directory: &Path, stored: &Stored, table: &mut Table) -> Done<()> {
    let server = Server::start(&["server", &directory.display().to_string()])?;
    let mut scenarios = Vec::new();
    // Every tenth key is revoked; the last filter fits none, so that a page looks at as many rows as it ever does.
    for filter in ["", "&status=active", "&status=revoked", "&q=nothing+has+this+name"] {
        let mut beside = None;
        for (owner, count) in [(store::OF_FEW, store::FEW), (store::OF_MANY, scale.stored_keys)] {
            let name = format!("page of 50{filter}, among {count}");
            let path = format!("/api/v1/users/{}/api-keys?limit=50{filter}", keys::user(owner));
            let asks = Rc::new(Asks::new([asks::get(&path, &bearer(&stored.operator))])?);
            scenarios.push(Scenario::new(&name, beside.replace(name.clone()).as_deref(), 0, &asks));
        }
    }
    rounds::run(scale, &scenarios, &[server], table)
}
