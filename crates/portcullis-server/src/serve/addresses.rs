//! How many connections each client address has open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

/// The network part of an IPv6 address: whoever has one address of a /64 has all of them.
const V6_NETWORK: u128 = !0 << 64;

type Counts = HashMap<IpAddr, usize>;

#[derive(Debug)]
pub(super) struct Addresses {
    cap: usize,
    uncapped: Vec<IpNet>,
    open: Arc<Mutex<Counts>>,
}

/// One connection's place under the cap, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Option<(IpAddr, Arc<Mutex<Counts>>)>,
}

impl Addresses {
    /// A cap of 0 is no cap. Who speaks for many has none either.
    pub(super) fn new(cap: usize, uncapped: Vec<IpNet>) -> Addresses {
        Addresses { cap, uncapped, open: Arc::default() }
    }

    pub(super) fn admit(&self, address: IpAddr) -> Option<Place> {
        let canonical = address.to_canonical();
        if self.cap == 0 || self.uncapped.iter().any(|net| net.contains(&canonical)) {
            return Some(Place { taken: None });
        }
        let address = counted_as(address);
        let mut open = lock(&self.open);
        let count = open.entry(address).or_insert(0);
        if *count >= self.cap {
            return None;
        }
        *count += 1;
        Some(Place { taken: Some((address, Arc::clone(&self.open))) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, open)) = &self.taken else { return };
        let mut open = lock(open);
        if let Some(count) = open.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                open.remove(address);
            }
        }
    }
}

fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & V6_NETWORK)),
        address @ IpAddr::V4(_) => address,
    }
}

/// The map is right after every statement, so a panic elsewhere while it was locked does not make it wrong.
fn lock(open: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let addresses = Addresses::new(1, Vec::new());
        let address = IpAddr::from([192, 0, 2, 1]);
        let place = addresses.admit(address);
        assert!(place.is_some());
        assert!(addresses.admit(address).is_none());
        drop(place);
        assert!(addresses.admit(address).is_some());
        assert!(lock(&addresses.open).is_empty());
    }

    #[test]
    fn attack_11_neighbours_in_a_v6_network_and_mapped_v4_count_as_one() {
        let addresses = Addresses::new(1, Vec::new());
        let _first = addresses.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert!(addresses.admit("2001:db8::ffff:2".parse().unwrap()).is_none());
        let _other = addresses.admit("2001:db8:0:1::1".parse().unwrap()).unwrap();
        let _v4 = addresses.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert!(addresses.admit("::ffff:192.0.2.1".parse().unwrap()).is_none());
    }

    #[test]
    fn zero_is_no_cap() {
        let addresses = Addresses::new(0, Vec::new());
        let address = IpAddr::from([192, 0, 2, 1]);
        let places: Vec<_> = (0..1000).map(|_| addresses.admit(address)).collect();
        assert!(places.iter().all(Option::is_some));
    }
}
