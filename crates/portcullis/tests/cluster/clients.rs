//! Those who use the cluster: some ask about keys all the time, others make keys and revoke them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::LEASE;
use super::clock::now;
use super::dice::Dice;
use super::ground::Ground;
use super::ledger::{Key, Verdict};

/// So many requests wait at one node at most: a node that is stopped finds them when it goes on.
const IN_FLIGHT: usize = 48;
/// A key is asked about for so long after it was revoked.
const WATCHED: Duration = LEASE.saturating_mul(4);
/// So many keys are in one question at most.
const BATCH: usize = 24;

/// Asks one node about the keys that matter, until all is over.
pub(crate) async fn hammer(ground: Arc<Ground>, place: usize, mut dice: Dice) {
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    while !ground.ledger.is_over.load(Ordering::Relaxed) {
        // A node that answers is asked often; at one that is silent the questions pile up over the whole of its silence.
        let waiting = IN_FLIGHT - room.available_permits();
        let pause = if waiting < 6 { dice.within(2, 18) } else { dice.within(40, 80) };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let mut keys = ground.ledger.watched();
        if keys.is_empty() {
            continue;
        }
        dice.shuffle(&mut keys);
        let (ground, kind) = (Arc::clone(&ground), dice.of(6));
        tokio::spawn(async move {
            match kind {
                0 | 1 => drop(ground.knock(place, &keys[0]).await),
                2 => drop(ground.verify(place, &keys[..1]).await),
                _ => drop(ground.verify(place, &keys[..keys.len().min(BATCH)]).await),
            }
            drop(permit);
        });
    }
    // What is on its way still counts.
    let all = u32::try_from(IN_FLIGHT).unwrap();
    drop(room.acquire_many(all).await);
}

/// Makes keys and revokes them, until as many as are wanted were, by all who do so; returns how long each call took that was
/// the first to revoke its key and did.
pub(crate) async fn revoke(ground: Arc<Ground>, wanted: u64, mut dice: Dice) -> Vec<u64> {
    let mut latencies = Vec::new();
    let mut asking = JoinSet::new();
    let nodes = ground.places.len();
    while ground.ledger.revoked.load(Ordering::Relaxed) < wanted && !ground.ledger.is_over.load(Ordering::Relaxed) {
        let Some(key) = ground.create(dice.of(nodes)).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        be_accepted(&ground, &key, &mut dice).await;
        ground.ledger.watch(&key, WATCHED);
        tokio::time::sleep(Duration::from_millis(dice.within(0, 120))).await;
        key.is_being_revoked();
        let mut tries = 0;
        loop {
            let sent = now();
            tries += 1;
            if ground.revoke(dice.of(nodes), &key).await {
                if tries == 1 {
                    latencies.push(key.revoked_at() - sent);
                }
                break;
            }
            // Nobody knows whether it is revoked. To ask again is the way to find out.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for place in 0..nodes {
            let (ground, key) = (Arc::clone(&ground), Arc::clone(&key));
            asking.spawn(async move { drop(ground.knock(place, &key).await) });
        }
        while asking.try_join_next().is_some() {}
    }
    while asking.join_next().await.is_some() {}
    latencies
}

/// A key is good as soon as the call that made it has returned: the first node that can say anything says so.
async fn be_accepted(ground: &Arc<Ground>, key: &Arc<Key>, dice: &mut Dice) {
    for _ in 0..100 {
        let place = dice.of(ground.places.len());
        let asking = tokio::time::timeout(LEASE, ground.knock(place, key));
        if asking.await == Ok(Verdict::Accepted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ground.ledger.complain(format!("nobody accepts the new key {}", key.id));
}
