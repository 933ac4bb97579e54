//! Whether a drive announces itself, and from where.
//!
//! Guarantee: unless it is asked for, nothing is sent. Not here: what is sent (`exposition`), and
//! sending it (`net`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Whether the drive announces itself by UDP multicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Heartbeat {
    /// It does not.
    #[default]
    Off,
    /// On each network on which it listens.
    WhereItListens,
    /// On the network of the interface with this address.
    From(Ipv4Addr),
}

/// A text that is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `on`, `off` nor the IPv4 address of an interface of this machine")]
pub struct BadHeartbeat(String);

/// Heartbeats go by IPv4, and the drive listens elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "heartbeats go by IPv4, and the drive listens on {0} alone: name the interface that they are \
     to go by with --heartbeat ADDRESS, or leave them out"
)]
pub struct NoWayForHeartbeats(SocketAddr);

impl FromStr for Heartbeat {
    type Err = BadHeartbeat;

    fn from_str(text: &str) -> Result<Self, BadHeartbeat> {
        match text {
            _ if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ if text.eq_ignore_ascii_case("on") => Ok(Self::WhereItListens),
            _ => match text.parse::<Ipv4Addr>() {
                Ok(address) if !address.is_unspecified() && !address.is_multicast() => {
                    Ok(Self::From(address))
                }
                _ => Err(BadHeartbeat(text.to_owned())),
            },
        }
    }
}

impl Heartbeat {
    /// The addresses of interfaces to send from: of those that there are, where the drive listens
    /// on all of them. A machine without a network has loopback left.
    #[must_use]
    pub fn sources(self, listen: SocketAddr, present: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
        let everywhere = || {
            let outside = present.iter().filter(|address| !address.is_loopback());
            let outside: Vec<Ipv4Addr> = outside.copied().collect();
            match outside.is_empty() {
                true => vec![Ipv4Addr::LOCALHOST],
                false => outside,
            }
        };
        match (self, listen.ip().to_canonical()) {
            (Self::Off, _) => Vec::new(),
            (Self::From(address), _) => vec![address],
            (Self::WhereItListens, ip) if ip.is_unspecified() => everywhere(),
            (Self::WhereItListens, IpAddr::V4(ip)) => vec![ip],
            (Self::WhereItListens, IpAddr::V6(_)) => Vec::new(),
        }
    }

    /// Whether it can be done.
    ///
    /// # Errors
    /// Where the drive listens on one address of IPv6, and no interface is named.
    pub fn check(self, listen: SocketAddr) -> Result<(), NoWayForHeartbeats> {
        let nowhere = self.sources(listen, &[]).is_empty();
        match self {
            Self::WhereItListens if nowhere => Err(NoWayForHeartbeats(listen)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_text_is_on_off_or_an_interface() {
        assert_eq!("off".parse::<Heartbeat>(), Ok(Heartbeat::Off));
        assert_eq!("ON".parse(), Ok(Heartbeat::WhereItListens));
        assert_eq!("192.0.2.7".parse(), Ok(Heartbeat::From(LAN)));
        for text in ["", "yes", "0.0.0.0", "239.1.2.3", "::1", "192.0.2.7:8123"] {
            text.parse::<Heartbeat>().unwrap_err();
        }
    }

    #[test]
    fn a_drive_is_announced_where_it_listens_and_nowhere_else() {
        let sources = |heartbeat: Heartbeat, listen: &str| {
            heartbeat.sources(at(listen), &[Ipv4Addr::LOCALHOST, LAN])
        };
        let on = Heartbeat::WhereItListens;
        assert!(sources(Heartbeat::Off, "0.0.0.0:8123").is_empty());
        assert_eq!(sources(on, "127.0.0.1:8123"), [Ipv4Addr::LOCALHOST]);
        assert_eq!(sources(on, "192.0.2.9:8123"), [Ipv4Addr::new(192, 0, 2, 9)]);
        assert_eq!(sources(on, "0.0.0.0:8123"), [LAN]);
        assert_eq!(sources(on, "[::]:8123"), [LAN]);
        assert_eq!(sources(Heartbeat::From(LAN), "[::1]:8123"), [LAN]);
        assert_eq!(
            on.sources(at("0.0.0.0:8123"), &[Ipv4Addr::LOCALHOST]),
            [Ipv4Addr::LOCALHOST]
        );
    }

    #[test]
    fn one_address_of_ipv6_takes_a_named_interface() {
        let on = Heartbeat::WhereItListens;
        on.check(at("[2001:db8::1]:8123")).unwrap_err();
        on.check(at("[::]:8123")).unwrap();
        Heartbeat::From(LAN)
            .check(at("[2001:db8::1]:8123"))
            .unwrap();
        Heartbeat::Off.check(at("[2001:db8::1]:8123")).unwrap();
    }
}
