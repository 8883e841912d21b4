//! `/platform/nodes`: how the node that answers is.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use crate::app::App;
use crate::caller::{Operator, UsageRead};
use crate::dashboard::frame::{Frame, Page, Visitor, page};
use crate::dashboard::words;

#[derive(Template)]
#[template(path = "platform/nodes.html")]
struct Nodes {
    frame: Frame,
    ready: bool,
    version: &'static str,
    facts: Vec<(&'static str, String, &'static str)>,
    volatile: bool,
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor, _: Operator<UsageRead>) -> Page {
    let state = crate::metrics::state(&app);
    let number = |count: i64| words::number(count);
    page(&Nodes {
        frame: visitor.frame("nodes", "Node health"),
        ready: app.is_ready(),
        version: env!("CARGO_PKG_VERSION"),
        facts: vec![
            ("Keys in memory", number(state.keys), "those that ended lately among them"),
            ("Last edit applied", number(state.applied), "its number in the change log"),
            (
                "Limits in use",
                number(state.limits_in_use),
                "keys, users and businesses with a request in their windows",
            ),
            ("Counted this hour", number(state.counted_in), "keys, users and businesses"),
            (
                "Counts on their way",
                number(state.unwritten),
                "blocks that the database has not heard of; none is lost with the process",
            ),
            (
                "Size of the spool",
                format!("{} KiB", number(state.spool_bytes / 1024)),
                "windows, quotas and counts in a file of their own",
            ),
        ],
        volatile: app.arena.is_volatile(),
    })
}
