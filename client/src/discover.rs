//! Which drives announce themselves: heartbeats by UDP multicast, as `kineticd --heartbeat` and
//! other Kinetic drives send them.
//!
//! Guarantees: whatever is sent to the group, what comes out is a heartbeat of bounded size, in
//! which texts have no control characters. A heartbeat is not signed: anybody in the network can
//! send one, and where it says a drive is, another machine may be. Not here: connecting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use serde::Deserialize;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::limits::{
    HEARTBEAT_BYTES, HEARTBEAT_GROUP, HEARTBEAT_INTERFACES, HEARTBEAT_PORT, HEARTBEAT_TEXT_CHARS,
};

/// Hears heartbeats.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use kinetic_client::discover::Discovery;
///
/// let discovery = Discovery::listen(&[])?;
/// let heartbeat = discovery.next().await?;
/// println!("{:?} is at {:?}", heartbeat.serial_number, heartbeat.address());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Discovery {
    socket: UdpSocket,
}

/// What a drive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Heartbeat {
    /// Where it came from.
    #[serde(skip, default = "nowhere")]
    pub from: IpAddr,
    /// The drive's serial number.
    pub serial_number: Option<String>,
    /// Its world wide name.
    pub world_wide_name: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// What it is.
    pub model: Option<String>,
    /// The version of its program.
    pub firmware_version: Option<String>,
    /// The version of the protocol that it speaks.
    pub protocol_version: Option<String>,
    /// Its plain port.
    pub port: Option<u16>,
    /// Its port for TLS.
    #[serde(rename = "tlsPort")]
    pub tls_port: Option<u16>,
    /// By which interfaces it says that it is reached.
    #[serde(default)]
    pub network_interfaces: Vec<Interface>,
}

/// An interface of the drive's host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Interface {
    /// What its host calls it.
    pub name: Option<String>,
    /// Its address of IPv4, as the drive writes it.
    pub ipv4_addr: Option<String>,
    /// Its address of IPv6, as the drive writes it.
    pub ipv6_addr: Option<String>,
    /// Its hardware address, as the drive writes it.
    pub mac_addr: Option<String>,
}

fn nowhere() -> IpAddr {
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

impl Discovery {
    /// Listens on the networks of the interfaces with these addresses; where none are named, on the
    /// one that the host takes for multicast and on loopback. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the port cannot be had, or none of these networks listened on.
    pub fn listen(interfaces: &[Ipv4Addr]) -> io::Result<Self> {
        let usual = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST];
        let interfaces = if interfaces.is_empty() {
            &usual
        } else {
            interfaces
        };
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Several programs may listen at a time, and each hears all.
        socket.set_reuse_address(true)?;
        // Otherwise it would hear what other programs of this host have joined.
        #[cfg(target_os = "linux")]
        socket.set_multicast_all_v4(false)?;
        socket.bind(&SocketAddrV4::new(HEARTBEAT_GROUP, HEARTBEAT_PORT).into())?;
        let mut refused = None;
        let mut joined = 0;
        for interface in interfaces {
            match socket.join_multicast_v4(&HEARTBEAT_GROUP, interface) {
                Ok(()) => joined += 1,
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused.filter(|_| joined == 0) {
            return Err(error);
        }
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket })
    }

    /// The next heartbeat; what is none is passed over. May be dropped and called again.
    ///
    /// # Errors
    /// What the host reports.
    pub async fn next(&self) -> io::Result<Heartbeat> {
        let mut datagram = vec![0; HEARTBEAT_BYTES];
        loop {
            let (bytes, from) = self.socket.recv_from(&mut datagram).await?;
            let text = datagram.get(..bytes).unwrap_or_default();
            if let Some(heartbeat) = Heartbeat::parse(text, from.ip()) {
                return Ok(heartbeat);
            }
        }
    }
}

impl Heartbeat {
    /// A datagram from there; `None` if it is no heartbeat.
    #[must_use]
    pub fn parse(datagram: &[u8], from: IpAddr) -> Option<Self> {
        let mut heartbeat: Self = serde_json::from_slice(datagram).ok()?;
        let is_reached = heartbeat.port.is_some() || heartbeat.tls_port.is_some();
        let is_named = heartbeat.serial_number.is_some() || heartbeat.world_wide_name.is_some();
        if !is_reached || !is_named {
            return None;
        }
        heartbeat.from = from;
        heartbeat.network_interfaces.truncate(HEARTBEAT_INTERFACES);
        for text in heartbeat.texts() {
            tame(text);
        }
        Some(heartbeat)
    }

    /// Where its plain port is, as seen from here.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.from, self.port?))
    }

    /// Where its port for TLS is, as seen from here.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.from, self.tls_port?))
    }

    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let own = [
            &mut self.serial_number,
            &mut self.world_wide_name,
            &mut self.manufacturer,
            &mut self.model,
            &mut self.firmware_version,
            &mut self.protocol_version,
        ];
        let interfaces = self.network_interfaces.iter_mut().flat_map(|interface| {
            [
                &mut interface.name,
                &mut interface.ipv4_addr,
                &mut interface.ipv6_addr,
                &mut interface.mac_addr,
            ]
        });
        own.into_iter().chain(interfaces).flatten()
    }
}

/// Anybody can send it, and it ends on somebody's terminal.
fn tame(text: &mut String) {
    let tamed = text.chars().take(HEARTBEAT_TEXT_CHARS);
    *text = tamed
        .map(|letter| match letter.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => letter,
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// What a drive of another make might send: other spacing, a member that we do not know.
    const OTHER: &str = r#"{ "serial_number": "S1", "port": 8123, "tlsPort": 8443, "shelf": 3,
        "network_interfaces": [{"name": "eth0", "ipv4_addr": "192.0.2.2"}] }"#;

    #[test]
    fn members_may_be_missing_or_unknown() {
        let heartbeat = Heartbeat::parse(OTHER.as_bytes(), HERE).unwrap();
        assert_eq!(heartbeat.serial_number.as_deref(), Some("S1"));
        assert_eq!(heartbeat.world_wide_name, None);
        assert_eq!(heartbeat.address(), Some(SocketAddr::new(HERE, 8123)));
        assert_eq!(heartbeat.tls_address(), Some(SocketAddr::new(HERE, 8443)));
        assert_eq!(heartbeat.network_interfaces.len(), 1);
    }

    #[test]
    fn what_names_no_drive_or_no_port_is_no_heartbeat() {
        let texts = [
            "",
            "[]",
            "{}",
            r#"{"serial_number": "S1"}"#,
            r#"{"port": 8123}"#,
            r#"{"serial_number": "S1", "port": 70000}"#,
            r#"{"serial_number": 1, "port": 8123}"#,
        ];
        for text in texts {
            assert_eq!(Heartbeat::parse(text.as_bytes(), HERE), None, "{text}");
        }
        assert_eq!(Heartbeat::parse(&[0xFF; 40], HERE), None);
    }

    #[test]
    fn texts_can_do_no_harm_to_a_terminal_and_are_bounded() {
        let long = "x".repeat(HEARTBEAT_TEXT_CHARS * 2);
        let text = format!(r#"{{"serial_number": "\u001b[2J{long}", "port": 1}}"#);
        let heartbeat = Heartbeat::parse(text.as_bytes(), HERE).unwrap();
        let serial = heartbeat.serial_number.unwrap();
        assert!(serial.starts_with("\u{FFFD}[2J"), "{serial}");
        assert_eq!(serial.chars().count(), HEARTBEAT_TEXT_CHARS);
    }

    #[test]
    fn a_deeply_nested_text_is_refused_and_does_not_overflow() {
        let deep = format!(r#"{{"a": {}"#, "[".repeat(30_000));
        assert_eq!(Heartbeat::parse(deep.as_bytes(), HERE), None);
    }
}
