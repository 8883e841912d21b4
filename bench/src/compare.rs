//! The JSON of a run, and what is read from it afterwards.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Done;
use crate::table::Table;
use crate::targets::{self, Verdict};

/// What the file of a run holds; of it only the table is read again, and judged anew.
#[derive(Serialize)]
struct File<'a> {
    #[serde(flatten)]
    table: &'a Table,
    targets: &'a [Verdict],
}

pub(crate) fn write(path: &Path, table: &Table, verdicts: &[Verdict]) -> Done<()> {
    let file = File { table, targets: verdicts };
    Ok(std::fs::write(path, serde_json::to_string_pretty(&file)? + "\n")?)
}

/// Prints the ratios of one run, beside what is to be reached. Files of two runs are refused.
pub(crate) fn compare(paths: &[PathBuf]) -> Result<(), String> {
    let table = read(paths)?;
    table.run.print();
    table.print();
    targets::print(&targets::judge(&table));
    Ok(())
}

fn read(paths: &[PathBuf]) -> Result<Table, String> {
    let mut tables = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let table: Table = serde_json::from_str(&text)
            .map_err(|error| format!("{} is not the JSON of a run: {error}", path.display()))?;
        tables.push(table);
    }
    let mut tables = tables.into_iter();
    let first = tables.next().ok_or("no file")?;
    tables.try_fold(first, Table::join)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::table;

    fn written(directory: &Path, name: &str, id: &str) -> PathBuf {
        let path = directory.join(name);
        let mut table = table(id);
        table.add("nginx 204", "us CPU", &[10.0], None);
        write(&path, &table, &targets::judge(&table)).unwrap();
        path
    }

    #[test]
    fn two_runs_are_not_compared() {
        let place = tempfile::tempdir().unwrap();
        let one = written(place.path(), "one", "a");
        let two = written(place.path(), "two", "b");
        assert!(read(&[one.clone(), two]).unwrap_err().contains("two runs"));
        let same = written(place.path(), "same", "a");
        assert!(read(&[one.clone(), same]).is_ok());
        assert!(read(&[one]).unwrap().figure("nginx 204").is_some());
    }

    #[test]
    fn what_is_no_run_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        assert!(read(std::slice::from_ref(&path)).is_err());
        std::fs::write(&path, "{}").unwrap();
        assert!(read(&[path]).unwrap_err().contains("not the JSON of a run"));
    }
}
