//! How long a decision waits while keys are added: the node's own memory, with readers on one core and the log on the other.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portcullis_core::change::Change;
use portcullis_core::decision::{Ask, Presented, Unmetered, decide};
use portcullis_core::token::WellFormed;
use portcullis_server::Memory;

use crate::keys::{self, KEYS_OF_A_USER, NOW, Sequence};
use crate::table::Table;
use crate::{Done, Scale, children};

/// What the log is read in.
const PAGE: usize = 1_000;
/// The pace of the reader that does not wait for its own answers.
const PACE: Duration = Duration::from_micros(100);

pub(crate) fn measure(scale: &Scale, table: &mut Table) -> Done<()> {
    let count = scale.stored_keys.to_string();
    let mut rounds = vec![Vec::new(); 9];
    for _ in 0..scale.rounds.min(3) {
        let numbers = children::numbers(&["growth", &count, &count])?;
        for (round, number) in rounds.iter_mut().zip(numbers) {
            round.push(number);
        }
    }
    let names = ["one after the other", "at a fixed pace"].into_iter().flat_map(|reader| {
        ["nothing added", "keys added"].into_iter().flat_map(move |meanwhile| {
            ["99.99 of 100", "longest"].map(|which| format!("decision {reader}, {meanwhile}, {which}"))
        })
    });
    for (name, round) in names.chain(["a key added meanwhile".to_owned()]).zip(&rounds) {
        table.add(&name, "µs", round, None);
    }
    Ok(())
}

/// Prints, for each of the two readers, without and with additions, 99.99 of 100 decisions and the longest; and what an addition took.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
pub(crate) fn run(count: usize, added: usize) -> Done<()> {
    let memory = Memory::new(keys::keyring(count));
    let draw = Sequence::new(9);
    let texts: Vec<String> =
        (0..200_000.min(count)).map(|_| keys::token(draw.below(count)).reveal().to_owned()).collect();
    let (mut numbers, mut micros_each) = (Vec::new(), 0.0);
    for (round, pace) in [None, Some(PACE)].into_iter().enumerate() {
        let half = added / 2;
        let first = count + round * half;
        // As long without as it takes with, so that the machine itself has as many chances to disturb.
        let begun = Instant::now();
        let with = during(&memory, &texts, pace, || add(&memory, first, half))?;
        let spent = begun.elapsed();
        let without = during(&memory, &texts, pace, || {
            std::thread::sleep(spent);
            Ok(())
        })?;
        micros_each += spent.as_secs_f64() * 1e6 / added as f64;
        numbers.extend(without.into_iter().chain(with));
    }
    let words: Vec<String> = numbers.into_iter().chain([micros_each]).map(|number| number.to_string()).collect();
    println!("{}", words.join(" "));
    Ok(())
}

/// 99.99 of 100 decisions, and the longest, in microseconds, that a thread makes on core 1 while `work` is done on core 0.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a benchmark are far below 2^52")]
fn during(
    memory: &Memory,
    texts: &[String],
    pace: Option<Duration>,
    work: impl FnOnce() -> Done<()> + Send,
) -> Done<[f64; 2]> {
    let ended = AtomicBool::new(false);
    let mut spent = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let done = pin("0").and_then(|()| work());
            ended.store(true, Ordering::Relaxed);
            done
        });
        let reader = scope.spawn(|| pin("1").map(|()| read(memory, texts, pace, &ended)));
        worker.join().map_err(|_| "the log's thread ended early")??;
        reader.join().map_err(|_| "the reader's thread ended early")?
    })?;
    spent.sort_unstable();
    let micros = |nanoseconds: Option<&u64>| nanoseconds.map_or(0.0, |&nanoseconds| nanoseconds as f64 / 1_000.0);
    Ok([micros(spent.get(spent.len() - spent.len().div_ceil(10_000))), micros(spent.last())])
}

/// How long each decision took; at a fixed pace, from when it was due.
fn read(memory: &Memory, texts: &[String], pace: Option<Duration>, ended: &AtomicBool) -> Vec<u64> {
    let (pepper, prefix) = (keys::pepper(), keys::prefix());
    let mut spent = Vec::with_capacity(1 << 24);
    let mut due = Instant::now();
    for text in texts.iter().cycle() {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        match pace {
            Some(pace) => {
                due += pace;
                while Instant::now() < due {
                    std::hint::spin_loop();
                }
            }
            None => due = Instant::now(),
        }
        let token = WellFormed::parse(text, &prefix)
            .map_or(Presented::Malformed, |token| Presented::WellFormed(pepper.digest(&token)));
        let is_valid =
            memory.read().is_some_and(|keyring| decide(&keyring, &Ask::about(token), NOW, &mut Unmetered).is_valid());
        spent.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if !black_box(is_valid) {
            // A figure about wrong answers would be worth nothing.
            println!("a good key was refused");
            std::process::exit(1);
        }
    }
    spent
}

/// Adds people and their keys as a node does that follows the log: a page at a time.
fn add(memory: &Memory, first: usize, count: usize) -> Done<()> {
    let pepper = keys::pepper();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for from in (first..first + count).step_by(PAGE) {
        let people = keys::people(from / KEYS_OF_A_USER..(from + PAGE) / KEYS_OF_A_USER);
        let page: Vec<Change> = people.chain((from..from + PAGE).map(|n| keys::key_set(n, &pepper))).collect();
        runtime.block_on(memory.apply(page, || ()))?;
    }
    Ok(())
}

/// Binds the calling thread to a core.
fn pin(core: &str) -> Done<()> {
    let thread = std::fs::read_link("/proc/thread-self")?;
    let thread = thread.file_name().ok_or("no number of this thread in /proc")?;
    let done = Command::new("taskset").args(["-cp", core]).arg(thread).stdout(Stdio::null()).status()?;
    if done.success() { Ok(()) } else { Err(format!("taskset cannot bind a thread to core {core}").into()) }
}
