//! What goes wrong while a test looks.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::LEASE;
use super::dice::Dice;
use super::ground::Ground;
use super::node::Place;
use super::proxy::Wire;

/// One kind of fault each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A node stands still for a while, as a machine does that swaps or is moved.
    Pause,
    /// What a node and its database say to each other is lost, or comes late; or is lost one way.
    Drop,
    Hold,
    Delay,
    Cut,
    OnlyQuestions,
    OnlyAnswers,
    /// A node is killed, or stops in good order; another takes its place.
    Kill,
    Leave,
    /// The database ends as in a crash, and starts again.
    Crash,
}

pub(crate) const ALL: [Trouble; 10] = [
    Trouble::Pause,
    Trouble::Drop,
    Trouble::Hold,
    Trouble::Delay,
    Trouble::Cut,
    Trouble::OnlyQuestions,
    Trouble::OnlyAnswers,
    Trouble::Kill,
    Trouble::Leave,
    Trouble::Crash,
];

/// Which faults there are, and how long each lasts, in thousandths of a lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) kinds: &'static [Trouble],
    pub(crate) lasts: (u64, u64),
}

/// Faults that are still to come; each kind comes once before any comes again.
#[derive(Debug)]
pub(crate) struct Deck {
    weather: Weather,
    left: Mutex<Vec<Trouble>>,
    /// How many there have been.
    pub(crate) been: Mutex<BTreeMap<Trouble, u32>>,
}

impl Deck {
    pub(crate) fn new(weather: Weather) -> Self {
        Self { weather, left: Mutex::default(), been: Mutex::default() }
    }

    fn draw(&self, dice: &mut Dice) -> (Trouble, Duration) {
        let mut left = self.left.lock().unwrap();
        if left.is_empty() {
            *left = self.weather.kinds.to_vec();
            dice.shuffle(&mut left);
        }
        let trouble = left.pop().unwrap();
        *self.been.lock().unwrap().entry(trouble).or_default() += 1;
        let (least, most) = self.weather.lasts;
        (trouble, LEASE * u32::try_from(dice.within(least, most)).unwrap() / 1_000)
    }
}

/// Makes trouble, one after the other, until all is over. Several of these may be at work, never at the same node.
pub(crate) fn make(ground: &Arc<Ground>, deck: &Deck, mut dice: Dice) {
    while !ground.ledger.is_over.load(Ordering::Relaxed) {
        std::thread::sleep(LEASE * u32::try_from(dice.within(400, 1_600)).unwrap() / 1_000);
        let place = &ground.places[dice.of(ground.places.len())];
        let Ok(_alone) = place.trouble.try_lock() else { continue };
        let (trouble, lasts) = deck.draw(&mut dice);
        befall(ground, place, trouble, lasts, &mut dice);
    }
}

fn befall(ground: &Ground, place: &Place, trouble: Trouble, lasts: Duration, dice: &mut Dice) {
    let damaged = |wire| {
        place.proxy.becomes(wire);
        std::thread::sleep(lasts);
        place.proxy.becomes(Wire::Sound);
    };
    match trouble {
        Trouble::Pause => {
            place.signal("-STOP");
            std::thread::sleep(lasts);
            place.signal("-CONT");
        }
        Trouble::Drop => damaged(Wire::Drops),
        Trouble::Hold => damaged(Wire::Holds),
        Trouble::Delay => damaged(Wire::Delays(LEASE * u32::try_from(dice.within(5, 250)).unwrap() / 1_000)),
        Trouble::Cut => damaged(Wire::Cut),
        Trouble::OnlyQuestions => damaged(Wire::CarriesQuestions),
        Trouble::OnlyAnswers => damaged(Wire::CarriesAnswers),
        Trouble::Kill => {
            place.kill();
            place.start();
        }
        Trouble::Leave => {
            if let Err(complaint) = place.stop() {
                ground.ledger.complain(format!("{complaint}:\n{}", place.log()));
            }
            place.start();
        }
        Trouble::Crash => {
            ground.postgres.crash();
            ground.postgres.resume();
        }
    }
}
