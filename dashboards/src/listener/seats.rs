//! Who holds how many connections.

use crate::metrics as names;
use crate::net::neighbourhood;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug)]
pub(super) struct Seats {
    max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// By address (IPv6: by network of 64 bits); never more than there are connections.
    of: BTreeMap<IpAddr, usize>,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: Option<IpAddr>,
}

impl Seats {
    pub(super) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_address_max, taken: Mutex::default() })
    }

    /// `Err`: the word for which bound is reached.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr, proxy: bool) -> Result<Seat, &'static str> {
        let address = (!proxy).then(|| neighbourhood(address));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.max {
            return Err("overall");
        }
        if let Some(address) = address {
            let count = taken.of.get(&address).copied().unwrap_or(0);
            if count >= self.per_address_max {
                return Err("address");
            }
            taken.of.insert(address, count + 1);
        }
        taken.all += 1;
        drop(taken);
        metrics::gauge!(names::HTTP_CONNECTIONS).increment(1.0);
        Ok(Seat { seats: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(address) = self.address
            && let Some(count) = taken.of.get_mut(&address)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.of.remove(&address);
            }
        }
        drop(taken);
        metrics::gauge!(names::HTTP_CONNECTIONS).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_given_back_and_one_address_cannot_take_all() {
        let seats = Seats::new(3, 2);
        let (a, b) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = seats.take(a, false).unwrap();
        let _second = seats.take(a, false).unwrap();
        assert_eq!(seats.take(a, false).unwrap_err(), "address");
        let _third = seats.take(b, false).unwrap();
        assert_eq!(seats.take(b, false).unwrap_err(), "overall");
        drop(first);
        let _again = seats.take(a, true).unwrap();
        assert_eq!(seats.taken.lock().unwrap().of.len(), 2);
    }

    #[test]
    fn a_proxy_may_hold_more_than_one_address_may() {
        let seats = Seats::new(10, 1);
        let proxy = "127.0.0.1".parse().unwrap();
        let held: Vec<_> = (0..5).map(|_| seats.take(proxy, true).unwrap()).collect();
        assert_eq!(held.len(), 5);
    }
}
