//! What the manifest keeps of a run: its root, its counts and where it lies.
//!
//! Guarantee: with this and the disk a run can be read; nothing else is needed.
//! Not here: the edit around it (`manifest`). The drive's number is not stored again with each
//! extent; whoever decodes knows it.

use crate::entry::Seqno;
use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::{Field, Put, Reader, Truncated, fields, len32, width};
use crate::layout::geometry::ZoneId;

use super::block::{BlockHandle, HANDLE, RunId};

/// A run; its extents follow.
pub const FIELDS: [Field; 10] = fields([
    ("run_id", 8),
    ("level", 1),
    ("height", 1),
    ("root", HANDLE),
    ("root_filter", HANDLE),
    ("entries", 8),
    ("tombstones", 8),
    ("bytes", 8),
    ("max_seqno", 8),
    ("extent_count", 4),
]);

/// An extent.
pub const EXTENT_FIELDS: [Field; 5] = fields([
    ("zone", 4),
    ("epoch", 8),
    ("salt", 8),
    ("start", 4),
    ("end", 4),
]);

/// A part of a zone that holds blocks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The life of the zone.
    pub stamp: ZoneStamp,
    /// First byte, from the start of the zone.
    pub start: u32,
    /// End of the last block, from the start of the zone.
    pub end: u32,
}

/// An immutable sorted run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMeta {
    /// Its number.
    pub id: RunId,
    /// Its level among the merges.
    pub level: u8,
    /// Levels of nodes above the leaves; at least 1.
    pub height: u8,
    /// The topmost node.
    pub root: BlockHandle,
    /// The filter over everything, if the root is a node over leaves.
    pub root_filter: BlockHandle,
    /// Entries, tombstones included.
    pub entries: u64,
    /// Entries that say that their key was deleted.
    pub tombstones: u64,
    /// Bytes of all blocks.
    pub bytes: u64,
    /// Largest sequence number in it.
    pub max_seqno: Seqno,
    /// Where it lies, in the order of writing.
    pub extents: Vec<Extent>,
}

impl RunMeta {
    /// Appends the run.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.id.0);
        out.put(&[self.level, self.height]);
        self.root.encode(out);
        self.root_filter.encode(out);
        out.put_u64(self.entries);
        out.put_u64(self.tombstones);
        out.put_u64(self.bytes);
        out.put_u64(self.max_seqno.0);
        out.put_u32(len32(self.extents.len()));
        for extent in &self.extents {
            out.put_u32(extent.stamp.zone.0);
            out.put_u64(extent.stamp.epoch);
            out.put_u64(extent.stamp.salt);
            out.put_u32(extent.start);
            out.put_u32(extent.end);
        }
    }

    /// Reads a run of drive number `drive`.
    ///
    /// # Errors
    /// When the bytes end before it does.
    pub fn decode(drive: u64, reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let id = RunId(reader.u64()?);
        let [level, height] = reader.array::<2>()?;
        let mut meta = Self {
            id,
            level,
            height,
            root: BlockHandle::decode(reader)?,
            root_filter: BlockHandle::decode(reader)?,
            entries: reader.u64()?,
            tombstones: reader.u64()?,
            bytes: reader.u64()?,
            max_seqno: Seqno(reader.u64()?),
            extents: Vec::new(),
        };
        let count = usize::try_from(reader.u32()?).map_err(|_range| Truncated)?;
        if count > reader.rest().len() / width(&EXTENT_FIELDS) {
            return Err(Truncated);
        }
        meta.extents.reserve_exact(count);
        for _ in 0..count {
            meta.extents.push(extent(drive, reader)?);
        }
        Ok(meta)
    }
}

fn extent(drive: u64, reader: &mut Reader<'_>) -> Result<Extent, Truncated> {
    let stamp = ZoneStamp {
        drive,
        zone: ZoneId(reader.u32()?),
        epoch: reader.u64()?,
        salt: reader.u64()?,
    };
    let (start, end) = (reader.u32()?, reader.u32()?);
    Ok(Extent { stamp, start, end })
}

/// Feeds arbitrary bytes to the decoder; what it accepts encodes to the same bytes.
pub fn fuzz_run_meta(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(meta) = RunMeta::decode(7, &mut reader) {
        let mut again = Vec::new();
        meta.encode(&mut again);
        let used = bytes.len() - reader.rest().len();
        assert_eq!(bytes.get(..used), Some(again.as_slice()));
    }
}
