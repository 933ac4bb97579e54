//! Conformance: raw bytes to a real `kineticd`, and what must come back.
//!
//! One module per part of the protocol. Requests are built byte by byte or with prost and sent
//! over [`kinetic_tests::raw`], so that what no client would send can be sent too.
