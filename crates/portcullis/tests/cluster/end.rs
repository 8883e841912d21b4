//! How it stands when all is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock::now;
use super::ground::Ground;
use super::ledger::{Key, Verdict};
use super::troubles::Deck;

/// Says what was done and seen. `calm_us`: what revocations took before there were faults, sorted.
pub(crate) fn report(ground: &Ground, deck: &Deck, calm_us: &[u64], began: u64) {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let ledger = &ground.ledger;
    let at = |percent: usize| calm_us[(calm_us.len() * percent / 100).min(calm_us.len() - 1)] / 1_000;
    println!("revocations     {}", count(&ledger.revoked));
    println!("verifications   {} answered, {} not", count(&ledger.answered), count(&ledger.unanswered));
    println!("accepted late   {}", ledger.late().len());
    println!("faults          {:?}", deck.been.lock().unwrap());
    println!("calm revokes    median {} ms, p99 {} ms, of {}", at(50), at(99), calm_us.len());
    println!("took            {} s", (now() - began) / 1_000_000);
}

/// Nothing was accepted late, nobody was refused wrongly, and everything that was promised is so, in the database and on every node.
pub(crate) async fn all_is_well(ground: &Arc<Ground>) {
    let logs = || ground.places.iter().map(|place| format!("node {}:\n{}", place.number, place.log()));
    all_are_ready(ground).await;
    edits_are_kept(ground);
    every_node_knows(ground).await;
    for log in logs() {
        assert!(!log.contains("panicked"), "{log}");
    }
    let (late, complaints) = (ground.ledger.late(), ground.ledger.complaints());
    assert!(late.is_empty(), "accepted late:\n{}\n{}", late.join("\n"), logs().collect::<String>());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A node that has lost its lease for good would be seen here: the faults are over.
async fn all_are_ready(ground: &Ground) {
    for place in &ground.places {
        let mut tries = 0;
        while !ground.is_ready(place.number).await {
            tries += 1;
            assert!(tries < 100, "node {} does not come back:\n{}", place.number, place.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let usage = ground.usage(place.number).await;
        if usage != Some(200) {
            ground.ledger.complain(format!("node {} does not say what was used: {usage:?}", place.number));
        }
    }
}

/// What PostgreSQL has.
fn edits_are_kept(ground: &Ground) {
    let rows = ground.postgres.sql("cluster", "SELECT id, revoked_at IS NOT NULL FROM api_keys");
    let rows: HashMap<&str, bool> =
        rows.lines().map(|row| row.split_once('|').unwrap()).map(|(id, revoked)| (id, revoked == "t")).collect();
    for key in ground.ledger.keys() {
        let revoked = rows.get(key.id.as_str()).copied();
        match (revoked, key.is_untouched(), key.revoked_at()) {
            (None, ..) => ground.ledger.complain(format!("the key {} was made and is lost", key.id)),
            (Some(true), true, _) => ground.ledger.complain(format!("nobody has revoked the key {}", key.id)),
            (Some(false), false, 1..) => {
                ground.ledger.complain(format!("that the key {} was revoked is lost", key.id));
            }
            _ => {}
        }
    }
}

/// What the nodes have in memory.
async fn every_node_knows(ground: &Ground) {
    let is_settled = |key: &Arc<Key>| key.is_untouched() || key.revoked_at() > 0;
    let keys: Vec<_> = ground.ledger.keys().into_iter().filter(is_settled).collect();
    for place in 0..ground.places.len() {
        for keys in keys.chunks(100) {
            let verdicts = ground.verify(place, keys).await;
            for (key, verdict) in keys.iter().zip(verdicts) {
                let is_right = match verdict {
                    Verdict::Accepted => key.is_untouched(),
                    Verdict::Refused(_) => !key.is_untouched(),
                    Verdict::Unknown | Verdict::Strange(_) => false,
                };
                if !is_right {
                    ground.ledger.complain(format!("in the end node {place} says of the key {}: {verdict:?}", key.id));
                }
            }
        }
    }
}
