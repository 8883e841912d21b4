//! The lines of one run, printed as they come. Only a table makes ratios, and only of its own lines: figures of different runs say
//! nothing about each other.
#![expect(clippy::print_stderr, reason = "what is missing is no part of the table")]

use serde::{Deserialize, Serialize};

use crate::machine::Run;

/// One line: the median of its rounds, and the least and the most.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    name: String,
    unit: String,
    #[serde(flatten)]
    figure: Figure,
    rounds: Vec<f64>,
    ratio: Option<Ratio>,
}

/// A median, and between what it lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// How many times another line that it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ratio {
    of: String,
    #[serde(flatten)]
    figure: Figure,
}

/// Everything that one run has measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) run: Run,
    lines: Vec<Line>,
    /// What was to be measured and could not be, and why.
    missing: Vec<String>,
}

impl Table {
    pub(crate) const fn new(run: Run) -> Self {
        Self { run, lines: Vec::new(), missing: Vec::new() }
    }

    /// Adds a line, compared with the median of an earlier one where that is named.
    pub(crate) fn add(&mut self, name: &str, unit: &str, rounds: &[f64], beside: Option<&str>) {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        let line = Line { name, unit, figure: figure(rounds), rounds: rounds.to_vec(), ratio: None };
        let other = beside.and_then(|beside| self.line(beside));
        let ratio = other.map(|other| Ratio { of: other.name.clone(), figure: ratio(&line, other) });
        let line = Line { ratio, ..line };
        print(&line);
        self.lines.push(line);
    }

    /// Notes that something could not be measured.
    pub(crate) fn miss(&mut self, what: &str, why: &str) {
        eprintln!("error: {what} could not be measured: {why}");
        self.missing.push(format!("{what}: {why}"));
    }

    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }

    pub(crate) fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    pub(crate) fn figure(&self, name: &str) -> Option<Figure> {
        self.line(name).map(|line| line.figure)
    }

    /// How many times the second the first is.
    pub(crate) fn ratio(&self, name: &str, of: &str) -> Option<Figure> {
        Some(ratio(self.line(name)?, self.line(of)?))
    }

    /// The lines of both, if they are of one run.
    pub(crate) fn join(mut self, other: Self) -> Result<Self, String> {
        if self.run.id != other.run.id {
            return Err(format!(
                "these are two runs, {} and {}: another run means another state of the machine, so that a ratio of figures of both \
                 would tell of the machine as much as of what was measured. Measure both side by side, in one run",
                self.run.id, other.run.id
            ));
        }
        self.lines.extend(other.lines);
        self.missing.extend(other.missing);
        Ok(self)
    }

    pub(crate) fn print(&self) {
        self.lines.iter().for_each(print);
    }
}

fn print(line: &Line) {
    let Line { name, unit, figure: Figure { median, least, most }, ratio, .. } = line;
    let ratio = ratio
        .as_ref()
        .map(|ratio| {
            let digits = if ratio.figure.median < 0.1 { 3 } else { 2 };
            format!("{:.digits$} x {}", ratio.figure.median, ratio.of)
        })
        .unwrap_or_default();
    println!("{name:<58} {median:>12.1} {unit:<10} ({least:.1} to {most:.1})  {ratio}");
}

fn figure(rounds: &[f64]) -> Figure {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    Figure { median: at(sorted.len() / 2), least: at(0), most: at(sorted.len().saturating_sub(1)) }
}

/// The ratio of the medians; and the least and the most of the rounds, of which each was beside its other.
fn ratio(line: &Line, other: &Line) -> Figure {
    let median = line.figure.median / other.figure.median;
    let each: Vec<f64> = line.rounds.iter().zip(&other.rounds).map(|(own, other)| own / other).collect();
    let spread = figure(&each);
    Figure { median, least: spread.least.min(median), most: spread.most.max(median) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn table(id: &str) -> Table {
        let mut run = Run::default();
        id.clone_into(&mut run.id);
        Table::new(run)
    }

    #[test]
    fn a_line_is_its_median_beside_that_of_another() {
        let mut table = table("a");
        table.add("other", "us", &[2.0, 4.0, 3.0], None);
        table.add("own", "us", &[6.0, 8.0, 3.0], Some("other"));
        assert_eq!(table.figure("own"), Some(Figure { median: 6.0, least: 3.0, most: 8.0 }));
        // Round by round it was 3, 2 and 1 times as much.
        let ratio = table.lines[1].ratio.clone().unwrap();
        assert_eq!(ratio.of, "other");
        assert_eq!(ratio.figure, Figure { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(table.ratio("own", "other"), Some(ratio.figure));
        assert_eq!(table.ratio("own", "nothing"), None);
    }

    #[test]
    fn lines_of_two_runs_do_not_meet() {
        let (mut one, mut same, other) = (table("a"), table("a"), table("b"));
        one.add("x", "us", &[1.0], None);
        same.add("y", "us", &[2.0], None);
        let joined = one.join(same).unwrap();
        assert_eq!(joined.ratio("y", "x"), Some(Figure { median: 2.0, least: 2.0, most: 2.0 }));
        let refusal = joined.join(other).unwrap_err();
        assert!(refusal.contains("two runs, a and b"), "{refusal}");
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut written = table("a");
        written.add("x", "us", &[1.0, 2.0, 3.0], None);
        written.add("y", "us", &[2.0, 4.0, 6.0], Some("x"));
        written.miss("z", "nobody had it");
        let text = serde_json::to_string(&written).unwrap();
        let read: Table = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
