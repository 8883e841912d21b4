//! What a key takes: of memory, and of the time of a start. Each figure is that of a process of its own.

use crate::table::Table;
use crate::{Done, Scale, children, cores};

pub(crate) fn measure(scale: &Scale, table: &mut Table) -> Done<()> {
    for size in scale.sizes {
        let count = size.to_string();
        let mut rounds = Vec::new();
        for _ in 0..scale.rounds.min(3) {
            rounds.extend(children::numbers(&["memory", &count])?.first());
        }
        table.add(&format!("bytes per key, {size} keys"), "bytes", &rounds, None);
    }
    Ok(())
}

/// Has a child load so many keys, from the store that it is told of, three times.
pub(crate) fn measure_load(engine: &str, child: &str, store: &str, count: usize, table: &mut Table) -> Done<()> {
    let words = [child, store, &count.to_string()];
    let (mut milliseconds, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        // Nothing else runs yet: while the database puts rows together on one core, memory takes them in on the other.
        let numbers = cores::on(cores::BOTH, || children::numbers(&words))??;
        milliseconds.extend(numbers.first());
        bytes.extend(numbers.get(1));
    }
    table.add(&format!("load from {engine}, {count} keys"), "ms", &milliseconds, None);
    table.add(&format!("bytes per key of the whole process on {engine}, {count} keys"), "bytes", &bytes, None);
    Ok(())
}
