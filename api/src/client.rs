//! Who a request is counted for: the principal of its token, or else the address that it came from.

use crate::auth::Principal;
use axum::{extract::ConnectInfo, http::Extensions, http::HeaderMap};
use boxoffice_contracts::Role;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One client, as limits know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Somebody who buys.
    Customer { tenant: String, subject: String },
    /// Staff and partners, who act for many.
    Business { tenant: String, subject: String },
    /// Whoever shows no token that we believe.
    Address(IpAddr),
}

/// Hops that are looked at; a longer list is nobody's honest path.
const HOPS_MAX: usize = 16;

impl Client {
    pub(crate) fn of(principal: &Principal) -> Self {
        let (tenant, subject) = (
            principal.owner.tenant.clone(),
            principal.owner.subject.clone(),
        );
        if principal.role == Role::Customer {
            Self::Customer { tenant, subject }
        } else {
            Self::Business { tenant, subject }
        }
    }

    /// The address at the other end, as far as proxies that we trust tell it.
    pub(crate) fn at(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        Self::Address(network(address(peer, headers, trusted)))
    }
}

/// Each proxy appends the address that it was called from. Read from the end: the first that is no proxy of
/// ours is the client, and whatever stands before it anybody may have written.
fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let mut nearest = peer.to_canonical();
    if !is_trusted(&nearest) {
        return nearest;
    }
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(HOPS_MAX) {
        let Some(ip) = parse(hop.trim()) else {
            return nearest;
        };
        nearest = ip.to_canonical();
        if !is_trusted(&nearest) {
            return nearest;
        }
    }
    nearest
}

/// An address, some proxies write a port after it.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    hop.parse()
        .ok()
        .or_else(|| bare?.parse().ok())
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// A household has a whole /64 of IPv6, and may use another address for every request.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
            .map(|net| net.parse().unwrap())
            .into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_may_claim_what_they_like_and_is_themselves() {
        assert_eq!(ask("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(ask("203.0.113.7", &[]), "203.0.113.7");
    }

    #[test]
    fn behind_our_proxies_the_last_stranger_is_the_client() {
        assert_eq!(ask("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        // What the client itself wrote stands before what our proxy appended.
        assert_eq!(
            ask("10.0.0.1", &["1.1.1.1, 2.2.2.2, 198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(
            ask("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.9"]),
            "198.51.100.1"
        );
        assert_eq!(
            ask("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711", "fd00::1"]),
            "198.51.100.1"
        );
        assert_eq!(ask("::ffff:10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(ask("10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(ask("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn rubbish_counts_for_the_hop_that_passed_it_on() {
        assert_eq!(ask("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(ask("10.0.0.1", &["1.1.1.1, unknown"]), "10.0.0.1");
        assert_eq!(ask("10.0.0.1", &["1.1.1.1, , 10.0.0.2"]), "10.0.0.2");
        let long = vec!["10.0.0.3"; 100].join(",");
        assert_eq!(ask("10.0.0.1", &["1.1.1.1", &long]), "10.0.0.3");
    }

    #[test]
    fn a_household_is_one_client() {
        let one: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(network(one).to_string(), "2001:db8:1:2::");
        let four: IpAddr = "203.0.113.7".parse().unwrap();
        assert_eq!(network(four), four);
    }
}
