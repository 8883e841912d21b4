//! The lines of the table, printed as they come.

use serde::Serialize;

/// One line: the median of its rounds, and the least and the most.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// The name of what it is compared with, and how many times that it is.
    pub(crate) ratio: Option<(String, f64)>,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) lines: Vec<Line>,
    shown: bool,
}

impl Table {
    pub(crate) const fn new(shown: bool) -> Self {
        Self { lines: Vec::new(), shown }
    }

    /// Adds a line, compared with the median of an earlier one where that is named.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, rounds: &[f64], beside: Option<&str>) {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (sorted.first().copied().unwrap_or_default(), sorted.last().copied().unwrap_or_default());
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let other = beside.and_then(|beside| self.lines.iter().find(|line| line.name == beside));
        let ratio = other.map(|line| (line.name.clone(), median / line.median));
        let line = Line { name: name.to_owned(), unit, median, least, most, ratio };
        if self.shown {
            let ratio = line.ratio.as_ref().map(|(name, ratio)| format!("{ratio:.2} x {name}")).unwrap_or_default();
            println!("{name:<44} {median:>12.1} {unit:<10} ({least:.1} to {most:.1})  {ratio}");
        }
        self.lines.push(line);
    }
}
