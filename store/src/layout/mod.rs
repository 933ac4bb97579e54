//! How bytes lie on the disk, below every structure: fields, checksums, zones, superblock.
//!
//! In layer order: [`codec`] (fields of fixed width), [`geometry`] (zones), [`checksum`] (seeded
//! by place), [`superblock`] (the two slots of zone 0), [`zone_header`] (the first block of each
//! other zone). `docs/FORMAT.md` has every table; a test holds it equal to the code.

pub mod codec;

pub mod geometry;

pub mod checksum;

pub mod superblock;

pub mod zone_header;
