//! What is to be reached, and whether it was.

use serde::Serialize;

use crate::cost;
use crate::table::{Figure, Table};

/// Where a figure is found.
enum Of {
    Line(String),
    Ratio(String, String),
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

struct Target {
    what: String,
    of: Of,
    bound: Bound,
}

/// A target, and the figure that a run has for it.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    what: String,
    bound: String,
    figure: Option<Figure>,
    reached: Option<bool>,
}

/// All targets, beside the figures of one run.
pub(crate) fn judge(table: &Table) -> Vec<Verdict> {
    targets().into_iter().map(|target| target.judge(table)).collect()
}

pub(crate) fn print(verdicts: &[Verdict]) {
    println!("\n{:<72} {:>10} {:>22}", "target", "bound", "figure (least to most)");
    for verdict in verdicts {
        let figure = verdict.figure.map_or_else(
            || "not measured".to_owned(),
            |Figure { median, least, most }| format!("{median:.2} ({least:.2} to {most:.2})"),
        );
        let reached = verdict.reached.map_or("", |reached| if reached { "reached" } else { "NOT REACHED" });
        println!("{:<72} {:>10} {figure:>22}  {reached}", verdict.what, verdict.bound);
    }
}

impl Target {
    fn judge(self, table: &Table) -> Verdict {
        let figure = match &self.of {
            Of::Line(name) => table.figure(name),
            Of::Ratio(name, of) => table.ratio(name, of),
        };
        let bound = match self.bound {
            Bound::AtMost(most) => format!("<= {most}"),
            Bound::AtLeast(least) => format!(">= {least}"),
        };
        let reached = figure.map(|figure| match self.bound {
            Bound::AtMost(most) => figure.median <= most,
            Bound::AtLeast(least) => figure.median >= least,
        });
        Verdict { what: self.what, bound, figure, reached }
    }
}

fn targets() -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    let ratio = |what: &str, name: &str, of: &str, bound| Target {
        what: what.to_owned(),
        of: Of::Ratio(name.to_owned(), of.to_owned()),
        bound,
    };
    let requests = |name: &str| format!("{name}, requests");
    let times = |what: &str, of: &str, least| ratio(what, &requests(PORTCULLIS), &requests(of), AtLeast(least));
    let line = |what: &str, name: &str, bound| Target { what: what.to_owned(), of: Of::Line(name.to_owned()), bound };
    let mut targets = vec![
        ratio("forward auth / nginx 204, CPU", "forward auth", "nginx 204", AtMost(1.20)),
        ratio("verify / JSON echo on hyper, CPU", "verify", "JSON echo on hyper", AtMost(1.20)),
        ratio("forward auth / nginx map + limit_req, CPU", "forward auth", "nginx map + limit_req", AtMost(1.05)),
        times("requests / those of axum + sqlx + PostgreSQL", AXUM_POSTGRES, 9.0),
        times("requests / those of better-auth at its best", BETTER_AUTH, 30.0),
        ratio(
            "decision of 1,000,000 keys / SHA-256 of a token",
            "decision, 1000000 keys",
            "SHA-256 of a token",
            AtMost(8.0),
        ),
        line("bytes per key, 1,000,000 keys", "bytes per key, 1000000 keys", AtMost(128.0)),
        line("bytes per key, 10,000,000 keys", "bytes per key, 10000000 keys", AtMost(128.0)),
        ratio("decision of 10,000,000 keys / of 1,000", "decision, 10000000 keys", "decision, 1000 keys", AtMost(2.0)),
        ratio(
            "forward auth of 10,000,000 keys / of 1,000, CPU",
            &cost::line(10_000_000),
            &cost::line(1_000),
            AtMost(2.0),
        ),
        line("revoke, 3 nodes, median, ms", "revoke, 3 nodes", AtMost(10.0)),
        line("revoke, 3 nodes, 99 of 100 within, ms", "revoke, 3 nodes, 99 of 100 within", AtMost(50.0)),
        ratio(
            "requests of verify, limits through Redis / without",
            "verify, limits shared through Redis, requests",
            "verify on a node of several, requests",
            AtLeast(0.35),
        ),
        ratio("p99 of good keys, in a flood of broken tokens / without", FLOODED[0], FLOODED[2], AtMost(2.0)),
        ratio("p99 of good keys, in a flood of made-up tokens / without", FLOODED[1], FLOODED[2], AtMost(2.0)),
    ];
    // A million keys in so long; ten million in fifteen times that.
    for (engine, milliseconds) in [("SQLite", 1_500.0), ("PostgreSQL", 2_500.0)] {
        for (keys, times) in [(1_000_000.0, 1.0), (10_000_000.0, 15.0)] {
            let name = format!("load from {engine}, {keys} keys");
            targets.push(line(&format!("{name}, ms"), &name, AtMost(milliseconds * times)));
        }
    }
    targets
}

/// Names of lines that are made elsewhere.
pub(crate) const PORTCULLIS: &str = "Portcullis, forward auth";
pub(crate) const AXUM_POSTGRES: &str = "axum + sqlx + PostgreSQL";
pub(crate) const BETTER_AUTH: &str = "better-auth, at its best";
/// Good keys beside a flood of tokens that a checksum refuses, of tokens that are nobody's, and beside none.
pub(crate) const FLOODED: [&str; 3] =
    ["good keys in a flood of broken tokens, p99", "good keys in a flood of made-up ones, p99", "good keys, p99"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::table;

    #[test]
    fn a_target_is_reached_or_not_or_was_not_measured() {
        let mut table = table("a");
        table.add("nginx 204", "us CPU", &[10.0], None);
        table.add("forward auth", "us CPU", &[11.9], None);
        table.add("revoke, 3 nodes", "ms", &[10.5], None);
        let verdicts = judge(&table);
        let reached = |what: &str| verdicts.iter().find(|verdict| verdict.what == what).unwrap().reached;
        assert_eq!(reached("forward auth / nginx 204, CPU"), Some(true));
        assert_eq!(reached("revoke, 3 nodes, median, ms"), Some(false));
        assert_eq!(reached("revoke, 3 nodes, 99 of 100 within, ms"), None);
    }

    #[test]
    fn more_is_better_where_it_is() {
        let mut table = table("a");
        table.add(&format!("{BETTER_AUTH}, requests"), "a second", &[1_000.0], None);
        table.add(&format!("{PORTCULLIS}, requests"), "a second", &[29_000.0], None);
        let verdicts = judge(&table);
        let ours = verdicts.iter().find(|verdict| verdict.what.contains("better-auth")).unwrap();
        assert_eq!((ours.reached, ours.bound.as_str()), (Some(false), ">= 30"));
    }
}
