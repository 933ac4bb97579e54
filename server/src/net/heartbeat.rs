//! Announces the drive by UDP multicast, as long as it serves.
//!
//! Guarantees: nothing leaves by another interface than those asked for, and nothing goes further
//! than their networks; a network that is not there is told once and tried again with each beat.
//! Not here: what a heartbeat says (`exposition::beat`).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use kinetic_client::limits::{HEARTBEAT_GROUP, HEARTBEAT_PORT};
use kinetic_proto::schema::command::get_log::configuration::Interface;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{MissedTickBehavior, interval_at};

use crate::config::heartbeat::Heartbeat;
use crate::exposition::beat;
use crate::limits::{FIRST_HEARTBEAT_MS, HEARTBEAT_MS};
use crate::session::Drive;

/// Sends a heartbeat every few seconds, for ever.
pub(super) async fn announce(drive: Arc<Drive>, heartbeat: Heartbeat, listen: SocketAddr) {
    let first = tokio::time::Instant::now() + Duration::from_millis(FIRST_HEARTBEAT_MS);
    let mut beats = interval_at(first, Duration::from_millis(HEARTBEAT_MS));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = BTreeSet::new();
    loop {
        beats.tick().await;
        let configuration = drive.device.configuration();
        for from in heartbeat.sources(listen, &addresses(&configuration.interface)) {
            let text = beat(&configuration, listen, IpAddr::V4(from));
            match send(from, &text) {
                Ok(()) => {
                    failing.remove(&from);
                }
                Err(error) if failing.insert(from) => {
                    tracing::warn!(%from, %error, "no heartbeat can be sent from there");
                }
                Err(_told) => {}
            }
        }
    }
}

fn addresses(interfaces: &[Interface]) -> Vec<Ipv4Addr> {
    let of = |interface: &Interface| match beat::address(interface.ipv4_address.as_ref()) {
        Some(IpAddr::V4(address)) => Some(address),
        _ => None,
    };
    interfaces.iter().filter_map(of).collect()
}

/// A socket of its own each time: addresses come and go.
fn send(from: Ipv4Addr, text: &[u8]) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(from, 0).into())?;
    socket.set_multicast_if_v4(&from)?;
    socket.set_multicast_ttl_v4(1)?;
    let group = SocketAddrV4::new(HEARTBEAT_GROUP, HEARTBEAT_PORT);
    socket.send_to(text, &group.into())?;
    Ok(())
}
