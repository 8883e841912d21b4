//! The load whose throughput counts: wrk, with as many connections as every other load, on the second core.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Done;
use crate::asks::Asks;
use crate::generator::{self, CONNECTIONS};

/// So many answers are looked at before each measurement.
const SAMPLE: usize = 60;

/// What wrk has counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counted {
    pub(crate) answers: f64,
    seconds: f64,
    failing: f64,
    lost: f64,
}

impl Counted {
    pub(crate) fn a_second(&self) -> f64 {
        self.answers / self.seconds
    }
}

/// Sends a sample, of which every answer must be right.
pub(crate) fn check(address: &str, asks: &Asks) -> Done<()> {
    let list = asks.list();
    let sample: Vec<_> = (0..SAMPLE.min(list.len())).filter_map(|n| list.get(n * 37 % list.len()).cloned()).collect();
    generator::check(address, &sample)
}

/// Sends requests in turn for some seconds, as fast as they are answered. To be checked before.
pub(crate) fn load(address: &str, asks: &Asks, seconds: f64) -> Done<Counted> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("load.lua");
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "--timeout", "10s", &format!("-c{CONNECTIONS}"), &format!("-d{}s", seconds.ceil()), "-s"]);
    wrk.arg(script).arg(format!("http://{address}")).arg("--").arg(asks.file());
    let output = wrk.stdin(Stdio::null()).output().map_err(|error| format!("cannot start wrk: {error}"))?;
    let text = String::from_utf8(output.stdout)?;
    let counted = read(&text).ok_or_else(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    let failing = counted.failing / counted.answers;
    // Where some are to fail, a round ends somewhere within the file; where none is, one is too many.
    let tolerance = if asks.failing() > 0.0 { 0.01 } else { 0.0 };
    if counted.lost > 0.0 || (failing - asks.failing()).abs() > tolerance {
        return Err(format!("{address}: {} of the answers are to be 4xx: {counted:?}", asks.failing()).into());
    }
    Ok(counted)
}

fn read(text: &str) -> Option<Counted> {
    let line = text.lines().find_map(|line| line.strip_prefix("load "))?;
    let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [answers, microseconds, failing, lost] = numbers.as_slice() else { return None };
    let seconds = microseconds / 1e6;
    (*answers > 0.0).then_some(Counted { answers: *answers, seconds, failing: *failing, lost: *lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_script_is_read() {
        let counted = read("Running 1s test\n  1 threads\n\nload 1000 2000000 100 0\n").unwrap();
        assert_eq!(counted, Counted { answers: 1_000.0, seconds: 2.0, failing: 100.0, lost: 0.0 });
        assert!((counted.a_second() - 500.0).abs() < 1e-9);
        assert_eq!(read("load 0 2000000 0 0"), None);
        assert_eq!(read("unable to connect"), None);
    }
}
