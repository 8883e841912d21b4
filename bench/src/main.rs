//! One command that prints what things cost, side by side in one run. See the README beside this crate.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod asks;
mod axum_postgres;
mod bare;
mod children;
mod compare;
mod connection;
mod connections;
mod cores;
mod cost;
mod flood;
mod gateways;
mod generator;
mod growth;
mod histogram;
mod in_process;
mod instructions;
mod keys;
mod latency;
mod lists;
mod machine;
mod memory;
mod meter;
mod mix;
mod nodes;
mod options;
mod peers;
mod revokes;
mod rounds;
mod server;
mod speed;
mod store;
mod table;
mod targets;
mod wrk;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use tempfile::TempDir;

use crate::options::{Part, Wanted};
use crate::store::{Stored, Whose};
use crate::table::Table;

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// How many keys the keyrings have.
    sizes: [usize; 3],
    stored_keys: usize,
    rounds: usize,
    decisions: usize,
    http_seconds: f64,
}

const FULL: Scale = Scale {
    sizes: [1_000, 1_000_000, 10_000_000],
    stored_keys: 1_000_000,
    rounds: 5,
    decisions: 1_000_000,
    http_seconds: 3.0,
};
const QUICK: Scale =
    Scale { sizes: [1_000, 10_000, 100_000], stored_keys: 100_000, rounds: 3, decisions: 200_000, http_seconds: 1.0 };

/// Wrong use, or what would be wrong to do.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["child", rest @ ..] = words.as_slice() {
        return ended(children::be(rest).map(|()| true));
    }
    match options::read(&words) {
        Ok(Wanted::Compare(files)) => compare::compare(&files).map_or_else(|why| refuse(&why), |()| ExitCode::SUCCESS),
        Ok(Wanted::Count { keep }) => ended(instructions::measure(keep)),
        Ok(Wanted::Measure { parts, quick, json, keys }) => {
            let scale = with_keys(if quick { QUICK } else { FULL }, keys);
            ended(measure(scale, &parts, json.as_deref()))
        }
        Err(why) => refuse(&why),
    }
}

#[expect(clippy::print_stderr, reason = "the table goes to standard output, and what went wrong does not")]
fn refuse(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(REFUSED)
}

#[expect(clippy::print_stderr, reason = "the table goes to standard output, and what went wrong does not")]
fn ended(done: Done<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn with_keys(scale: Scale, keys: Option<usize>) -> Scale {
    let [small, middle, largest] = scale.sizes;
    let stored_keys = keys.unwrap_or(scale.stored_keys);
    Scale { stored_keys, sizes: [small, middle, keys.unwrap_or(largest)], ..scale }
}

/// A store that is made when the first part asks for it, and that all of its kind share.
struct Shared {
    whose: Whose,
    filled: OnceCell<(TempDir, Stored)>,
}

impl Shared {
    const fn new(whose: Whose) -> Self {
        Self { whose, filled: OnceCell::new() }
    }

    fn get(&self, scale: &Scale) -> Done<(&Path, &Stored)> {
        if self.filled.get().is_none() {
            let directory = tempfile::tempdir()?;
            let stored = store::fill(directory.path(), scale.stored_keys, self.whose)?;
            let _ = self.filled.set((directory, stored));
        }
        let (directory, stored) = self.filled.get().ok_or("no store")?;
        Ok((directory.path(), stored))
    }
}

/// Whether everything was measured that was to be.
fn measure(scale: Scale, parts: &[Part], json: Option<&Path>) -> Done<bool> {
    cores::begin()?;
    let run = machine::Run::new(scale.in_words(), parts.iter().map(|part| part.word().to_owned()).collect())?;
    run.print();
    let mut table = Table::new(run);
    let shared = Shared::new(Whose::Many);
    for &part in parts {
        println!("\n{}", part.word());
        if let Err(why) = measure_part(part, &scale, &shared, &mut table) {
            table.miss(part.word(), &why.to_string());
        }
    }
    let verdicts = targets::judge(&table);
    targets::print(&verdicts);
    if let Some(file) = json {
        compare::write(file, &table, &verdicts)?;
    }
    if !table.missing().is_empty() {
        println!("\nmissing:\n  {}", table.missing().join("\n  "));
    }
    Ok(table.missing().is_empty())
}

fn measure_part(part: Part, scale: &Scale, shared: &Shared, table: &mut Table) -> Done<()> {
    match part {
        Part::Process => in_process::measure(scale, table),
        Part::Memory => memory::measure(scale, table)?,
        Part::Cost => cost::measure(scale, table)?,
        Part::Growth => growth::measure(scale, table)?,
        Part::Speed => of_store(speed::measure, scale, shared, table)?,
        Part::Latency => of_store(latency::measure, scale, shared, table)?,
        Part::Mix => of_store(mix::measure, scale, shared, table)?,
        Part::Flood => of_store(flood::measure, scale, shared, table)?,
        Part::Connections => of_store(connections::measure, scale, shared, table)?,
        Part::Revokes => of_store(revokes::measure, scale, shared, table)?,
        Part::Peers => of_store(peers::measure, scale, shared, table)?,
        Part::Nodes => of_store(nodes::measure, scale, shared, table)?,
        Part::Lists => of_store(lists::measure, scale, &Shared::new(Whose::Two), table)?,
        Part::Meter => of_store(meter::measure, scale, shared, table)?,
        Part::Gateways => of_store(gateways::measure, scale, shared, table)?,
    }
    Ok(())
}

type Measuring = fn(&Scale, &Path, &Stored, &mut Table) -> Done<()>;

fn of_store(measuring: Measuring, scale: &Scale, shared: &Shared, table: &mut Table) -> Done<()> {
    let (directory, stored) = shared.get(scale)?;
    measuring(scale, directory, stored, table)
}

impl Scale {
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    fn in_words(&self) -> BTreeMap<String, f64> {
        let numbers = [
            ("stored keys", self.stored_keys as f64),
            ("rounds", self.rounds as f64),
            ("decisions of a round", self.decisions as f64),
            ("seconds of a round", self.http_seconds),
        ];
        numbers.map(|(name, number)| (name.to_owned(), number)).into()
    }
}
