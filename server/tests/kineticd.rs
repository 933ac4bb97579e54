//! The program itself: what it prints, how it ends, what it refuses.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::command::{Body, Header, KeyValue};
use kinetic_proto::{
    FrameDecoder, MessageType, Received, Seal, SigningKey, StatusCode, message, schema,
};

struct Drive {
    child: Child,
    _out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
    address: String,
}

fn kineticd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kineticd"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = kineticd(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

impl Drive {
    fn start(image: &Path) -> Self {
        let arguments = [
            "--size",
            "256MiB",
            "--listen",
            "127.0.0.1:0",
            "--tls-listen",
            "127.0.0.1:0",
            "--ready-json",
        ];
        let mut child = kineticd(&arguments)
            .arg(image)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self {
            err: BufReader::new(child.stderr.take().unwrap()),
            address: ready["plain"].as_str().unwrap().to_owned(),
            child,
            _out: out,
        }
    }

    fn ask(&self, kind: MessageType, value: &[u8]) -> (Received, Bytes) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (mut decoder, mut buffer) = (FrameDecoder::default(), BytesMut::new());
        let entry = KeyValue {
            key: Some(Bytes::from_static(b"key")),
            ..KeyValue::default()
        };
        let command = schema::Command {
            header: Some(Header {
                message_type: Some(kind.0),
                ..Header::default()
            }),
            body: Some(Box::new(Body {
                key_value: Some(entry),
                ..Body::default()
            })),
            status: None,
        };
        let (identity, key) = (1, &SigningKey::new(b"asdfasdf"));
        let mut out = BytesMut::new();
        message::encode_frame(
            Seal::Signed { identity, key },
            &command,
            value.len(),
            &mut out,
        )
        .unwrap();
        out.extend_from_slice(value);
        stream.write_all(&out).unwrap();
        let mut next = || loop {
            if let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                let received = Received::decode(&frame.message).unwrap();
                return (received, frame.value.whole().unwrap());
            }
            let mut part = [0; 4096];
            let count = stream.read(&mut part).unwrap();
            assert_ne!(count, 0, "the drive hung up");
            buffer.extend_from_slice(&part[..count]);
        };
        assert!(next().0.is_unsolicited());
        next()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(status.success());
    }

    /// Its exit code and its log.
    fn wait(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.err.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

#[test]
fn what_was_put_is_there_after_a_stop_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("drive.img");
    let drive = Drive::start(&image);
    let (answer, _) = drive.ask(MessageType::PUT, b"value");
    assert_eq!(answer.status_code(), StatusCode::SUCCESS);
    drive.signal("-TERM");
    let (code, log) = drive.wait();
    assert_eq!(code, Some(0), "{log}");
    for (signal, expected) in [("-KILL", None), ("-INT", Some(0))] {
        let drive = Drive::start(&image);
        let (answer, value) = drive.ask(MessageType::GET, b"");
        assert_eq!(answer.status_code(), StatusCode::SUCCESS);
        assert_eq!(value.as_ref(), b"value");
        drive.signal(signal);
        let (code, log) = drive.wait();
        assert_eq!(code, expected, "{log}");
    }
}

#[test]
fn a_second_drive_on_the_same_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("drive.img");
    let drive = Drive::start(&image);
    let image = image.to_string_lossy();
    let (code, text) = refused(&[&image, "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("in use"), "{text}");
    let other = folder.path().join("other.img");
    let other = other.to_string_lossy();
    let address = drive.address.clone();
    let (code, text) = refused(&[&other, "--size", "256MiB", "--listen", &address]);
    assert_eq!(code, Some(1));
    assert!(text.contains("--listen"), "{text}");
    drive.signal("-TERM");
    assert_eq!(drive.wait().0, Some(0));
}

#[test]
fn what_cannot_be_served_is_left_alone_and_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("notes"), b"not a drive").unwrap();
    let cases = [
        (path("notes"), "kinetic drive format --force"),
        (path("."), "is a directory"),
        (path("none/drive.img"), "create that first"),
    ];
    for (image, expected) in cases {
        let (code, text) = refused(&[&image, "--listen", "127.0.0.1:0"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(std::fs::read(path("notes")).unwrap(), b"not a drive");
    let exposed = ["--size", "256MiB", "--listen", "0.0.0.0:0"];
    let (code, text) = refused(&[&[path("new.img").as_str()], &exposed[..]].concat());
    assert_eq!(code, Some(1));
    assert!(text.contains("--insecure-factory"), "{text}");
}

#[test]
fn settings_that_make_no_sense_are_a_usage_error() {
    for flags in [
        &["--size", "lots"][..],
        &["--log", "=="],
        &["--config", "/none"],
    ] {
        let (code, text) = refused(&[&["drive.img"], flags].concat());
        assert_eq!(code, Some(2), "{text}");
    }
}
