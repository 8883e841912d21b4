//! What a command prints: tables for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::{FAILED, Failure};

/// Prints text to standard output.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    finished(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a value as JSON that a person can read too.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    printed(serde_json::to_string_pretty(value))
}

/// Prints a value as JSON on one line.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<(), Failure> {
    printed(serde_json::to_string(value))
}

/// Prints rows under headings; `nothing` where there are none.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>, nothing: &str) -> Result<(), Failure> {
    if rows.is_empty() {
        return text(&format!("{nothing}\n"));
    }
    text(&format!("{}\n", grid(Some(headings), rows)))
}

/// Prints one thing, a line for each of its members.
pub(crate) fn facts(facts: &[(&str, String)]) -> Result<(), Failure> {
    let rows = facts.iter().map(|(name, fact)| vec![(*name).to_owned(), fact.clone()]).collect();
    text(&format!("{}\n", grid(None, rows)))
}

/// What stands where there is nothing.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Whether the log may have colours: on a terminal, unless NO_COLOR is set.
pub(crate) fn colours_on_stderr() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints why the command failed.
pub(crate) fn failure(failure: &Failure) {
    // Where even standard error is gone, there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "error: {}", failure.message);
}

fn printed(json: serde_json::Result<String>) -> Result<(), Failure> {
    text(&(json.map_err(|error| Failure::new(FAILED, error.to_string()))? + "\n"))
}

fn grid(headings: Option<&[&str]>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(headings) = headings {
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    }
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(visible)));
    table.trim_fmt()
}

/// A name may hold what a terminal would obey.
fn visible(text: String) -> String {
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text }
}

/// A reader that has seen enough, e.g. `head`, is no failure.
fn finished(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A bar on a terminal, and nothing anywhere else.
pub(crate) fn bar(of: Option<u64>, template: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(of, target);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_headings_and_no_escape_codes() {
        let shown = grid(Some(&["id", "name"]), vec![vec!["key_1".to_owned(), "\u{1b}[31mred".to_owned()]]);
        assert!(shown.contains("ID") && shown.contains("key_1"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
