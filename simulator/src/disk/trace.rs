//! What was done to a disk and how it answered, as one hash and a few counts.
//!
//! Guarantee: equal histories (kind, offset, length, content, outcome of every call, every stop
//! and flip) give equal hashes on every host; different ones give different hashes but for chance.

use super::failure::Failure;

/// Counts of calls, failed ones included, and of bytes asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads, tried ones included.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Discards.
    pub discards: u64,
    /// Bytes of all reads.
    pub bytes_read: u64,
    /// Bytes of all writes.
    pub bytes_written: u64,
}

impl Counts {
    /// All calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.reads + self.writes + self.syncs + self.discards
    }
}

/// What really went wrong on a disk since it was made, each counted as often as it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Power cuts that took unsynced sectors along.
    pub lost: u64,
    /// Power cuts that left a write in part.
    pub torn: u64,
    /// Power cuts that left a write and took one before it.
    pub reordered: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Failures to write back what was unsynced that nobody was told of.
    pub swallowed_syncs: u64,
    /// Syncs that were said to be done, and left something unsynced.
    pub lying_syncs: u64,
    /// Power cuts that took along what such a sync had left.
    pub exposed_lies: u64,
    /// Reads that failed, and would fail again.
    pub failed_reads: u64,
    /// Reads that failed once.
    pub transient_reads: u64,
    /// Writes for which the host had no room.
    pub refused_writes: u64,
    /// Calls that took long.
    pub slow_calls: u64,
    /// Bits that flipped.
    pub flipped_bits: u64,
}

/// What happens to a disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Read {
        offset: u64,
        length: u64,
    },
    TryRead {
        offset: u64,
        length: u64,
    },
    Write {
        offset: u64,
        length: u64,
        content: u64,
    },
    Sync,
    Discard {
        offset: u64,
        length: u64,
    },
    PowerCut,
    Kill,
    Restart,
    /// Unsynced writes could not be written back, and nobody was told.
    WriteBackFailed,
    Flip {
        offset: u64,
        bit: u64,
    },
}

/// The running hash and counts.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    counts: Counts,
    pub(super) harm: Harm,
}

impl Trace {
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Enters a call with its outcome.
    pub(super) fn call<T: Copy + Into<u64>>(&mut self, event: Event, outcome: Result<T, Failure>) {
        self.event(event);
        let word = outcome.map_or_else(|failure| failure.code() << 32, Into::into);
        self.hash = mixed(self.hash, word);
    }

    /// Enters what is done to the disk from outside, or a call.
    pub(super) fn event(&mut self, event: Event) {
        let counts = &mut self.counts;
        let words = match event {
            Event::Read { offset, length } | Event::TryRead { offset, length } => {
                counts.reads += 1;
                counts.bytes_read += length;
                let kind = if matches!(event, Event::Read { .. }) {
                    1
                } else {
                    2
                };
                [kind, offset, length, 0]
            }
            Event::Write {
                offset,
                length,
                content,
            } => {
                counts.writes += 1;
                counts.bytes_written += length;
                [3, offset, length, content]
            }
            Event::Sync => {
                counts.syncs += 1;
                [4, 0, 0, 0]
            }
            Event::Discard { offset, length } => {
                counts.discards += 1;
                [5, offset, length, 0]
            }
            Event::PowerCut => [6, 0, 0, 0],
            Event::Kill => [7, 0, 0, 0],
            Event::Restart => [8, 0, 0, 0],
            Event::Flip { offset, bit } => [9, offset, bit, 0],
            Event::WriteBackFailed => [10, 0, 0, 0],
        };
        self.hash = words.into_iter().fold(self.hash, mixed);
    }
}

/// The hash of a write's bytes, however they are cut into parts.
pub(super) fn content_hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (mut hash, mut word, mut filled) = (0, 0, 0);
    for part in parts {
        let mut rest = part;
        while let Some((&byte, tail)) = rest.split_first() {
            if filled == 0
                && let Some((whole, tail)) = rest.split_first_chunk::<8>()
            {
                hash = mixed(hash, u64::from_le_bytes(*whole));
                rest = tail;
                continue;
            }
            word |= u64::from(byte) << (8 * filled);
            filled += 1;
            if filled == 8 {
                hash = mixed(hash, word);
                (word, filled) = (0, 0);
            }
            rest = tail;
        }
    }
    mixed(mixed(hash, word), filled)
}

/// One step of the hash: a bijection of either argument while the other is held.
fn mixed(hash: u64, word: u64) -> u64 {
    let crossed = (hash ^ word)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(29);
    crossed.wrapping_add(0xD1B5_4A32_D192_ED03)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_hash_does_not_depend_on_the_parts() {
        let data: Vec<u8> = (0..=255).collect();
        let whole = content_hash([data.as_slice()].into_iter());
        for size in [1, 3, 7, 8, 9, 100] {
            assert_eq!(content_hash(data.chunks(size)), whole, "{size}");
        }
        assert_ne!(content_hash([&data[..255]].into_iter()), whole);
        assert_ne!(
            content_hash([&[0u8; 3][..]].into_iter()),
            content_hash([].into_iter())
        );
    }
}
