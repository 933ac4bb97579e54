//! The drives that this one may push to, and as whom it comes to them.
//!
//! Guarantees: a peer that was not named is not connected to, where any was named; printing this
//! shows no key. Names are compared as they are written, never resolved, so that nobody can bend
//! one by way of the name service. Not here: connections (`net::push`).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use kinetic_client::Trust;
use kinetic_proto::SigningKey;

/// Peers, and how they are met. The default: any peer, under the identity of whoever asks for the
/// push, any certificate.
#[derive(Clone, Default)]
pub struct Peers {
    /// Those that may be pushed to.
    pub allowed: Allowed,
    /// Who signs what is sent to them; whoever asks for the push where none is given.
    pub identity: Option<PeerIdentity>,
    /// Whose certificates count, for peers that are to be reached under TLS.
    pub trust: PeerTrust,
}

impl fmt::Debug for Peers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = self.identity.as_ref().map(|identity| identity.number);
        out.debug_struct("Peers")
            .field("allowed", &self.allowed)
            .field("identity", &identity)
            .field("trust", &self.trust)
            .finish()
    }
}

/// An identity that peers know.
#[derive(Clone)]
pub struct PeerIdentity {
    /// Its number.
    pub number: i64,
    /// Its key.
    pub key: SigningKey,
}

/// Whose certificates count.
#[derive(Debug, Clone)]
pub struct PeerTrust(pub Trust);

impl Default for PeerTrust {
    /// A drive without configuration pushes in the clear as well, if it is asked to.
    fn default() -> Self {
        Self(Trust::Anybody)
    }
}

/// Which peers may be pushed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Allowed {
    /// All.
    #[default]
    Any,
    /// These, or nobody where the list is empty.
    These(Vec<AllowedPeer>),
}

/// One peer, or all of a network, on one port or on any.
///
/// As text: `HOST`, `HOST:PORT`, `ADDRESS/BITS` or `ADDRESS/BITS:PORT`, an IPv6 address with a port
/// in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPeer {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    Network(IpAddr, u8),
}

/// A text that allows nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no peer: write a host name, an address, or a network such as 10.0.0.0/8, with \
     :PORT behind it if only that port is meant, and an IPv6 address with a port in brackets"
)]
pub struct BadAllowedPeer(String);

impl Allowed {
    /// Whether a push to this host, as it was named, and port may be done.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::These(peers) => peers.iter().any(|peer| peer.covers(host, port)),
        }
    }
}

impl AllowedPeer {
    fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        match &self.host {
            Host::Name(name) => name.eq_ignore_ascii_case(host),
            Host::Network(network, bits) => host
                .parse()
                .is_ok_and(|address: IpAddr| shares(*network, address, *bits)),
        }
    }
}

/// Whether two addresses have the same first bits.
fn shares(network: IpAddr, address: IpAddr, bits: u8) -> bool {
    let (ours, theirs) = match (network.to_canonical(), address.to_canonical()) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => (
            u128::from(ours.to_bits()) << 96,
            u128::from(theirs.to_bits()) << 96,
        ),
        (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits()),
        _ => return false,
    };
    let differing = (ours ^ theirs).leading_zeros();
    differing >= u32::from(bits)
}

impl FromStr for AllowedPeer {
    type Err = BadAllowedPeer;

    fn from_str(text: &str) -> Result<Self, BadAllowedPeer> {
        parse(text).ok_or_else(|| BadAllowedPeer(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<AllowedPeer> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            // The bits of a network stand behind the bracket or within it.
            let (bits, port) = match behind.strip_prefix('/') {
                Some(rest) => match rest.split_once(':') {
                    Some((bits, port)) => (Some(bits), Some(port)),
                    None => (Some(rest), None),
                },
                None if behind.is_empty() => (None, None),
                None => (None, Some(behind.strip_prefix(':')?)),
            };
            let host = match bits {
                Some(bits) => format!("{host}/{bits}"),
                None => host.to_owned(),
            };
            (host, port)
        }
        // More colons than one are those of an IPv6 address.
        None if text.matches(':').count() > 1 => (text.to_owned(), None),
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    let host = match host.split_once('/') {
        Some((address, bits)) => {
            let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
            let most = if address.is_ipv4() { 32 } else { 128 };
            (bits <= most).then_some(Host::Network(address, bits))?
        }
        None => match host.parse::<IpAddr>() {
            Ok(address) if address.is_ipv4() => Host::Network(address, 32),
            Ok(address) => Host::Network(address, 128),
            Err(_not_an_address) => Host::Name(name(&host)?),
        },
    };
    Some(AllowedPeer { host, port })
}

/// What can be the name of a host.
fn name(text: &str) -> Option<String> {
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!text.is_empty() && text.chars().all(letter)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &[&str], host: &str, port: u16) -> bool {
        let peers = list.iter().map(|text| text.parse().unwrap());
        Allowed::These(peers.collect()).allows(host, port)
    }

    #[test]
    fn who_is_not_named_is_not_pushed_to() {
        let list = [
            "drive-b",
            "drive-c:8123",
            "10.1.0.0/16",
            "[fd00::]/8:8443",
            "::1",
        ];
        for (host, port) in [
            ("drive-b", 1),
            ("DRIVE-B", 65535),
            ("drive-c", 8123),
            ("10.1.255.255", 7),
            ("fd12::7", 8443),
            ("::1", 9),
        ] {
            assert!(allows(&list, host, port), "{host} {port}");
        }
        for (host, port) in [
            ("drive-d", 8123),
            ("drive-c", 8443),
            ("10.2.0.0", 8123),
            ("fd12::7", 8123),
            ("fe80::1", 8443),
            ("::2", 9),
            ("xdrive-b", 1),
            ("drive-b.evil.example", 1),
            ("", 1),
        ] {
            assert!(!allows(&list, host, port), "{host} {port}");
        }
        assert!(!allows(&[], "drive-b", 8123));
        assert!(Allowed::Any.allows("anybody", 1));
    }

    #[test]
    fn an_address_in_another_spelling_is_the_same_address() {
        assert!(allows(&["127.0.0.1"], "::ffff:127.0.0.1", 1));
        assert!(allows(&["fd00:0:0::1"], "fd00::1", 1));
        assert!(allows(&["0.0.0.0/0"], "8.8.8.8", 1));
        assert!(!allows(&["0.0.0.0/0"], "fd00::1", 1));
    }

    #[test]
    fn what_names_nobody_is_refused_with_what_to_write() {
        for wrong in [
            "",
            ":8123",
            "a:b",
            "a:0",
            "10.0.0.0/33",
            "10.0.0/8",
            "fd00::/129",
            "[::1",
            "[::1]8",
            "a b",
            "a/b",
        ] {
            let error = wrong.parse::<AllowedPeer>().unwrap_err().to_string();
            assert!(
                error.contains(wrong) && error.contains("10.0.0.0/8"),
                "{error}"
            );
        }
    }
}
