//! Addresses of peers: networks in the configuration, and who a request comes from when trusted proxies stand between.
//!
//! `X-Forwarded-For: 1.2.3.4, 10.0.0.7` from the trusted `10.0.0.8`: read from the right, the first address that is not a
//! trusted proxy's is the client. What an untrusted peer writes there is not read at all.

use axum::http::HeaderMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An address or a network: `10.0.0.8`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.bits));
                u32::from(own).checked_shr(shift) == u32::from(other).checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.bits));
                u128::from(own).checked_shr(shift) == u128::from(other).checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "is no address or network; write 10.0.0.8 or 10.0.0.0/8";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = address.parse::<IpAddr>().map_err(|_| WRONG)?.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| WRONG))?;
        if bits > most { Err(WRONG) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Who a request comes from: the peer, or whom the trusted proxies name.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let trusts = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut client = peer.to_canonical();
    if !trusts(client) {
        return client;
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        let Some(address) = hop_address(hop.trim()) else { break };
        client = address;
        if !trusts(client) {
            break;
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1`, `[2001:db8::1]:5678`.
fn hop_address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()));
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    address.or_else(|| bare?.parse().ok()).map(|address: IpAddr| address.to_canonical())
}

/// What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits, which one peer has to itself.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The same for an address as text; other text is its own neighbourhood.
pub(crate) fn neighbourhood_text(address: &str) -> String {
    address.parse().map_or_else(|_| address.to_owned(), |address| neighbourhood(address).to_string())
}

/// Hops of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        let network: Network = "10.1.0.0/16".parse().unwrap();
        assert!(network.holds("10.1.255.255".parse().unwrap()));
        assert!(network.holds("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network.holds("10.2.0.0".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.holds("203.0.113.9".parse().unwrap()) && !all.holds("::1".parse().unwrap()));
        let own: Network = "fd00::1".parse().unwrap();
        assert!(own.holds("fd00::1".parse().unwrap()) && !own.holds("fd00::2".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "proxy", "::/129", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_may_name_the_client() {
        let trusted = networks(&["10.0.0.0/8"]);
        let headers = forwarded(&["198.51.100.1, 203.0.113.5, 10.0.0.7"]);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(client(ip("10.0.0.8"), &headers, &trusted), ip("203.0.113.5"));
        assert_eq!(client(ip("192.0.2.1"), &headers, &trusted), ip("192.0.2.1"), "a stranger's header is not read");
        assert_eq!(client(ip("10.0.0.8"), &headers, &[]), ip("10.0.0.8"), "nobody is trusted by default");
        assert_eq!(client(ip("10.0.0.8"), &HeaderMap::new(), &trusted), ip("10.0.0.8"));
        assert_eq!(client(ip("10.0.0.8"), &forwarded(&["203.0.113.5", "junk, 10.0.0.9"]), &trusted), ip("10.0.0.9"));
        let lines = forwarded(&["198.51.100.1", "[2001:db8::1]:443"]);
        assert_eq!(client(ip("::ffff:10.0.0.8"), &lines, &trusted), ip("2001:db8::1"));
    }

    #[test]
    fn an_ipv6_peer_is_its_network() {
        let of = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
