//! What a run is made of on the disk.
//!
//! In layer order: [`guide`] (for searches in memory), [`block`] (header and checksum of every
//! block), [`filter`] (keys that are surely absent), [`leaf`] (entries), [`node`] (children),
//! [`meta`] (the run itself, as the manifest stores it). `docs/FORMAT.md` has every table.

use thiserror::Error;

use crate::layout::codec::Truncated;

pub mod guide;

pub mod block;
pub mod filter;
pub mod leaf;
pub mod meta;
pub mod node;

/// A structure whose checksum may be right but whose content makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the structure contradicts itself: a field points outside it or has no meaning")]
pub struct Malformed;

impl From<Truncated> for Malformed {
    fn from(_: Truncated) -> Self {
        Self
    }
}

/// Bytes that `left` and `right` have in common at their start.
#[must_use]
pub fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(l, r)| l == r).count()
}

/// Number `index` of a table of four-byte numbers.
pub(crate) fn table_entry(table: &[u8], index: usize) -> Result<usize, Malformed> {
    let start = index.checked_mul(4).ok_or(Malformed)?;
    let bytes = table.get(start..).and_then(<[u8]>::first_chunk::<4>);
    let number = u32::from_le_bytes(*bytes.ok_or(Malformed)?);
    usize::try_from(number).map_err(|_range| Malformed)
}
