//! The Rust types of `kinetic.proto`, as prost-build writes them.
//!
//! Guarantees: the committed file is what the schema gives; the test `schema` regenerates and
//! compares it, and rewrites it when `KINETIC_PROTO_REGENERATE=1` is set. Nothing here is edited
//! by hand, and nothing but types is here. Fields carry the names of the schema; what they mean
//! is in docs/PROTOCOL.md.

#[expect(missing_docs, reason = "fields and variants have the names of kinetic.proto")]
#[rustfmt::skip]
mod kinetic;

pub use kinetic::*;
