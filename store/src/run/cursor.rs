//! The entries of one run in key order, either way.
//!
//! Guarantee: one group of a leaf is decoded at a time; a call reads at most two paths from root
//! to leaf. A call that fails changes nothing: it can be repeated with more effort, and an
//! unreadable leaf is never stepped over; it says which keys the unreadable block may hold.
//! Not here: merging several runs (`upkeep`).

use std::mem;
use std::ops::Bound;
use std::sync::Arc;

use crate::effort::Effort;
use crate::entry::Entry;

use super::cache::{BlockError, BlockReader};
use super::format::block::{Block, BlockHandle, Kind};
use super::format::leaf::{Group, Leaf};
use super::format::node::Node;
use super::reader::Run;

/// Which way a cursor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To larger keys.
    Forward,
    /// To smaller keys.
    Backward,
}

/// A place in a run.
#[derive(Debug)]
pub struct RunCursor {
    run: Arc<Run>,
    direction: Direction,
    position: Option<Position>,
    group: Group,
    spare: Group,
    gap: Gap,
}

/// Keys that lie below an unreadable block, if any do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gap {
    /// The smallest one.
    pub start: Vec<u8>,
    /// The smallest one behind it; `None` where it reaches to the end.
    pub end: Option<Vec<u8>>,
}

impl Gap {
    /// Whether a key lies in it.
    #[must_use]
    pub fn holds(&self, key: &[u8]) -> bool {
        *self.start <= *key && !self.ends_at(key)
    }

    /// Whether it ends at this key or before.
    #[must_use]
    pub fn ends_at(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_some_and(|end| **end <= *key)
    }
}

#[derive(Debug, Clone)]
struct Position {
    /// From the root to the node over the leaf.
    path: Vec<Step>,
    leaf: Arc<Block>,
    handle: BlockHandle,
    /// Group of the leaf.
    group: usize,
    /// Entry of the group.
    slot: usize,
}

#[derive(Debug, Clone)]
struct Step {
    node: Arc<Block>,
    handle: BlockHandle,
    index: usize,
}

/// Which child, group or entry to take on the way down.
#[derive(Debug, Clone, Copy)]
enum Aim<'a> {
    First,
    Last,
    Key(&'a [u8]),
    /// Smaller keys than this: what begins with it is not needed.
    Below(&'a [u8]),
}

#[derive(Clone, Copy)]
struct Source<'a> {
    reader: &'a BlockReader,
    effort: Effort,
}

impl RunCursor {
    /// A cursor that stands nowhere until it seeks.
    #[must_use]
    pub fn new(run: Arc<Run>, direction: Direction) -> Self {
        Self {
            run,
            direction,
            position: None,
            group: Group::default(),
            spare: Group::default(),
            gap: Gap::default(),
        }
    }

    /// The keys that the last call that failed could not read.
    #[must_use]
    pub fn gap(&self) -> &Gap {
        &self.gap
    }

    /// The run it goes over.
    #[must_use]
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Goes to the entry nearest to `bound` that is inside it: forward the bound is the lower end
    /// of what is wanted, backward the upper.
    ///
    /// # Errors
    /// When a block on the way cannot be had; the cursor stays where it was.
    pub fn seek(
        &mut self,
        reader: &BlockReader,
        bound: Bound<&[u8]>,
        effort: Effort,
    ) -> Result<(), BlockError> {
        let source = Source { reader, effort };
        self.gap = Gap::default();
        let aim = match (bound, self.direction) {
            (Bound::Unbounded, Direction::Forward) => Aim::First,
            (Bound::Unbounded, Direction::Backward) => Aim::Last,
            (Bound::Excluded(key), Direction::Backward) => Aim::Below(key),
            (Bound::Included(key) | Bound::Excluded(key), _) => Aim::Key(key),
        };
        let found = self.descend(source, Vec::new(), aim)?;
        let entries = self.spare.entries();
        let beyond = match (bound, self.direction) {
            (Bound::Unbounded, Direction::Forward) => Some(0),
            (Bound::Unbounded, Direction::Backward) => entries.len().checked_sub(1),
            (Bound::Included(key), Direction::Forward) => {
                Some(entries.partition_point(|(other, _)| other.as_slice() < key))
            }
            (Bound::Excluded(key), Direction::Forward) => {
                Some(entries.partition_point(|(other, _)| other.as_slice() <= key))
            }
            (Bound::Included(key), Direction::Backward) => entries
                .partition_point(|(other, _)| other.as_slice() <= key)
                .checked_sub(1),
            (Bound::Excluded(key), Direction::Backward) => entries
                .partition_point(|(other, _)| other.as_slice() < key)
                .checked_sub(1),
        };
        let position = match beyond.filter(|slot| *slot < entries.len()) {
            Some(slot) => Some(Position { slot, ..found }),
            None => self.next_group(source, &found)?,
        };
        self.commit(position);
        Ok(())
    }

    /// The entry it stands on; `None` before a seek and past the end.
    #[must_use]
    pub fn current(&self) -> Option<(&[u8], &Entry)> {
        let position = self.position.as_ref()?;
        let (key, entry) = self.group.entries().get(position.slot)?;
        Some((key, entry))
    }

    /// Goes to the next entry; past the end it stays there.
    ///
    /// # Errors
    /// When a block on the way cannot be had; the cursor stays where it was.
    pub fn advance(&mut self, reader: &BlockReader, effort: Effort) -> Result<(), BlockError> {
        let Some(position) = self.position.as_mut() else {
            return Ok(());
        };
        let slot = match self.direction {
            Direction::Forward => position.slot.checked_add(1),
            Direction::Backward => position.slot.checked_sub(1),
        };
        let inside = |slot: &usize| *slot < self.group.entries().len();
        if let Some(slot) = slot.filter(inside) {
            position.slot = slot;
            return Ok(());
        }
        // Taken out only for the borrow; put back whatever happens.
        let Some(position) = self.position.take() else {
            return Ok(());
        };
        let next = self.next_group(Source { reader, effort }, &position);
        match next {
            Ok(next) => self.commit(next),
            Err(error) => {
                self.position = Some(position);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Accepts a position whose group is in `spare`.
    fn commit(&mut self, position: Option<Position>) {
        mem::swap(&mut self.group, &mut self.spare);
        self.position = position;
    }

    /// Decodes the group after (or before) that of `from` into `spare`; `None` at the end.
    fn next_group(
        &mut self,
        source: Source<'_>,
        from: &Position,
    ) -> Result<Option<Position>, BlockError> {
        self.gap = Gap::default();
        let malformed = BlockError::malformed(from.handle);
        let leaf = Leaf::new(from.leaf.payload(), from.leaf.count()).map_err(&malformed)?;
        if let Some(group) = self.neighbour(from.group, leaf.groups()) {
            leaf.decode(group, &mut self.spare).map_err(&malformed)?;
            let slot = self.first_slot();
            let position = from.clone();
            return Ok(Some(Position {
                group,
                slot,
                ..position
            }));
        }
        let aim = match self.direction {
            Direction::Forward => Aim::First,
            Direction::Backward => Aim::Last,
        };
        let mut path = from.path.clone();
        while let Some(mut step) = path.pop() {
            let malformed = BlockError::malformed(step.handle);
            let node = Node::new(step.node.payload(), step.node.count()).map_err(&malformed)?;
            if let Some(index) = self.neighbour(step.index, node.count()) {
                step.index = index;
                path.push(step);
                let found = self.descend(source, path, aim)?;
                let slot = self.first_slot();
                return Ok(Some(Position { slot, ..found }));
            }
        }
        Ok(None)
    }

    /// Goes down from the end of `path` to a leaf and decodes a group of it into `spare`.
    fn descend(
        &mut self,
        source: Source<'_>,
        mut path: Vec<Step>,
        aim: Aim<'_>,
    ) -> Result<Position, BlockError> {
        let mut handle = match path.last() {
            Some(step) => step.child()?,
            None => self.run.meta().root,
        };
        while path.len() < usize::from(self.run.meta().height) {
            let node = self.block(source, handle, Kind::Node);
            let node = node.inspect_err(|_| self.gap = gap_of(&path))?;
            let malformed = BlockError::malformed(handle);
            let view = Node::new(node.payload(), node.count()).map_err(&malformed)?;
            let index = match aim {
                Aim::First => 0,
                Aim::Last => view.count() - 1,
                Aim::Key(key) => view.index_for(key).map_err(&malformed)?,
                Aim::Below(key) => {
                    let index = view.index_for(key).map_err(&malformed)?;
                    let begins = view.child(index).map_err(&malformed)?.fence == key;
                    index - usize::from(begins && index > 0)
                }
            };
            let step = Step {
                node,
                handle,
                index,
            };
            handle = step.child()?;
            path.push(step);
        }
        let leaf = self.block(source, handle, Kind::Leaf);
        let leaf = leaf.inspect_err(|_| self.gap = gap_of(&path))?;
        let malformed = BlockError::malformed(handle);
        let view = Leaf::new(leaf.payload(), leaf.count()).map_err(&malformed)?;
        let group = match aim {
            Aim::First => 0,
            Aim::Last => view.groups() - 1,
            Aim::Key(key) | Aim::Below(key) => view.group_for(key).map_err(&malformed)?,
        };
        view.decode(group, &mut self.spare).map_err(&malformed)?;
        Ok(Position {
            path,
            leaf,
            handle,
            group,
            slot: 0,
        })
    }

    fn block(
        &self,
        source: Source<'_>,
        handle: BlockHandle,
        kind: Kind,
    ) -> Result<Arc<Block>, BlockError> {
        let expected = self.run.expect(handle, kind)?;
        source.reader.read(&expected, source.effort)
    }

    fn neighbour(&self, index: usize, count: usize) -> Option<usize> {
        match self.direction {
            Direction::Forward => Some(index + 1).filter(|index| *index < count),
            Direction::Backward => index.checked_sub(1),
        }
    }

    fn first_slot(&self) -> usize {
        match self.direction {
            Direction::Forward => 0,
            Direction::Backward => self.spare.entries().len().saturating_sub(1),
        }
    }
}

/// The keys below the end of a path.
fn gap_of(path: &[Step]) -> Gap {
    let mut gap = Gap::default();
    for step in path {
        let Ok(node) = Node::new(step.node.payload(), step.node.count()) else {
            break;
        };
        if let Ok(child) = node.child(step.index) {
            gap.start = child.fence.to_vec();
        }
        if let Ok(next) = node.child(step.index + 1) {
            gap.end = Some(next.fence.to_vec());
        }
    }
    gap
}

impl Step {
    fn child(&self) -> Result<BlockHandle, BlockError> {
        let malformed = BlockError::malformed(self.handle);
        let node = Node::new(self.node.payload(), self.node.count()).map_err(&malformed)?;
        Ok(node.child(self.index).map_err(&malformed)?.handle)
    }
}
