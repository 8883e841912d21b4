//! How what a request costs, and a start, grow with the number of keys.

use std::collections::BTreeSet;
use std::rc::Rc;

use tempfile::TempDir;

use crate::rounds::{self, Scenario};
use crate::server::Server;
use crate::store::{self, Whose};
use crate::table::Table;
use crate::{Done, Scale, asks, memory};

pub(crate) fn measure(scale: &Scale, table: &mut Table) -> Done<()> {
    let mut stores = Vec::new();
    for size in scale.sizes.into_iter().collect::<BTreeSet<_>>() {
        let directory = TempDir::new()?;
        store::fill(directory.path(), size, Whose::Many)?;
        memory::measure_load("SQLite", "load", &directory.path().display().to_string(), size, table)?;
        stores.push((size, directory));
    }
    // Nobody serves while something is loaded.
    let (mut servers, mut scenarios) = (Vec::new(), Vec::new());
    let least = stores.first().map(|&(size, _)| line(size));
    for (size, directory) in &stores {
        let asks = asks::all_forwarded(&Scale { stored_keys: *size, ..*scale })?;
        let beside = least.as_deref().filter(|_| !servers.is_empty());
        scenarios.push(Scenario::new(&line(*size), beside, servers.len(), &Rc::new(asks)));
        servers.push(Server::start(&["server", &directory.path().display().to_string()])?);
    }
    rounds::run(scale, &scenarios, &servers, table)
}

/// What the line of so many keys is called.
pub(crate) fn line(keys: usize) -> String {
    format!("forward auth, {keys} keys")
}
