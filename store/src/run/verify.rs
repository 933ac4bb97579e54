//! The whole run against itself: every block read from the disk, one a step; or a part of it, from
//! some key on.
//!
//! Guarantee: at the end, if nothing bad was found, every entry is readable, in order, inside its
//! fences and admitted by its filter, and the counts are those of the manifest. After each step it
//! is known which keys the block may hold, and which entries a sound leaf holds.
//! Not here: values, what to do about findings (`scrub`, `survey`).

use std::sync::Arc;

use crate::effort::Effort;
use crate::entry::{Entry, Seqno, State, ValueRef};

use super::cache::{BlockError, BlockReader, Unreadable};
use super::cursor::Gap;
use super::format::block::{Block, BlockFault, BlockHandle, Kind};
use super::format::filter;
use super::format::leaf::{Group, Leaf};
use super::format::node::{Child, Node};
use super::reader::Run;

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A block is as it should be; its length in bytes.
    Sound(u32),
    /// A block is bad; what lies below it was not looked at.
    Bad(Unreadable),
    /// All was read, but the counts are not those of the manifest (or blocks were bad).
    CountsDiffer,
    /// All was read and agrees.
    Done,
}

/// A walk over one run.
#[derive(Debug)]
pub struct RunCheck {
    run: Arc<Run>,
    /// Blocks to read, the next one last: at most the children of one node for each level.
    pending: Vec<Pending>,
    /// Where it began.
    from: Vec<u8>,
    /// The keys below the last block.
    gap: Gap,
    /// What the last block is.
    kind: Kind,
    /// Entries of the last block.
    found: Vec<(Vec<u8>, Entry)>,
    filter: Option<Arc<Block>>,
    group: Group,
    last_key: Option<Vec<u8>>,
    entries: u64,
    tombstones: u64,
    bytes: u64,
    max_seqno: Seqno,
}

#[derive(Debug)]
struct Pending {
    handle: BlockHandle,
    kind: Kind,
    /// Levels of nodes at and below it.
    height: u8,
    fence: Vec<u8>,
    /// The fence of the next block of its level, if there is one.
    end: Option<Vec<u8>>,
}

impl RunCheck {
    /// A walk that starts at the root.
    #[must_use]
    pub fn new(run: Arc<Run>) -> Self {
        Self::from_key(run, b"")
    }

    /// A walk over what may hold this key or greater ones. It compares no counts, unless the key
    /// is the smallest one.
    #[must_use]
    pub fn from_key(run: Arc<Run>, key: &[u8]) -> Self {
        let meta = run.meta();
        let height = meta.height;
        let root = Child {
            fence: &[],
            handle: meta.root,
            filter: meta.root_filter,
        };
        let mut check = Self {
            run,
            pending: Vec::new(),
            from: key.to_vec(),
            gap: Gap::default(),
            kind: Kind::Node,
            found: Vec::new(),
            filter: None,
            group: Group::default(),
            last_key: None,
            entries: 0,
            tombstones: 0,
            bytes: 0,
            max_seqno: Seqno(0),
        };
        check.push(&root, None, height);
        check
    }

    /// The smallest key that a block may hold which was not read yet; `None` where all were.
    #[must_use]
    pub fn next_start(&self) -> Option<&[u8]> {
        self.pending.last().map(|next| &next.fence[..])
    }

    /// The keys that the block of the last step may hold.
    #[must_use]
    pub fn gap(&self) -> &Gap {
        &self.gap
    }

    /// What the block of the last step is, or should be.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The entries of the block of the last step, in order.
    pub fn take_entries(&mut self) -> Vec<(Vec<u8>, Entry)> {
        std::mem::take(&mut self.found)
    }

    /// The values to which the block of the last step refers, with their keys.
    pub fn take_values(&mut self) -> Vec<(Vec<u8>, ValueRef)> {
        let entries = self.take_entries().into_iter();
        let values = entries.filter_map(|(key, entry)| Some((key, entry.live()?)));
        values.collect()
    }

    /// Reads and checks the next block.
    pub fn step(&mut self, reader: &BlockReader) -> Finding {
        let Some(next) = self.pending.pop() else {
            return self.conclude();
        };
        self.found.clear();
        self.kind = next.kind;
        self.gap = Gap {
            start: next.fence.clone(),
            end: next.end.clone(),
        };
        match self.check(reader, &next) {
            Ok(()) => {
                self.bytes += u64::from(next.handle.length);
                Finding::Sound(next.handle.length)
            }
            Err(BlockError::Unreadable(bad)) => Finding::Bad(bad),
            // With full effort this does not happen; say the block was not read.
            Err(BlockError::NotCached) => Finding::Bad(Unreadable {
                handle: next.handle,
                fault: BlockFault::Io(std::io::ErrorKind::WouldBlock),
            }),
        }
    }

    fn conclude(&self) -> Finding {
        let meta = self.run.meta();
        let found = (self.entries, self.tombstones, self.bytes, self.max_seqno);
        let partial = !self.from.is_empty();
        if partial || found == (meta.entries, meta.tombstones, meta.bytes, meta.max_seqno) {
            Finding::Done
        } else {
            Finding::CountsDiffer
        }
    }

    fn push(&mut self, child: &Child<'_>, end: Option<&[u8]>, height: u8) {
        let kind = if height == 0 { Kind::Leaf } else { Kind::Node };
        self.pending.push(Pending {
            handle: child.handle,
            kind,
            height,
            fence: child.fence.to_vec(),
            end: end.map(<[u8]>::to_vec),
        });
        if !child.filter.is_none() {
            self.pending.push(Pending {
                handle: child.filter,
                kind: Kind::Filter,
                height,
                fence: child.fence.to_vec(),
                end: end.map(<[u8]>::to_vec),
            });
        }
    }

    fn check(&mut self, reader: &BlockReader, next: &Pending) -> Result<(), BlockError> {
        if next.kind == Kind::Filter {
            self.filter = None;
        }
        let expected = self.run.expect(next.handle, next.kind)?;
        let block = reader.read_cold(&expected, Effort::Medium)?;
        let malformed = BlockError::malformed(next.handle);
        match next.kind {
            Kind::Filter => {
                filter::may_hold(block.payload(), 0).map_err(&malformed)?;
                self.filter = Some(Arc::new(block));
                Ok(())
            }
            Kind::Node => self.check_node(next, &block),
            Kind::Leaf => self.check_leaf(next, &block),
        }
    }

    fn check_node(&mut self, next: &Pending, block: &Block) -> Result<(), BlockError> {
        let malformed = BlockError::malformed(next.handle);
        let contradiction = BlockError::unreadable(next.handle, BlockFault::Malformed);
        let node = Node::new(block.payload(), block.count()).map_err(&malformed)?;
        let mut children = Vec::new();
        for index in 0..node.count() {
            children.push(node.child(index).map_err(&malformed)?);
        }
        let first = children.first().map(|child| child.fence);
        let ascending = children.iter().map(|child| child.fence);
        if first != Some(next.fence.as_slice()) || !ascending.is_sorted_by(|a, b| a < b) {
            return Err(contradiction);
        }
        let height = next.height.saturating_sub(1);
        let mut end = next.end.as_deref();
        for child in children.iter().rev() {
            let below = end.is_some_and(|end| *end <= self.from[..]);
            if !below {
                self.push(child, end, height);
            }
            end = Some(child.fence);
        }
        Ok(())
    }

    fn check_leaf(&mut self, next: &Pending, block: &Block) -> Result<(), BlockError> {
        let malformed = BlockError::malformed(next.handle);
        let contradiction = BlockError::unreadable(next.handle, BlockFault::Malformed);
        // The last key of the leaf before must also be below this fence.
        if self
            .last_key
            .as_ref()
            .is_some_and(|last| *last >= next.fence)
        {
            return Err(contradiction);
        }
        let leaf = Leaf::new(block.payload(), block.count()).map_err(&malformed)?;
        for index in 0..leaf.groups() {
            leaf.decode(index, &mut self.group).map_err(&malformed)?;
            for (key, entry) in self.group.entries() {
                let above = match &self.last_key {
                    Some(last) => last < key,
                    None => true,
                };
                let admitted = self.filter.as_ref().is_none_or(|block| {
                    filter::may_hold(block.payload(), filter::hash(key)) != Ok(false)
                });
                if !above || !admitted || *key < next.fence {
                    return Err(contradiction);
                }
                let last = self.last_key.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
                if *key >= self.from {
                    self.found.push((key.clone(), entry.clone()));
                }
                self.entries += 1;
                self.tombstones += u64::from(entry.state == State::Deleted);
                self.max_seqno = self.max_seqno.max(entry.seqno);
            }
        }
        Ok(())
    }
}
