//! Who runs where: servers on the first core, the load on the second.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Done;

pub(crate) const SERVERS: &[usize] = &[0];
const LOAD: &[usize] = &[1];
pub(crate) const BOTH: &[usize] = &[0, 1];

/// Puts this process on the core of the load, before it has a second thread.
pub(crate) fn begin() -> Done<()> {
    let own = sched_getaffinity(None)?;
    if !BOTH.iter().all(|&core| own.is_set(core)) {
        return Err("the bench needs cores 0 and 1: one for servers, one for the load".into());
    }
    stay_on(LOAD)
}

/// What is started meanwhile runs on these cores, and so does whatever it starts.
pub(crate) fn on<T>(cores: &[usize], start: impl FnOnce() -> T) -> Done<T> {
    stay_on(cores)?;
    let started = start();
    stay_on(LOAD)?;
    Ok(started)
}

fn stay_on(cores: &[usize]) -> Done<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}
