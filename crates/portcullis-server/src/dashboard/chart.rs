//! Charts as SVG, drawn here: they are there without JavaScript, on paper, and under a policy that allows no inline style.

use askama::Template;
use portcullis_core::decision::Code;

use super::words;
use crate::manage::usage::{Counts, Usage};

/// The height of a chart's drawing, in its own units.
const HEIGHT: i64 = 100;
/// The width of one bar with the gap beside it.
const STEP: usize = 10;

/// How a key was used in the last days: a row of little bars.
#[derive(Debug, Clone, Template)]
#[template(path = "sparkline.html")]
pub(crate) struct Sparkline {
    bars: Vec<(usize, i64, i64)>,
    width: usize,
    said: String,
}

impl Sparkline {
    pub(crate) fn new(by_day: &[i64]) -> Self {
        let most = by_day.iter().copied().max().unwrap_or(0);
        let bar = |(place, &count): (usize, &i64)| {
            let height = share(count, most, 20);
            (place * 4, 20 - height, height)
        };
        let total = words::counted(by_day.iter().sum(), "call");
        Self {
            bars: by_day.iter().enumerate().filter(|(_, count)| **count > 0).map(bar).collect(),
            width: by_day.len() * 4,
            said: format!("{total} in {} days, at most {} a day", by_day.len(), words::number(most)),
        }
    }
}

/// What was decided over a time, a bar for each hour or day with a part for each code.
#[derive(Debug, Clone, Template)]
#[template(path = "chart.html")]
pub(crate) struct Chart {
    bars: Vec<Bar>,
    width: usize,
    most: String,
    first: String,
    last: String,
    /// Name, words, total, share in percent; only of what happened.
    legend: Vec<(String, &'static str, String)>,
    rows: Vec<Row>,
    is_empty: bool,
    said: String,
}

#[derive(Debug, Clone)]
struct Bar {
    at: usize,
    title: String,
    /// Class, top, height.
    parts: Vec<(String, i64, i64)>,
}

#[derive(Debug, Clone)]
struct Row {
    at: String,
    counts: Vec<String>,
}

impl Chart {
    pub(crate) fn new(usage: &Usage) -> Self {
        let by_hour = usage.window.name == "24h";
        let label = if by_hour { "%-d %b, %H:00" } else { "%-d %b %Y" };
        let most = usage.series.iter().map(|(_, counts)| counts.iter().sum()).max().unwrap_or(0_i64);
        let happened: Vec<Code> = Code::ALL.into_iter().filter(|code| of(&usage.totals, *code) > 0).collect();
        let bar = |(place, (at, counts)): (usize, &(portcullis_core::time::Timestamp, Counts))| {
            let mut top = HEIGHT;
            let mut parts = Vec::new();
            for &code in &happened {
                let height = share(of(counts, code), most, HEIGHT);
                top -= height;
                if height > 0 {
                    parts.push((class(code), top.max(0), height));
                }
            }
            let counted = happened.iter().filter(|code| of(counts, **code) > 0);
            let counted = counted.map(|code| format!("{} {}", words::number(of(counts, *code)), code.name()));
            let counted = counted.collect::<Vec<_>>().join(", ");
            Bar { at: place * STEP, title: format!("{}: {counted}", words::written(*at, label)), parts }
        };
        let row = |(at, counts): &(portcullis_core::time::Timestamp, Counts)| Row {
            at: words::written(*at, label),
            counts: happened.iter().map(|code| words::number(of(counts, *code))).collect(),
        };
        let edge = |point: Option<&(portcullis_core::time::Timestamp, Counts)>| {
            point.map_or_else(String::new, |(at, _)| words::written(*at, label))
        };
        let total: i64 = usage.totals.iter().sum();
        Self {
            bars: usage
                .series
                .iter()
                .enumerate()
                .filter(|(_, (_, counts))| counts.iter().any(|&count| count > 0))
                .map(bar)
                .collect(),
            width: usage.series.len() * STEP,
            most: words::number(most),
            first: edge(usage.series.first()),
            last: edge(usage.series.last()),
            legend: happened
                .iter()
                .map(|code| (class(*code), words::code(code.name()), words::number(of(&usage.totals, *code))))
                .collect(),
            rows: usage
                .series
                .iter()
                .rev()
                .filter(|(_, counts)| counts.iter().any(|&count| count > 0))
                .map(row)
                .collect(),
            said: format!("{} by {}", words::counted(total, "call"), if by_hour { "hour" } else { "day" }),
            is_empty: total == 0,
        }
    }
}

fn of(counts: &Counts, code: Code) -> i64 {
    counts.get(code as usize).copied().unwrap_or(0)
}

fn class(code: Code) -> String {
    code.name().to_lowercase().replace('_', "-")
}

/// How high a count stands in a drawing. Whatever happened is seen, if only as a line.
fn share(count: i64, most: i64, height: i64) -> i64 {
    if count <= 0 || most <= 0 {
        return 0;
    }
    let share = i128::from(count) * i128::from(height) / i128::from(most);
    i64::try_from(share).unwrap_or(height).clamp(1, height)
}
