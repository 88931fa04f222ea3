//! How many connections each client has open. An address of IPv6 counts with the /64 around it, which one client has to
//! itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;

/// Open connections by client; as many entries as there are connections at most.
#[derive(Default)]
pub(super) struct Guests {
    shards: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
    hasher: RandomState,
}

/// One connection of a client, for as long as it lives.
pub(super) struct Guest {
    guests: Arc<Guests>,
    client: IpAddr,
}

impl Guests {
    /// One more connection of this client; `None` where it has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, client: IpAddr, most: u32) -> Option<Guest> {
        let client = network(client);
        let mut shard = self.shard(client);
        let count = shard.entry(client).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(shard);
        Some(Guest { guests: self.clone(), client })
    }

    fn shard(&self, client: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        let shard = self.hasher.hash_one(client) as usize % SHARDS;
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut shard = self.guests.shard(self.client);
        if let Some(count) = shard.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&self.client);
            }
        }
    }
}

fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_so_many_and_leaves_nothing_behind() {
        let guests = Arc::new(Guests::default());
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        let first = guests.enter(one, 2);
        let second = guests.enter("::ffff:10.0.0.1".parse().unwrap(), 2);
        assert!(first.is_some() && second.is_some() && guests.enter(one, 2).is_none());
        assert!(guests.enter("10.0.0.2".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(guests.enter(one, 2).is_some());
        let near = guests.enter("2001:db8::1".parse().unwrap(), 1);
        assert!(guests.enter("2001:db8::ffff:2".parse().unwrap(), 1).is_none());
        assert!(guests.enter("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
        drop((second, near));
        assert!(guests.shards.iter().all(|it| it.lock().unwrap().is_empty()));
    }
}
