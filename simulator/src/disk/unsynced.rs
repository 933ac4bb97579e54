//! Writes that returned and are not yet durable, in their order, and which of them a power cut
//! leaves.
//!
//! Guarantees: each is of whole sectors with the content they had right after that write, so that
//! any one of them may reach the platter without its predecessors. Those that survive are applied
//! in their order, as a page cache does, which holds one content per sector; what varies is which
//! of them, and which of their sectors, survive.

use super::platter::Platter;
use crate::rng::Rng;

/// How unsynced writes fare when power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// All are lost.
    LoseAll,
    /// None is lost.
    KeepAll,
    /// The first ones survive, up to some point.
    KeepPrefix,
    /// Any subset of whole writes survives: the disk had reordered them.
    Reorder,
    /// Any subset of the sectors of each write survives.
    Tear,
    /// As `Tear`, and sectors themselves may be new at the front and old at the back. Disks
    /// promise not to do this, so [`Survival::pick`] never draws it.
    TearSectors,
}

impl Survival {
    /// Draws a mode that real disks show.
    pub fn pick(rng: &mut Rng) -> Self {
        let modes = [
            Self::LoseAll,
            Self::KeepAll,
            Self::KeepPrefix,
            Self::Reorder,
            Self::Tear,
            Self::Tear,
        ];
        rng.choose(&modes).copied().unwrap_or(Self::LoseAll)
    }

    /// Brings what survives of `writes` to the platter, and says what became of them.
    pub(super) fn apply(self, writes: &[Unsynced], platter: &mut Platter, rng: &mut Rng) -> Fate {
        let sector = platter.sector();
        // Of eight; drawn once a cut, since nearly nothing and nearly all are the telling cases.
        let odds = 1 + rng.below(7);
        let prefix = rng.below(writes.len() as u64 + 1);
        let mut fate = Fate::default();
        for (write, number) in writes.iter().zip(0u64..) {
            let sectors = write.length() / sector;
            let whole = match self {
                Self::LoseAll => false,
                Self::KeepAll => true,
                Self::KeepPrefix => number < prefix,
                Self::Reorder => rng.chance(odds, 8),
                Self::Tear | Self::TearSectors => {
                    let mut kept = 0;
                    for at in (0..sectors).map(|n| n * sector) {
                        if rng.chance(odds, 8) {
                            let torn = self == Self::TearSectors && rng.chance(1, 4);
                            let length = if torn { rng.below(sector) } else { sector };
                            write.settle_part(platter, at, length);
                            kept += 1;
                        }
                    }
                    fate.meet(kept, sectors);
                    continue;
                }
            };
            if whole {
                write.settle(platter);
            }
            fate.meet(if whole { sectors } else { 0 }, sectors);
        }
        fate
    }
}

/// What became of unsynced writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Sectors did not survive.
    pub(super) lost: bool,
    /// A write survived in part.
    pub(super) torn: bool,
    /// A write survived, and one before it did not.
    pub(super) reordered: bool,
}

impl Fate {
    /// Of the next write, `kept` sectors of `all` survived.
    fn meet(&mut self, kept: u64, all: u64) {
        self.reordered |= self.lost && kept > 0;
        self.torn |= kept > 0 && kept < all;
        self.lost |= kept < all;
    }
}

/// One write of whole sectors.
pub(super) struct Unsynced {
    pub(super) offset: u64,
    pub(super) content: Content,
}

/// What is written.
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// This many bytes of zeros: a discard.
    Zeros(u64),
}

impl Unsynced {
    pub(super) fn length(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Zeros(length) => *length,
        }
    }

    /// Brings all of it to the platter.
    pub(super) fn settle(&self, platter: &mut Platter) {
        self.settle_part(platter, 0, self.length());
    }

    /// Brings `length` bytes from byte `from` of this write on to the platter.
    pub(super) fn settle_part(&self, platter: &mut Platter, from: u64, length: u64) {
        let length = length.min(self.length().saturating_sub(from));
        match &self.content {
            Content::Zeros(_) => platter.zero(self.offset + from, length),
            Content::Bytes(bytes) => {
                let from_index = usize::try_from(from).unwrap_or(usize::MAX);
                let to_index = usize::try_from(from + length).unwrap_or(usize::MAX);
                if let Some(part) = bytes.get(from_index..to_index) {
                    platter.write(self.offset + from, part);
                }
            }
        }
    }

    /// Flips a bit, where this write covers the byte at `offset` of the disk.
    pub(super) fn flip(&mut self, offset: u64, bit: u8) {
        let within = offset
            .checked_sub(self.offset)
            .and_then(|n| usize::try_from(n).ok());
        if let (Content::Bytes(bytes), Some(within)) = (&mut self.content, within)
            && let Some(byte) = bytes.get_mut(within)
        {
            *byte ^= 1 << (bit % 8);
        }
    }
}
