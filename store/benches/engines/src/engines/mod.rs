//! The engines that are compared, each with an index cache of 32 MiB and without compression.

mod kinetic;

mod rocks;

mod fjall;

use std::path::Path;

use clap::ValueEnum;

use crate::engine::{Engine, Outcome};

/// Bytes of memory for blocks of an index: the default of all three.
const CACHE: usize = 32 << 20;
/// Values of this length and longer are kept apart from the index.
const APART: u16 = 1024;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Ours, not sealed.
    Plain,
    /// Ours, sealed: what `kineticd` does unless told otherwise.
    Sealed,
    /// RocksDB with blob files.
    Rocksdb,
    /// fjall with key-value separation.
    Fjall,
}

impl Kind {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Sealed, Self::Rocksdb, Self::Fjall];

    /// What the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Sealed => "sealed",
            Self::Rocksdb => "RocksDB",
            Self::Fjall => "fjall",
        }
    }

    /// Opens it in a folder, creating what is not there.
    pub(crate) fn open(self, folder: &Path) -> Outcome<Box<dyn Engine>> {
        use kinetic_store::Seal;
        Ok(match self {
            Self::Plain => Box::new(kinetic::Kinetic::open(folder, Seal::Plain)?),
            Self::Sealed => Box::new(kinetic::Kinetic::open(folder, Seal::Sealed)?),
            Self::Rocksdb => Box::new(rocks::Rocks::open(folder)?),
            Self::Fjall => Box::new(fjall::Fjall::open(folder)?),
        })
    }
}
