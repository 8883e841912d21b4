//! Several nodes on one PostgreSQL, and everything that can happen to them: a key whose revocation has returned is accepted by
//! nobody who is asked after that, no edit is lost, and no good key is called wrong.
//!
//! Three real nodes, each behind a wire that can be damaged. Clients ask about keys on every node, all the time; others make keys and
//! revoke them; meanwhile nodes are stopped, killed and cut off, and the database crashes. One clock for all of it: a request that was
//! *sent* after the revocation had returned must not be told yes. The same with nodes that make one mistake each must find it.
//!
//! `PORTCULLIS_FAULT_SEED` repeats the faults of a run, `SOAK_REVOKES` makes it as long as that many revocations take.

mod clients;
mod clock;
mod dice;
mod end;
mod ground;
mod ledger;
mod node;
mod proxy;
mod troubles;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dice::Dice;
use ground::Ground;
use proxy::Wire;
use tokio::sync::Mutex;
use troubles::{ALL, Deck, Trouble, Weather};

/// How long a lease is: short, so that many end.
const LEASE: Duration = Duration::from_secs(1);
const NODES: usize = 3;
/// So many make keys and revoke them, so that a fault of seconds holds up some and not all.
const REVOKERS: u64 = 60;
/// Fewer, where what is looked for happens in the moments after an edit: on a busy machine there are none.
const FEW: u64 = 20;

/// One cluster at a time: what the others cost would be seen as faults.
static ALONE: Mutex<()> = Mutex::const_new(());

fn seed() -> u64 {
    let seed = std::env::var("PORTCULLIS_FAULT_SEED").ok().map_or_else(clock::any_seed, |seed| seed.parse().unwrap());
    println!("PORTCULLIS_FAULT_SEED={seed}");
    seed
}

/// What goes on in a cluster until somebody drops it: then all of it ends.
struct Bustle {
    ground: Arc<Ground>,
    hammers: Vec<tokio::task::JoinHandle<()>>,
    revokers: Vec<tokio::task::JoinHandle<Vec<u64>>>,
    troubles: Vec<std::thread::JoinHandle<()>>,
}

impl Bustle {
    fn start(ground: &Arc<Ground>, revokers: u64, wanted: u64, dice: &mut Dice) -> Self {
        let hammer = |place| tokio::spawn(clients::hammer(Arc::clone(ground), place, dice.split()));
        let hammers = (0..ground.places.len()).map(hammer).collect();
        let revoker = |_| tokio::spawn(clients::revoke(Arc::clone(ground), wanted, dice.split()));
        let revokers = (0..revokers).map(revoker).collect();
        Self { ground: Arc::clone(ground), hammers, revokers, troubles: Vec::new() }
    }

    fn troubled(mut self, deck: &Arc<Deck>, makers: usize, dice: &mut Dice) -> Self {
        for _ in 0..makers {
            let (ground, deck, dice) = (Arc::clone(&self.ground), Arc::clone(deck), dice.split());
            self.troubles.push(std::thread::spawn(move || troubles::make(&ground, &deck, dice)));
        }
        self
    }

    /// Waits for the revokers, and then asks on for a while.
    async fn revoked(&mut self) -> Vec<u64> {
        let mut latencies = Vec::new();
        for revoker in self.revokers.drain(..) {
            latencies.extend(revoker.await.unwrap());
        }
        tokio::time::sleep(2 * LEASE).await;
        latencies
    }

    async fn end(mut self) {
        self.ground.ledger.is_over.store(true, Ordering::Relaxed);
        let troubles = std::mem::take(&mut self.troubles);
        let ended = tokio::task::spawn_blocking(|| troubles.into_iter().try_for_each(std::thread::JoinHandle::join));
        assert!(ended.await.unwrap().is_ok(), "a fault could not be made, or not be mended");
        for hammer in self.hammers.drain(..) {
            hammer.await.unwrap();
        }
        for revoker in self.revokers.drain(..) {
            revoker.await.unwrap();
        }
    }
}

impl Drop for Bustle {
    fn drop(&mut self) {
        self.ground.ledger.is_over.store(true, Ordering::Relaxed);
    }
}

/// How many revocations there are: some hundreds in every test run, and as many as `just soak-cluster` says.
fn revocations() -> u64 {
    std::env::var("SOAK_REVOKES").map_or(300, |revokes| revokes.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_a_revoked_key_is_dead_everywhere_when_the_call_returns() {
    let _alone = ALONE.lock().await;
    let began = clock::now();
    let mut dice = Dice::new(seed());
    let ground = Ground::start(NODES, None).await;
    for _ in 0..6 {
        // Never revoked: whoever says that one of these is no good is wrong.
        let key = ground.create(0).await.expect("nothing has happened yet");
        ground.ledger.watch(&key, LEASE);
    }
    // First what a revocation takes where nothing goes wrong and nobody else asks.
    let calm = 40;
    let mut latencies = clients::revoke(Arc::clone(&ground), calm, dice.split()).await;
    latencies.sort_unstable();

    let deck = Arc::new(Deck::new(Weather { kinds: &ALL, lasts: (100, 3_000) }));
    let mut bustle = Bustle::start(&ground, REVOKERS, calm + revocations(), &mut dice).troubled(&deck, 2, &mut dice);
    bustle.revoked().await;
    bustle.end().await;
    end::report(&ground, &deck, &latencies, began);
    end::all_is_well(&ground).await;
}

/// Nodes that make this mistake are found out in this weather.
async fn is_found_out(mutant: &'static str, weather: Weather) {
    let _alone = ALONE.lock().await;
    let mut dice = Dice::new(seed());
    let ground = Ground::start(NODES, Some(mutant)).await;
    let began = clock::now();
    let deck = Arc::new(Deck::new(weather));
    let bustle = Bustle::start(&ground, FEW, u64::MAX, &mut dice).troubled(&deck, 1, &mut dice);
    for _ in 0..600 {
        if ground.ledger.has_late() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took_ms = (clock::now() - began) / 1_000;
    bustle.end().await;
    let (late, revoked) = (ground.ledger.late(), ground.ledger.revoked.load(Ordering::Relaxed));
    println!("{mutant}: {} accepted late of {revoked} keys, the first after {took_ms} ms", late.len());
    for sighting in late.iter().take(3) {
        println!("  {sighting}");
    }
    assert!(!late.is_empty(), "{mutant} was not found out by {revoked} revocations and {:?}", deck.been);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_answer_an_edit_without_waiting_are_found_out() {
    let kinds = &[Trouble::Drop, Trouble::Delay];
    is_found_out("publish_without_waiting", Weather { kinds, lasts: (300, 800) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_look_at_the_clock_now_and_then_are_found_out() {
    is_found_out("cached_clock", Weather { kinds: &[Trouble::Cut], lasts: (1_800, 2_400) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_lease_begins_with_its_answer_are_found_out() {
    is_found_out("end_from_the_answer", Weather { kinds: &[Trouble::Cut], lasts: (1_600, 2_200) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_acknowledge_what_they_have_not_applied_are_found_out() {
    is_found_out("acknowledge_before_apply", Weather { kinds: &[Trouble::Delay], lasts: (300, 800) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_read_the_log_before_they_have_a_lease_are_found_out() {
    is_found_out("poll_before_grant", Weather { kinds: &[Trouble::Cut], lasts: (1_400, 1_800) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_impatient_with_others_are_found_out() {
    is_found_out("reap_early", Weather { kinds: &[Trouble::Drop], lasts: (800, 1_200) }).await;
}

/// Its counts, its requests and its jobs are in the middle of something when the wire goes silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_the_database_does_not_answer_stops_when_it_is_asked_to() {
    let _alone = ALONE.lock().await;
    let ground = Ground::start(2, None).await;
    let key = ground.create(0).await.expect("nothing has happened yet");
    ground.ledger.watch(&key, LEASE);
    let bustle = Bustle::start(&ground, 0, 0, &mut Dice::new(1));
    for wire in [Wire::Sound, Wire::Delays(LEASE / 5), Wire::Drops] {
        ground.places.iter().for_each(|place| place.proxy.becomes(wire));
        tokio::time::sleep(2 * LEASE).await;
    }
    // The wire of one of them is mended, but the connections that were lost stay so.
    ground.places[0].proxy.becomes(Wire::Sound);
    tokio::time::sleep(2 * LEASE).await;
    let stopping = Arc::clone(&ground);
    let stopped =
        tokio::task::spawn_blocking(move || stopping.places.iter().map(node::Place::stop).collect::<Vec<_>>());
    let stopped = stopped.await.unwrap();
    bustle.end().await;
    assert!(stopped.iter().all(Result::is_ok), "{stopped:?}");
}

/// What was in flight when the wire went silent must not keep a node from its database for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_wire_is_mended_reads_and_writes_again() {
    let _alone = ALONE.lock().await;
    let ground = Ground::start(2, None).await;
    let key = ground.create(0).await.expect("nothing has happened yet");
    ground.ledger.watch(&key, LEASE);
    let bustle = Bustle::start(&ground, FEW, u64::MAX, &mut Dice::new(1));
    for wire in [Wire::Sound, Wire::Delays(LEASE / 5), Wire::Drops, Wire::Delays(LEASE / 5), Wire::Drops, Wire::Sound] {
        ground.places[0].proxy.becomes(wire);
        tokio::time::sleep(2 * LEASE).await;
    }
    bustle.end().await;
    let mut tries = 0;
    while ground.create(0).await.is_none() || ground.usage(0).await != Some(200) {
        tries += 1;
        assert!(tries < 10, "{}", ground.places[0].log());
        tokio::time::sleep(LEASE).await;
    }
}
