//! The place of every subnet and slot address inside the VPC range.
//! The plan is fixed for life: a subnet whose range moves is replaced with all it holds.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// How many zones the plan has room for.
pub const MAX_ZONES: usize = 3;
/// Longest prefix of a VPC range that the plan fits in: database subnets reach /28, the smallest AWS allows.
pub const LONGEST_PREFIX: u8 = 18;
/// Shortest prefix that AWS accepts for a VPC.
pub const SHORTEST_PREFIX: u8 = 16;

/// The subnets of one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneAddresses {
    /// Nodes; an eighth of the VPC.
    pub private: Ipv4Net,
    /// NAT gateways, public load balancers, nodes of clusters without NAT.
    pub public: Ipv4Net,
    pub database: Ipv4Net,
    /// Fixed address of the zone's control-plane slot, in `private` (in `public` without NAT).
    pub slot_private: Ipv4Addr,
    pub slot_public: Ipv4Addr,
}

/// The addresses of the zone at `index` (0 to 2) in a VPC range of /16 to /18.
///
/// For 10.20.0.0/16: private 10.20.{32i}.0/19, public 10.20.{96+i}.0/24, database 10.20.100.{64i}/26;
/// half of the range stays free. Returns `None` where the range is too small or the index too large.
pub fn zone(vpc: Ipv4Net, index: usize) -> Option<ZoneAddresses> {
    if index >= MAX_ZONES || vpc.prefix_len() > LONGEST_PREFIX {
        return None;
    }
    let eighth = |n| nth(vpc, 3, n);
    let shared = eighth(MAX_ZONES)?;
    let private = eighth(index)?;
    let public = nth(shared, 5, index)?;
    let database = nth(nth(shared, 5, 4)?, 2, index)?;
    Some(ZoneAddresses {
        private,
        public,
        database,
        slot_private: host(private, SLOT_HOST),
        slot_public: host(public, SLOT_HOST),
    })
}

/// The slot's host number; the /29 around it is reserved for it, where a subnet's range can be reserved.
const SLOT_HOST: u32 = 10;
/// Prefix of that reservation.
pub const RESERVATION_PREFIX: u8 = 29;

/// The /29 that holds a slot's fixed address.
pub fn reservation(slot: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::new_assert(slot, RESERVATION_PREFIX).trunc()
}

fn nth(range: Ipv4Net, bits: u8, n: usize) -> Option<Ipv4Net> {
    range.subnets(range.prefix_len() + bits).ok()?.nth(n)
}

fn host(range: Ipv4Net, number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(range.network()) + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cidr: &str, index: usize) -> Option<ZoneAddresses> {
        zone(cidr.parse().unwrap(), index)
    }

    #[test]
    fn address_plan_of_a_16_is_as_documented() {
        let c = plan("10.20.0.0/16", 2).unwrap();
        assert_eq!(c.private.to_string(), "10.20.64.0/19");
        assert_eq!(c.public.to_string(), "10.20.98.0/24");
        assert_eq!(c.database.to_string(), "10.20.100.128/26");
        assert_eq!(c.slot_private.to_string(), "10.20.64.10");
        assert_eq!(reservation(c.slot_private).to_string(), "10.20.64.8/29");
    }

    #[test]
    fn address_plan_needs_enough_room() {
        assert_eq!(plan("10.20.0.0/19", 0), None);
        assert_eq!(plan("10.20.0.0/16", 3), None);
        assert_eq!(plan("10.20.0.0/18", 2).unwrap().database.prefix_len(), 28);
    }
}
