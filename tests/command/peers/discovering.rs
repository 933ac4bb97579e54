//! `discover`: drives announce themselves where they were told to, and are listed.
//!
//! Other tests' drives may be heard beside those of a test.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use serde_json::Value;

use crate::Served;
use crate::kinetic::Kinetic;

/// Heartbeats on loopback, as JSON, until so many were heard or the time is over.
fn discover(arguments: &[&str]) -> Vec<Value> {
    let always = ["discover", "--interface", "127.0.0.1", "--output", "json"];
    let said = Kinetic::new().args(always).args(arguments).run();
    said.done().json_lines()
}

fn serial_number(served: &Served) -> Value {
    let said = served.run(&["info", "--output", "json"]).done();
    let info = said.json();
    let serial = info.pointer("/configuration/serial_number");
    serial.cloned().expect("a serial number")
}

#[test]
fn drives_that_announce_themselves_are_listed_with_their_real_ports_and_others_are_not() {
    let silent = Served::new();
    let loud = [(); 2].map(|()| Served::new().restarted(&["--heartbeat"]));
    let heard = discover(&["--for", "8s"]);
    for served in &loud {
        let serial = serial_number(served);
        let mine: Vec<&Value> = heard
            .iter()
            .filter(|drive| drive["serial_number"] == serial)
            .collect();
        assert_eq!(mine.len(), 1, "{heard:?}");
        let address = served.drive.plain().to_string();
        assert_eq!(mine[0]["address"], address, "{heard:?}");
        let tls = served.drive.tls().to_string();
        assert_eq!(mine[0]["tls_address"], tls, "{heard:?}");
        assert!(mine[0]["world_wide_name"].is_string(), "{heard:?}");
    }
    let serial = serial_number(&silent);
    assert!(heard.iter().all(|drive| drive["serial_number"] != serial));
}

#[test]
fn what_is_no_heartbeat_is_passed_over_and_what_is_shown_does_no_harm() {
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let sender = socket2::Socket::from(sender);
    let here = Ipv4Addr::LOCALHOST;
    sender.set_multicast_if_v4(&here).expect("loopback");
    let sender: UdpSocket = sender.into();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        let speaker = scope.spawn(|| {
            let group = SocketAddrV4::new(Ipv4Addr::new(239, 1, 2, 3), 8123);
            let texts = [
                "no heartbeat",
                r#"{"serial_number": "\u001b[2Jforeign", "port": 1, "model": null}"#,
            ];
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for text in texts {
                    sender.send_to(text.as_bytes(), group).expect("a datagram");
                }
                std::thread::yield_now();
            }
        });
        let arguments = ["discover", "--interface", "127.0.0.1", "--for", "2s"];
        let said = Kinetic::new().args(arguments).run();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        speaker.join().expect("the speaker");
        said.done()
    });
    let line = said
        .lines()
        .into_iter()
        .find(|line| line.contains("foreign"));
    let line = line.unwrap_or_default();
    assert!(line.starts_with("127.0.0.1:1 "), "{said}");
    assert!(!said.text().contains('\u{1b}'), "{said}");
}

#[test]
fn an_interface_that_is_not_there_is_refused_with_what_to_do() {
    let said = Kinetic::new()
        .args(["discover", "--interface", "192.0.2.1", "--for", "1s"])
        .run();
    said.fails(5, &["heartbeats", "ip address"]);
}
