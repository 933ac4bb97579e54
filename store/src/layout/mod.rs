//! How bytes lie on the disk, below every structure: fields, checksums, zones, superblock.
//!
//! In layer order: [`codec`] (fields of fixed width), [`geometry`] (zones), [`checksum`] (seeded
//! by place), [`wrapped_key`] (the data key as a slot holds it), [`superblock`] (the two slots of
//! zone 0), [`settings`] (what the server keeps beside them), [`zone_header`] (the first block of
//! each other zone). `docs/FORMAT.md` has every table; a test holds it equal to the code.

pub mod codec;

pub mod geometry;

pub mod checksum;

pub mod wrapped_key;

pub mod superblock;

pub mod settings;

pub mod zone_header;
