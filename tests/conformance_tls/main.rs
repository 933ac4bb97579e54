//! Conformance over TLS 1.2: the tests of `conformance`, by the other door.

#[path = "../conformance/fresh.rs"]
mod fresh;

#[path = "../conformance/logs.rs"]
mod logs;

#[path = "../conformance/batch/mod.rs"]
mod batch;
#[path = "../conformance/captured.rs"]
mod captured;
#[path = "../conformance/headers.rs"]
mod headers;
#[path = "../conformance/hello.rs"]
mod hello;
#[path = "../conformance/pinop.rs"]
mod pinop;
#[path = "../conformance/pipelining.rs"]
mod pipelining;
#[path = "../conformance/power.rs"]
mod power;
#[path = "../conformance/ranged.rs"]
mod ranged;
#[path = "../conformance/ranges.rs"]
mod ranges;
#[path = "../conformance/reading.rs"]
mod reading;
#[path = "../conformance/scanning.rs"]
mod scanning;
#[path = "../conformance/security.rs"]
mod security;
#[path = "../conformance/setup.rs"]
mod setup;
#[path = "../conformance/several.rs"]
mod several;
#[path = "../conformance/writing.rs"]
mod writing;

#[path = "../conformance/acl_log.rs"]
mod acl_log;
#[path = "../conformance/pushing.rs"]
mod pushing;

#[path = "../conformance/peers.rs"]
mod peers;

use fresh::{Channel, Fresh};

/// By which door these tests come in.
const CHANNEL: Channel = Channel::Tls;
