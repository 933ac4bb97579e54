//! What the integration tests and the bench stand on: real processes, and a raw connection.
//!
//! The tests themselves are binaries of this crate, one folder per topic. In layer order:
//!
//! - [`process`]: a child process whose lines can be awaited, and which never outlives its owner
//! - [`program`]: the workspace's own binaries, built when they are needed
//! - [`drive`]: a running `kineticd`
//! - [`tls`]: handshakes for raw connections
//! - [`raw`]: a connection that sends any bytes and reads whole frames
//! - [`conversation`]: requests in order, and answers that are what every answer must be
//! - [`batch`] and [`admin`]: the steps of a batch; PINs, lock and erase

pub mod process;

pub mod program;

pub mod drive;

pub mod tls;

pub mod raw;

pub mod conversation;

pub mod batch;

pub mod admin;
