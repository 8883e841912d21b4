//! How often somebody may try to sign in: counted for each account and for each network, whatever the other counts.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_core::time::Timestamp;

use crate::error::Error;

/// Failures of one account in the window, after which it waits.
const OF_ACCOUNT: usize = 10;
/// Failures from one network in the window, after which it waits.
const OF_NETWORK: usize = 50;
const WINDOW_MILLIS: i64 = 15 * 60 * 1_000;
/// Beyond this many names, those that were not tried lately are forgotten: a flood of made-up ones must not fill the memory.
const REMEMBERED: usize = 20_000;

/// The failures of the last quarter of an hour.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// By the SHA-256 of the name: whoever sends a long one must not be remembered at length.
    accounts: Mutex<Failures<[u8; 32]>>,
    networks: Mutex<Failures<u128>>,
}

#[derive(Debug)]
struct Failures<K>(HashMap<K, Vec<i64>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// Too many failures; the first of them that counts no more makes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) seconds: i64,
}

impl From<Wait> for Error {
    fn from(wait: Wait) -> Self {
        Self::TooMany { retry_after_seconds: wait.seconds }
    }
}

impl Attempts {
    /// Counts one try as a failure until [`Attempts::succeeded`] says otherwise, so that many at once find no gap.
    pub(crate) fn begin(&self, account: &str, address: Option<IpAddr>, now: Timestamp) -> Result<(), Wait> {
        let (account, network) = (fingerprint(account), network(address));
        let mut accounts = self.accounts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut networks = self.networks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        accounts.check(&account, OF_ACCOUNT, now)?;
        networks.check(&network, OF_NETWORK, now)?;
        accounts.count(account, now);
        networks.count(network, now);
        Ok(())
    }

    /// The try was no failure: the account starts anew, and the network is given this one back.
    pub(crate) fn succeeded(&self, account: &str, address: Option<IpAddr>) {
        let mut accounts = self.accounts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut networks = self.networks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        accounts.0.remove(&fingerprint(account));
        if let Some(tries) = networks.0.get_mut(&network(address)) {
            tries.pop();
        }
    }
}

impl<K: Eq + Hash + Clone> Failures<K> {
    fn check(&mut self, key: &K, most: usize, now: Timestamp) -> Result<(), Wait> {
        let Some(tries) = self.0.get_mut(key) else { return Ok(()) };
        let now = now.as_millis();
        tries.retain(|&at| at > now - WINDOW_MILLIS);
        // An instant ahead of a clock that stepped back must not lock anybody out for longer than the window.
        for at in tries.iter_mut() {
            *at = (*at).min(now);
        }
        match tries.len().checked_sub(most).and_then(|first| tries.get(first)) {
            Some(first) => Err(Wait { seconds: (first + WINDOW_MILLIS - now).div_euclid(1_000) + 1 }),
            None => Ok(()),
        }
    }

    fn count(&mut self, key: K, now: Timestamp) {
        let now = now.as_millis();
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&key) {
            self.0.retain(|_, tries| tries.last().is_some_and(|&at| at > now - WINDOW_MILLIS));
            let one = self.0.keys().next().cloned().filter(|_| self.0.len() >= REMEMBERED);
            one.and_then(|one| self.0.remove(&one));
        }
        self.0.entry(key).or_default().push(now);
    }
}

fn fingerprint(account: &str) -> [u8; 32] {
    let hash = digest(&SHA256, account.to_lowercase().as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// An IPv4 address, or the /64 of an IPv6 one: within it, whoever has one address has all.
fn network(address: Option<IpAddr>) -> u128 {
    match address.map(|address| address.to_canonical()) {
        None => 0,
        Some(IpAddr::V4(address)) => u128::from(u32::from(address)),
        Some(IpAddr::V6(address)) => u128::from(address) >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
    }

    #[expect(clippy::unnecessary_wraps, reason = "an address may be unknown, though none is in these tests")]
    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn attack_44_an_account_waits_and_whoever_waits_that_long_gets_in() {
        let attempts = Attempts::default();
        for n in 0..10 {
            let address = from(&format!("203.0.113.{n}"));
            assert_eq!(attempts.begin("Ann@example.com", address, at(n)), Ok(()));
        }
        let elsewhere = from("198.51.100.1");
        let Err(wait) = attempts.begin("ann@EXAMPLE.com", elsewhere, at(10)) else { panic!("an eleventh try") };
        assert!(attempts.begin("bob@example.com", elsewhere, at(10)).is_ok());
        assert!(attempts.begin("ann@example.com", elsewhere, at(10 + wait.seconds - 2)).is_err());
        assert_eq!(attempts.begin("ann@example.com", elsewhere, at(10 + wait.seconds)), Ok(()));
    }

    #[test]
    fn attack_11_a_network_is_a_slash_64_however_its_addresses_turn() {
        let attempts = Attempts::default();
        for n in 0..50 {
            let address = from(&format!("2001:db8:0:1::{n:x}"));
            assert_eq!(attempts.begin(&format!("{n}@example.com"), address, at(0)), Ok(()));
        }
        assert!(attempts.begin("x@example.com", from("2001:db8:0:1:ffff::1"), at(1)).is_err());
        assert!(attempts.begin("x@example.com", from("2001:db8:0:2::1"), at(1)).is_ok());
        assert_eq!(network(from("::ffff:1.2.3.4")), network(from("1.2.3.4")));
    }

    #[test]
    fn a_success_starts_anew_and_a_clock_that_steps_back_locks_nobody_out_for_longer() {
        let attempts = Attempts::default();
        let here = from("203.0.113.1");
        for _ in 0..30 {
            attempts.begin("ann@example.com", here, at(0)).unwrap();
            attempts.succeeded("ann@example.com", here);
        }
        for _ in 0..10 {
            attempts.begin("ann@example.com", here, at(100_000)).unwrap();
        }
        let Err(wait) = attempts.begin("ann@example.com", here, at(0)) else { panic!("an eleventh try") };
        assert!(wait.seconds <= 901, "{wait:?}");
    }

    #[test]
    fn made_up_names_do_not_fill_the_memory() {
        let mut failures = Failures::default();
        for n in 0..REMEMBERED + 100 {
            failures.count(n, at(0));
        }
        assert_eq!(failures.0.len(), REMEMBERED);
    }
}
