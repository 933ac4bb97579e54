//! Firmware of a drive that was told whose signature counts.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::Served;
use crate::kinetic::Said;

/// What stands before an Ed25519 key in a public key's file (RFC 8410).
const KEY_INFO: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];

fn pair() -> Ed25519KeyPair {
    let secret = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    Ed25519KeyPair::from_pkcs8(secret.as_ref()).expect("a key")
}

fn pem(pair: &Ed25519KeyPair) -> String {
    let key = [&KEY_INFO[..], pair.public_key().as_ref()].concat();
    let body = STANDARD.encode(key);
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

fn signed(image: &[u8], by: &Ed25519KeyPair) -> Vec<u8> {
    [image, by.sign(image).as_ref()].concat()
}

impl Served {
    fn firmware(&self, image: &[u8]) -> Said {
        let file = self.path("image");
        fs::write(&file, image).expect("a file");
        let firmware = self.kinetic().args(["firmware", "--yes"]);
        firmware.args([&file]).run()
    }

    /// The drive's version, with which it tells of firmware.
    fn version(&self) -> String {
        let said = self.run(&["info", "--output", "json"]).done();
        let told = said.json();
        let version = told.pointer("/configuration/version");
        let version = version.and_then(|version| version.as_str());
        version.expect("a version").to_owned()
    }

    /// The drive, told of a key.
    fn with_key(self, key: &Ed25519KeyPair) -> Self {
        let file = self.path("firmware.pem");
        fs::write(&file, pem(key)).expect("a file");
        let file = file.display().to_string();
        self.restarted(&["--firmware-key", &file])
    }
}

/// A script that would leave a file behind, and that file.
fn script(served: &Served) -> (Vec<u8>, PathBuf) {
    let trace = served.path("it was executed");
    let text = format!("#!/bin/sh\ntouch '{}'\n", trace.display());
    (text.into_bytes(), trace)
}

#[test]
fn only_what_the_configured_key_signed_is_taken_reported_and_kept_and_it_is_never_executed() {
    let (vendor, stranger) = (pair(), pair());
    let served = Served::new().with_key(&vendor);
    let (image, trace) = script(&served);
    let right = signed(&image, &vendor);
    let mut changed = right.clone();
    if let Some(byte) = changed.get_mut(20) {
        *byte ^= 1;
    }
    let cut = right.get(..right.len() - 1).expect("an image");
    let foreign = signed(&image, &stranger);
    for wrong in [&image[..], &changed, cut, &foreign, b"x"] {
        let said = served.firmware(wrong);
        said.fails(1, &["INVALID_REQUEST", "not signed", "Ed25519"]);
    }
    served.firmware(b"").fails(2, &["the file is empty"]);
    assert!(!served.version().contains("firmware"));
    served.firmware(&right).done();
    let told = served.version();
    let bytes = format!("{} bytes", right.len());
    for part in ["firmware", &bytes, ", verified", "not executed"] {
        assert!(told.contains(part), "{told}");
    }

    // A refused image does not replace the one that was taken.
    served.firmware(&foreign).fails(1, &["not signed"]);
    let served = served.with_key(&vendor);
    assert_eq!(served.version(), told);
    // Without a key nobody has verified what comes.
    let served = served.restarted(&[]);
    let without = served.version();
    assert!(
        without.contains("verified by a key that is not configured now"),
        "{without}"
    );
    served.firmware(&foreign).done();
    assert!(served.version().contains("unverified"));
    let served = served.restarted(&[]);
    assert!(served.version().contains("unverified"));
    assert!(!trace.exists());
}
