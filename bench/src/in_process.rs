//! From a token's text to its decision, in one thread.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_core::decision::{Ask, Presented, Unmetered, decide};
use portcullis_core::keyring::Keyring;
use portcullis_core::token::{Pepper, TokenPrefix, WellFormed};

use crate::Scale;
use crate::keys::{self, NOW, Sequence};
use crate::table::Table;

/// Texts that are kept to draw from. Of more keys than that, an even sample is kept.
const TEXTS: usize = 200_000;
const YARDSTICK: &str = "SHA-256 of a token";

pub(crate) fn measure(scale: &Scale, table: &mut Table) {
    let (pepper, prefix) = (keys::pepper(), keys::prefix());
    let worlds: Vec<(usize, Keyring, Texts)> =
        scale.sizes.iter().map(|&size| (size, keys::keyring(size), texts(size))).collect();
    let mut hashes = Vec::new();
    let mut decisions = vec![Vec::new(); worlds.len()];
    let (mut malformed, mut unknown) = (Vec::new(), Vec::new());
    let Some((_, largest, largest_texts)) = worlds.last() else { return };
    let broken = Texts { all: largest_texts.all.replace("_live_", "_test_"), ..*largest_texts };
    let strangers = Texts::of((0..TEXTS.min(50_000)).map(|n| usize::MAX / 2 + n));
    for _ in 0..scale.rounds {
        hashes.push(nanoseconds(scale.decisions, |n| {
            black_box(digest(&SHA256, largest_texts.at(n).as_bytes()));
        }));
        for ((_, keyring, texts), rounds) in worlds.iter().zip(&mut decisions) {
            rounds.push(decisions_of(scale.decisions, keyring, &pepper, &prefix, texts, true));
        }
        malformed.push(decisions_of(scale.decisions, largest, &pepper, &prefix, &broken, false));
        unknown.push(decisions_of(scale.decisions, largest, &pepper, &prefix, &strangers, false));
    }
    table.add(YARDSTICK, "ns", &hashes, None);
    for ((size, ..), rounds) in worlds.iter().zip(&decisions) {
        table.add(&format!("decision, {size} keys"), "ns", rounds, Some(YARDSTICK));
    }
    table.add("malformed token", "ns", &malformed, Some(YARDSTICK));
    table.add("unknown token", "ns", &unknown, Some(YARDSTICK));
}

/// Tokens, one after the other in memory, so that it is not their texts that are waited for.
struct Texts {
    all: String,
    length: usize,
    count: usize,
}

impl Texts {
    fn of(numbers: impl Iterator<Item = usize>) -> Self {
        let mut texts = Self { all: String::new(), length: 0, count: 0 };
        for token in numbers.map(keys::token) {
            // All tokens are equally long.
            (texts.length, texts.count) = (token.reveal().len(), texts.count + 1);
            texts.all.push_str(token.reveal());
        }
        texts
    }

    fn at(&self, n: usize) -> &str {
        let first = n % self.count.max(1) * self.length;
        self.all.get(first..first + self.length).unwrap_or_default()
    }
}

/// Tokens in an order without order, so that the next one is never where the last one was.
fn texts(size: usize) -> Texts {
    let draw = Sequence::new(9);
    Texts::of((0..TEXTS.min(size * 4)).map(|_| draw.below(size)))
}

fn decisions_of(
    count: usize,
    keyring: &Keyring,
    pepper: &Pepper,
    prefix: &TokenPrefix,
    texts: &Texts,
    valid: bool,
) -> f64 {
    let mut wrong = 0_u64;
    let spent = nanoseconds(count, |n| {
        let token = WellFormed::parse(texts.at(n), prefix)
            .map_or(Presented::Malformed, |token| Presented::WellFormed(pepper.digest(&token)));
        let ask = Ask::about(token);
        let decision = decide(keyring, &ask, NOW, &mut Unmetered);
        wrong += u64::from(black_box(&decision).is_valid() != valid);
    });
    if wrong > 0 {
        // A figure about wrong answers would be worth nothing.
        println!("{wrong} of {count} decisions were wrong");
        std::process::exit(1);
    }
    spent
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn nanoseconds(count: usize, mut each: impl FnMut(usize)) -> f64 {
    let begun = Instant::now();
    for n in 0..count {
        each(n);
    }
    begun.elapsed().as_nanos() as f64 / count as f64
}
