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
    let worlds: Vec<(usize, Keyring, Vec<String>)> =
        scale.sizes.iter().map(|&size| (size, keys::keyring(size), texts(size))).collect();
    let mut hashes = Vec::new();
    let mut decisions = vec![Vec::new(); worlds.len()];
    let (mut malformed, mut unknown) = (Vec::new(), Vec::new());
    let Some((_, largest, largest_texts)) = worlds.last() else { return };
    let broken: Vec<String> = largest_texts.iter().map(|text| text.replace("_live_", "_test_")).collect();
    let strangers: Vec<String> =
        (0..TEXTS.min(50_000)).map(|n| keys::token(usize::MAX / 2 + n).reveal().to_owned()).collect();
    for _ in 0..scale.rounds {
        hashes.push(nanoseconds(scale.decisions, |n| {
            let text = largest_texts.get(n % largest_texts.len()).map_or("", String::as_str);
            black_box(digest(&SHA256, text.as_bytes()));
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

/// Tokens in an order without order, so that the next one is never where the last one was.
fn texts(size: usize) -> Vec<String> {
    let draw = Sequence::new(9);
    (0..TEXTS.min(size * 4)).map(|_| keys::token(draw.below(size)).reveal().to_owned()).collect()
}

fn decisions_of(
    count: usize,
    keyring: &Keyring,
    pepper: &Pepper,
    prefix: &TokenPrefix,
    texts: &[String],
    valid: bool,
) -> f64 {
    let mut wrong = 0_u64;
    let spent = nanoseconds(count, |n| {
        let text = texts.get(n % texts.len()).map_or("", String::as_str);
        let token = WellFormed::parse(text, prefix)
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
