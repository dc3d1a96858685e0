//! Who a request comes from when trusted proxies stand between.
//!
//! `X-Forwarded-For: 1.2.3.4, 10.0.0.7` from the trusted `10.0.0.8`: read from the right, the first address that is not a
//! trusted proxy's is the client. What an untrusted peer writes there is not read at all.

use axum::http::HeaderMap;
pub use model::net::Network;
pub(crate) use model::net::neighbourhood;
use std::net::IpAddr;

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
}
