//! The heartbeat: who the drive is and where it is reached, as one datagram of JSON.
//!
//! Guarantees: it always has the same members, null where there is nothing to say; interfaces by
//! which the drive is not reached are not in it; it fits one frame of Ethernet, if need be with
//! fewer interfaces. Not here: sending it (`net::heartbeat`).

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use kinetic_proto::schema::command::get_log::Configuration;
use kinetic_proto::schema::command::get_log::configuration::Interface;
use serde_json::{Value, json};

use crate::limits::HEARTBEAT_BYTES;

/// The datagram of a drive that listens there, sent from an interface with this address.
#[must_use]
pub fn beat(configuration: &Configuration, listen: SocketAddr, from: IpAddr) -> Vec<u8> {
    let mut interfaces = reached_by(&configuration.interface, listen.ip().to_canonical());
    // Who reads the first one only should find the drive.
    interfaces.sort_by_key(|interface| address(interface.ipv4_address.as_ref()) != Some(from));
    loop {
        let text = text(configuration, &interfaces);
        if text.len() <= HEARTBEAT_BYTES || interfaces.pop().is_none() {
            return text.into_bytes();
        }
    }
}

/// The interfaces of a drive that listens there; one without a name where the host does not tell of
/// any.
fn reached_by(all: &[Interface], listen: IpAddr) -> Vec<Interface> {
    let has = |interface: &&Interface| {
        let ipv4 = address(interface.ipv4_address.as_ref());
        let ipv6 = address(interface.ipv6_address.as_ref());
        match listen.is_unspecified() {
            true => ipv4.is_some() || ipv6.is_some(),
            false => ipv4 == Some(listen) || ipv6 == Some(listen),
        }
    };
    let found: Vec<Interface> = all.iter().filter(has).cloned().collect();
    if !found.is_empty() || listen.is_unspecified() {
        return found;
    }
    let text = Some(Bytes::from(listen.to_string()));
    let (ipv4_address, ipv6_address) = match listen {
        IpAddr::V4(_) => (text, None),
        IpAddr::V6(_) => (None, text),
    };
    vec![Interface {
        ipv4_address,
        ipv6_address,
        ..Interface::default()
    }]
}

/// An address as an interface tells it.
pub(crate) fn address(text: Option<&Bytes>) -> Option<IpAddr> {
    let text = std::str::from_utf8(text?).ok()?;
    text.parse().ok()
}

fn text(configuration: &Configuration, interfaces: &[Interface]) -> String {
    let interfaces: Vec<Value> = interfaces.iter().map(interface).collect();
    let beat = json!({
        "firmware_version": configuration.version,
        "manufacturer": configuration.vendor,
        "model": configuration.model,
        "network_interfaces": interfaces,
        "port": configuration.port,
        "protocol_version": configuration.protocol_version,
        "serial_number": as_text(configuration.serial_number.as_ref()),
        "tlsPort": configuration.tls_port,
        "world_wide_name": as_text(configuration.world_wide_name.as_ref()),
    });
    beat.to_string()
}

fn interface(interface: &Interface) -> Value {
    json!({
        "ipv4_addr": as_text(interface.ipv4_address.as_ref()),
        "ipv6_addr": as_text(interface.ipv6_address.as_ref()),
        "mac_addr": as_text(interface.mac.as_ref()),
        "name": interface.name,
    })
}

fn as_text(bytes: Option<&Bytes>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram_drive::device;

    const MEMBERS: [&str; 9] = [
        "firmware_version",
        "manufacturer",
        "model",
        "network_interfaces",
        "port",
        "protocol_version",
        "serial_number",
        "tlsPort",
        "world_wide_name",
    ];

    fn lan(number: u8) -> Interface {
        Interface {
            name: Some(format!("eth{number}")),
            mac: Some(Bytes::from("02:00:00:00:00:01")),
            ipv4_address: Some(Bytes::from(format!("192.0.2.{number}"))),
            ipv6_address: Some(Bytes::from(format!("2001:db8::{number:x}"))),
        }
    }

    fn parsed(interfaces: Vec<Interface>, listen: &str, from: &str) -> Value {
        let configuration = Configuration {
            interface: interfaces,
            ..device().configuration()
        };
        let text = beat(
            &configuration,
            listen.parse().unwrap(),
            from.parse().unwrap(),
        );
        assert!(text.len() <= HEARTBEAT_BYTES);
        serde_json::from_slice(&text).unwrap()
    }

    fn addresses(beat: &Value) -> Vec<&str> {
        let all = beat["network_interfaces"].as_array().unwrap();
        let ipv4 = all.iter().map(|one| one["ipv4_addr"].as_str());
        ipv4.map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn every_member_is_always_there_and_null_where_there_is_nothing_to_say() {
        let beat = parsed(vec![lan(1)], "0.0.0.0:8123", "192.0.2.1");
        let members: Vec<&String> = beat.as_object().unwrap().keys().collect();
        assert_eq!(members, MEMBERS);
        assert_eq!(beat["port"], 8123);
        assert_eq!(beat["tlsPort"], Value::Null, "this drive has no TLS port");
        assert_eq!(beat["serial_number"], "K3839616263646566");
        let empty = beat.as_object().unwrap().values();
        assert_eq!(empty.filter(|value| value.is_null()).count(), 1);
    }

    #[test]
    fn only_interfaces_by_which_it_is_reached_are_told_the_one_it_came_by_first() {
        let all = || vec![lan(1), lan(2), lan(3)];
        let beat = parsed(all(), "0.0.0.0:8123", "192.0.2.2");
        assert_eq!(addresses(&beat), ["192.0.2.2", "192.0.2.1", "192.0.2.3"]);
        let beat = parsed(all(), "192.0.2.3:8123", "192.0.2.3");
        assert_eq!(addresses(&beat), ["192.0.2.3"]);
        let beat = parsed(all(), "127.0.0.9:8123", "127.0.0.9");
        assert_eq!(addresses(&beat), ["127.0.0.9"]);
    }

    #[test]
    fn a_host_with_very_many_interfaces_names_as_many_as_fit() {
        let all = (0..200).map(lan).collect();
        let beat = parsed(all, "0.0.0.0:8123", "192.0.2.150");
        let told = addresses(&beat);
        assert!(told.len() > 3 && told.len() < 200, "{}", told.len());
        assert_eq!(told.first(), Some(&"192.0.2.150"));
    }
}
