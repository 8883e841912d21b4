//! One clock for everything that happens in a test, so that what came first can be told.
#![expect(clippy::disallowed_methods, reason = "what is tested is what came first")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Microseconds since this process first asked; never zero, which stands for what has not happened.
pub(crate) fn now() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let passed = FIRST.get_or_init(Instant::now).elapsed() + Duration::from_micros(1);
    u64::try_from(passed.as_micros()).unwrap()
}

/// A seed that is another in each run.
pub(crate) fn any_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.subsec_nanos().into()
}
