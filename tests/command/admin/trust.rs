//! TLS: whom the command trusts, and what it says of the others and of wrong ports.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kinetic_server::certificate::Certificate;

use crate::Served;

impl Served {
    /// What the drive's certificate is known by, as the command itself shows it.
    fn fingerprint(&self) -> String {
        let info = self.secured().args(["info", "--output", "json"]).run();
        let info = info.done().json();
        let shown = info.pointer("/connection/certificate_sha256");
        let shown = shown.and_then(|shown| shown.as_str());
        shown.expect("a fingerprint").to_owned()
    }
}

#[test]
fn a_pinned_drive_is_reached_and_another_is_not() {
    let served = Served::new();
    let fingerprint = served.fingerprint();
    assert!(
        served.drive.log().contains(&fingerprint),
        "the log tells it"
    );
    let colons: Vec<&str> = (0..32)
        .filter_map(|at| fingerprint.get(2 * at..2 * at + 2))
        .collect();
    let upper = colons.join(":").to_uppercase();
    for form in [&fingerprint, &upper] {
        let put = served.over_tls().args(["--fingerprint", form, "put", "a"]);
        put.input(b"over TLS").run().done();
    }
    let get = served.over_tls().args(["get", "a"]);
    let got = get.env("KINETIC_FINGERPRINT", &fingerprint).run().done();
    assert_eq!(got.out, b"over TLS");

    let other = "00".repeat(32);
    let said = served.over_tls().args(["--fingerprint", &other, "ping"]);
    said.run().fails(9, &[&fingerprint, &other]);
    let either = format!("{other},{fingerprint}");
    let said = served.over_tls().args(["--fingerprint", &either, "ping"]);
    said.run().done();
}

/// A part of a PEM file.
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

#[test]
fn the_certificate_stays_over_restarts_and_erases_and_goes_for_one_that_is_given() {
    let served = Served::new();
    let own = served.fingerprint();
    let served = served.restarted(&[]);
    assert_eq!(served.fingerprint(), own);
    for erase in [&["erase", "--yes"][..], &["erase", "--secure", "--yes"]] {
        let erase = served.secured().args(erase);
        erase.env("KINETIC_PIN", "").run().done();
        assert_eq!(served.fingerprint(), own);
    }
    let served = served.killed_and_restarted();
    assert_eq!(served.fingerprint(), own);
    assert_ne!(Served::new().fingerprint(), own, "every drive has its own");

    let given = Certificate::of_drive("given", vec!["127.0.0.1".to_owned()]);
    let (certificate, key) = given.expect("a certificate").to_kept();
    let files = [served.path("cert.pem"), served.path("key.pem")];
    let texts = [pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", &key)];
    for (file, text) in files.iter().zip(texts) {
        fs::write(file, text).expect("a file");
    }
    let [certificate, key] = files.map(|file| file.display().to_string());
    let served = served.restarted(&["--tls-cert", &certificate, "--tls-key", &key]);
    assert_ne!(served.fingerprint(), own);
    let ping = served.over_tls().args(["ping", "--ca"]);
    ping.args([&certificate]).run().done();
    // Its own one was not replaced: without the files it is back.
    assert_eq!(served.restarted(&[]).fingerprint(), own);
}

#[test]
fn each_port_that_is_the_wrong_one_is_told_as_such() {
    let served = Served::new();
    let said = served.kinetic().args(["--insecure-tls", "ping"]).run();
    said.fails(5, &["port for plain connections", "8443"]);
    let plain = served.over_tls().args(["ping", "--timeout", "300ms"]);
    plain.run().fails(5, &["port for TLS", "--fingerprint"]);
}

#[test]
fn tls_needs_to_know_whom_to_trust() {
    let served = Served::new();
    let said = served.over_tls().args(["--tls", "ping"]).run();
    said.fails(2, &["--fingerprint", "--ca", "--insecure-tls"]);
    let said = served.over_tls().args(["ping"]).env("KINETIC_TLS", "1");
    said.run().fails(2, &["--fingerprint"]);
    let ping = served.secured().args(["ping", "--tls"]);
    ping.env("KINETIC_TLS", "0").run().done();
    let said = served.over_tls().args(["--fingerprint", "aa", "ping"]);
    said.run().fails(2, &["64 hexadecimal digits"]);
}

#[test]
fn a_variable_says_yes_or_no_and_what_is_neither_switches_nothing() {
    let served = Served::new();
    let ping = |word: &str| {
        let ping = served.over_tls().args(["ping"]);
        ping.env("KINETIC_INSECURE_TLS", word).run()
    };
    for yes in ["yes", "true", "1", "on"] {
        ping(yes).done();
    }
    for neither in ["maybe", "2", "offf", " "] {
        ping(neither).fails(2, &["--insecure-tls", neither]);
    }
    let plain = |word: &str| {
        let ping = served.kinetic().args(["ping"]);
        let ping = ping.env("KINETIC_INSECURE_TLS", word);
        ping.env("KINETIC_TLS", word).run()
    };
    for no in ["no", "false", "0", "off", ""] {
        plain(no).done();
    }
    plain("maybe").fails(2, &["maybe"]);
}

#[test]
fn an_empty_variable_is_absent_and_an_empty_option_is_a_mistake() {
    let served = Served::new();
    let names = [
        "KINETIC_DRIVE",
        "KINETIC_IDENTITY",
        "KINETIC_FINGERPRINT",
        "KINETIC_CA",
    ];
    let ping = served.kinetic().args(["ping"]);
    let ping = names.iter().fold(ping, |ping, name| ping.env(name, ""));
    ping.run().done();
    let ping = served.kinetic().args(["ping", "--fingerprint", ""]);
    ping.run().fails(2, &["fingerprint"]);
}

#[test]
fn a_file_of_authorities_has_to_hold_some() {
    let served = Served::new();
    let file = served.path("authorities.pem");
    let ping = || {
        let command = served.over_tls().args(["ping", "--ca"]);
        command.args([&file]).run()
    };
    ping().fails(7, &["authorities.pem"]);
    fs::write(&file, "nothing of that kind").expect("a file");
    ping().fails(2, &["authorities.pem", "BEGIN CERTIFICATE"]);
}

#[test]
fn info_shows_the_certificate_and_warns_of_the_factory_key() {
    let served = Served::new();
    let info = served.run(&["info"]).done();
    assert!(info.text().contains("kinetic acl set"), "{info}");
    let info = served.run(&["info", "--output", "json"]).done().json();
    assert_eq!(
        info["connection"]["certificate_sha256"],
        serde_json::Value::Null
    );
    assert_eq!(info["connection"]["factory_key"], "in force");
    assert!(info["warning"].is_string());
}
