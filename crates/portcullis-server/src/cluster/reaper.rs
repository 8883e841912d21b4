//! Who has stopped: a node whose number has stood still for longer than its lease can last.

use std::collections::HashMap;

use super::lease::waiters_patience;
use crate::store::leases::LeaseRow;

/// What this node has seen of the others' numbers.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    /// The number, and the instant of the first look that found it, by this node's own clock.
    seen: HashMap<String, (i64, u64)>,
}

impl Reaper {
    /// Notes how things stand at `now`, and tells whose lease has run out, whatever their clock says.
    pub(super) fn look(&mut self, leases: &[LeaseRow], now: u64, early: bool) -> Vec<(String, i64)> {
        self.seen.retain(|node, _| leases.iter().any(|lease| lease.node == *node));
        let mut over = Vec::new();
        for lease in leases {
            let seen = self.seen.entry(lease.node.clone()).or_insert((lease.renewals, now));
            if seen.0 != lease.renewals {
                *seen = (lease.renewals, now);
            }
            let patience = waiters_patience(lease.lasts_us(), 0);
            if now.saturating_sub(seen.1) >= if early { patience / 8 } else { patience } {
                over.push((lease.node.clone(), lease.renewals));
            }
        }
        over
    }

    /// When each of these was last seen to move.
    pub(super) fn seen_at(&self, node: &str) -> u64 {
        self.seen.get(node).map_or(0, |seen| seen.1)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::time::Timestamp;

    use super::*;

    fn lease(node: &str, renewals: i64) -> LeaseRow {
        let (version, address) = (String::new(), String::new());
        let joined_at = Timestamp::from_millis(0);
        LeaseRow { node: node.to_owned(), renewals, applied: 0, lasts_ms: 5_000, version, address, joined_at }
    }

    #[test]
    fn whoever_stands_still_for_a_whole_lease_and_one_percent_is_over() {
        let mut reaper = Reaper::default();
        let at = |millis: u64| millis * 1_000;
        assert_eq!(reaper.look(&[lease("a", 1), lease("b", 1)], at(0), false), []);
        assert_eq!(reaper.look(&[lease("a", 1), lease("b", 2)], at(5_000), false), []);
        assert_eq!(reaper.look(&[lease("a", 1), lease("b", 2)], at(5_049), false), []);
        assert_eq!(reaper.look(&[lease("a", 1), lease("b", 2)], at(5_050), false), [("a".to_owned(), 1)]);
        // It moved after all, and whoever would have reaped it finds another number.
        assert_eq!(reaper.look(&[lease("a", 2), lease("b", 2)], at(5_060), false), []);
        assert_eq!(reaper.look(&[lease("b", 2)], at(10_050), false), [("b".to_owned(), 2)]);
        // A name that comes again begins anew.
        assert_eq!(reaper.look(&[lease("a", 2)], at(20_000), false), []);
    }
}
