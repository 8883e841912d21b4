//! `portcullis nodes`: which nodes there are, and whether they keep up.

use portcullis_api::nodes::{Node, Nodes};

use crate::client::{Ask, Client};
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(ask: &Ask) -> Result<(), Failure> {
    let nodes = Client::new(ask)?.get::<Nodes>("/nodes").await?.data;
    if ask.json {
        return output::json(&nodes);
    }
    let row = |node: &Node| {
        let renewed = node.renewed_ms_ago.map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms ago"));
        vec![
            if node.this { format!("{} (asked)", node.id) } else { node.id.clone() },
            node.version.clone(),
            node.address.clone(),
            node.joined_at.to_string(),
            node.applied.to_string(),
            node.lag.to_string(),
            format!("{} ms", node.lease_ms),
            renewed,
        ]
    };
    let columns = ["node", "version", "address", "joined", "applied", "lag", "lease", "renewed"];
    output::table(&columns, nodes.nodes.iter().map(row).collect(), "The database is SQLite: it has this node alone.")?;
    output::text(&format!("The last edit is number {}.\n", nodes.head))
}
