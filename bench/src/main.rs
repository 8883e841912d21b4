//! One command that prints what things cost, side by side in one run. See the README beside this crate.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod children;
mod gateways;
mod generator;
mod growth;
mod http;
mod in_process;
mod keys;
mod memory;
mod meter;
mod nodes;
mod store;
mod table;

use std::error::Error;

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

fn main() -> Done<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["child", rest @ ..] = words.as_slice() {
        return children::be(rest);
    }
    if let Some(unknown) = words.iter().find(|word| {
        !matches!(**word, "--quick" | "--json" | "--growth" | "--lists" | "--meter" | "--nodes" | "--gateways")
    }) {
        return Err(format!(
            "there is no option {unknown}; there are --quick, --growth, --lists, --meter, --nodes, --gateways and --json"
        )
        .into());
    }
    let scale = if words.contains(&"--quick") { QUICK } else { FULL };
    if words.contains(&"--growth") {
        return growth::measure(&scale, &mut table::Table::new(true));
    }
    if words.contains(&"--lists") {
        return measure_lists(&scale, &mut table::Table::new(true));
    }
    if words.contains(&"--meter") {
        let directory = tempfile::tempdir()?;
        let store = store::fill(directory.path(), scale.stored_keys, store::Whose::Many)?;
        return meter::measure(&scale, directory.path(), &store, &mut table::Table::new(true));
    }
    if words.contains(&"--nodes") {
        let directory = tempfile::tempdir()?;
        let store = store::fill(directory.path(), scale.stored_keys, store::Whose::Many)?;
        return nodes::measure(&scale, directory.path(), &store, &mut table::Table::new(true));
    }
    if words.contains(&"--gateways") {
        let directory = tempfile::tempdir()?;
        store::fill(directory.path(), scale.stored_keys, store::Whose::Many)?;
        return gateways::measure(&scale, directory.path(), &mut table::Table::new(true));
    }
    measure(scale, words.contains(&"--json"))
}

fn measure_lists(scale: &Scale, table: &mut table::Table) -> Done<()> {
    let directory = tempfile::tempdir()?;
    let store = store::fill(directory.path(), scale.stored_keys, store::Whose::Two)?;
    http::measure_lists(scale, directory.path(), &store, table)
}

fn measure(scale: Scale, json: bool) -> Done<()> {
    let mut table = table::Table::new(!json);
    in_process::measure(&scale, &mut table);
    memory::measure(&scale, &mut table)?;
    growth::measure(&scale, &mut table)?;
    let directory = tempfile::tempdir()?;
    let store = store::fill(directory.path(), scale.stored_keys, store::Whose::Many)?;
    memory::measure_load(directory.path(), scale.stored_keys, &mut table)?;
    http::measure(&scale, directory.path(), &store, &mut table)?;
    nodes::measure(&scale, directory.path(), &store, &mut table)?;
    meter::measure(&scale, directory.path(), &store, &mut table)?;
    drop(directory);
    measure_lists(&scale, &mut table)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&table.lines)?);
    }
    Ok(())
}
