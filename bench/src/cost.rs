//! How what a request costs, and a start, grow with the number of keys.

use std::rc::Rc;

use tempfile::TempDir;

use crate::asks::Asks;
use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::{self, Whose};
use crate::table::Table;
use crate::{Done, Scale, asks, memory};

pub(crate) fn measure(scale: &Scale, table: &mut Table) -> Done<()> {
    let (mut stores, mut servers, mut scenarios) = (Vec::new(), Vec::new(), Vec::new());
    let least = line(scale.sizes.iter().copied().min().unwrap_or_default());
    for size in scale.sizes {
        let directory = TempDir::new()?;
        store::fill(directory.path(), size, Whose::Many)?;
        memory::measure_load(directory.path(), size, table)?;
        let asks = asks::tokens(size).iter().map(|token| asks::forward_auth(&asks::bearer(token))).collect::<Vec<_>>();
        let beside = Some(least.as_str()).filter(|&least| least != line(size));
        scenarios.push(Scenario::new(&line(size), beside, servers.len(), &Rc::new(Asks::new(asks)?)));
        servers.push(Server::start(&["server", &directory.path().display().to_string()])?);
        stores.push(directory);
    }
    rounds::run(scale, &scenarios, &servers, table)
}

/// What the line of so many keys is called.
pub(crate) fn line(keys: usize) -> String {
    format!("forward auth, {keys} keys")
}
