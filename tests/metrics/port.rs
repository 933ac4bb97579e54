//! The port for metrics: what it answers, how many it lets in, and the flag for it.

use std::io::{Read as _, Write as _};

use kinetic_tests::drive::Drive;

use crate::Watched;
use crate::http::{self, ask, connect, get};

/// As many connections as may ask at once; see docs/METRICS.md.
const AT_ONCE: usize = 16;

#[test]
fn there_are_metrics_and_health_and_nothing_else_and_only_for_reading() {
    let watched = Watched::start();
    for (request, code) in [
        ("GET /metrics HTTP/1.1\r\n\r\n", 200),
        ("GET /metrics?name=x HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", 200),
        ("HEAD /health HTTP/1.1\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET /metrics/ HTTP/1.1\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", 405),
        ("DELETE /health HTTP/1.1\r\n\r\n", 405),
        ("hello\r\n\r\n", 400),
    ] {
        let answer = ask(watched.metrics, request);
        assert_eq!(answer.code, code, "{request}");
        assert!(answer.head.contains("Connection: close"), "{}", answer.head);
        assert_eq!(
            answer.body.is_empty(),
            request.starts_with("HEAD"),
            "{request}"
        );
    }
    let long = format!(
        "GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(8 << 10)
    );
    assert_eq!(ask(watched.metrics, &long).code, 431);
    let text = get(watched.metrics, "/metrics");
    assert!(
        text.head
            .contains("Content-Type: text/plain; version=0.0.4"),
        "{}",
        text.head
    );
}

#[test]
fn whoever_is_one_too_many_takes_the_place_of_who_was_silent_for_longest() {
    let watched = Watched::start();
    // As many as there may be, and more, none of which asks for anything.
    let mut silent: Vec<_> = (0..AT_ONCE * 3).map(|_| connect(watched.metrics)).collect();
    assert_eq!(get(watched.metrics, "/health").code, 200);
    assert_eq!(get(watched.metrics, "/metrics").code, 200);
    let oldest = silent.first_mut().expect("a connection");
    let mut nothing = Vec::new();
    // Closed, with a word or without one.
    let _end = oldest.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    // The last one that was silent speaks, and is served.
    let mut one = silent.pop().expect("a connection");
    one.write_all(b"GET /health HTTP/1.1\r\n\r\n")
        .expect("a request");
    assert_eq!(http::read(one).code, 200);
}

#[test]
fn the_flag_opens_the_port_on_this_machine_and_without_it_there_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("drive.img");
    let arguments = ["--size", "256MiB", "--metrics", "0"];
    let drive = Drive::start(&image, &arguments).expect("a drive");
    let address = drive.ready()["metrics"].as_str().expect("an address");
    let address: std::net::SocketAddr = address.parse().expect("an address");
    assert!(address.ip().is_loopback());
    let text = get(address, "/metrics").body;
    assert!(text.contains("kinetic_build_info{version=\""), "{text}");
    assert!(
        !drive.log().contains("other machines can read"),
        "{}",
        drive.log()
    );
    assert!(drive.stop().expect("a stop").success());

    let exposed = ["--metrics", "0.0.0.0:0"];
    let drive = Drive::start(&image, &exposed).expect("a drive");
    assert!(
        drive.log().contains("other machines can read"),
        "{}",
        drive.log()
    );
    assert!(drive.stop().expect("a stop").success());

    let drive = Drive::start(&image, &[]).expect("a drive");
    assert!(drive.ready().get("metrics").is_none());
    assert!(drive.stop().expect("a stop").success());
}
