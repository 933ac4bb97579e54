//! The node: children of the B-tree, each with a fence.
//!
//! Guarantee: all keys below a child are at or above its fence and below the next child's; the
//! first fence of a level is empty, so that every key has a child to look in.
//! Not here: the block around it (`block`).
//!
//! Payload: children, then the offset of each child (four bytes each; their number is the
//! block's entry count). A fence is the shortest key that tells the child from the one before.

use crate::layout::codec::{Field, Put, Reader, fields, len16, len32, width};
use crate::limits::{MAX_KEY, RUN_BLOCK_MAX, RUN_BLOCK_TARGET};

use super::block::{BlockHandle, FRAMING};
use super::guide::{self, Guide};
use super::{Malformed, common_prefix, table_entry};

/// A child; the fence follows.
pub const FIELDS: [Field; 7] = fields([
    ("fence_length", 2),
    ("child_zone", 4),
    ("child_offset", 4),
    ("child_length", 4),
    ("filter_zone", 4),
    ("filter_offset", 4),
    ("filter_length", 4),
]);

/// Fewest children of a node that is not the last of its level, however long the fences are.
pub const MIN_CHILDREN: u32 = 4;

/// Bytes of a child beside its fence, its place in the table included.
const OVERHEAD: usize = width(&FIELDS) + 4;

const MOST_PAYLOAD: usize = RUN_BLOCK_TARGET + MIN_CHILDREN as usize * (MAX_KEY + OVERHEAD);
const _: () = assert!(FRAMING + MOST_PAYLOAD <= RUN_BLOCK_MAX);

/// Most bytes that a child with a fence of `fence` bytes adds to a node.
#[must_use]
pub fn child_length(fence: usize) -> usize {
    OVERHEAD + fence
}

/// The shortest key above `last` and not above `first`, where `last` is below `first`.
#[must_use]
pub fn separator<'a>(last: &[u8], first: &'a [u8]) -> &'a [u8] {
    let length = common_prefix(last, first) + 1;
    first.get(..length).unwrap_or(first)
}

/// A child of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child<'a> {
    /// No key below the child is smaller.
    pub fence: &'a [u8],
    /// The child.
    pub handle: BlockHandle,
    /// The filter over everything below the child; none where the child has none.
    pub filter: BlockHandle,
}

/// Collects the children of one node.
#[derive(Debug, Default)]
pub struct NodeBuilder {
    payload: Vec<u8>,
    offsets: Vec<u32>,
    fence: Vec<u8>,
    only: Option<(BlockHandle, BlockHandle)>,
}

impl NodeBuilder {
    /// Children so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        len32(self.offsets.len())
    }

    /// Bytes of the payload if the node ended here.
    #[must_use]
    pub fn length(&self) -> usize {
        self.payload.len() + 4 * self.offsets.len()
    }

    /// Fence of the first child, which is the fence of the node.
    #[must_use]
    pub fn fence(&self) -> &[u8] {
        &self.fence
    }

    /// The child and its filter, if there is exactly one.
    #[must_use]
    pub fn only_child(&self) -> Option<(BlockHandle, BlockHandle)> {
        self.only
    }

    /// Appends a child.
    pub fn add(&mut self, child: &Child<'_>) {
        if self.offsets.is_empty() {
            self.fence.clear();
            self.fence.extend_from_slice(child.fence);
            self.only = Some((child.handle, child.filter));
        } else {
            self.only = None;
        }
        self.offsets.push(len32(self.payload.len()));
        self.payload.put_u16(len16(child.fence.len()));
        child.handle.encode(&mut self.payload);
        child.filter.encode(&mut self.payload);
        self.payload.put(child.fence);
    }

    /// Ends the payload with the table and returns it; [`NodeBuilder::clear`] comes next.
    pub fn finish(&mut self) -> &[u8] {
        for offset in &self.offsets {
            self.payload.put_u32(*offset);
        }
        &self.payload
    }

    /// Starts the next node in the same memory.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.offsets.clear();
        self.only = None;
    }
}

/// A view of the payload of a node.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    children: &'a [u8],
    table: &'a [u8],
    count: usize,
    guide: Option<&'a Guide>,
}

impl<'a> Node<'a> {
    /// Looks at a payload that holds `count` children.
    ///
    /// # Errors
    /// When it cannot hold them.
    pub fn new(payload: &'a [u8], count: u32) -> Result<Self, Malformed> {
        let count = usize::try_from(count).map_err(|_range| Malformed)?;
        let table = count.checked_mul(4).ok_or(Malformed)?;
        let start = payload.len().checked_sub(table).ok_or(Malformed)?;
        let (children, table) = payload.split_at_checked(start).ok_or(Malformed)?;
        if count == 0 {
            return Err(Malformed);
        }
        Ok(Self {
            children,
            table,
            count,
            guide: None,
        })
    }

    /// The same node with a guide that [`Node::guide`] made of it.
    #[must_use]
    pub fn guided(self, guide: Option<&'a Guide>) -> Self {
        Self { guide, ..self }
    }

    /// A guide to its children.
    ///
    /// # Errors
    /// When its bytes make no sense.
    pub fn guide(&self) -> Result<Guide, Malformed> {
        let fences: Result<Vec<_>, _> = (0..self.count).map(|at| self.fence(at)).collect();
        Ok(Guide::to(&fences?))
    }

    fn fence(&self, index: usize) -> Result<&'a [u8], Malformed> {
        Ok(self.child(index)?.fence)
    }

    /// Children in it; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Child `index`.
    ///
    /// # Errors
    /// When there is none, or its bytes make no sense.
    pub fn child(&self, index: usize) -> Result<Child<'a>, Malformed> {
        let start = table_entry(self.table, index)?;
        let mut reader = Reader::new(self.children.get(start..).ok_or(Malformed)?);
        let fence_length = usize::from(reader.u16()?);
        let handle = BlockHandle::decode(&mut reader)?;
        let filter = BlockHandle::decode(&mut reader)?;
        Ok(Child {
            fence: reader.bytes(fence_length)?,
            handle,
            filter,
        })
    }

    /// Index of the only child that may hold `key`.
    ///
    /// # Errors
    /// When its bytes make no sense.
    pub fn index_for(&self, key: &[u8]) -> Result<usize, Malformed> {
        let fences = (self.count, self.guide);
        guide::search(fences, key, |index| self.fence(index))
    }
}

/// Fuzzing: in arbitrary bytes behind a number of children, a search ends at one of them, and
/// children that can be read encode to the same again.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_node(bytes: &[u8]) {
    let Some((&count, payload)) = bytes.split_first() else {
        return;
    };
    let Ok(node) = Node::new(payload, u32::from(count)) else {
        return;
    };
    assert!(node.child(node.count()).is_err());
    let index = node.index_for(payload);
    assert!(index.is_ok_and(|index| index < node.count()) || index.is_err());
    for index in 0..node.count() {
        let Ok(child) = node.child(index) else {
            continue;
        };
        let mut builder = NodeBuilder::default();
        builder.add(&child);
        let again = Node::new(builder.finish(), 1);
        assert_eq!(again.and_then(|again| again.child(0)), Ok(child));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_above_the_last_key_and_not_above_the_first() {
        for (last, first, expected) in [
            (&b"apple"[..], &b"banana"[..], &b"b"[..]),
            (b"abc", b"abd", b"abd"),
            (b"ab", b"abcdef", b"abc"),
            (b"", b"x", b"x"),
        ] {
            assert_eq!(separator(last, first), expected);
            assert!(last < expected && expected <= first);
        }
    }
}
