//! A drive in RAM, and requests for it, for the tests of this crate.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Body, Header, KeyValue};
use kinetic_proto::{Limits, MessageType, Seal, SigningKey, message};
use kinetic_store::disk::MemoryDisk;
use kinetic_store::{FormatOptions, Options};

use crate::auth::FACTORY_KEY;
use crate::device::{Device, Medium, Policy, Ports};

/// A freshly formatted medium with its store open.
pub(crate) fn medium() -> Medium {
    let disk = MemoryDisk::new(256 << 20);
    let options = FormatOptions {
        uuid: *b"0123456789abcdef",
        entropy: [7; 32],
        zone_size: None,
    };
    kinetic_store::format(&disk, &options).unwrap();
    Medium::open(Arc::new(disk), Options::default()).unwrap()
}

/// What nobody has decided otherwise, with PINs that are quick to check.
pub(crate) fn policy() -> Policy {
    Policy {
        factory_key: FACTORY_KEY.to_vec(),
        pin_rounds: 1,
        firmware_key: None,
        exposed: false,
    }
}

/// A device on such a medium.
pub(crate) fn device() -> Device {
    let ports = Ports {
        plain: Some(8123),
        tls: None,
    };
    Device::new(medium(), ports, Limits::default(), policy())
}

/// A command of this sequence and type.
pub(crate) fn command(sequence: u64, kind: MessageType, body: Option<Body>) -> Command {
    Command {
        header: Some(Header {
            sequence: Some(sequence),
            message_type: Some(kind.0),
            ..Header::default()
        }),
        body: body.map(Box::new),
        status: None,
    }
}

/// A body with an entry.
pub(crate) fn entry(key: &[u8]) -> KeyValue {
    KeyValue {
        key: Some(Bytes::copy_from_slice(key)),
        ..KeyValue::default()
    }
}

/// The body around an entry.
pub(crate) fn body(entry: KeyValue) -> Option<Body> {
    Some(Body {
        key_value: Some(entry),
        ..Body::default()
    })
}

/// A whole frame, signed by the factory identity.
pub(crate) fn frame(command: &Command, value: &[u8]) -> BytesMut {
    let key = SigningKey::new(FACTORY_KEY);
    let seal = Seal::Signed {
        identity: 1,
        key: &key,
    };
    let mut out = BytesMut::new();
    message::encode_frame(seal, command, value.len(), &mut out).unwrap();
    out.extend_from_slice(value);
    out
}
