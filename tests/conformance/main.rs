//! Conformance: raw bytes to a real `kineticd`, and what must come back.
//!
//! One module per part of the protocol. Requests are built byte by byte or with prost and sent
//! over [`kinetic_tests::raw`], so that what no client would send can be sent too. What holds of
//! every answer (signature, identity, ackSequence, connectionID, no clusterVersion) is checked for
//! every answer, by [`kinetic_tests::conversation`]. The same files are tests over TLS in
//! `conformance_tls`.

mod fresh;

mod logs;

mod batch;
mod captured;
mod headers;
mod hello;
mod pinop;
mod pipelining;
mod power;
mod ranged;
mod ranges;
mod reading;
mod scanning;
mod security;
mod setup;
mod several;
mod writing;

mod acl_log;
mod pushing;

mod peers;

use fresh::{Channel, Fresh};

/// By which door these tests come in.
const CHANNEL: Channel = Channel::Plain;
